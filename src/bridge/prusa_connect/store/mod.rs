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

use serde_json::Map;
use std::path::Path;

/// Forgets the commands and cameras of a registration that is over, but not the numbers of its jobs, which no further
/// job of this printer may have. What cannot be deleted does no harm: Connect does not know it any more.
pub(crate) fn forget_work(data_dir: &Path, id: &str) {
    let mut commands = Drawer::new(data_dir, id, CommandsFile::NAME);
    let machine = commands.open().ok().and_then(|mut content| content.remove("machine"));
    let numbers = machine.map(|machine| Map::from_iter([("machine".to_owned(), machine)]));
    if numbers.is_none_or(|numbers| commands.write(numbers).is_err()) {
        remove(&commands);
    }
    remove(&Drawer::new(data_dir, id, CameraTokens::NAME));
}

fn remove(drawer: &Drawer) {
    if let Err(error) = std::fs::remove_file(drawer.path())
        && error.kind() != std::io::ErrorKind::NotFound
    {
        log::debug!("cannot delete {}: {error}", drawer.path().display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_numbers_of_jobs_outlast_a_registration() {
        let dir = tempfile::tempdir().unwrap();
        forget_work(dir.path(), "p");
        let (mut file, _) = CommandsFile::open(dir.path(), "p");
        let machine = json!({ "job": { "last": 41 } });
        let line =
            crate::bridge::prusa_connect::connect::kept::Kept { running: Some(7), ..Default::default() };
        file.keep(&Commands { machine: machine.clone(), line, ..Commands::default() }).unwrap();
        forget_work(dir.path(), "p");
        let (file, error) = CommandsFile::open(dir.path(), "p");
        assert!(error.is_none());
        assert_eq!((&file.kept().machine, file.kept().line.running), (&machine, None));
    }
}
