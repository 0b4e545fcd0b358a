//! What Moonraker's scan found in the present file, and when to ask for it.

use super::any::Any;
use super::objects::{MAX_FILE, file_name, seconds};
use super::wire::clip;
use crate::printer::{Metadata, Thumbnail};
use std::sync::Arc;
use std::time::Duration;

/// A file that is not scanned yet is asked for again after these times, one after the other.
const AGAIN: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10), Duration::from_secs(30)];

/// Most pictures that are kept.
const MAX_THUMBNAILS: usize = 8;

/// Longest text of the slicer kept, in bytes: one part for each of many tools.
const MAX_TEXT: usize = 256;

/// The present file and what is known of it.
#[derive(Debug, Default)]
pub(super) struct PresentFile {
    name: Option<String>,
    metadata: Option<Arc<Metadata>>,
    refusals: usize,
    /// When to ask again.
    pub(super) again_at: Option<Duration>,
}

impl PresentFile {
    /// Takes the name of the present file. Returns whether it is another one than before.
    pub(super) fn watch(&mut self, name: Option<&str>) -> bool {
        let changed = self.name.as_deref() != name;
        if changed {
            *self = Self { name: name.map(str::to_owned), ..Self::default() };
        }
        changed
    }

    /// Takes news of the list of files (`notify_filelist_changed`). Returns whether the present file is another
    /// one now.
    pub(super) fn change(&mut self, change: &Any<'_>) -> bool {
        let item = change.get("item");
        let in_gcodes = item.get("root").text() == Some("gcodes");
        let path = item.get("path").text().and_then(file_name);
        let changed = in_gcodes && path.is_some() && path == self.name;
        if changed {
            self.refusals = 0;
            self.again_at = None;
        }
        changed
    }

    /// Parameters of `server.files.metadata`; none while there is no file.
    pub(super) fn question(&self) -> Option<String> {
        let name = serde_json::to_string(self.name.as_deref()?).ok()?;
        Some(format!(r#"{{"filename":{name}}}"#))
    }

    /// Takes the answer, or that there is none.
    pub(super) fn answer(&mut self, metadata: &Any<'_>, now: Duration) {
        if !matches!(metadata, Any::Object(_)) {
            return self.refuse(now);
        }
        let folder = self.name.as_deref().and_then(|name| name.rsplit_once('/')).map(|(folder, _)| folder);
        self.metadata = Some(Arc::new(known(metadata, folder)));
        self.refusals = 0;
        self.again_at = None;
    }

    /// There is no answer yet: Moonraker has not scanned the file.
    pub(super) fn refuse(&mut self, now: Duration) {
        self.again_at = AGAIN.get(self.refusals).map(|delay| now + *delay);
        self.refusals += 1;
        if self.again_at.is_none() {
            self.metadata = None;
        }
    }

    pub(super) fn metadata(&self) -> Option<&Arc<Metadata>> {
        self.metadata.as_ref()
    }
}

/// The facts of a file that lies in `folder` of the gcodes root.
pub(super) fn known(metadata: &Any<'_>, folder: Option<&str>) -> Metadata {
    let number = |name| metadata.get(name).number();
    let text = |name| {
        let text = metadata.get(name).text().filter(|text| !text.is_empty());
        text.map(|text| clip(text, MAX_TEXT))
    };
    let pictures = metadata.get("thumbnails").items().unwrap_or_default();
    let pictures = pictures.iter().filter_map(|picture| thumbnail(picture, folder));
    Metadata {
        size: metadata.get("size").whole(),
        modified: number("modified").and_then(seconds),
        slicer: text("slicer"),
        estimated_time: number("estimated_time").and_then(seconds),
        gcode_start_byte: metadata.get("gcode_start_byte").whole(),
        gcode_end_byte: metadata.get("gcode_end_byte").whole(),
        layer_count: metadata.get("layer_count").count(),
        layer_height: number("layer_height"),
        first_layer_height: number("first_layer_height"),
        object_height: number("object_height"),
        filament_total: number("filament_total"),
        filament_weight: number("filament_weight_total"),
        filament_type: text("filament_type"),
        nozzle_diameter: number("nozzle_diameter"),
        first_layer_nozzle_temperature: number("first_layer_extr_temp"),
        first_layer_bed_temperature: number("first_layer_bed_temp"),
        thumbnails: pictures.take(MAX_THUMBNAILS).collect(),
    }
}

fn thumbnail(picture: &Any<'_>, folder: Option<&str>) -> Option<Thumbnail> {
    let path = picture.get("relative_path").text()?;
    // It is told relative to the file's folder, and stays below it.
    let strays = path.starts_with('/') || path.split('/').any(|part| part == "..");
    if path.is_empty() || path.len() > MAX_FILE || strays {
        return None;
    }
    Some(Thumbnail {
        width: picture.get("width").count()?,
        height: picture.get("height").count()?,
        size: picture.get("size").whole().unwrap_or(0),
        path: folder.map_or_else(|| path.to_owned(), |folder| format!("{folder}/{path}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn present(name: &str) -> PresentFile {
        let mut file = PresentFile::default();
        assert!(file.watch(Some(name)));
        file
    }

    #[test]
    fn pictures_are_told_relative_to_the_root() {
        for (name, paths) in [
            ("cube.gcode", [".thumbs/a.png", ".thumbs/b.png"]),
            ("my/deep folder/cube.gcode", ["my/deep folder/.thumbs/a.png", "my/deep folder/.thumbs/b.png"]),
        ] {
            let mut file = present(name);
            let answer = r#"{"thumbnails":[
                {"width":32,"height":32,"size":543,"relative_path":".thumbs/a.png"},
                {"width":32,"height":32,"relative_path":"../config/moonraker.conf"},
                {"width":32,"height":32,"relative_path":"/etc/passwd"},
                {"width":-1,"height":32,"relative_path":"x.png"},
                7,
                {"width":300,"height":300,"relative_path":".thumbs/b.png"}]}"#;
            file.answer(&Any::read(answer.as_bytes()), NOW);
            let thumbnails = &file.metadata().unwrap().thumbnails;
            let found: Vec<_> = thumbnails.iter().map(|thumbnail| thumbnail.path.as_str()).collect();
            assert_eq!(found, paths);
            assert_eq!((thumbnails[0].width, thumbnails[0].size, thumbnails[1].size), (32, 543, 0));
        }
    }

    #[test]
    fn a_file_that_is_not_scanned_is_asked_for_a_few_times() {
        let mut file = present("a.gcode");
        let mut waits = Vec::new();
        loop {
            file.refuse(NOW);
            let Some(again) = file.again_at else { break };
            waits.push((again - NOW).as_secs());
            assert!(waits.len() < 20);
        }
        assert_eq!(waits, [1, 3, 10, 30]);
        for (path, root, is_it) in [
            ("b.gcode", "gcodes", false),
            ("a.gcode", "config", false),
            ("", "gcodes", false),
            ("a.gcode", "gcodes", true),
        ] {
            let change = format!(r#"{{"action":"modify_file","item":{{"path":"{path}","root":"{root}"}}}}"#);
            assert_eq!(file.change(&Any::read(change.as_bytes())), is_it, "{path} {root}");
        }
        file.refuse(NOW);
        assert_eq!(file.again_at, Some(NOW + AGAIN[0]), "the patience begins anew");
    }

    #[test]
    fn another_file_has_other_facts() {
        let mut file = present("a \"b\".gcode");
        assert_eq!(file.question().unwrap(), r#"{"filename":"a \"b\".gcode"}"#);
        file.answer(&Any::read(br#"{"layer_count":5,"slicer":7,"size":1.5e3}"#), NOW);
        assert!(!file.watch(Some("a \"b\".gcode")));
        let metadata = file.metadata().unwrap();
        assert_eq!((metadata.layer_count, metadata.size, &metadata.slicer), (Some(5), Some(1500), &None));
        assert!(file.watch(None));
        assert_eq!((file.metadata(), file.question()), (None, None));
    }
}
