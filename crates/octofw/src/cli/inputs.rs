//! What the commands that look at overlays without building them have in common.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use super::selection::{FetchingOptions, SelectionOptions};
use super::{Failure, Status};
use crate::build::Settings;
use crate::paint::Paint;

/// The settings of a build that is only trial.
pub(super) fn settings(
    base: PathBuf,
    selection: SelectionOptions,
    fetching: FetchingOptions,
    progress: bool,
) -> Result<Settings, Failure> {
    let system = |what: &'static str| move |e| Failure::new(Status::Findings, format!("{what}: {e}"));
    let selected = selection.select()?;
    Ok(Settings {
        base,
        overlays: selected.overlays,
        order: selected.order,
        profile: selected.profile,
        offline: fetching.offline,
        cache: fetching.cache,
        progress,
        epoch: super::build::epoch_of_environment()?,
        directory: selected.directory,
        octofw: std::env::current_exe().map_err(system("cannot find this program's own file"))?,
        ..Settings::default()
    })
}

/// How standard output is coloured.
pub(super) fn paint() -> Paint {
    Paint::for_output(io::stdout().is_terminal(), |name| std::env::var(name).ok())
}
