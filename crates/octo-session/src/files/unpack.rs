//! Archives on their way in. They come from anywhere, so one is read twice: first to see that all of it is harmless and
//! within the limits, then to write it. One that is refused has left nothing.

use std::ffi::OsStr;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::sync::Mutex;

use rustix::fs::{AtFlags, FileType, Timespec, Timestamps};
use rustix::io::Errno;
use serde::Serialize;

use super::inside::Inside;
use super::jail::{self, Jail, Links};
use super::refusal::{Code, Refusal};
use super::settings::Limits;
use super::write::{self, Conditions};
use super::{change, unpack_tar, unpack_zip};

/// What an entry of an archive is.
pub(crate) enum Content<'a> {
    Folder,
    File(&'a mut dyn Read),
    /// A link, and where it points; which is nobody's business, since it is never followed out of the root.
    Link(Vec<u8>),
    /// Another name of a file that came before.
    Same(Vec<u8>),
    /// A device, a pipe: nothing that a workspace can have.
    Other,
}

/// An entry of an archive.
pub(crate) struct Entry<'a> {
    pub(crate) name: Vec<u8>,
    pub(crate) mode: u32,
    /// Seconds since 1970, if the archive tells.
    pub(crate) modified: Option<u64>,
    pub(crate) content: Content<'a>,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub(crate) files: u64,
    pub(crate) directories: u64,
    pub(crate) links: u64,
    /// Devices and pipes, which are left out.
    pub(crate) skipped: u64,
    /// Content of all files, in bytes.
    pub(crate) bytes: u64,
}

/// Says that an archive is no good.
pub(crate) fn bad(why: impl Into<String>) -> Refusal {
    Refusal::new(Code::InvalidArchive, why)
}

/// What a broken archive makes the readers say.
pub(crate) fn broken(error: &io::Error) -> Refusal {
    bad(format!("the archive is damaged: {error}"))
}

/// Extracts `archive` into the directory `to`, which is made if it is missing.
pub(crate) fn extract(
    jail: &Jail,
    to: &Inside,
    archive: &mut std::fs::File,
    limits: &Limits,
    order: &Mutex<()>,
) -> Result<Report, Refusal> {
    let mut look = Look { report: Report::default(), limits };
    each_entry(archive, limits, &mut |entry| look.at(entry))?;

    jail.make_folders(to, Links::Follow)?;
    let mut work =
        Work { jail: &jail.narrowed(to)?, order, report: Report::default(), folders: Vec::new(), limits };
    each_entry(archive, limits, &mut |entry| work.write(entry))?;
    // Last and from within, since a directory may be closed to its owner.
    work.folders.sort();
    for (path, mode) in work.folders.iter().rev() {
        if !path.is_root() {
            change::set_mode(work.jail, path, *mode)?;
        }
    }
    Ok(work.report)
}

type Each<'a> = &'a mut dyn FnMut(Entry<'_>) -> Result<(), Refusal>;

fn each_entry(archive: &mut std::fs::File, limits: &Limits, each: Each<'_>) -> Result<(), Refusal> {
    let mut start = Vec::new();
    archive.seek(SeekFrom::Start(0)).map_err(|error| broken(&error))?;
    archive.by_ref().take(512).read_to_end(&mut start).map_err(|error| broken(&error))?;
    archive.seek(SeekFrom::Start(0)).map_err(|error| broken(&error))?;
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        unpack_zip::each(archive, limits, each)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        unpack_tar::each(flate2::read::MultiGzDecoder::new(archive), limits, each)
    } else if start.get(257..262) == Some(b"ustar") {
        unpack_tar::each(archive, limits, each)
    } else {
        Err(bad("it is neither a zip file nor a tar file, plain or with gzip"))
    }
}

/// The place of an entry, below the directory that is extracted to.
fn place(name: &[u8]) -> Result<Inside, Refusal> {
    if name.starts_with(b"/") {
        let shown = String::from_utf8_lossy(name.get(..name.len().min(100)).unwrap_or_default()).into_owned();
        return Err(Refusal::new(
            Code::PathTraversal,
            format!("{shown}: an archive may not have absolute paths"),
        ));
    }
    Inside::parse(name)
}

/// The first reading.
struct Look<'l> {
    report: Report,
    limits: &'l Limits,
}

impl Look<'_> {
    fn at(&mut self, entry: Entry<'_>) -> Result<(), Refusal> {
        let path = place(&entry.name)?;
        match entry.content {
            Content::File(content) => {
                if path.is_root() {
                    return Err(bad("a file of the archive has no name"));
                }
                let left = self.limits.max_extract_size.saturating_sub(self.report.bytes);
                let got = io::copy(&mut content.take(left.saturating_add(1)), &mut io::sink())
                    .map_err(|e| broken(&e))?;
                if got > left {
                    let text = format!(
                        "the content of the archive is larger than {} bytes",
                        self.limits.max_extract_size
                    );
                    return Err(Refusal::new(Code::FileTooLarge, text));
                }
                self.report.bytes += got;
            }
            Content::Same(other) => {
                if place(&other)?.is_root() || path.is_root() {
                    return Err(bad("a link of the archive has no name or no target"));
                }
            }
            Content::Link(target) => {
                if path.is_root() || target.is_empty() || target.contains(&0) {
                    return Err(bad(format!("{path}: a link without name or target")));
                }
            }
            Content::Folder | Content::Other => {}
        }
        Ok(())
    }
}

/// The second reading.
struct Work<'w> {
    jail: &'w Jail,
    order: &'w Mutex<()>,
    report: Report,
    /// The modes that directories get in the end.
    folders: Vec<(Inside, u32)>,
    limits: &'w Limits,
}

impl Work<'_> {
    fn write(&mut self, entry: Entry<'_>) -> Result<(), Refusal> {
        let path = place(&entry.name)?;
        let system = |errno| Refusal::system(errno, &path);
        if let Content::Folder = entry.content {
            self.jail.make_folders(&path, Links::Refuse)?;
            self.folders.push((path, entry.mode));
            self.report.directories += 1;
            return Ok(());
        }
        let Some((folder, name)) = path.split() else { return Ok(()) };
        let folder = self.jail.make_folders(&folder, Links::Refuse)?;
        match entry.content {
            Content::File(content) => {
                // A link that an entry before put here, or that was here, is not written through.
                clear(&folder, name, &[FileType::Symlink]).map_err(system)?;
                let (draft, mut file) = write::begin(self.jail, &path, false)?;
                let left = self.limits.max_extract_size.saturating_sub(self.report.bytes);
                self.report.bytes +=
                    io::copy(&mut content.take(left), &mut file).map_err(|e| Refusal::io(&e, &path))?;
                if let Some(seconds) = entry.modified.and_then(|seconds| i64::try_from(seconds).ok()) {
                    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
                    let times = Timestamps { last_access: time, last_modification: time };
                    rustix::fs::futimens(&file, &times).map_err(system)?;
                }
                draft.finish(&file, Some(entry.mode), &Conditions::default(), self.order)?;
                self.report.files += 1;
            }
            Content::Link(target) => {
                clear(&folder, name, &[FileType::Symlink, FileType::RegularFile]).map_err(system)?;
                rustix::fs::symlinkat(OsStr::from_bytes(&target), &folder, name).map_err(system)?;
                self.report.links += 1;
            }
            Content::Same(other) => {
                let other = place(&other)?;
                let Some((other_folder, other_name)) = other.split() else { return Ok(()) };
                if other == path {
                    return Ok(());
                }
                let other_folder = self.jail.folder_by(&other_folder, Links::Refuse)?;
                clear(&folder, name, &[FileType::Symlink, FileType::RegularFile]).map_err(system)?;
                rustix::fs::linkat(&other_folder, other_name, &folder, name, AtFlags::empty())
                    .map_err(|errno| Refusal::system(errno, &other))?;
                self.report.links += 1;
            }
            Content::Folder | Content::Other => self.report.skipped += 1,
        }
        Ok(())
    }
}

fn clear(folder: &std::os::fd::OwnedFd, name: &OsStr, kinds: &[FileType]) -> Result<(), Errno> {
    match jail::status(folder, name) {
        Ok(status) if kinds.contains(&jail::kind(&status)) => {
            rustix::fs::unlinkat(folder, name, AtFlags::empty())
        }
        _ => Ok(()),
    }
}
