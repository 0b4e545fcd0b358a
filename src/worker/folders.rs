//! The folders the worker writes to, and what it does where one cannot be written.

use crate::settings::{Paths, Problem};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where state is kept in this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folders {
    /// State that should survive a reboot; none where nothing can be written at all.
    pub(super) state: Option<PathBuf>,
    /// Folders for the log, the first that can be written counts.
    pub(super) logs: Vec<PathBuf>,
    /// What is not as it should be.
    pub(super) problems: Vec<Problem>,
}

impl Folders {
    /// Makes the folders where they are missing, and tries each.
    pub(super) fn prepare(paths: &Paths) -> Self {
        let mut problems = Vec::new();
        let state = match prepare_one(&paths.data) {
            Ok(()) => Some(paths.data.clone()),
            Err(error) => {
                let spare = paths.run.join("state");
                let kept = prepare_one(&spare).is_ok();
                problems.push(Problem::new(
                    format!("cannot write {}: {error}", paths.data.display()),
                    match kept {
                        true => "make it writable for the service's user; until then messages that wait are lost at a reboot",
                        false => "make it writable for the service's user; until then messages that wait are lost at a restart",
                    },
                ));
                kept.then_some(spare)
            }
        };
        Self { state, logs: vec![paths.logs.clone(), paths.run.clone()], problems }
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
    fn keeps_state_in_printer_data_and_falls_back_to_the_run_folder() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(dir.path());
        std::fs::create_dir(&paths.run).unwrap();

        let folders = Folders::prepare(&paths);
        assert_eq!(folders.state, Some(paths.run.join("state")));
        assert!(folders.problems[0].what.contains("printer_data/octoapp"));
        assert!(!paths.printer_data.exists());

        std::fs::create_dir(&paths.printer_data).unwrap();
        let folders = Folders::prepare(&paths);
        assert_eq!((folders.state, folders.problems), (Some(paths.data.clone()), vec![]));
    }
}
