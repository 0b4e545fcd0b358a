//! What the commands that look at overlays without building them have in common.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use super::{Failure, Status};
use crate::build::Settings;
use crate::overlay::Order;
use crate::paint::Paint;

/// Options about overlays.
#[derive(Debug, clap::Args)]
pub(super) struct OverlayOptions {
    /// Overlay folder; give it once per overlay, in the order in which they apply
    #[arg(long = "overlay", value_name = "DIR", num_args = 1..)]
    pub(super) overlays: Vec<PathBuf>,
    /// Which of scripts/ and root/ of an overlay comes first: classic is scripts, current is root
    #[arg(long, value_enum, default_value_t)]
    pub(super) order: Order,
    /// Profile that scripts are told as PROFILE
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

impl OverlayOptions {
    /// The settings of a build with these overlays that is only trial.
    pub(super) fn settings(self, base: PathBuf, progress: bool) -> Result<Settings, Failure> {
        let system = |what: &'static str| move |e| Failure::new(Status::Findings, format!("{what}: {e}"));
        Ok(Settings {
            base,
            overlays: self.overlays,
            order: self.order,
            profile: self.profile,
            progress,
            epoch: super::build::epoch_of_environment()?,
            directory: std::env::current_dir().map_err(system("cannot find the current directory"))?,
            octofw: std::env::current_exe().map_err(system("cannot find this program's own file"))?,
            ..Settings::default()
        })
    }
}

/// How standard output is coloured.
pub(super) fn paint() -> Paint {
    Paint::for_output(io::stdout().is_terminal(), |name| std::env::var(name).ok())
}
