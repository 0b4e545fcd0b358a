//! From what was seen to what is told: per path its history, and what it comes to.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::manifest::Change;
use crate::rootfs::snapshot::{Kind, What};
use crate::rootfs::watch::{Part, Seen, State};

/// What happens to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// It is new.
    Added,
    /// Something else is in its place.
    Replaced,
    /// Patches change it, and nothing else does.
    Patched,
    /// It goes.
    Deleted,
    /// Only its owner or its mode changes.
    Attributes,
}

impl Effect {
    /// Every effect, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Added, Self::Replaced, Self::Patched, Self::Deleted, Self::Attributes];

    pub(crate) fn of(what: What, part: Part) -> Self {
        match what {
            What::Added => Self::Added,
            What::Replaced if part == Part::Patches => Self::Patched,
            What::Replaced => Self::Replaced,
            What::Deleted => Self::Deleted,
            What::Attributes => Self::Attributes,
        }
    }

    /// What an overlay does, as a word after its name.
    pub(crate) fn does(self) -> &'static str {
        match self {
            Self::Added => "adds it",
            Self::Replaced => "replaces it",
            Self::Patched => "patches it",
            Self::Deleted => "deletes it",
            Self::Attributes => "sets its owner or mode",
        }
    }
}

/// What one step of one overlay does to a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touch {
    /// The overlay's name.
    pub overlay: String,
    /// The step.
    pub part: Part,
    /// What it does.
    pub effect: Effect,
    /// What in the overlay does it, relative to its folder.
    pub source: String,
    /// What is there afterwards.
    #[serde(skip)]
    pub after: Option<State>,
}

/// Everything that happens to one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// What the base has there.
    pub before: Option<State>,
    /// In the order in which it happens.
    pub touches: Vec<Touch>,
}

impl History {
    /// What is there in the end.
    #[must_use]
    pub fn after(&self) -> Option<&State> {
        self.touches.last().and_then(|touch| touch.after.as_ref())
    }

    /// The names of the overlays that touch it, each once, in their order.
    #[must_use]
    pub fn overlays(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for touch in &self.touches {
            if !names.contains(&touch.overlay.as_str()) {
                names.push(&touch.overlay);
            }
        }
        names
    }
}

/// Every path that was touched, from the root on, also where nothing remains of it.
pub type Histories = BTreeMap<String, History>;

/// A path that is different in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathPlan {
    /// The path, from the root on.
    pub path: String,
    /// What happens to it in all.
    pub effect: Effect,
    /// What it is, or was where it is deleted.
    pub kind: Kind,
    /// In the base; none where it is new.
    pub before: Option<State>,
    /// In the result; none where it is deleted.
    pub after: Option<State>,
    /// By whom, in the order in which it happens.
    pub steps: Vec<Touch>,
}

/// A path that more than one overlay touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The path, from the root on.
    pub path: String,
    /// What each does, in the order in which it happens. The last one counts.
    pub steps: Vec<Touch>,
}

/// How a path of the session is told: from the root on.
pub(super) fn from_root(path: &str) -> String {
    format!("/{path}")
}

/// The history of every path, out of what was seen.
#[must_use]
pub fn histories(seen: &[Seen], overlays: &[&str]) -> Histories {
    let mut all = Histories::new();
    for seen in seen {
        let overlay = overlays.get(seen.overlay).copied().unwrap_or_default();
        for change in &seen.changes {
            let history = all
                .entry(from_root(&change.path))
                .or_insert_with(|| History { before: change.before.clone(), touches: Vec::new() });
            history.touches.push(Touch {
                overlay: overlay.to_owned(),
                part: seen.part,
                effect: Effect::of(change.what, seen.part),
                source: change.source.clone(),
                after: change.after.clone(),
            });
        }
    }
    all
}

/// The paths that are different in the end, in byte order. Which they are, the session has found out.
#[must_use]
pub fn paths(histories: &Histories, changes: &[Change]) -> Vec<PathPlan> {
    let mut list = Vec::new();
    for change in changes {
        let path = from_root(&change.path);
        let Some(history) = histories.get(&path) else { continue };
        let content = |touch: &&Touch| touch.effect != Effect::Attributes;
        let patched = history.touches.iter().filter(content).all(|touch| touch.effect == Effect::Patched);
        list.push(PathPlan {
            effect: Effect::of(change.what, if patched { Part::Patches } else { Part::Root }),
            kind: change.kind,
            before: history.before.clone(),
            after: history.after().cloned(),
            steps: history.touches.clone(),
            path,
        });
    }
    list
}

/// The paths that more than one overlay touches, also where nothing remains of it.
#[must_use]
pub fn conflicts(histories: &Histories) -> Vec<Conflict> {
    let several = histories.iter().filter(|(_, history)| history.overlays().len() > 1);
    several.map(|(path, history)| Conflict { path: path.clone(), steps: history.touches.clone() }).collect()
}

/// How many paths an overlay touches, by what it does to them in all.
#[must_use]
pub fn effects(histories: &Histories, overlay: &str) -> BTreeMap<Effect, usize> {
    let mut counts = BTreeMap::new();
    for history in histories.values() {
        let own: BTreeSet<Effect> = history
            .touches
            .iter()
            .filter(|touch| touch.overlay == overlay)
            .map(|touch| touch.effect)
            .collect();
        // Added and then given its owner is added; patched and then replaced is replaced.
        if let Some(effect) = own.first() {
            *counts.entry(*effect).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rootfs::watch::SeenChange;

    fn state(mode: &str) -> Option<State> {
        Some(State {
            kind: Kind::File,
            owner: "0:0".into(),
            mode: mode.into(),
            size: Some(1),
            target: None,
            device: None,
        })
    }

    fn seen(overlay: usize, part: Part, list: &[(&str, What)]) -> Seen {
        let changes = list.iter().map(|(path, what)| SeenChange {
            path: (*path).to_owned(),
            what: *what,
            source: "s".into(),
            before: state("0644").filter(|_| *what != What::Added),
            after: state("0755").filter(|_| *what != What::Deleted),
        });
        Seen { overlay, part, changes: changes.collect(), failure: None }
    }

    fn change(path: &str, what: What) -> Change {
        Change {
            path: path.into(),
            what,
            kind: Kind::File,
            overlays: Vec::new(),
            owner: None,
            mode: None,
            size: None,
            sha256: None,
            target: None,
        }
    }

    #[test]
    fn a_path_is_patched_only_if_nothing_else_changes_its_content() {
        let seen = [
            seen(0, Part::Patches, &[("a", What::Replaced), ("b", What::Replaced), ("new", What::Added)]),
            seen(0, Part::Root, &[("b", What::Replaced), ("gone", What::Added)]),
            seen(0, Part::Owners, &[("a", What::Attributes), ("o", What::Attributes)]),
            seen(1, Part::Scripts, &[("gone", What::Deleted)]),
        ];
        let histories = histories(&seen, &["one", "two"]);
        let changes = [
            change("a", What::Replaced),
            change("b", What::Replaced),
            change("new", What::Added),
            change("o", What::Attributes),
        ];
        let found: Vec<(String, Effect)> =
            paths(&histories, &changes).into_iter().map(|path| (path.path, path.effect)).collect();
        let expected = [
            ("/a", Effect::Patched),
            ("/b", Effect::Replaced),
            ("/new", Effect::Added),
            ("/o", Effect::Attributes),
        ];
        assert_eq!(found, expected.map(|(path, effect)| (path.to_owned(), effect)));

        let conflicts = conflicts(&histories);
        assert_eq!(conflicts.len(), 1);
        let conflict = &conflicts[0];
        let steps: Vec<_> = conflict.steps.iter().map(|step| (step.overlay.as_str(), step.effect)).collect();
        assert_eq!(
            (conflict.path.as_str(), steps),
            ("/gone", vec![("one", Effect::Added), ("two", Effect::Deleted)])
        );

        let one = effects(&histories, "one");
        let expected = BTreeMap::from([
            (Effect::Added, 2),
            (Effect::Replaced, 1),
            (Effect::Patched, 1),
            (Effect::Attributes, 1),
        ]);
        assert_eq!(one, expected);
        assert_eq!(effects(&histories, "two"), BTreeMap::from([(Effect::Deleted, 1)]));
    }

    #[test]
    fn before_is_the_first_and_after_the_last() {
        let seen =
            [seen(0, Part::Root, &[("a", What::Replaced)]), seen(1, Part::Patches, &[("a", What::Replaced)])];
        let histories = histories(&seen, &["one", "two"]);
        let found = paths(&histories, &[change("a", What::Replaced)]);
        assert_eq!((&found[0].before, &found[0].after), (&state("0644"), &state("0755")));
        assert_eq!(found[0].effect, Effect::Replaced);
        assert_eq!(histories["/a"].overlays(), ["one", "two"]);
    }
}
