//! What becomes of the files that can be printed.

use std::time::Duration;

/// A change among the files that can be printed, told once it is complete. Paths are relative to their root, without a
/// slash in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// There is a new file or folder.
    Created(FileItem),
    /// A file was written again, or its properties changed.
    Modified(FileItem),
    /// A file or folder is gone, with all that was in it.
    Deleted {
        /// Where it was.
        path: String,
    },
    /// A file or folder is elsewhere now, or has another name.
    Moved {
        /// Where it was.
        from: String,
        /// What it is now.
        to: FileItem,
    },
    /// Anything may have changed: the root is another one, or changes were left out.
    Everything,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileItem {
    /// Where it is.
    pub path: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Size, in bytes; means nothing for a folder.
    pub size: u64,
    /// Last change, since the Unix epoch.
    pub modified: Option<Duration>,
    /// Whether it may be changed.
    pub writable: bool,
}
