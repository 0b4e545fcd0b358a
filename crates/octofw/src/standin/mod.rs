//! A stand-in for the printer's stock firmware: the same layers and the same layout of the root, without any of
//! the vendor's code. Made of the recipe in `rootfs/` and of Debian's BusyBox for the printer's architecture.
//! Not a mock: it boots, and what is built for the printer is built and tested on it.

pub mod assemble;
pub mod container;
mod device_tree;
mod noise;
mod squash;
pub mod table;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::command::CommandError;
use crate::debian::{Archive, Deb};
use crate::lock::{Lock, RECIPE, observe_tools, tree_digest};

use assemble::BusyBox;

pub use crate::squashfs::Compressor;
pub use container::Size;
pub use squash::EPOCH;

/// The Debian package that the root's programs come from.
pub const BUSYBOX_PACKAGE: &str = "busybox-static";

/// Why a stand-in could not be made.
#[derive(Debug, thiserror::Error)]
pub enum StandinError {
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The table of the recipe has a line that cannot be used.
    #[error("the recipe's {} cannot be used", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// Where and what.
        source: table::TableError,
    },
    /// The recipe contradicts itself.
    #[error("{}: {reason}", path.display())]
    Recipe {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The squashfs could not be packed.
    #[error("cannot pack the root; it takes squashfs-tools 4.5 or newer (apt-get install squashfs-tools)")]
    Squashfs {
        /// What `sqfstar` said.
        source: CommandError,
    },
    /// The BusyBox package could not be unpacked.
    #[error("no BusyBox for the root")]
    Package(#[from] crate::debian::DebianError),
    /// The recipe could not be looked at.
    #[error("cannot take stock of the recipe")]
    Stock(#[from] crate::lock::LockError),
}

fn file_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StandinError {
    let path = path.to_path_buf();
    move |source| StandinError::File { action, path, source }
}

/// Which generation of the community's settings the root has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// `extended.cfg` with a helper that only reads, by position.
    V1_0,
    /// `extended2.cfg` with a helper that has commands.
    V1_1,
}

/// What kind of root to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootOptions {
    /// How large.
    pub size: Size,
    /// Which generation of the settings.
    pub generation: Generation,
    /// How the squashfs is compressed.
    pub compressor: Compressor,
    /// Block size of the squashfs in bytes, a power of two from 4 KiB to 1 MiB.
    pub block_size: u32,
}

impl Default for RootOptions {
    /// As the stock image is packed: gzip, 128 KiB blocks.
    fn default() -> RootOptions {
        RootOptions {
            size: Size::Mini,
            generation: Generation::V1_1,
            compressor: Compressor::Gzip,
            block_size: 128 << 10,
        }
    }
}

/// Fetches what a stand-in is made of, and lists it: the package, the recipe and the tool, to hold against a lock.
///
/// # Errors
/// When the package cannot be had or the recipe cannot be read.
pub fn gather(recipe: &Path, archive: &Archive, lock: Option<&Lock>) -> Result<(Deb, Lock), StandinError> {
    let busybox = archive.fetch(BUSYBOX_PACKAGE, lock)?;
    let mut met = Lock::new();
    met.lock_deb(&busybox);
    met.lock_source(RECIPE, &tree_digest(recipe)?);
    observe_tools(&mut met, Path::new("."), &["mksquashfs"]);
    Ok((busybox, met))
}

/// Makes the root's squashfs out of a recipe and the BusyBox package. The same inputs give the same bytes.
///
/// # Errors
/// When the recipe is not sound, the package has no BusyBox, or packing fails. `out` is then as it was before.
pub fn write_root(
    recipe: &Path,
    busybox: &Deb,
    options: &RootOptions,
    out: &Path,
) -> Result<assemble::Entries, StandinError> {
    let busybox = busybox_of(busybox)?;
    let entries = assemble::assemble(recipe, &busybox, options.size, options.generation)?;
    squash::pack(&entries, options, out)?;
    Ok(entries)
}

/// What the recipe can ask for out of the package.
fn busybox_of(package: &Deb) -> Result<BusyBox, StandinError> {
    let scratch = tempfile::tempdir().map_err(file_error("write in", &std::env::temp_dir()))?;
    package.unpack_to(scratch.path())?;
    // Debian may one day move it below /usr, as it has moved others.
    let places = ["bin/busybox", "usr/bin/busybox"].map(|place| scratch.path().join(place));
    let program = places.iter().find(|place| place.is_file()).ok_or_else(|| StandinError::Recipe {
        path: package.path.clone(),
        reason: "the package has neither bin/busybox nor usr/bin/busybox".to_owned(),
    })?;
    let copyright = scratch.path().join("usr/share/doc").join(BUSYBOX_PACKAGE).join("copyright");
    Ok(BusyBox {
        program: fs::read(program).map_err(file_error("read", program))?,
        control: package.control()?,
        copyright: fs::read(&copyright).map_err(file_error("read", &copyright))?,
    })
}
