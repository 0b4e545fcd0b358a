//! Applies an overlay step by step: each pre-script, each patch, `root/`, each script, the owners table.
//!
//! A build ends at the first step that fails. A rehearsal goes on and records what each step lacked, so that it shows at
//! once what a whole tree of overlays needs on a base that is not the vendor's.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::inside::Tree;
use super::lacking;
use super::session::Plan;
use super::watch::Part;
use crate::overlay::patches::PATCHES;
use crate::overlay::root::ROOT;
use crate::overlay::scripts::{PRE_SCRIPTS, SCRIPTS, Surroundings};
use crate::overlay::{Overlay, OverlayError, owners, patches, root, scripts, tree_hash};
use crate::script_tools::said::{self, Lack, Said};
use crate::script_tools::{self, CACHE, SAID};

/// One step of an overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The overlay's name.
    pub overlay: String,
    /// The path inside the overlay: `scripts/1.sh`, `patches/x.patch`, `root`, `owners`; nothing where the overlay
    /// itself is unfit; a path of the root where what was made there is.
    pub part: String,
    /// What came of it.
    pub came: Came,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// It was carried out.
    Applied,
    /// It failed for want of something.
    Lacked(Vec<Lack>),
    /// It failed because an earlier step of the same overlay, which is named, had lacked something.
    After(String),
    /// It failed for another reason.
    Failed(String),
}

/// The steps of a session.
pub(super) struct Steps<'a> {
    plan: &'a Plan,
    tree: Tree,
    variables: BTreeMap<String, String>,
    said: PathBuf,
    /// What the builder of the image should know.
    pub(super) notes: Vec<String>,
    /// Digests of overlays after their pre-scripts, by name.
    pub(super) made: BTreeMap<String, String>,
    /// What came of the steps so far.
    pub(super) steps: Vec<Step>,
}

impl<'a> Steps<'a> {
    /// Lays out the commands for scripts in the build folder.
    pub(super) fn begin(plan: &'a Plan) -> io::Result<Self> {
        let beside = |what: &str| plan.outcome.with_extension(what);
        let tools = beside("tools");
        script_tools::lay_out(&tools, &std::env::current_exe()?)?;
        let mut variables = plan.variables.clone();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let path = variables.get("PATH").cloned().or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
        variables.insert("PATH".into(), format!("{}:{path}", text(&tools)));
        variables.insert("ROOTFS_DIR".into(), text(&plan.tree));
        variables.insert(SAID.into(), text(&beside("said")));
        let cache = plan.scripting.cache.clone().unwrap_or_else(|| beside("cache"));
        variables.insert(CACHE.into(), text(&cache));
        Ok(Self {
            plan,
            tree: Tree::at(&plan.tree),
            variables,
            said: beside("said"),
            notes: Vec::new(),
            made: BTreeMap::new(),
            steps: Vec::new(),
        })
    }

    /// Looks whether an overlay is fit to be applied, before anything of it is followed. A rehearsal records that it is
    /// not.
    ///
    /// # Errors
    /// When it is not, unless this is a rehearsal.
    pub(super) fn fit(&mut self, overlay: &Overlay) -> Result<bool, OverlayError> {
        self.step(overlay, Path::new(""), |_| overlay.check().map(|()| Vec::new()))?;
        Ok(self.steps.pop_if(|step| step.came == Came::Applied).is_some())
    }

    /// Applies one overlay that is fit.
    ///
    /// # Errors
    /// The first step that fails, unless this is a rehearsal.
    pub(super) fn overlay(&mut self, overlay: &Overlay) -> Result<(), OverlayError> {
        for part in Part::all(self.plan.order) {
            if !self.part(overlay, part)? {
                break;
            }
        }
        Ok(())
    }

    /// Applies one part of an overlay that is fit; whether the parts after it can be applied, which only a rehearsal
    /// asks.
    ///
    /// # Errors
    /// The first step that fails, unless this is a rehearsal.
    pub(super) fn part(&mut self, overlay: &Overlay, part: Part) -> Result<bool, OverlayError> {
        match part {
            Part::PreScripts => return self.pre_scripts(overlay),
            Part::Patches => self.patches(overlay)?,
            Part::Scripts => self.scripts(overlay, SCRIPTS)?,
            Part::Root => self.root(overlay)?,
            Part::Owners => self.owners(overlay)?,
        }
        Ok(true)
    }

    /// Runs what comes first and looks again whether the overlay is fit, since they may have changed it.
    fn pre_scripts(&mut self, overlay: &Overlay) -> Result<bool, OverlayError> {
        if !overlay.has_pre_scripts()? {
            return Ok(true);
        }
        self.scripts(overlay, PRE_SCRIPTS)?;
        let fit = self.fit(overlay)?;
        if fit {
            self.made.insert(overlay.name.clone(), tree_hash::of_overlay(overlay)?);
        }
        Ok(fit)
    }

    fn patches(&mut self, overlay: &Overlay) -> Result<(), OverlayError> {
        let trial = self.plan.scripting.rehearse;
        for patch in patches::find(overlay)? {
            let part = Path::new(PATCHES).join(&patch);
            self.step(overlay, &part, |steps| {
                if trial {
                    patches::apply(overlay, &steps.tree, &patch, true)?;
                }
                patches::apply(overlay, &steps.tree, &patch, false)
            })?;
        }
        Ok(())
    }

    fn owners(&mut self, overlay: &Overlay) -> Result<(), OverlayError> {
        if owners::read(overlay)?.is_empty() {
            return Ok(());
        }
        self.step(overlay, Path::new(owners::OWNERS), |steps| {
            owners::apply(overlay, &steps.tree).map(|()| Vec::new())
        })
    }

    fn root(&mut self, overlay: &Overlay) -> Result<(), OverlayError> {
        if !overlay.folder.join(ROOT).is_dir() {
            return Ok(());
        }
        let epoch = self.plan.epoch;
        self.step(overlay, Path::new(ROOT), |steps| root::apply(overlay, &steps.tree, epoch))
    }

    fn scripts(&mut self, overlay: &Overlay, folder: &str) -> Result<(), OverlayError> {
        for name in scripts::find(overlay, folder)? {
            let part = Path::new(folder).join(&name);
            self.step(overlay, &part, |steps| {
                let surroundings = Surroundings {
                    directory: &steps.plan.directory,
                    root: &steps.plan.tree,
                    variables: &steps.variables,
                };
                scripts::run(overlay, folder, &name, surroundings).map(|()| Vec::new())
            })?;
            // A rehearsal cannot go on without a root either.
            scripts::check_root(overlay, &part, &self.plan.tree)?;
        }
        Ok(())
    }

    /// Carries out one step and records what came of it.
    fn step(
        &mut self,
        overlay: &Overlay,
        part: &Path,
        work: impl FnOnce(&Self) -> Result<Vec<String>, OverlayError>,
    ) -> Result<(), OverlayError> {
        let result = work(self);
        let mut lacked = Vec::new();
        for said in said::take(&self.said).map_err(|e| overlay.system(part, e))? {
            match said {
                Said::Note(note) => {
                    self.notes.push(format!("{}: {}: {note}", overlay.name, part.display()));
                }
                Said::Lacked(lack) => lacked.push(lack),
            }
        }
        let came = match result {
            Ok(notes) => {
                self.notes.extend(notes);
                Came::Applied
            }
            Err(error) if !self.plan.scripting.rehearse => return Err(error),
            Err(error) => self.why(overlay, part, &error, lacked),
        };
        let part = part.display().to_string();
        self.steps.push(Step { overlay: overlay.name.clone(), part, came });
        Ok(())
    }

    /// Why a step of a rehearsal failed.
    fn why(&self, overlay: &Overlay, part: &Path, error: &OverlayError, lacked: Vec<Lack>) -> Came {
        if !lacked.is_empty() {
            return Came::Lacked(lacked);
        }
        let lacked = lacking::of(overlay, part, error, &self.plan.directory, &self.tree);
        // What an earlier step would have fetched is no file of the vendor's.
        let fetches = |step: &&Step| {
            let network = |lack: &Lack| matches!(lack, Lack::Network { .. });
            step.overlay == overlay.name
                && matches!(&step.came, Came::Lacked(lacked) if lacked.iter().any(network))
        };
        match (lacked.first(), self.steps.iter().rfind(fetches)) {
            (None, _) => Came::Failed(crate::command::whole(error)),
            (Some(Lack::Vendor { .. }), Some(earlier)) => Came::After(earlier.part.clone()),
            _ => Came::Lacked(lacked),
        }
    }
}
