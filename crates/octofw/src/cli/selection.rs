//! Which overlays a command works on, and what their scripts may fetch: the options that commands share.

use std::path::PathBuf;

use super::cache::{CacheOptions, InUse};
use super::{Failure, Status};
use crate::overlay::Order;
use crate::overlay::layout::{Layout, LayoutError};

/// Overlays by their folders, or by a profile of a whole tree.
#[derive(Debug, clap::Args)]
pub(super) struct SelectionOptions {
    /// Overlay folder; give it once per overlay, in the order in which they apply, after those of --tree
    #[arg(long = "overlay", value_name = "DIR", num_args = 1..)]
    overlays: Vec<PathBuf>,
    /// The community's firmware tree, whose overlays --profile chooses and in which scripts run
    #[arg(long, value_name = "DIR", requires = "profile")]
    tree: Option<PathBuf>,
    /// Profile, FIRMWARE[-MOD]... with --tree; scripts are told it as PROFILE
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Mod of the tree, besides those that the profile names
    #[arg(long = "mod", value_name = "NAME", requires = "tree")]
    mods: Vec<String>,
    /// Which of scripts/ and root/ of an overlay comes first: classic is scripts, current is root (default: as trees of
    /// that layout expect, else current)
    #[arg(long, value_enum)]
    order: Option<Order>,
}

/// Whether and where to scripts may fetch.
#[derive(Debug, clap::Args)]
pub(super) struct FetchingOptions {
    /// Fetch nothing, and have scripts do without the network
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    cache: CacheOptions,
}

impl FetchingOptions {
    /// Begins to use the cache for the scripts of what was chosen, if they run.
    pub(super) fn begin(&self, selected: &Selected, scripts_run: bool) -> Result<InUse, Failure> {
        self.cache.begin(selected.tree.as_deref(), scripts_run && selected.has_scripts())
    }
}

/// What was chosen.
#[derive(Debug)]
pub(super) struct Selected {
    /// The overlay folders in their order.
    pub(super) overlays: Vec<PathBuf>,
    /// The order of the parts of each.
    pub(super) order: Order,
    /// What scripts are told as their profile.
    pub(super) profile: Option<String>,
    /// Where scripts run.
    pub(super) directory: PathBuf,
    /// The community's tree, where one was given.
    tree: Option<PathBuf>,
}

impl Selected {
    /// Whether any overlay seems to have scripts.
    fn has_scripts(&self) -> bool {
        self.overlays
            .iter()
            .any(|folder| ["scripts", "pre-scripts"].iter().any(|part| folder.join(part).is_dir()))
    }
}

impl SelectionOptions {
    /// Takes further folders, which come before those of --overlay.
    pub(super) fn with(mut self, folders: Vec<PathBuf>) -> Self {
        self.overlays.splice(0..0, folders);
        self
    }

    /// Looks the tree up.
    pub(super) fn select(self) -> Result<Selected, Failure> {
        let here = || {
            std::env::current_dir().map_err(|e| {
                Failure::new(Status::Findings, format!("cannot find the current directory: {e}"))
            })
        };
        let (Some(tree), Some(profile)) = (&self.tree, &self.profile) else {
            let order = self.order.unwrap_or_default();
            return Ok(Selected {
                overlays: self.overlays,
                order,
                profile: self.profile,
                directory: here()?,
                tree: None,
            });
        };
        let selection = Layout::of(tree).and_then(|layout| layout.select(profile, &self.mods))?;
        let mut overlays = selection.overlays;
        overlays.extend(self.overlays);
        Ok(Selected {
            overlays,
            order: self.order.unwrap_or(selection.order),
            profile: Some(selection.profile),
            tree: Some(selection.tree.clone()),
            directory: selection.tree,
        })
    }
}

impl From<LayoutError> for Failure {
    fn from(error: LayoutError) -> Self {
        let status = match error {
            LayoutError::System { .. } => Status::Findings,
            _ => Status::Usage,
        };
        Self::new(status, error)
    }
}
