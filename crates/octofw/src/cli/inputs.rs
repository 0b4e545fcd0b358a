//! What the commands that look at overlays without building them have in common.

use std::path::PathBuf;

use super::cache::InUse;
use super::selection::{FetchingOptions, SelectionOptions};
use super::{Failure, Status};
use crate::build::Settings;

/// The settings of a build that is only trial, and the cache, which is used if scripts run.
pub(super) fn settings(
    base: PathBuf,
    selection: SelectionOptions,
    fetching: FetchingOptions,
    scripts_run: bool,
    progress: bool,
) -> Result<(Settings, InUse), Failure> {
    let system = |what: &'static str| move |e| Failure::new(Status::Findings, format!("{what}: {e}"));
    let selected = selection.select()?;
    let cache = fetching.begin(&selected, scripts_run)?;
    let settings = Settings {
        base,
        overlays: selected.overlays,
        order: selected.order,
        profile: selected.profile,
        offline: fetching.offline,
        cache: Some(cache.folder().to_owned()),
        progress,
        epoch: super::build::epoch_of_environment()?,
        directory: selected.directory,
        octofw: std::env::current_exe().map_err(system("cannot find this program's own file"))?,
        ..Settings::default()
    };
    Ok((settings, cache))
}
