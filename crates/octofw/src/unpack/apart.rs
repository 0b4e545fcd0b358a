//! Taking a firmware file apart.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::layout::{Layout, SCHEMA, UpfileFields};
use super::{PADDING, PARTS, TRAILING, UnpackError, root, word};
use crate::container::parameter::{WRAPPED_LEN, wrap};
use crate::container::upfile::{EntryKind, TABLE_END};
use crate::container::{Kind, SourceFile, Span, rkfw};
use crate::digest::hex;
use crate::image::{Image, LOADER, ROOTFS};

const PARAMETER: &str = "parameter.txt";

/// What to unpack.
#[derive(Debug)]
pub struct Unpack<'a> {
    /// The firmware file, or a layer of one.
    pub file: &'a Path,
    /// The folder, which must not exist.
    pub folder: &'a Path,
    /// Whether the root file system is unpacked too.
    pub root: bool,
}

/// A file that is made, and its bytes.
pub type Piece = (PathBuf, u64);

/// Takes a file apart, and tells what each layer became; the tree of the root is not told. Nothing is left of the folder
/// where that fails.
///
/// # Errors
/// See [`UnpackError`].
pub fn unpack(job: &Unpack<'_>) -> Result<Vec<Piece>, UnpackError> {
    let (source, kind) = open(job)?;
    fs::create_dir(job.folder).map_err(UnpackError::io("make", job.folder))?;
    let done = match kind {
        Kind::Squashfs => squashfs(job, &source),
        _ => image(job),
    };
    if done.is_err() {
        // The error that led here tells more than one of clearing up.
        let _ = fs::remove_dir_all(job.folder);
    }
    done
}

/// Tells what [`unpack`] would make, after all that can be checked beforehand.
///
/// # Errors
/// As there.
pub fn foretell(job: &Unpack<'_>) -> Result<Vec<Piece>, UnpackError> {
    let (source, kind) = open(job)?;
    if job.folder.symlink_metadata().is_ok() {
        return Err(UnpackError::io("make", job.folder)(io::ErrorKind::AlreadyExists.into()));
    }
    if kind == Kind::Squashfs {
        return Ok(vec![(job.folder.join(PARTS).join(ROOTFS), source.len())]);
    }
    let image = Image::open(job.file)?;
    check_order(&image)?;
    pieces(&image, job.folder)
}

fn open(job: &Unpack<'_>) -> Result<(SourceFile, Kind), UnpackError> {
    let source = SourceFile::open(job.file).map_err(UnpackError::io("read", job.file))?;
    let first = source.read_up_to(0, 4).map_err(UnpackError::io("read", job.file))?;
    let kind = first.first_chunk().copied().and_then(Kind::of);
    let kind = kind.ok_or_else(|| UnpackError::Unknown { path: job.file.to_owned() })?;
    Ok((source, kind))
}

/// The layers of an image as files of the folder.
fn pieces(image: &Image, folder: &Path) -> Result<Vec<Piece>, UnpackError> {
    let mut pieces = Vec::new();
    for part in image.rkaf().files() {
        let name = part.file.text();
        pieces.push((folder.join(PARTS).join(name), image.span_of(name)?.len));
    }
    pieces.extend(image.rkfw().map(|rkfw| (folder.join(LOADER), rkfw.loader.len)));
    if let Some(upfile) = image.upfile() {
        let [_, others @ ..] = EntryKind::ALL;
        pieces.extend(others.map(|kind| (folder.join(kind.file_name()), upfile.entry(kind).span.len)));
    }
    Ok(pieces)
}

fn squashfs(job: &Unpack<'_>, source: &SourceFile) -> Result<Vec<Piece>, UnpackError> {
    let parts = job.folder.join(PARTS);
    fs::create_dir(&parts).map_err(UnpackError::io("make", &parts))?;
    copy(source, source.span(), &parts.join(ROOTFS))?;
    if job.root {
        root::unpack(job.file, source.span(), job.folder)?;
    }
    let kind = word(Kind::Squashfs).to_owned();
    Layout { schema: SCHEMA, kind, upfile: None, rkfw: None, rkaf: None }.write(job.folder)?;
    Ok(vec![(parts.join(ROOTFS), source.len())])
}

fn image(job: &Unpack<'_>) -> Result<Vec<Piece>, UnpackError> {
    let image = Image::open(job.file)?;
    check_order(&image)?;
    let parts = job.folder.join(PARTS);
    fs::create_dir(&parts).map_err(UnpackError::io("make", &parts))?;
    let source = SourceFile::open(job.file).map_err(UnpackError::io("read", job.file))?;
    for part in image.rkaf().files() {
        let name = part.file.text();
        let at = image.span_of(name)?;
        let to = parts.join(name);
        let whole = Span::new(at.offset, part.padded_size());
        if name != PARAMETER || !unwrapped(&source, whole, &image.parameter().text, &to)? {
            copy(&source, at, &to)?;
            padding(&source, Span::new(at.end(), whole.end().saturating_sub(at.end())), &to)?;
        }
    }
    if let Some(rkfw) = image.rkfw() {
        copy(&source, rkfw.loader, &job.folder.join(LOADER))?;
    }
    if let Some(upfile) = image.upfile() {
        let [_, others @ ..] = EntryKind::ALL;
        for kind in others {
            copy(&source, upfile.entry(kind).span, &job.folder.join(kind.file_name()))?;
        }
        let end = upfile.entry(EntryKind::McuDesc).span.end();
        if end < source.len() {
            let behind = Span::new(end, source.len().saturating_sub(end));
            copy(&source, behind, &job.folder.join(TRAILING))?;
        }
    }
    if job.root {
        root::unpack(job.file, image.span_of(ROOTFS)?, job.folder)?;
    }
    let upfile = image.upfile().map(|upfile| UpfileFields {
        container_version: upfile.container_version,
        version: upfile.version.text().to_owned(),
        version_field: hex(upfile.version.stored()),
        date: upfile.date.text().to_owned(),
        reserved: hex(&upfile.reserved),
    });
    Layout {
        schema: SCHEMA,
        kind: word(image.kind()).to_owned(),
        upfile,
        rkfw: image.rkfw().map(|rkfw| hex(&rkfw.encode())),
        rkaf: Some(hex(&image.rkaf().encode())),
    }
    .write(job.folder)?;
    pieces(&image, job.folder)
}

/// Refuses what could not be put together again to the same bytes.
fn check_order(image: &Image) -> Result<(), UnpackError> {
    let problem = |problem| Err(UnpackError::Order { path: image.path().to_owned(), problem });
    let mut rkaf = image.rkaf().clone();
    rkaf.arrange(&[])?;
    if rkaf != *image.rkaf() {
        return problem("the parts of its rom image do not lie one behind the other");
    }
    if image.rkaf().parts.iter().any(crate::container::rkaf::Part::is_self) {
        return problem("a part stands for the rom image itself");
    }
    let Some(upfile) = image.upfile() else { return Ok(()) };
    let mut at = TABLE_END as u64;
    for kind in EntryKind::ALL {
        let span = upfile.entry(kind).span;
        if span.offset != at {
            return problem("its payloads do not lie one behind the other");
        }
        at = span.end();
    }
    let trailer = image.rkfw().map_or(0, |_| rkfw::TRAILER_LEN as u64);
    if image.rkaf_span().end().saturating_add(trailer) != upfile.entry(EntryKind::Update).span.end() {
        return problem("its update.img is longer than what it holds");
    }
    Ok(())
}

/// Writes the bare text, where wrapping it again gives the same block; whether it does.
fn unwrapped(source: &SourceFile, at: Span, text: &str, to: &Path) -> Result<bool, UnpackError> {
    let stored = source.read_up_to(at.offset, WRAPPED_LEN).map_err(UnpackError::io("read", source.path()))?;
    if at.len != WRAPPED_LEN as u64 || wrap(text.as_bytes()) != Some(stored) {
        return Ok(false);
    }
    fs::write(to, text).map_err(UnpackError::io("write", to))?;
    Ok(true)
}

/// Keeps what fills up a block, where that is not zeros.
fn padding(source: &SourceFile, at: Span, part: &Path) -> Result<(), UnpackError> {
    let bytes = usize::try_from(at.len).unwrap_or(0);
    let bytes = source.read_up_to(at.offset, bytes).map_err(UnpackError::io("read", source.path()))?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    let to = with_ending(part);
    fs::write(&to, bytes).map_err(UnpackError::io("write", &to))
}

/// Where the padding of a part is kept.
pub(super) fn with_ending(part: &Path) -> PathBuf {
    let mut name = part.as_os_str().to_owned();
    name.push(".");
    name.push(PADDING);
    name.into()
}

fn copy(source: &SourceFile, at: Span, to: &Path) -> Result<(), UnpackError> {
    let mut file = File::create_new(to).map_err(UnpackError::io("write", to))?;
    let mut failed = None;
    let mut write = |piece: &[u8]| {
        if failed.is_none() {
            failed = file.write_all(piece).err();
        }
    };
    source.for_each_piece(at, &mut write).map_err(UnpackError::io("read", source.path()))?;
    failed.map_or(Ok(()), |source: io::Error| Err(UnpackError::io("write", to)(source)))
}
