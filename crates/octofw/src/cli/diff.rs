//! `octofw diff`.

use std::path::PathBuf;

use super::{Failure, Status, print, print_json};
use crate::diff::{DiffError, Report};
use crate::paint::{Ink, Paint};

/// Compares two firmware files by meaning: paths, modes, owners, what starts at boot, settings, libraries, packages
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw diff U1_1.3.0.168_upgrade.bin dist/firmware.bin\n\
                        Each is an upgrade file, an update.img, a rom image or a squashfs.\n\
                        Exit code 1 if anything differs.")]
pub(super) struct Args {
    /// The first file, such as the base
    a: PathBuf,
    /// The second, such as what was built
    b: PathBuf,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        let report = Report::of(&self.a, &self.b)?;
        if self.json {
            print_json(&report)?;
        } else {
            print(&coloured(&report.to_string(), paint))?;
        }
        Ok(if report.is_same() { Status::Fine } else { Status::Findings })
    }
}

/// The report, in which the sign before a path or script has a colour.
fn coloured(text: &str, paint: Paint) -> String {
    let line = |line: &str| match line.strip_prefix("  ").and_then(|rest| rest.split_at_checked(2)) {
        Some(("+ ", rest)) => format!("  {} {rest}", paint.ink(Ink::Added, "+")),
        Some(("- ", rest)) => format!("  {} {rest}", paint.ink(Ink::Gone, "-")),
        Some(("~ ", rest)) => format!("  {} {rest}", paint.ink(Ink::Changed, "~")),
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

impl From<DiffError> for Failure {
    fn from(error: DiffError) -> Self {
        Self::new(super::status_of(error.is_wrong_input()), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_have_colours_and_nothing_else_changes() {
        let text =
            "a  x\n\nPaths: 1 added\n  + /etc/new  file\n  - /etc/old\n  ~ /etc/é\n    [a] b: 1 -> 2\n";
        assert_eq!(coloured(text, Paint::PLAIN), text);
        let painted = coloured(text, Paint::COLOURS);
        assert!(
            painted.contains("  \x1b[32m+\x1b[0m /etc/new  file\n  \x1b[31m-\x1b[0m /etc/old\n"),
            "{painted}"
        );
    }
}
