//! `octofw diff`.

use std::path::PathBuf;

use super::{Failure, Status, print, print_json};
use crate::diff::{DiffError, Report};

/// Compares two firmware files by meaning: paths, modes, owners, what starts at boot, settings, libraries, packages
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw diff U1_1.3.0.168_upgrade.bin dist/firmware.bin\n\
                        Each is an upgrade file, an update.img, a rom image or a squashfs.\n\
                        Exit code 1 if anything differs.")]
pub(super) struct Args {
    /// The first file, such as the base
    a: PathBuf,
    /// The second, such as what was built
    b: PathBuf,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let report = Report::of(&self.a, &self.b)?;
        if self.json {
            print_json(&report)?;
        } else {
            print(&report.to_string())?;
        }
        Ok(if report.is_same() { Status::Fine } else { Status::Findings })
    }
}

impl From<DiffError> for Failure {
    fn from(error: DiffError) -> Self {
        Self::new(super::status_of(error.is_wrong_input()), error)
    }
}
