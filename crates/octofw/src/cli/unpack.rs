//! `octofw unpack`.

use std::path::PathBuf;

use serde::Serialize;

use super::{Failure, Status, print_json, status_of};
use crate::unpack::{Unpack, UnpackError, unpack};

/// Takes a firmware file apart into a folder that `octofw pack` puts together again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw unpack U1_1.3.0.168_upgrade.bin --out firmware\n\
                        It takes an upgrade file, a bare update.img, a bare rom image or a squashfs.\n\
                        root.tsv has the owners, modes, times and devices of what is in root.")]
pub(super) struct Args {
    /// Upgrade file, update.img, rom image or squashfs
    file: PathBuf,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Leave the root file system packed
    #[arg(long)]
    no_root: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct JsonReport {
    schema: u32,
    /// The folder.
    path: String,
    /// Whether the root file system is unpacked in it.
    root: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let root = !self.no_root;
        unpack(&Unpack { file: &self.file, folder: &self.out, root })?;
        if self.json {
            print_json(&JsonReport { schema: 1, path: self.out.display().to_string(), root })?;
        }
        Ok(Status::Fine)
    }
}

impl From<UnpackError> for Failure {
    fn from(error: UnpackError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}
