//! The folders the worker writes to, and what it does where one cannot be written.
//!
//! A data folder that cannot be written stays the data folder: what was kept there is read, and what is new is kept
//! in memory until it can be written, which outbox and memory file try again. State anywhere else would be left
//! behind, and events told a second time, as soon as the folder can be written again.

use crate::settings::{Paths, Problem};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where state is kept in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folders {
    /// State that should survive a reboot.
    pub(super) state: PathBuf,
    /// Folders for the log, the first that can be written counts.
    pub(super) logs: Vec<PathBuf>,
    /// What was not as it should be at the start.
    problem: Option<Problem>,
    /// State is not in the data folder.
    elsewhere: bool,
}

impl Folders {
    /// Makes the folders where they are missing, and tries each.
    pub(super) fn prepare(paths: &Paths) -> Self {
        let unwritable = |error: io::Error, remedy: &str| {
            Some(Problem::new(format!("cannot write {}: {error}", paths.data.display()), remedy))
        };
        let (state, problem) = match prepare_one(&paths.data) {
            Ok(()) => (paths.data.clone(), None),
            // Not on a printer: nothing that could come back later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let remedy =
                    "set DATA_DIR to a folder that lasts; until then messages that wait are lost at a reboot";
                (paths.run.join("state"), unwritable(error, remedy))
            }
            Err(error) => {
                let remedy = format!(
                    "make it writable for the service's user ({}); until then messages that wait are lost at a \
                     restart",
                    nix::unistd::geteuid()
                );
                (paths.data.clone(), unwritable(error, &remedy))
            }
        };
        let elsewhere = state != paths.data;
        Self { state, logs: vec![paths.logs.clone(), paths.run.clone()], problem, elsewhere }
    }

    /// What is not as it should be now.
    pub(super) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref().filter(|_| self.elsewhere || prepare_one(&self.state).is_err())
    }
}

/// Makes the folder, but not its parents: where printer_data is missing, it must not come into being.
fn prepare_one(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let probe = folder.join(".probe");
    OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&probe)?;
    std::fs::remove_file(probe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Bootstrap;

    fn paths(dir: &Path) -> Paths {
        Paths::resolve(&Bootstrap::default(), |name| match name {
            "PRINTER_DATA" => Some(dir.join("printer_data").display().to_string()),
            "OCTOBRIDGE_RUN_DIR" => Some(dir.join("run").display().to_string()),
            _ => None,
        })
    }

    #[test]
    fn off_the_printer_state_goes_to_the_run_folder() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        let folders = Folders::prepare(&paths);
        assert_eq!(folders.state, paths.run.join("state"));
        assert!(folders.problem().unwrap().what.contains("printer_data/octoapp"));
        // It must not come into being: its presence is what makes the machine a printer.
        assert!(!paths.printer_data.exists());
    }

    #[test]
    fn a_data_folder_that_cannot_be_written_stays_the_data_folder() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        std::fs::create_dir(&paths.printer_data).unwrap();
        std::fs::write(&paths.data, "a file in the way").unwrap();
        let folders = Folders::prepare(&paths);
        assert_eq!(folders.state, paths.data);
        assert!(folders.problem().unwrap().what.contains("printer_data/octoapp"));

        std::fs::remove_file(&paths.data).unwrap();
        assert_eq!(folders.problem(), None, "mended while it runs");
        assert_eq!(Folders::prepare(&paths).problem(), None);
    }
}
