//! `octofw verify`.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::{Failure, Status, print, print_json};
use crate::image::Image;
use crate::paint::{Ink, Paint, plain};
use crate::plan::space::{self, Space};
use crate::sign::{PublicKey, public_key};
use crate::verify::{Finding, Severity, Signed, VerifyOptions, verify};

/// Checks every sum and rule of a firmware file, what it changes against its base, and who signed it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw verify dist/firmware.bin --base U1_1.3.0.168_upgrade.bin\n\
                        Example: octofw verify dist/firmware.bin --key octofw.pub\n\
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
    /// The file must be the one that its manifest tells of, and the manifest be signed with this key: minisign's
    /// file of a public key, or the key itself
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The manifest, if not beside the file; without --key only the two are compared
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    path: String,
    base: Option<String>,
    /// Number of the key whose signature was asked for.
    key: Option<String>,
    ok: bool,
    findings: &'a [Finding],
    /// Whose the bytes of the root are, where the manifest beside the file tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<Space>,
}

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        let base = self.base.as_deref().map(Image::open).transpose()?;
        let key = self.key.as_deref().map(public_key).transpose()?;
        let signed = Signed { manifest: self.manifest.as_deref(), key: key.as_ref() };
        let asked = self.key.is_some() || self.manifest.is_some();
        let options = VerifyOptions {
            base: base.as_ref(),
            allow_boot: self.allow_boot,
            signed: asked.then_some(&signed),
        };
        let findings = verify(&self.file, &options)?;
        let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
        if self.json {
            let shown = |path: &PathBuf| path.display().to_string();
            print_json(&JsonReport {
                schema: 1,
                path: shown(&self.file),
                base: self.base.as_ref().map(shown),
                key: key.as_ref().map(PublicKey::id),
                ok: errors == 0,
                findings: &findings,
                space: space::beside(&self.file),
            })?;
        } else {
            let mut text = String::new();
            for Finding { code, severity, message } in &findings {
                // Writing to a String cannot fail.
                let ink = if *severity == Severity::Error { Ink::Gone } else { Ink::Warning };
                let severity = paint.ink(ink, format!("{severity:<7}"));
                let _ = writeln!(text, "{severity}  {code}: {}", plain(message));
            }
            for line in space::beside(&self.file).iter().flat_map(Space::lines) {
                let _ = writeln!(text, "{}", plain(&line));
            }
            let (ink, verdict) = if errors == 0 { (Ink::Added, "sound") } else { (Ink::Gone, "not sound") };
            let verdict = paint.ink(ink, verdict);
            let warnings = findings.len().saturating_sub(errors);
            let path = self.file.display();
            if let Some(key) = key.as_ref().filter(|_| errors == 0) {
                let _ = writeln!(text, "{path}: its manifest is signed with the key {}", key.id());
            }
            let _ = writeln!(text, "{path}: {verdict} (errors: {errors}, warnings: {warnings})");
            print(&text)?;
        }
        Ok(if errors == 0 { Status::Fine } else { Status::Findings })
    }
}
