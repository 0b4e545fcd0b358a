//! Files that the stand-in holds, and what it makes of a photo.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::chats::{Refusal, bad};
use super::picture;
use super::request::Upload;

/// Largest photo, and largest file that can be fetched.
const LARGEST_PHOTO: usize = 10 << 20;
const LARGEST_FETCHED: usize = 20 << 20;

/// A file. A photo has several, one for each of its sizes, with the same bytes.
#[derive(Debug, Clone)]
pub(super) struct File {
    id: String,
    unique: String,
    /// `photo`, or what else it was sent as.
    kind: String,
    name: String,
    mime: String,
    path: String,
    bytes: Arc<[u8]>,
    /// What the service says is its size, where a test needs a large one.
    claimed: Option<u64>,
    /// Width and height.
    size: Option<(u64, u64)>,
}

/// All files.
#[derive(Debug, Default)]
pub(super) struct Files {
    files: Vec<File>,
    /// Where a local Bot API server keeps them.
    folder: Option<PathBuf>,
}

impl Files {
    fn add(&mut self, kind: &str, upload: &Upload, size: Option<(u64, u64)>) -> File {
        let number = self.files.len();
        let suffix =
            upload.filename.rsplit_once('.').map_or_else(String::new, |(_, suffix)| format!(".{suffix}"));
        let file = File {
            id: format!("AgACAgQAAxkDAAI{number:06}"),
            unique: format!("AQAD{number:06}"),
            kind: kind.to_owned(),
            name: upload.filename.clone(),
            mime: upload.content_type.clone(),
            path: format!("{kind}s/file_{number}{suffix}"),
            bytes: Arc::clone(&upload.bytes),
            claimed: None,
            size,
        };
        self.files.push(file.clone());
        file
    }

    fn find(&self, id: &str) -> Option<&File> {
        self.files.iter().find(|file| file.id == id)
    }

    /// The bytes of a file.
    pub(super) fn bytes(&self, id: &str) -> Option<Arc<[u8]>> {
        self.find(id).map(|file| Arc::clone(&file.bytes))
    }

    /// The bytes at a path.
    pub(super) fn at(&self, path: &str) -> Option<Arc<[u8]>> {
        self.files.iter().find(|file| file.path == path).map(|file| Arc::clone(&file.bytes))
    }

    /// Takes a photo: the API's `PhotoSize[]`, smallest first.
    pub(super) fn photo(&mut self, source: Source<'_>) -> Result<Value, Refusal> {
        let upload = match source {
            Source::Upload(upload) => upload,
            Source::Known(id) => {
                let file = self.find(id).filter(|file| file.kind == "photo");
                let file = file.ok_or_else(|| bad("wrong file identifier/HTTP URL specified"))?;
                // The service finds all sizes by any of them; here they are those of the same bytes.
                let same = |other: &&File| Arc::ptr_eq(&other.bytes, &file.bytes);
                return Ok(self.files.iter().filter(same).map(File::photo_size).collect());
            }
        };
        let count = upload.bytes.len();
        if count == 0 {
            return Err(bad("file must be non-empty"));
        }
        if count > LARGEST_PHOTO {
            return Err(bad(format!(
                "file of size {count} bytes is too big for a photo; the maximum size is {LARGEST_PHOTO} bytes"
            )));
        }
        let (width, height) = picture::size(&upload.bytes).ok_or_else(|| bad("IMAGE_PROCESS_FAILED"))?;
        let (short, long) = (width.min(height), width.max(height));
        if short == 0 || long > 20 * short || short + long > 10_000 {
            return Err(bad("PHOTO_INVALID_DIMENSIONS"));
        }
        let mut sizes = Vec::new();
        for side in [90, 320, 800, 1280] {
            let scaled = |length: u64| if long > side { (length * side / long).max(1) } else { length };
            let file = self.add("photo", upload, Some((scaled(width), scaled(height))));
            sizes.push(file.photo_size());
            if long <= side {
                break;
            }
        }
        Ok(Value::Array(sizes))
    }

    /// Takes any other file, sent as this: the API's `Document` and its like.
    pub(super) fn file(&mut self, kind: &str, source: Source<'_>) -> Result<Value, Refusal> {
        let file = match source {
            Source::Upload(upload) if upload.bytes.is_empty() => return Err(bad("file must be non-empty")),
            Source::Upload(upload) => self.add(kind, upload, None),
            Source::Known(id) => {
                let known = self.find(id).cloned();
                known.ok_or_else(|| bad("wrong file identifier/HTTP URL specified"))?
            }
        };
        Ok(file.shown())
    }

    /// Says that a file has this size, whatever it has.
    pub(super) fn claim(&mut self, id: &str, size: u64) {
        self.files.iter_mut().filter(|file| file.id == id).for_each(|file| file.claimed = Some(size));
    }

    pub(super) fn serve_locally(&mut self, folder: &Path) {
        self.folder = Some(folder.to_owned());
    }

    /// What `getFile` says.
    pub(super) fn get(&self, id: &str) -> Result<Value, Refusal> {
        let file =
            self.find(id).ok_or_else(|| bad("wrong file_id or the file is temporarily unavailable"))?;
        if let Some(folder) = &self.folder {
            let path = folder.join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &file.bytes).unwrap();
            return Ok(json!({
                "file_id": file.id, "file_unique_id": file.unique, "file_size": file.length(), "file_path": path
            }));
        }
        if file.length() > LARGEST_FETCHED as u64 {
            return Err(bad("file is too big"));
        }
        Ok(json!({
            "file_id": file.id, "file_unique_id": file.unique, "file_size": file.length(), "file_path": file.path
        }))
    }
}

/// Where a file comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    Upload(&'a Upload),
    /// The `file_id` of one that is there.
    Known(&'a str),
}

impl File {
    fn length(&self) -> u64 {
        self.claimed.unwrap_or(self.bytes.len() as u64)
    }

    fn photo_size(&self) -> Value {
        let (width, height) = self.size.unwrap_or_default();
        json!({
            "file_id": self.id, "file_unique_id": self.unique, "width": width, "height": height,
            "file_size": self.bytes.len()
        })
    }

    fn shown(&self) -> Value {
        let mut shown =
            json!({"file_id": self.id, "file_unique_id": self.unique, "file_size": self.length()});
        if !self.name.is_empty() {
            shown["file_name"] = json!(self.name);
        }
        if !self.mime.is_empty() {
            shown["mime_type"] = json!(self.mime);
        }
        // Nobody here looks into a film.
        if ["video", "animation"].contains(&self.kind.as_str()) {
            shown["width"] = json!(640);
            shown["height"] = json!(480);
        }
        if ["video", "animation", "audio", "voice"].contains(&self.kind.as_str()) {
            shown["duration"] = json!(1);
        }
        if self.kind == "voice" {
            shown.as_object_mut().unwrap().remove("file_name");
        }
        shown
    }
}
