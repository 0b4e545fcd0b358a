//! `octofw pack`.

use std::path::PathBuf;

use serde::Serialize;

use super::writing::{WritingOptions, Written, both};
use super::{Failure, Status, print_json};
use crate::unpack::{is_of_folder, pack};

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
    #[command(flatten)]
    writing: WritingOptions,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        if is_of_folder(&self.folder, &self.out) {
            return Err(Failure::new(Status::Usage, both(&self.out)));
        }
        self.writing.check(&self.out)?;
        let failed = |error| Failure::new(Status::Findings, format!("cannot make a scratch folder: {error}"));
        let scratch = self.writing.dry_run.then(tempfile::tempdir).transpose().map_err(failed)?;
        let dry = scratch.as_ref().map(|scratch| scratch.path().join("out"));
        let packed = pack(&self.folder, dry.as_deref().unwrap_or(&self.out))?;
        let about = packed.root_changed.then(|| "with a new root".to_owned());
        let files = [Written::new(&self.out, packed.size, about)];
        if !self.writing.json {
            return self.writing.tell(&files);
        }
        let (written, root_changed) = (!self.writing.dry_run, packed.root_changed);
        print_json(&JsonReport { schema: 1, written, files: &files, root_changed })?;
        Ok(Status::Fine)
    }
}

/// As other commands that write tell it, and whether the root was made anew.
#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    written: bool,
    files: &'a [Written],
    root_changed: bool,
}
