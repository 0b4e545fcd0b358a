//! `octofw rehearse`.

use std::path::PathBuf;

use serde::Serialize;

use super::selection::{FetchingOptions, SelectionOptions};
use super::{Failure, Status, print, print_json};
use crate::build::{self, BuildError, Settings, tools};
use crate::manifest::SCHEMA;
use crate::passing::Passing;
use crate::rehearsal;
use crate::rootfs::steps::{Came, Step};

/// Tries every step of the overlays on a base and tells what each lacks; writes no image
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: octofw rehearse --base standin.bin --tree COMMUNITYS_TREE --profile extended --offline\n\
                        Ends with 1 where a step failed for another reason than that it lacked something."
)]
pub(super) struct Args {
    /// Firmware file to try on
    #[arg(long, value_name = "FILE")]
    base: PathBuf,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    fetching: FetchingOptions,
    /// Print what came of each step as JSON, instead of as a table in Markdown
    #[arg(long)]
    json: bool,
    /// Say nothing but errors and warnings
    #[arg(long, short)]
    quiet: bool,
    /// Say how long each stage took also where standard error is no terminal
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

#[derive(Serialize)]
struct Printed<'a> {
    schema: u32,
    steps: &'a [Step],
    notes: &'a [String],
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let system = |what: &'static str| move |e| Failure::new(Status::Findings, format!("{what}: {e}"));
        let folder =
            Passing::make("octofw-rehearse-").map_err(system("cannot make a folder for the rehearsal"))?;
        let selected = self.selection.select()?;
        let cache = self.fetching.begin(&selected, true)?;
        let settings = Settings {
            base: self.base,
            overlays: selected.overlays,
            order: selected.order,
            profile: selected.profile,
            out: folder.path().join("firmware.bin"),
            offline: self.fetching.offline,
            cache: Some(cache.folder().to_owned()),
            rehearse: true,
            progress: super::build::shows_progress(self.quiet, self.verbose),
            tools: tools::versions(&Default::default()).map_err(BuildError::from)?,
            directory: selected.directory,
            octofw: std::env::current_exe().map_err(system("cannot find this program's own file"))?,
            ..Settings::default()
        };
        let built = build::build(&settings);
        cache.end(settings.offline);
        let finished = built?;
        if self.json {
            let notes = &finished.manifest.notes;
            print_json(&Printed { schema: SCHEMA, steps: &finished.steps, notes })?;
        } else {
            print(&rehearsal::table(&finished.steps))?;
        }
        let failed = finished.steps.iter().any(|step| matches!(step.came, Came::Failed(_)));
        Ok(if failed { Status::Findings } else { Status::Fine })
    }
}
