//! Putting an unpacked file together again.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::apart::with_ending;
use super::layout::{self, Layout, UpfileFields};
use super::{LAYOUT, PARTS, TABLE, TRAILING, TREE, UnpackError, root, word};
use crate::container::assemble::{Assembly, Content, Outer, Update};
use crate::container::parameter::{OVERHEAD, wrap};
use crate::container::rkaf::{self, Rkaf};
use crate::container::rkfw::{self, Rkfw};
use crate::container::upfile::{EntryKind, VERSION_LEN, is_version_byte};
use crate::container::{FixedText, Kind, SourceFile, Span};
use crate::image::{Image, ImageError, LOADER, ROOTFS};
use crate::output::{AtomicOutput, folder_of};
use crate::squashfs::{SUPERBLOCK_LEN, Superblock};

const PARAMETER: &str = "parameter.txt";
const WRAPPER: &[u8; 4] = b"PARM";

/// What was put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed {
    /// Bytes of the file.
    pub size: u64,
    /// Whether the root file system was made anew out of the tree.
    pub root_changed: bool,
}

/// Puts the folder that [`super::unpack`] made together to the file `out`, which appears whole or not at all.
///
/// # Errors
/// See [`UnpackError`].
pub fn pack(folder: &Path, out: &Path) -> Result<Packed, UnpackError> {
    let layout = Layout::read(folder)?;
    // Beside the output, where there is room for it.
    let place = tempfile::Builder::new()
        .prefix(".octofw-")
        .tempdir_in(folder_of(out))
        .map_err(UnpackError::io("write", out))?;
    let root = new_root(folder, place.path())?;
    let mut output = AtomicOutput::create(out).map_err(UnpackError::io("write", out))?;
    if layout.kind == word(Kind::Squashfs) {
        let from = root.clone().unwrap_or_else(|| folder.join(PARTS).join(ROOTFS));
        let mut file = File::open(&from).map_err(UnpackError::io("read", &from))?;
        io::copy(&mut file, output.file()).map_err(UnpackError::io("write", out))?;
    } else {
        let file = output.file().try_clone().map_err(UnpackError::io("write", out))?;
        let written = assembly(folder, &layout, root.as_deref())?.write_into(output.file(), out);
        written?;
        append(&folder.join(TRAILING), file, out)?;
    }
    check(output.place(), folder)?;
    let size = output.file().metadata().map_err(UnpackError::io("read", out))?.len();
    output.commit().map_err(UnpackError::io("write", out))?;
    Ok(Packed { size, root_changed: root.is_some() })
}

/// Looks whether what was put together is what a reader takes for firmware: parts may have been edited.
fn check(made: &Path, folder: &Path) -> Result<(), UnpackError> {
    let unsound = |source| UnpackError::Unsound { path: folder.to_owned(), source };
    let file = SourceFile::open(made).map_err(UnpackError::io("read", made))?;
    let first = file.read_up_to(0, SUPERBLOCK_LEN).map_err(UnpackError::io("read", made))?;
    let kind = first.first_chunk().copied().and_then(Kind::of);
    if kind == Some(Kind::Squashfs) {
        return Superblock::parse(&first, file.span()).map(drop).map_err(unsound);
    }
    match Image::read(made) {
        Err(ImageError::Format { source, .. }) => Err(unsound(source)),
        read => read.map(drop).map_err(UnpackError::from),
    }
}

/// Whether a file that is put to `out` would become a part of what [`pack`] reads in the folder, or replace one.
#[must_use]
pub fn is_of_folder(folder: &Path, out: &Path) -> bool {
    let (Ok(folder), Ok(place)) = (folder.canonicalize(), folder_of(out).canonicalize()) else {
        return false;
    };
    if place.starts_with(folder.join(PARTS)) || place.starts_with(folder.join(TREE)) {
        return true;
    }
    let names = [LAYOUT, PARTS, TREE, TABLE, TRAILING, LOADER];
    let names = names.into_iter().chain(EntryKind::ALL.map(EntryKind::file_name));
    place == folder && names.into_iter().any(|name| out.file_name().is_some_and(|out| out == name))
}

/// The root file system out of the tree, where there is one and it was changed.
fn new_root(folder: &Path, place: &Path) -> Result<Option<PathBuf>, UnpackError> {
    if !folder.join(TABLE).exists() {
        return Ok(None);
    }
    let made = place.join(ROOTFS);
    Ok(root::pack(folder, &made)?.then_some(made))
}

fn append(from: &Path, mut out: File, path: &Path) -> Result<(), UnpackError> {
    let mut file = match File::open(from) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(UnpackError::io("read", from))?,
    };
    out.seek(SeekFrom::End(0)).map_err(UnpackError::io("write", path))?;
    io::copy(&mut file, &mut out).map_err(UnpackError::io("write", path))?;
    Ok(())
}

fn assembly(folder: &Path, layout: &Layout, root: Option<&Path>) -> Result<Assembly<'static>, UnpackError> {
    let path = folder.join(LAYOUT);
    let missing = |what: &str| UnpackError::Folder {
        path: path.clone(),
        problem: format!("the header {what} is missing or not in hexadecimal digits; unpack the file again"),
    };
    let header = layout.rkaf.as_deref().and_then(|digits| layout::bytes(digits, rkaf::HEADER_LEN));
    let header = header.ok_or_else(|| missing("rkaf"))?;
    let length = u64::from(number(&header, 4)).saturating_add(rkaf::TRAILER_LEN as u64);
    let format = |source| UnpackError::Format { path: path.clone(), source };
    let mut rkaf = Rkaf::parse(&header, Span::new(0, length)).map_err(format)?;
    let mut files = Vec::new();
    let mut sizes = Vec::new();
    for part in rkaf.files() {
        let name = part.file.text();
        let place = match root.filter(|_| name == ROOTFS) {
            Some(root) => root.to_owned(),
            None => folder.join(PARTS).join(name),
        };
        let content = content(name, &place, u64::from(part.size))?;
        sizes
            .push((name.to_owned(), if content.padded { u64::from(part.size) } else { content.content.len }));
        files.push(content.content);
    }
    let sizes: Vec<(&str, u64)> = sizes.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    rkaf.arrange(&sizes)?;

    let update = match layout.rkfw.as_deref() {
        None => None,
        Some(digits) => {
            let header = layout::bytes(digits, rkfw::HEADER_LEN).ok_or_else(|| missing("rkfw"))?;
            let length =
                [29, 37].into_iter().fold((rkfw::HEADER_LEN + rkfw::TRAILER_LEN) as u64, |sum, at| {
                    sum.saturating_add(u64::from(number(&header, at)))
                });
            let header = Rkfw::parse(&header, Span::new(0, length)).map_err(format)?;
            Some(Update { header, loader: file(LOADER, &folder.join(LOADER))? })
        }
    };
    let outer = layout.upfile.as_ref().map(|fields| outer(folder, &path, fields)).transpose()?;
    Ok(Assembly { outer, update, rkaf, files, sha256_of: None })
}

fn outer(folder: &Path, path: &Path, fields: &UpfileFields) -> Result<Outer<'static>, UnpackError> {
    let wrong = |problem: String| UnpackError::Folder { path: path.to_owned(), problem };
    let stored = layout::bytes(&fields.version_field, VERSION_LEN).and_then(|bytes| bytes.try_into().ok());
    let version = stored
        .map(FixedText::from_stored)
        .filter(|stored| stored.text() == fields.version)
        .or_else(|| FixedText::new(&fields.version))
        .filter(|version| version.is_of(is_version_byte));
    let version = version.ok_or_else(|| {
        wrong(format!(
            "the version {:?} must have 1 to {VERSION_LEN} letters, digits and + . _ -",
            fields.version
        ))
    })?;
    let date = FixedText::new(&fields.date).filter(|date| date.stored().iter().all(u8::is_ascii_digit));
    let date = date.ok_or_else(|| wrong(format!("the date {:?} must have 14 digits", fields.date)))?;
    let reserved = layout::bytes(&fields.reserved, 16).and_then(|bytes| bytes.try_into().ok());
    let reserved = reserved.ok_or_else(|| wrong("reserved must have 32 hexadecimal digits".into()))?;
    if !matches!(fields.container_version, 1 | 2) {
        return Err(wrong(format!(
            "container version {} is not known; give 1 or 2",
            fields.container_version
        )));
    }
    let other = |kind: EntryKind| file(kind.file_name(), &folder.join(kind.file_name()));
    Ok(Outer {
        container_version: fields.container_version,
        version,
        date,
        reserved,
        others: [other(EntryKind::MainMcu)?, other(EntryKind::HeadMcu)?, other(EntryKind::McuDesc)?],
    })
}

/// The content of a part, and whether the end of its last block comes with it.
struct PartContent {
    content: Content<'static>,
    padded: bool,
}

fn content(name: &str, place: &Path, size: u64) -> Result<PartContent, UnpackError> {
    if name == PARAMETER {
        let text = fs::read(place).map_err(UnpackError::io("read", place))?;
        if !text.starts_with(WRAPPER) {
            let wrapped = wrap(&text).ok_or_else(|| UnpackError::Folder {
                path: place.to_owned(),
                problem: format!("the text has {} bytes, 2036 fit; shorten it", text.len()),
            })?;
            let length = text.len().saturating_add(OVERHEAD);
            let stored = wrapped.get(..length).unwrap_or(&wrapped).to_vec();
            let content = Content::new(name, stored.len() as u64, io::Cursor::new(stored));
            return Ok(PartContent { content, padded: false });
        }
    }
    let content = file(name, place)?;
    let padding = with_ending(place);
    if content.len == size && padding.exists() {
        let padding = file(name, &padding)?;
        let len = content.len.saturating_add(padding.len);
        if let (Some(first), Some(rest)) = (content.reader, padding.reader) {
            return Ok(PartContent { content: Content::new(name, len, first.chain(rest)), padded: true });
        }
        return Err(UnpackError::Io {
            action: "read",
            path: place.to_owned(),
            source: io::ErrorKind::Other.into(),
        });
    }
    Ok(PartContent { content, padded: false })
}

fn file(name: &str, place: &Path) -> Result<Content<'static>, UnpackError> {
    let metadata = fs::metadata(place).map_err(UnpackError::io("read", place))?;
    if !metadata.is_file() || metadata.len() == 0 && name != PARAMETER && name == LOADER {
        let problem = "it must be a file that is not empty; unpack the firmware again".to_owned();
        return Err(UnpackError::Folder { path: place.to_owned(), problem });
    }
    let file = File::open(place).map_err(UnpackError::io("read", place))?;
    Ok(Content::new(name, metadata.len(), file))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|bytes| bytes.first_chunk().copied()).map_or(0, u32::from_le_bytes)
}
