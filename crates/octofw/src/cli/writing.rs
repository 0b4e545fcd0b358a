//! What commands that write files have in common: `--dry-run`, `--json`, and how they tell what they wrote.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Failure, Status, print, print_json};
use crate::output::{check_place, write_bytes};
use crate::paint::bytes;

/// Options of commands whose work is to write files.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct WritingOptions {
    /// Do everything but write: tell which files it would be
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    pub(super) json: bool,
}

fn not_written(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Status::Findings, format!("cannot write {}: {error}", path.display()))
}

/// Refuses outputs that are inputs as well, which would be lost.
///
/// # Errors
/// If there is one.
pub(super) fn keep_apart<'a>(
    outputs: impl IntoIterator<Item = &'a PathBuf>,
    inputs: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<(), Failure> {
    let read: Vec<PathBuf> = inputs.into_iter().filter_map(|path| path.canonicalize().ok()).collect();
    for output in outputs {
        if output.canonicalize().is_ok_and(|path| read.contains(&path)) {
            return Err(Failure::new(Status::Usage, both(output)));
        }
    }
    Ok(())
}

/// What is told of an output that is an input.
pub(super) fn both(output: &Path) -> String {
    format!("{} is both an input and the output: choose another output", output.display())
}

/// A file that was written, or would be.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    path: String,
    size: u64,
    /// What there is to say about it, for people.
    #[serde(skip)]
    about: Option<String>,
}

impl Written {
    /// A file of which something is to be said.
    pub(super) fn new(path: &Path, size: u64, about: Option<String>) -> Self {
        Self { path: path.display().to_string(), size, about }
    }
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    written: bool,
    files: &'a [Written],
}

impl WritingOptions {
    /// Writes a file that all may read, unless this is a dry run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(self, path: &Path, content: &[u8]) -> Result<Written, Failure> {
        self.check(path)?;
        if !self.dry_run {
            write_bytes(path, content).map_err(|error| not_written(path, &error))?;
        }
        Ok(Written::new(path, content.len() as u64, None))
    }

    /// Looks whether a file may be put at `path`.
    ///
    /// # Errors
    /// If something is there that is no file.
    pub(super) fn check(self, path: &Path) -> Result<(), Failure> {
        check_place(path).map_err(|error| not_written(path, &error))
    }

    /// Tells what was written, a line per file.
    ///
    /// # Errors
    /// If it cannot be printed.
    pub(super) fn tell(self, files: &[Written]) -> Result<Status, Failure> {
        if self.json {
            print_json(&JsonReport { schema: 1, written: !self.dry_run, files })?;
            return Ok(Status::Fine);
        }
        let mut text = String::new();
        for Written { path, size, about } in files {
            let about = about.as_ref().map(|about| format!(": {about}")).unwrap_or_default();
            let dry =
                if self.dry_run { format!(" (would be written, {})", bytes(*size)) } else { String::new() };
            text.push_str(&format!("{path}{about}{dry}\n"));
        }
        print(&text)?;
        Ok(Status::Fine)
    }
}
