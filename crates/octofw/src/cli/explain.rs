//! `octofw explain`.

use std::path::PathBuf;

use super::inputs;
use super::selection::{FetchingOptions, SelectionOptions};
use super::{Failure, Status, print, print_json, status_of};
use crate::explain::{ExplainError, Explanation, explain, of_image};
use crate::paint::Paint;

/// Tells why a path of an image is as it is: who made it, and where owner and mode come from
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: octofw explain /etc/init.d/S66octoapp --base base.bin --overlay my-overlay\n\
                        Example: octofw explain /etc/init.d/S66octoapp --image dist/firmware.bin\n\
                        With --image, the manifest beside the image tells; it knows the overlays, not their steps.\n\
                        Exit code 1 if nobody has the path."
)]
#[command(group = clap::ArgGroup::new("from").required(true).args(["base", "image"]))]
pub(super) struct Args {
    /// The path, from the root of the printer on
    path: String,
    /// Firmware file to build on
    #[arg(long, value_name = "FILE")]
    base: Option<PathBuf>,
    /// Built image with its manifest beside it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["SelectionOptions", "run_scripts"])]
    image: Option<PathBuf>,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    fetching: FetchingOptions,
    /// Run the overlays' scripts on a scratch tree
    #[arg(long)]
    run_scripts: bool,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        let told = match (self.image, self.base) {
            (Some(image), _) => of_image(&self.path, &image)?,
            (None, base) => {
                let (base, run) = (base.unwrap_or_default(), self.run_scripts);
                let (settings, cache) = inputs::settings(base, self.selection, self.fetching, run, false)?;
                let told = explain(&self.path, &settings, run);
                cache.end(settings.offline || !run);
                told?
            }
        };
        self::show(&told, self.json, paint)
    }
}

fn show(told: &Explanation, json: bool, paint: Paint) -> Result<Status, Failure> {
    if json {
        print_json(told)?;
    } else {
        print(&told.text(paint))?;
    }
    Ok(if told.is_known() { Status::Fine } else { Status::Findings })
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}
