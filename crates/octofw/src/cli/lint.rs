//! `octofw lint`.

use std::path::PathBuf;

use serde::Serialize;

use super::selection::SelectionOptions;
use super::{Failure, Status, print, print_json};
use crate::lint::{self, LintError, Severity};
use crate::paint::Paint;

/// Looks for what has bricked printers: in overlays before a build, or in an image
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw lint --base U1_1.3.0.168_upgrade.bin overlays/01-mine\n\
                        What is right although it is found goes into the overlay's octofw-lint.toml, with a reason.\n\
                        Exit code 1 if there is an error or a warning that is not allowed; notes do not count.")]
pub(super) struct Args {
    /// Overlay folders, in the order in which they apply, or one firmware file
    #[arg(value_name = "OVERLAY|IMAGE")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    selection: SelectionOptions,
    /// Firmware file that the overlays are for, or that the image was made of; a bare squashfs will do
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Text that the build appends to the base's version
    #[arg(long, value_name = "TEXT")]
    version_suffix: Option<String>,
    /// Room that is to be left in the slot of the root, in MiB
    #[arg(long, value_name = "MIB", default_value_t = lint::MARGIN >> 20)]
    margin: u64,
    /// Further list of what is allowed, in the form of octofw-lint.toml
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// Leave out what is less bad
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "note")]
    level: Severity,
    /// Show what is allowed too, with the reasons
    #[arg(long)]
    show_allowed: bool,
    /// Explain a rule
    #[arg(long, value_name = "CODE", exclusive = true)]
    explain: Option<String>,
    /// List all rules
    #[arg(long)]
    list: bool,
    /// Print JSON ("schema": 1), as --format json
    #[arg(long)]
    json: bool,
    /// What to print
    #[arg(long, value_enum, default_value = "text", conflicts_with = "json")]
    format: Format,
}

#[derive(Serialize)]
struct JsonRules {
    schema: u32,
    rules: Vec<&'static lint::Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Github,
    Sarif,
}

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        if let Some(code) = &self.explain {
            return explain(code);
        }
        let colour = paint.has_colours();
        if self.list {
            match self.json {
                true => print_json(&JsonRules { schema: 1, rules: lint::rules() })?,
                false => print(&lint::list(colour))?,
            }
            return Ok(Status::Fine);
        }
        let missing = self.paths.iter().find(|path| path.symlink_metadata().is_err());
        if let Some(path) = missing {
            let message =
                format!("there is neither an overlay folder nor a firmware file {}", path.display());
            return Err(Failure::new(Status::Usage, message));
        }
        let (folders, mut images): (Vec<PathBuf>, Vec<PathBuf>) =
            self.paths.into_iter().partition(|path| !path.is_file());
        let selected = self.selection.with(folders).select()?;
        let image = images.pop();
        if !images.is_empty() {
            return Err(Failure::new(Status::Usage, "name one image at a time"));
        }
        let settings = lint::Settings {
            overlays: selected.overlays,
            image,
            base: self.base,
            order: selected.order,
            version_suffix: self.version_suffix,
            margin: self.margin.saturating_mul(1 << 20),
            allow: self.allow,
            without_interpreters: false,
        };
        let mut report = lint::lint(&settings)?;
        report.keep(self.level);
        match self.format {
            _ if self.json => print_json(&report)?,
            Format::Json => print_json(&report)?,
            Format::Github => print(&lint::github(&report))?,
            Format::Sarif => print_json(&lint::sarif(&report))?,
            Format::Text => print(&lint::text(&report, colour, self.show_allowed))?,
        }
        Ok(if report.ok { Status::Fine } else { Status::Findings })
    }
}

fn explain(code: &str) -> Result<Status, Failure> {
    if let Some(rule) = lint::rule(code) {
        print(&lint::explanation(rule))?;
        return Ok(Status::Fine);
    }
    // A part of a code is a question too.
    let alike: Vec<&str> =
        lint::rules().iter().map(|rule| rule.code).filter(|known| known.contains(code)).collect();
    let hint = match alike.as_slice() {
        [] => "octofw lint --list names all".to_owned(),
        alike => format!("there are {}", alike.join(", ")),
    };
    Err(Failure::new(Status::Usage, format!("there is no rule {code}; {hint}")))
}

impl From<LintError> for Failure {
    fn from(error: LintError) -> Self {
        let status = match error.is_wrong_usage() {
            true => Status::Usage,
            false => super::status_of(error.is_wrong_input()),
        };
        Self::new(status, error)
    }
}
