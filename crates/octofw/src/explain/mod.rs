//! `octofw explain PATH`: why a path of an image is as it is.
//!
//! Told out of a trial build ([`crate::plan`]), step by step, or out of a built image and its manifest, which knows
//! the overlays but not their steps.

mod built;
mod causes;
mod near;
mod text;
mod way;

use serde::Serialize;

use crate::build::{BuildError, Settings};
use crate::overlay::scripts::{self, PRE_SCRIPTS, SCRIPTS};
use crate::overlay::{Overlay, OverlayError};
use crate::plan::{Effect, Histories, Trial, mentions, try_out};
use crate::rootfs::snapshot::shown;
use crate::rootfs::watch::{Part, State};
use crate::squashfs::Tree;

pub use built::{ExplainError, of_image};
pub use way::Link;

/// Why a path is as it is. Fields are only ever added while `schema` is 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Version of this form.
    pub schema: u32,
    /// The path that was asked for, from the root on.
    pub asked: String,
    /// Links on the way to it, which lead to `path`.
    pub links: Vec<Link>,
    /// The path without any link on the way.
    pub path: String,
    /// Whether the result has it.
    pub there: bool,
    /// What the base has there. Not known of a built image.
    pub before: Option<State>,
    /// What the result has there.
    pub after: Option<State>,
    /// By whom, in the order in which it happens.
    pub steps: Vec<Hand>,
    /// Where its owner comes from.
    pub owner_from: Option<String>,
    /// Where its mode comes from.
    pub mode_from: Option<String>,
    /// For a link: where it leads in the end, or that it leads to nothing.
    pub leads_to: Option<String>,
    /// Further names of the same file (hard links), in the result.
    pub names: Vec<String>,
    /// For a directory: what is below it.
    pub below: Option<Below>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// Paths that may be meant, where nobody has this one.
    pub near: Vec<String>,
}

/// What an overlay does to the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hand {
    /// The overlay's name.
    pub overlay: String,
    /// The step; not known of a built image, as what follows.
    pub part: Option<Part>,
    /// What it does.
    pub effect: Option<Effect>,
    /// What in the overlay does it.
    pub source: Option<String>,
}

/// What is below a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Below {
    /// Paths of every kind.
    pub paths: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// How many paths overlays touch there, by overlay and what is done.
    pub changes: Vec<(String, usize)>,
}

impl Explanation {
    /// Whether base, overlays or result know the path.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.there || self.before.is_some() || !self.steps.is_empty()
    }

    fn new(asked: &str, way: &way::Way) -> Self {
        Self {
            schema: 1,
            asked: from_root(&shown(asked.trim_matches('/').as_bytes())),
            links: way.links.clone(),
            path: from_root(&shown(way.path.as_bytes())),
            there: false,
            before: None,
            after: None,
            steps: Vec::new(),
            owner_from: None,
            mode_from: None,
            leads_to: None,
            names: Vec::new(),
            below: None,
            notes: Vec::new(),
            near: Vec::new(),
        }
    }
}

/// Explains a path of what a build with these settings would make; scripts run where `run_scripts` says so.
///
/// # Errors
/// As a build; and when octofw does not read the base's compressor.
pub fn explain(path: &str, settings: &Settings, run_scripts: bool) -> Result<Explanation, BuildError> {
    let trial = try_out(settings, run_scripts)?;
    Ok(of_trial(path, &trial)?)
}

/// Explains a path of what was trial.
///
/// # Errors
/// When an overlay cannot be read.
pub fn of_trial(path: &str, trial: &Trial) -> Result<Explanation, OverlayError> {
    let empty = way::no_tree();
    let (before, after) = (trial.before.as_ref().unwrap_or(&empty), trial.after.as_ref().unwrap_or(&empty));
    let histories = trial.histories();
    // A path that the result has no more is explained by where it was.
    let mut way = way::to(after, path);
    if way::find(after, &way.path).is_none() {
        let was = way::to(before, path);
        if way::find(before, &was.path).is_some() {
            way = was;
        }
    }
    let mut told = Explanation::new(path, &way);
    let here = (way::find(before, &way.path), way::find(after, &way.path));
    told.before = here.0.map(way::state);
    told.after = here.1.map(way::state);
    told.there = told.after.is_some();
    if let Some(history) = histories.get(&told.path) {
        told.steps = history
            .touches
            .iter()
            .map(|touch| Hand {
                overlay: touch.overlay.clone(),
                part: Some(touch.part),
                effect: Some(touch.effect),
                source: Some(touch.source.clone()),
            })
            .collect();
    }
    if told.there {
        let causes = causes::of(&told.path, &histories, &trial.overlays)?;
        (told.owner_from, told.mode_from) = (Some(causes.owner), Some(causes.mode));
    }
    result(&mut told, after, &way);
    told.below = below(&told, &way.path, after, &histories);
    told.notes.extend(unused(&told, &trial.overlays));
    if !trial.ran_scripts {
        told.notes.extend(unknown(&told.path, &trial.overlays)?);
    }
    if !told.is_known() {
        let known = [before, after].into_iter().flat_map(way::paths).chain(histories.into_keys());
        told.near = near::matches(&told.path, known);
    }
    Ok(told)
}

/// What the result tells of the path whoever made it.
fn result(told: &mut Explanation, after: &Tree, way: &way::Way) {
    if let Some(target) = told.after.as_ref().and_then(|state| state.target.clone()) {
        let end = way::end(after, &way.path);
        told.leads_to = Some(match end {
            Some(path) => from_root(&shown(path.as_bytes())),
            None => format!("{target}, where the image has nothing"),
        });
    }
    told.names = way::names(after, &way.path);
}

/// What is below a directory.
fn below(told: &Explanation, path: &str, after: &Tree, histories: &Histories) -> Option<Below> {
    let (paths, bytes) = way::below(after, path)?;
    let folder = if told.path == "/" { "/".to_owned() } else { format!("{}/", told.path) };
    let mut changes: Vec<(String, usize)> = Vec::new();
    for (_, history) in histories.iter().filter(|(path, _)| path.starts_with(&folder)) {
        for name in history.overlays() {
            match changes.iter_mut().find(|(known, _)| known == name) {
                Some((_, number)) => *number += 1,
                None => changes.push((name.to_owned(), 1)),
            }
        }
    }
    Some(Below { paths, bytes, changes })
}

/// Overlays that have the path and change nothing about it.
fn unused(told: &Explanation, overlays: &[Overlay]) -> Vec<String> {
    let path = told.path.trim_start_matches('/');
    let is_file = |overlay: &&Overlay| {
        let place = overlay.folder.join(crate::overlay::root::ROOT).join(path);
        !path.is_empty() && place.symlink_metadata().is_ok_and(|there| !there.is_dir())
    };
    let idle = overlays.iter().filter(is_file).filter(|overlay| {
        let touches = |hand: &Hand| hand.overlay == overlay.name && hand.part == Some(Part::Root);
        !told.steps.iter().any(touches)
    });
    idle.map(|overlay| format!("{} has root/{path} too, with what is there already", overlay.name)).collect()
}

/// What scripts that did not run may do to the path.
fn unknown(path: &str, overlays: &[Overlay]) -> Result<Vec<String>, OverlayError> {
    let name = [path.trim_start_matches('/').to_owned()];
    let mut notes = Vec::new();
    let mut silent = Vec::new();
    for overlay in overlays {
        let mut named = false;
        let mut any = false;
        for folder in [PRE_SCRIPTS, SCRIPTS] {
            for script in scripts::find(overlay, folder)? {
                any = true;
                let place = overlay.folder.join(folder).join(&script);
                let text = std::fs::read(&place).map_err(|e| overlay.system(&place, e))?;
                for (line, _) in mentions(&String::from_utf8_lossy(&text), &name) {
                    named = true;
                    let at = format!("{}: {folder}/{script}, line {line}", overlay.name);
                    notes.push(format!("{at} names it and did not run; --run-scripts shows what it does"));
                }
            }
        }
        if any && !named {
            silent.push(overlay.name.as_str());
        }
    }
    if !silent.is_empty() {
        notes.push(format!("scripts did not run: those of {}", silent.join(", ")));
    }
    Ok(notes)
}

fn from_root(path: &str) -> String {
    format!("/{path}")
}
