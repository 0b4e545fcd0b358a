//! `octofw list`.

use super::selection::{Selected, SelectionOptions};
use super::{Failure, Status, print, print_json};
use crate::build::BuildError;
use crate::list::List;
use crate::paint::Paint;
use crate::plan;

/// Lists overlays in their order: scripts, patches and what they change, files, sizes
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw list --overlay overlays/*\n\
                        Nothing is run and no base is needed; `octofw plan` tells what a build does.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: SelectionOptions,
    /// A line per overlay, without its files
    #[arg(long, short)]
    short: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        let Selected { overlays, order, profile, .. } = self.selection.select()?;
        let opened = plan::open(&overlays)?;
        let list = List::of(&opened, order, profile).map_err(BuildError::from)?;
        if self.json {
            print_json(&list)?;
        } else {
            print(&list.text(paint, !self.short))?;
        }
        Ok(Status::Fine)
    }
}
