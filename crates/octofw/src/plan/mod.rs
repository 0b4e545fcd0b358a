//! `octofw plan`: what a build would do to every path, who does it, and what it costs, before an image is written.
//!
//! A plan does not guess. It is a build up to the finished root ([`trial`]), watched step by step and thrown away;
//! [`model`] makes a history per path out of that. Only what scripts do is unknown where they may not run.

mod markdown;
pub mod model;
mod order;
pub mod space;
mod text;
mod trial;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::build::{BuildError, Settings};
use crate::command::whole;
use crate::overlay::scripts::{self, PRE_SCRIPTS, SCRIPTS};
use crate::overlay::{Order, OverlayError};

pub use model::{Conflict, Effect, Histories, History, PathPlan, Touch};
pub use order::OrderRisk;
pub(crate) use order::{mentions, name as name_of_order};
pub use space::{Attribution, Share, Space};
pub(crate) use text::{described, kind as name_of_kind};
pub use trial::{Trial, open, try_out};

/// The whole plan. Fields are only ever added while `schema` is 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Version of this form.
    pub schema: u32,
    /// What is built on.
    pub base: BaseFile,
    /// In which order the parts of an overlay are applied.
    pub order: Order,
    /// The profile that scripts are told.
    pub profile: Option<String>,
    /// The overlays, in their order.
    pub overlays: Vec<Planned>,
    /// Every path that is different in the end, in byte order.
    pub paths: Vec<PathPlan>,
    /// Paths that more than one overlay touches.
    pub conflicts: Vec<Conflict>,
    /// Where the other order gives, or may give, something else.
    pub order_risks: Vec<OrderRisk>,
    /// What the slot holds. At least that, where something is not known.
    pub space: Space,
    /// What this plan does not know.
    pub not_known: Vec<NotKnown>,
    /// What the builder of the image should know.
    pub notes: Vec<String>,
}

/// The base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaseFile {
    /// Its file name, without folder.
    pub file: String,
    /// Its version text; a bare `update.img` has none.
    pub version: Option<String>,
}

/// One overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// How many paths it adds, replaces, patches, deletes, or gives another owner or mode.
    pub effects: BTreeMap<Effect, usize>,
}

/// Something that a plan does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotKnown {
    /// The overlay.
    pub overlay: String,
    /// The file or folder in it.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl Plan {
    /// Tries a build out with these settings and tells what it does. With `run_scripts` the scripts run, in a scratch
    /// tree; where the order of `scripts/` and `root/` can matter, the other order is trial too.
    ///
    /// # Errors
    /// As a build.
    pub fn make(settings: &Settings, run_scripts: bool) -> Result<(Self, Trial), BuildError> {
        let trial = try_out(settings, run_scripts)?;
        let order_risks = match (run_scripts, order::can_matter(&trial.overlays)?) {
            (_, false) => Vec::new(),
            (false, true) => order::named(&trial.overlays)?,
            (true, true) => {
                let other = order::other(settings.order);
                let swapped = Settings { order: other, progress: false, ..settings.clone() };
                match try_out(&swapped, true) {
                    Ok(there) => order::found(settings.order, &trial.report.changes, &there.report.changes),
                    Err(error) => vec![order::fails(other, &whole(&error))],
                }
            }
        };
        let plan = Self::of(settings, &trial, order_risks)?;
        Ok((plan, trial))
    }

    fn of(settings: &Settings, trial: &Trial, order_risks: Vec<OrderRisk>) -> Result<Self, OverlayError> {
        let histories = trial.histories();
        let planned =
            |name: &str| Planned { name: name.to_owned(), effects: model::effects(&histories, name) };
        Ok(Self {
            schema: 1,
            base: trial.base.clone(),
            order: settings.order,
            profile: settings.profile.clone(),
            overlays: trial.overlays.iter().map(|overlay| planned(&overlay.name)).collect(),
            paths: model::paths(&histories, &trial.report.changes),
            conflicts: model::conflicts(&histories),
            order_risks,
            space: trial.space.clone(),
            not_known: not_known(trial)?,
            notes: trial.report.notes.clone(),
        })
    }

    /// Whether the build would end with an image: the new root fits its slot.
    #[must_use]
    pub fn fits(&self) -> bool {
        !self.space.overflows()
    }

    /// How many paths there are of each effect.
    #[must_use]
    pub fn effects(&self) -> BTreeMap<Effect, usize> {
        let mut counts = BTreeMap::new();
        for path in &self.paths {
            *counts.entry(path.effect).or_default() += 1;
        }
        counts
    }
}

impl Trial {
    /// What happened to every path.
    #[must_use]
    pub fn histories(&self) -> Histories {
        let names: Vec<&str> = self.overlays.iter().map(|overlay| overlay.name.as_str()).collect();
        model::histories(&self.report.seen, &names)
    }
}

/// The scripts that did not run, and the steps that failed without them.
fn not_known(trial: &Trial) -> Result<Vec<NotKnown>, OverlayError> {
    let mut list = Vec::new();
    for overlay in trial.overlays.iter().filter(|_| !trial.ran_scripts) {
        for folder in [PRE_SCRIPTS, SCRIPTS] {
            list.extend(scripts::find(overlay, folder)?.into_iter().map(|script| NotKnown {
                overlay: overlay.name.clone(),
                path: format!("{folder}/{script}"),
                reason: "did not run".to_owned(),
            }));
        }
    }
    for seen in &trial.report.seen {
        if let (Some(failure), Some(overlay)) = (&seen.failure, trial.overlays.get(seen.overlay)) {
            list.push(NotKnown {
                overlay: overlay.name.clone(),
                path: seen.part.name().to_owned(),
                reason: format!("does not work without what the scripts make: {failure}"),
            });
        }
    }
    Ok(list)
}
