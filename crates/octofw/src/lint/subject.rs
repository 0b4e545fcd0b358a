//! What is looked at: an overlay's folder or an image's root, as a list of paths whose contents are read on demand.
//!
//! An overlay may be anybody's. No link is followed out of it, no pipe is opened, and no file is read further than
//! a rule needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::LintError;
use crate::diff::DiffError;
use crate::diff::root::Root;
use crate::overlay::Overlay;
use crate::squashfs::tree::{Form as StoredForm, NodeId};
use crate::squashfs::{Comparison, Filesystem};

/// Paths of one overlay that are looked at; a root of a printer has a sixth of that.
const MOST_PATHS: usize = 300_000;
/// Longest path in Linux.
const MOST_PATH: usize = 4096;

/// Something in the root.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// The path in the printer's root, without a slash in front.
    pub(super) path: String,
    /// Permission bits with setuid, setgid and sticky.
    pub(super) mode: u32,
    pub(super) form: Form,
    /// Whether it is a further name of a file that stands in front of it (a hard link).
    pub(super) is_again: bool,
    place: Place,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    Folder,
    /// A file with its size in bytes.
    File(u64),
    /// A link with its target.
    Link(String),
    /// A device, pipe or socket.
    Special,
}

#[derive(Debug, Clone)]
enum Place {
    Disk(PathBuf),
    Stored(NodeId),
}

/// An overlay or an image.
#[derive(Debug)]
pub(super) struct Subject {
    /// The name that findings use.
    pub(super) name: String,
    /// The overlay's folder; none for an image.
    pub(super) overlay: Option<Overlay>,
    /// What it puts into the root, in byte order of the paths.
    pub(super) items: Vec<Item>,
    /// What could not be listed, with the reason.
    pub(super) unlisted: Vec<(String, String)>,
}

impl Subject {
    /// An overlay's `root/`.
    pub(super) fn of_overlay(overlay: Overlay) -> Self {
        let mut subject =
            Self { name: overlay.name.clone(), overlay: None, items: Vec::new(), unlisted: Vec::new() };
        let root = overlay.folder.join(crate::overlay::root::ROOT);
        if fs::symlink_metadata(&root).is_ok_and(|found| found.is_dir()) {
            subject.list(root);
        }
        subject.items.sort_by(|a, b| a.path.cmp(&b.path));
        subject.overlay = Some(overlay);
        subject
    }

    /// The paths of an image's root; with a base only those that are not the base's own.
    ///
    /// # Errors
    /// If a file of one of the two cannot be read.
    pub(super) fn of_image(name: String, image: &Root, base: Option<&Root>) -> Result<Self, LintError> {
        let mut comparison = base.map(|base| (base, Comparison::new(&image.filesystem, &base.filesystem)));
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        let mut compared = BTreeMap::new();
        for (path, id) in image.tree.paths() {
            let Some(node) = image.tree.node(id).filter(|_| !path.is_empty()) else { continue };
            if let Some((base, comparison)) = &mut comparison {
                let known = base.tree.find(&path).and_then(|there| Some((there, base.tree.node(there)?)));
                let is_known = match known {
                    Some((_, known)) if known.mode != node.mode => false,
                    Some((there, known)) => match (&known.form, &node.form) {
                        (StoredForm::Directory(_), StoredForm::Directory(_)) => true,
                        (StoredForm::File(one), StoredForm::File(other)) => {
                            // The names of one file are compared once.
                            match compared.get(&(id, there)) {
                                Some(is_same) => *is_same,
                                None => {
                                    let is_same = comparison.is_same(other, one).map_err(DiffError::from)?;
                                    compared.insert((id, there), is_same);
                                    is_same
                                }
                            }
                        }
                        (one, other) => one == other,
                    },
                    None => false,
                };
                if is_known {
                    continue;
                }
            }
            let form = match &node.form {
                StoredForm::Directory(_) => Form::Folder,
                StoredForm::File(stored) => Form::File(stored.size),
                StoredForm::Link(target) => Form::Link(String::from_utf8_lossy(target).into_owned()),
                _ => Form::Special,
            };
            items.push(Item {
                path: String::from_utf8_lossy(&path).into_owned(),
                mode: u32::from(node.mode),
                is_again: !seen.insert(id),
                form,
                place: Place::Stored(id),
            });
        }
        items.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { name, overlay: None, items, unlisted: Vec::new() })
    }

    fn list(&mut self, root: PathBuf) {
        let mut folders = vec![(root, String::new())];
        while let Some((folder, above)) = folders.pop() {
            let list = match fs::read_dir(&folder) {
                Ok(list) => list,
                Err(error) => {
                    self.unlisted.push((above, format!("it cannot be listed: {error}")));
                    continue;
                }
            };
            for entry in list.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = if above.is_empty() { name } else { format!("{above}/{name}") };
                if self.items.len() >= MOST_PATHS {
                    self.unlisted.push((above, format!("there are more than {MOST_PATHS} paths")));
                    return;
                }
                if path.len() > MOST_PATH {
                    self.unlisted
                        .push((above.clone(), format!("a path in it is longer than {MOST_PATH} bytes")));
                    continue;
                }
                let place = entry.path();
                let Ok(found) = fs::symlink_metadata(&place) else {
                    self.unlisted.push((path, "it cannot be looked at".to_owned()));
                    continue;
                };
                let form = if found.is_symlink() {
                    let target = fs::read_link(&place).unwrap_or_default();
                    Form::Link(target.to_string_lossy().into_owned())
                } else if found.is_dir() {
                    folders.push((place.clone(), path.clone()));
                    Form::Folder
                } else if found.is_file() {
                    Form::File(found.len())
                } else {
                    Form::Special
                };
                let mode = found.permissions().mode() & 0o7777;
                self.items.push(Item { path, mode, form, is_again: false, place: Place::Disk(place) });
            }
        }
    }

    /// The path as findings show it.
    pub(super) fn shown(&self, path: &str) -> String {
        match self.overlay {
            Some(_) => format!("{}/{path}", crate::overlay::root::ROOT),
            None => format!("/{path}"),
        }
    }

    /// Whether it is an image's root.
    pub(super) fn is_image(&self) -> bool {
        self.overlay.is_none()
    }

    /// The item at a path.
    pub(super) fn item(&self, path: &str) -> Option<&Item> {
        let place = self.items.binary_search_by(|item| item.path.as_str().cmp(path)).ok()?;
        self.items.get(place)
    }

    /// The beginning of a file's content, at most `most` bytes.
    ///
    /// # Errors
    /// When the system refuses, or the image is not sound there.
    pub(super) fn read(&self, item: &Item, image: Option<&Root>, most: usize) -> io::Result<Vec<u8>> {
        match &item.place {
            Place::Disk(place) => read_beginning(place, most),
            Place::Stored(id) => match image.and_then(|image| Some((image, image.tree.node(*id)?))) {
                Some((image, node)) => match &node.form {
                    StoredForm::File(stored) => stored_beginning(&image.filesystem, stored, most),
                    _ => Ok(Vec::new()),
                },
                None => Ok(Vec::new()),
            },
        }
    }

    /// A file of an overlay, for reading all of it.
    ///
    /// # Errors
    /// When it cannot be opened, or is not on disk.
    pub(super) fn open(&self, item: &Item) -> io::Result<io::Take<File>> {
        match (&item.place, &item.form) {
            (Place::Disk(place), Form::File(size)) => Ok(open_file(place)?.take(*size)),
            _ => Err(io::Error::other("it is no file on disk")),
        }
    }
}

/// The first `most` bytes of a stored file.
pub(super) fn stored_beginning(
    filesystem: &Filesystem,
    stored: &crate::squashfs::tree::Stored,
    most: usize,
) -> io::Result<Vec<u8>> {
    let mut out = Beginning { bytes: Vec::new(), most };
    match filesystem.copy(stored, &mut out) {
        Ok(()) => Ok(out.bytes),
        Err(_) if out.bytes.len() >= most => Ok(out.bytes),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Takes the first bytes, and then no more.
struct Beginning {
    bytes: Vec<u8>,
    most: usize,
}

impl io::Write for Beginning {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most.saturating_sub(self.bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::other("enough"));
        }
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.bytes.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a regular file for reading; neither a link nor a pipe.
pub(super) fn open_file(place: &Path) -> io::Result<File> {
    let flags = nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(place)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no file")),
    }
}

/// The first `most` bytes of a file that is neither a link nor a pipe.
pub(super) fn read_beginning(place: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(place)?.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
