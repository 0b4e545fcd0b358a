//! The folder of what was fetched: where it lies, what is in it, who uses it, and the bound that it keeps.
//!
//! Two parts of the program put things there: scripts of overlays, by their content ([`crate::script_tools::store`]),
//! and what needs Debian's packages ([`crate::debian`]). When something was used last is its time of modification, since
//! that survives a copy of the folder to another machine, as pipelines make it.
//! Everything that works with the folder holds it meanwhile ([`Using`]); things are removed only by one who has it alone
//! ([`Alone`]), so that nothing goes away under a build.

mod bound;
pub(crate) mod entries;
mod place;
mod users;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

pub use bound::{DEFAULT_BOUND, bytes_of, goes};
pub use entries::{Entry, Kind, entries};
pub use place::{FOLDER, folder};
pub use users::{Alone, Using};

/// Why the cache could not be looked at or cleared up.
#[derive(Debug, Error)]
pub enum CacheError {
    /// Somebody else's files lie there.
    #[error("{} is no cache of octofw alone: it holds {name}; name the cache with --cache, or move {name} away", folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// The first thing in it that is not ours.
        name: String,
    },
    /// The system refused.
    #[error("{what}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl CacheError {
    fn system(what: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("cannot {what} {}", path.display());
        |source| Self::System { what, source }
    }
}

/// Notes that a file or folder of the cache is used now. In a cache that cannot be written, nothing is noted.
pub(crate) fn mark(path: &Path) {
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}
