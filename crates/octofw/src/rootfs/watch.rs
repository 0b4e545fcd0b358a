//! What each part of each overlay does to the root, path by path: a build that is watched, so that a plan says what the
//! build will do and not what somebody believes it does.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checks;
use super::contents::Contents;
use super::faked::Faked;
use super::inside::{Leads, Tree};
use super::session::{self, Plan, SessionError, system};
use super::snapshot::{Entry, Kind, Snapshot, What, place, shown};
use crate::command::whole;
use crate::overlay::patches::PATCHES;
use crate::overlay::root::ROOT;
use crate::overlay::scripts::{self, PRE_SCRIPTS, SCRIPTS};
use crate::overlay::{Order, Overlay, OverlayError, owners, patches, root};

/// How a session is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watching {
    /// Whether no scripts run, those of `pre-scripts/` included. What they would do is not known then.
    pub skip_scripts: bool,
}

/// A part of an overlay, in each of which something else is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Its pre-scripts, which run before everything else of it.
    PreScripts,
    /// Its patches, which are applied.
    Patches,
    /// Its scripts, which run.
    Scripts,
    /// Its `root/`, which is copied.
    Root,
    /// Its table of owners, which is applied.
    Owners,
}

/// What was seen at one part of one overlay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Number of the overlay, from 0.
    pub overlay: usize,
    /// The part.
    pub part: Part,
    /// Every path that it changed, in byte order.
    pub changes: Vec<SeenChange>,
    /// Why it could not be carried out, where that may be due to scripts that did not run.
    pub failure: Option<String>,
}

/// What a part did to one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenChange {
    /// The path, relative to the root; what is no plain text is escaped.
    pub path: String,
    /// What happened to it.
    pub what: What,
    /// What in the overlay did it, relative to its folder.
    pub source: String,
    /// What was there before.
    pub before: Option<State>,
    /// What is there afterwards.
    pub after: Option<State>,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What it is.
    pub kind: Kind,
    /// `uid:gid`.
    pub owner: String,
    /// Permission bits with setuid, setgid and sticky, in octal.
    pub mode: String,
    /// Bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Where a link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `MAJOR:MINOR` of a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl State {
    fn of(entry: &Entry) -> Self {
        Self {
            kind: entry.kind,
            owner: format!("{}:{}", entry.uid, entry.gid),
            mode: format!("{:04o}", entry.mode),
            size: (entry.kind == Kind::File).then_some(entry.size),
            target: entry.target.as_deref().map(shown),
            device: entry.kind.is_device().then(|| format!("{}:{}", entry.device.0, entry.device.1)),
        }
    }
}

impl Part {
    /// The parts of an overlay in the order in which they are carried out.
    #[must_use]
    pub fn all(order: Order) -> [Self; 5] {
        match order {
            Order::Classic => [Self::PreScripts, Self::Patches, Self::Scripts, Self::Root, Self::Owners],
            Order::Current => [Self::PreScripts, Self::Patches, Self::Root, Self::Scripts, Self::Owners],
        }
    }

    /// The file or folder of an overlay that it is.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PreScripts => PRE_SCRIPTS,
            Self::Patches => PATCHES,
            Self::Scripts => SCRIPTS,
            Self::Root => ROOT,
            Self::Owners => owners::OWNERS,
        }
    }

    /// Whether it consists of scripts, of which nobody knows beforehand what they do.
    #[must_use]
    pub fn runs(self) -> bool {
        matches!(self, Self::PreScripts | Self::Scripts)
    }

    fn is_in(self, overlay: &Overlay) -> Result<bool, OverlayError> {
        Ok(match self {
            Self::PreScripts => overlay.has_pre_scripts()?,
            Self::Patches => !patches::find(overlay)?.is_empty(),
            Self::Scripts => !scripts::find(overlay, SCRIPTS)?.is_empty(),
            Self::Root => !root::paths(overlay)?.is_empty(),
            Self::Owners => !owners::read(overlay)?.is_empty(),
        })
    }
}

/// Notes what each part of each overlay does.
pub(super) struct Watch<'a> {
    plan: &'a Plan,
    watching: Watching,
    /// For files that a script wrote over without leaving a trace; none where only parts of the root are on the disk.
    contents: Option<Contents<'a>>,
    /// Who remembers owners, where he can be asked for all at once.
    faked: Option<&'a Faked>,
    /// Whether a script was passed over.
    skipped: bool,
    pub(super) seen: Vec<Seen>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        watching: Watching,
        contents: Option<Contents<'a>>,
        faked: Option<&'a Faked>,
    ) -> Self {
        Self { plan, watching, contents, faked, skipped: false, seen: Vec::new() }
    }

    /// Has `carry_out` apply each part of the overlay of this number to the tree, of which `before` is a snapshot, and
    /// looks what it did. `carry_out` tells whether the parts after it can follow.
    pub(super) fn overlay(
        &mut self,
        (number, overlay): (usize, &Overlay),
        tree: &Tree,
        before: &Snapshot,
        mut carry_out: impl FnMut(Part) -> Result<bool, OverlayError>,
    ) -> Result<(), SessionError> {
        let mut before = before.clone();
        for part in Part::all(self.plan.order) {
            if !part.is_in(overlay)? {
                continue;
            }
            if part.runs() && self.watching.skip_scripts {
                self.skipped = true;
                continue;
            }
            if part.runs() {
                // What is written within the same tick of the kernel's clock would bear the same time.
                std::thread::sleep(session::TICK);
            }
            let sources = Sources::of(overlay, part, tree)?;
            let (goes_on, failure) = match carry_out(part) {
                Ok(goes_on) => (goes_on, None),
                Err(error) if self.skipped => (true, Some(whole(&error))),
                Err(error) => return Err(error.into()),
            };
            let mut after = self.look(overlay, &before)?;
            if failure.is_some() && clear_rejects(tree.root(), &before, &after)? {
                after = self.look(overlay, &before)?;
            }
            let since = after.since(&before);
            if let Some(contents) = &mut self.contents {
                contents.remember(&since, &after)?;
            }
            let changes = changes(since, &before, &after, &sources);
            self.seen.push(Seen { overlay: number, part, changes, failure });
            before = after;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    fn look(&self, overlay: &Overlay, before: &Snapshot) -> Result<Snapshot, SessionError> {
        let root = &self.plan.tree;
        let mut after = Snapshot::take_with(root, self.faked).map_err(system("cannot walk the root"))?;
        // Before anything is read.
        checks::check_sizes(overlay, before, &after)?;
        if let Some(contents) = &self.contents {
            contents.mark(&mut after, before)?;
        }
        Ok(after)
    }
}

fn changes(
    since: BTreeMap<Vec<u8>, What>,
    before: &Snapshot,
    after: &Snapshot,
    sources: &Sources,
) -> Vec<SeenChange> {
    let list = since.into_iter().map(|(path, what)| SeenChange {
        source: sources.find(&path),
        what,
        before: before.entries.get(&path).map(State::of),
        after: after.entries.get(&path).map(State::of),
        path: shown(&path),
    });
    list.collect()
}

/// Takes away what `patch` left of hunks that did not apply; whether there was anything.
fn clear_rejects(root: &Path, before: &Snapshot, after: &Snapshot) -> Result<bool, SessionError> {
    let mut any = false;
    for (path, what) in after.since(before) {
        if what == What::Added && (path.ends_with(b".rej") || path.ends_with(b".orig")) {
            fs::remove_file(place(root, &path)).map_err(system(format!("cannot delete {}", shown(&path))))?;
            any = true;
        }
    }
    Ok(any)
}

/// Which file of the overlay stands behind a changed path.
struct Sources {
    exact: HashMap<Vec<u8>, String>,
    /// Those whose path lies below, for directories that were made on the way; the first in byte order counts.
    sorted: BTreeMap<Vec<u8>, String>,
    /// For everything else.
    whole: String,
}

impl Sources {
    fn of(overlay: &Overlay, part: Part, tree: &Tree) -> Result<Self, OverlayError> {
        let mut exact = HashMap::new();
        let mut put = |path: PathBuf, source: String| {
            exact.entry(path.into_os_string().into_encoded_bytes()).or_insert(source);
        };
        let whole = match part {
            Part::Patches => {
                for (patch, targets) in patches::named(overlay)? {
                    let name = format!("{PATCHES}/{}", patch.display());
                    for target in targets {
                        put(target, name.clone());
                    }
                }
                PATCHES.to_owned()
            }
            Part::PreScripts | Part::Scripts => match scripts::find(overlay, part.name())?.as_slice() {
                [one] => format!("{}/{one}", part.name()),
                _ => part.name().to_owned(),
            },
            Part::Root => {
                for path in root::paths(overlay)? {
                    let name = format!("{ROOT}/{}", path.display());
                    if let Some(real) = written_through(overlay, tree, &path)? {
                        put(real, name.clone());
                    }
                    put(path, name);
                }
                ROOT.to_owned()
            }
            Part::Owners => owners::OWNERS.to_owned(),
        };
        let sorted = exact.iter().map(|(path, source)| (path.clone(), source.clone())).collect();
        Ok(Self { exact, sorted, whole })
    }

    fn find(&self, path: &[u8]) -> String {
        if let Some(source) = self.exact.get(path) {
            return source.clone();
        }
        let folder = [path, b"/"].concat();
        let below = self.sorted.range(folder.clone()..).next();
        match below.filter(|(other, _)| other.starts_with(&folder)) {
            Some((_, source)) => source.clone(),
            None => self.whole.clone(),
        }
    }
}

/// Where a file of `root/` goes when a link of the tree stands in its place.
fn written_through(overlay: &Overlay, tree: &Tree, path: &Path) -> Result<Option<PathBuf>, OverlayError> {
    let system = |e| overlay.system(path, e);
    let source = fs::symlink_metadata(overlay.folder.join(ROOT).join(path)).map_err(system)?;
    let is_link = tree.look(path).map_err(system)?.is_some_and(|there| there.is_symlink());
    if !source.is_file() || !is_link {
        return Ok(None);
    }
    Ok(match tree.follow(path).map_err(system)? {
        Leads::To(real) => Some(real),
        Leads::Nowhere(_) | Leads::Round => None,
    })
}
