//! `octofw unpack`.

use std::path::PathBuf;

use super::writing::{WritingOptions, Written};
use super::{Failure, Status, status_of};
use crate::unpack::{Unpack, UnpackError, foretell, unpack};

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
    #[command(flatten)]
    writing: WritingOptions,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let job = Unpack { file: &self.file, folder: &self.out, root: !self.no_root };
        let pieces = if self.writing.dry_run { foretell(&job)? } else { unpack(&job)? };
        let written: Vec<Written> =
            pieces.into_iter().map(|(path, size)| Written::new(&path, size, None)).collect();
        self.writing.tell(&written)
    }
}

impl From<UnpackError> for Failure {
    fn from(error: UnpackError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}
