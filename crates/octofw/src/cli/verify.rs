//! `octofw verify`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::{Failure, Status, print, print_json};
use crate::image::Image;
use crate::plan::space::{self, Space};
use crate::verify::{Finding, Severity, VerifyOptions, verify};

/// Checks every sum and rule of a firmware file, and what it changes against its base
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw verify dist/firmware.bin --base U1_1.3.0.168_upgrade.bin\n\
                        Exit code 1 if there is an error among the findings; warnings do not count.")]
pub(super) struct Args {
    /// Upgrade file, update.img or rom image
    file: PathBuf,
    /// The firmware file it was built from: everything but the root file system must be the same
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Let boot.img differ from the base
    #[arg(long, requires = "base")]
    allow_boot: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    path: String,
    base: Option<String>,
    ok: bool,
    findings: &'a [Finding],
    /// Whose the bytes of the root are, where the manifest beside the file tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<Space>,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let base = self.base.as_deref().map(Image::open).transpose()?;
        let options = VerifyOptions { base: base.as_ref(), allow_boot: self.allow_boot };
        let findings = verify(&self.file, &options)?;
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if self.json {
            let shown = |path: &PathBuf| path.display().to_string();
            print_json(&JsonReport {
                schema: 1,
                path: shown(&self.file),
                base: self.base.as_ref().map(shown),
                ok: errors == 0,
                findings: &findings,
                space: space::beside(&self.file),
            })?;
        } else {
            let mut text = String::new();
            for Finding { code, severity, message } in &findings {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{severity:<7}  {code}: {message}");
            }
            for line in space::beside(&self.file).iter().flat_map(Space::lines) {
                let _ = writeln!(text, "{line}");
            }
            let verdict = if errors == 0 { "sound" } else { "not sound" };
            let warnings = findings.len().saturating_sub(errors);
            let path = self.file.display();
            let _ = writeln!(text, "{path}: {verdict} (errors: {errors}, warnings: {warnings})");
            print(&text)?;
        }
        Ok(if errors == 0 { Status::Fine } else { Status::Findings })
    }
}
