//! `octofw check-program`.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{Failure, Status, print};
use crate::program::check;

/// Checks that a program can run on the printer: static, stripped, aarch64, and not too large
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw check-program target/aarch64-unknown-linux-musl/release/octobridge \
                        --max-size 2500000")]
pub(super) struct Args {
    /// The built program
    file: PathBuf,
    /// Largest size in bytes
    #[arg(long, value_name = "BYTES")]
    max_size: Option<u64>,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let checked = check(&self.file, self.max_size)?;
        let path = self.file.display();
        let mut text = String::new();
        for violation in &checked.violations {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{path}: {violation}");
        }
        if checked.violations.is_empty() {
            let _ = writeln!(text, "{path}: aarch64, static, stripped, {} bytes", checked.size);
        }
        print(&text)?;
        Ok(if checked.violations.is_empty() { Status::Fine } else { Status::Findings })
    }
}
