//! `octofw check-program`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::{Failure, Status, print, print_json};
use crate::program::{Checked, check};

/// Checks that a program can run on the printer: static, stripped, aarch64, and not too large
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw check-program target/aarch64-unknown-linux-musl/release/octobridge \
                        --max-size 3000000")]
pub(super) struct Args {
    /// The built program
    file: PathBuf,
    /// Largest size in bytes
    #[arg(long, value_name = "BYTES")]
    max_size: Option<u64>,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct JsonReport {
    schema: u32,
    path: String,
    size: u64,
    violations: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let checked = check(&self.file, self.max_size)?;
        let path = self.file.display();
        if self.json {
            print_json(&JsonReport {
                schema: 1,
                path: path.to_string(),
                size: checked.size,
                violations: checked.violations.iter().map(ToString::to_string).collect(),
            })?;
            return Ok(status(&checked));
        }
        let mut text = String::new();
        for violation in &checked.violations {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{path}: {violation}");
        }
        if checked.violations.is_empty() {
            let _ = writeln!(text, "{path}: aarch64, static, stripped, {} bytes", checked.size);
        }
        print(&text)?;
        Ok(status(&checked))
    }
}

fn status(checked: &Checked) -> Status {
    if checked.violations.is_empty() { Status::Fine } else { Status::Findings }
}
