//! What the rules need of the printer's files.

use super::path;
use crate::printer::{Metadata, Thumbnail};
use crate::source::control::{ControlError, Directory, FileEntry, RefusalKind, TransferError};

/// Why something did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// What was named is not there.
    #[error("there is no such file or folder on the printer")]
    Missing,
    /// What was to be made is there already.
    #[error("there is a file or folder of that name already")]
    Exists,
    /// Anything else, in words for people.
    #[error("{0}")]
    Other(String),
}

impl From<ControlError> for Trouble {
    fn from(error: ControlError) -> Self {
        match error.refusal() {
            Some(RefusalKind::NotFound) => Self::Missing,
            Some(RefusalKind::Exists) => Self::Exists,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<TransferError> for Trouble {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::Control(error) => error.into(),
            error => Self::Other(error.to_string()),
        }
    }
}

/// The printer's files. Paths are below the root, without a slash in front; that of the root itself is empty. Every call
/// may block for some seconds.
pub(crate) trait Disk {
    /// What is in a folder.
    fn folder(&mut self, path: &str) -> Result<Directory, Trouble>;

    /// The root itself, as far as it is known.
    fn root(&mut self) -> FileEntry {
        FileEntry { path: String::new(), size: 0, modified: None, writable: true }
    }

    /// Hands a part of a file over in pieces: `most` bytes from `from` on, or fewer where it ends.
    fn read(&mut self, path: &str, from: u64, most: u64, take: &mut dyn FnMut(&[u8])) -> Result<(), Trouble>;

    /// What the printer's own scan found in a file, if it did.
    fn metadata(&mut self, _path: &str) -> Option<Metadata> {
        None
    }

    /// A picture that the scan found, of at most `most` bytes.
    fn picture(&mut self, _picture: &Thumbnail, _most: u64) -> Option<Vec<u8>> {
        None
    }

    /// Makes a folder in one that is there.
    fn create_folder(&mut self, path: &str) -> Result<(), Trouble>;

    /// Deletes a file.
    fn delete_file(&mut self, path: &str) -> Result<(), Trouble>;

    /// Deletes a folder, with what is in it if `whole`.
    fn delete_folder(&mut self, path: &str, whole: bool) -> Result<(), Trouble>;
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A file.
    File(FileEntry),
    /// A folder.
    Folder(FileEntry),
}

/// Looks what is at a path.
///
/// # Errors
///
/// If there is nothing, or it cannot be told.
pub(crate) fn find(disk: &mut dyn Disk, path: &str) -> Result<Found, Trouble> {
    if path.is_empty() {
        return Ok(Found::Folder(disk.root()));
    }
    let name = path::name(path);
    let mut directory = disk.folder(path::folder(path))?;
    let at = |entries: &[FileEntry]| entries.iter().position(|entry| entry.path == name);
    if let Some(at) = at(&directory.files) {
        return Ok(Found::File(directory.files.swap_remove(at)));
    }
    let at = at(&directory.folders).ok_or(Trouble::Missing)?;
    Ok(Found::Folder(directory.folders.swap_remove(at)))
}
