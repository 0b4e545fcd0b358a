//! `octofw plan`, and what `octofw build --dry-run` prints.

use std::path::PathBuf;

use super::inputs;
use super::selection::{FetchingOptions, SelectionOptions};
use super::{Failure, Status, print, print_json};
use crate::build::Settings;
use crate::paint::Paint;
use crate::plan::Plan;

/// Tells what a build would do to every path, and by which overlay, without writing an image
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw plan --base U1_1.3.0.168_upgrade.bin --overlay one --overlay two\n\
                        What scripts do is known only with --run-scripts. They run in a scratch folder, which goes \
                        away ($TMPDIR says where it is made).\n\
                        Exit code 1 if the root would not fit its slot; with --strict also if overlays touch the same \
                        path or the order matters.")]
pub(super) struct Args {
    /// Firmware file to build on
    #[arg(long, value_name = "FILE")]
    base: PathBuf,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    fetching: FetchingOptions,
    /// Run the overlays' scripts on a scratch tree, and try the other order too
    #[arg(long)]
    run_scripts: bool,
    /// Take paths of several overlays and differences between the orders for findings
    #[arg(long)]
    strict: bool,
    /// Print JSON ("schema": 1)
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a summary in Markdown, for a pull request
    #[arg(long)]
    markdown: bool,
    /// Say what takes time, on standard error
    #[arg(long, short)]
    verbose: bool,
}

/// In which form a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
    Markdown,
}

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        let form = match (self.json, self.markdown) {
            (true, _) => Form::Json,
            (false, true) => Form::Markdown,
            (false, false) => Form::Text,
        };
        let (settings, cache) =
            inputs::settings(self.base, self.selection, self.fetching, self.run_scripts, self.verbose)?;
        let shown = show(&settings, self.run_scripts, form, self.strict, paint);
        cache.end(settings.offline || !self.run_scripts);
        shown
    }
}

/// Makes a plan and prints it.
pub(super) fn show(
    settings: &Settings,
    run_scripts: bool,
    form: Form,
    strict: bool,
    paint: Paint,
) -> Result<Status, Failure> {
    let (plan, _) = Plan::make(settings, run_scripts)?;
    match form {
        Form::Text => print(&plan.text(paint))?,
        Form::Json => print_json(&plan)?,
        Form::Markdown => print(&plan.markdown())?,
    }
    let doubtful = strict && !(plan.conflicts.is_empty() && plan.order_risks.is_empty());
    Ok(if plan.fits() && !doubtful { Status::Fine } else { Status::Findings })
}
