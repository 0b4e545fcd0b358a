//! What is kept between runs, in small files in the data folder, readable by their owner alone.
//!
//! Each file has one writer, so that `octobridge pair` and the service never undo each other's work. The printer's token
//! is none of them: it is a secret like others (`prusa_connect_token`), and comes with the settings.

mod cameras;
mod commands;
mod drawer;
mod registration;

pub(crate) use cameras::CameraTokens;
pub(crate) use commands::{Commands, CommandsFile};
pub(crate) use drawer::{Drawer, StoreError};
pub(crate) use registration::{Pending, Registered, Registration};

use std::path::Path;

/// Forgets the commands and cameras of a registration that is over. What cannot be deleted does no harm: Connect does
/// not know it any more.
pub(crate) fn forget_work(data_dir: &Path, id: &str) {
    for name in [CommandsFile::NAME, CameraTokens::NAME] {
        let drawer = Drawer::new(data_dir, id, name);
        if let Err(error) = std::fs::remove_file(drawer.path())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            log::debug!("cannot delete {}: {error}", drawer.path().display());
        }
    }
}
