//! What the printer answers, where the domain has no word for it yet.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A file in one of Moonraker's folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path relative to the root, or the bare name in a [`Directory`].
    pub path: String,
    /// Size, in bytes.
    pub size: u64,
    /// Last change, since the Unix epoch.
    pub modified: Option<Duration>,
    /// Whether it may be changed.
    pub writable: bool,
}

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    /// The folders in it; their sizes mean nothing.
    pub folders: Vec<FileEntry>,
    /// The files in it.
    pub files: Vec<FileEntry>,
    /// The medium it lies on.
    pub disk: Option<DiskUsage>,
}

/// How full a medium is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskUsage {
    /// All of it, in bytes.
    pub total: u64,
    /// What is in use, in bytes.
    pub used: u64,
    /// What is left for us, in bytes.
    pub free: u64,
}

/// One of the folders that Moonraker gives access to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its name: `gcodes`, `config`, `logs`.
    pub name: String,
    /// Where it is on the machine that Moonraker runs on.
    pub path: PathBuf,
    /// Whether Moonraker writes there.
    pub writable: bool,
}

/// A network interface of the machine that Moonraker runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, such as `wlan0`.
    pub name: String,
    /// Its hardware address, as six pairs of hex digits.
    pub mac: Option<String>,
    /// Its addresses, without those that are only good on the link.
    pub addresses: Vec<IpAddr>,
}

/// A file that was taken by Moonraker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Its path relative to the root; may differ from what was asked for (an archive is unpacked).
    pub path: String,
    /// Whether it prints now. False also if it was to print and Klipper refused.
    pub print_started: bool,
    /// Whether it waits in the queue of jobs.
    pub print_queued: bool,
}
