//! `octofw inspect`.

use std::path::PathBuf;

use super::{Failure, Status, print, print_json};
use crate::inspect::{InspectError, Report};

/// Shows every layer of a firmware file: headers, sums, partitions and their fill, parts and what is in them
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw inspect U1_1.3.0.168_upgrade.bin\n\
                        It takes an upgrade file, a bare update.img, a bare rom image, or one of its parts:\n\
                        a squashfs, boot.img or uboot.img, MiniLoaderAll.bin, parameter.txt, package-file, an ext4 image.\n\
                        Exit code 1 if a sum is wrong.")]
pub(super) struct Args {
    /// Upgrade file, update.img, rom image, or a part of one
    file: PathBuf,
    /// Take no sums over the content: quicker
    #[arg(long)]
    no_sums: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let report = Report::of(&self.file, !self.no_sums)?;
        if self.json {
            print_json(&report)?;
        } else {
            print(&report.to_string())?;
        }
        Ok(if report.sums_ok() { Status::Fine } else { Status::Findings })
    }
}

impl From<InspectError> for Failure {
    fn from(error: InspectError) -> Self {
        Self::new(super::status_of(error.is_wrong_input()), error)
    }
}
