//! `octofw pack`.

use std::path::PathBuf;

use serde::Serialize;

use super::{Failure, Status, print_json};
use crate::unpack::pack;

/// Puts together what `octofw unpack` took apart, byte for byte the same where nothing was edited
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw pack firmware --out firmware.bin\n\
                        Sums, sizes and places are made anew. What changed in root is packed behind the data of\n\
                        parts/rootfs.img; delete root.tsv to take parts/rootfs.img as it is.")]
pub(super) struct Args {
    /// Folder that octofw unpack made
    folder: PathBuf,
    /// Firmware file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct JsonReport {
    schema: u32,
    path: String,
    size: u64,
    root_changed: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let packed = pack(&self.folder, &self.out)?;
        if self.json {
            print_json(&JsonReport {
                schema: 1,
                path: self.out.display().to_string(),
                size: packed.size,
                root_changed: packed.root_changed,
            })?;
        }
        Ok(Status::Fine)
    }
}
