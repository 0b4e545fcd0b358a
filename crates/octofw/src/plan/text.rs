//! The plan as text for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::model::{Effect, PathPlan, Touch};
use super::{Plan, Space};
use crate::overlay::Order;
use crate::paint::{Ink, Paint, bytes, count, percent};
use crate::rootfs::snapshot::Kind;
use crate::rootfs::watch::State;

/// Longest path that others are lined up with.
const WIDEST: usize = 56;
/// Letters that are reserved for what becomes of a path.
const WHAT: usize = 28;
const TOO_LARGE: &str = "TOO LARGE";

impl Plan {
    /// The plan for people.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut text = Text { plan: self, paint, out: String::new() };
        text.all();
        text.out
    }
}

struct Text<'a> {
    plan: &'a Plan,
    paint: Paint,
    out: String,
}

impl Text<'_> {
    fn line(&mut self, line: impl std::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.out, "{line}");
    }

    fn head(&mut self, title: &str) {
        let title = self.paint.ink(Ink::Strong, title);
        self.line(format!("\n{title}"));
    }

    fn all(&mut self) {
        let plan = self.plan;
        let version = plan.base.version.as_ref().map(|text| format!(", version {text}")).unwrap_or_default();
        self.line(format!("Base {}{version}", plan.base.file));
        self.overlays();
        self.paths();
        self.conflicts();
        self.order();
        self.space();
        if !plan.not_known.is_empty() {
            self.head("Not known");
            for gap in &plan.not_known {
                let place = format!("{}: {}", gap.overlay, gap.path);
                let reason = self.paint.ink(Ink::Warning, &gap.reason);
                self.line(format!("  {place}  {reason}"));
            }
            self.line("  octofw plan --run-scripts finds out what they do, in a scratch tree.");
        }
        if !plan.notes.is_empty() {
            self.head("Notes");
            for note in &plan.notes {
                self.line(format!("  {note}"));
            }
        }
    }

    fn overlays(&mut self) {
        let order = match self.plan.order {
            Order::Classic => "classic, scripts/ before root/",
            Order::Current => "current, root/ before scripts/",
        };
        self.head(&format!("Overlays (order {order})"));
        if self.plan.overlays.is_empty() {
            self.line("  none");
        }
        let names = self.plan.overlays.iter().map(|overlay| overlay.name.chars().count());
        let width = names.max().unwrap_or(0);
        for (number, overlay) in self.plan.overlays.iter().enumerate() {
            let what = self.counts(&overlay.effects);
            let what = if what.is_empty() { "changes nothing".to_owned() } else { what };
            self.line(format!("  {:>2}  {:<width$}  {what}", number + 1, overlay.name));
        }
    }

    fn counts(&self, counts: &BTreeMap<Effect, usize>) -> String {
        let parts = counts.iter().map(|(effect, number)| {
            self.paint.ink(ink(*effect), format!("{number} {}", done(*effect))).to_string()
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn paths(&mut self) {
        let counts = self.counts(&self.plan.effects());
        if counts.is_empty() {
            self.head("No path changes");
            return;
        }
        self.line(format!("\n{}: {counts}", self.paint.ink(Ink::Strong, "Paths")));
        let plan = self.plan;
        let lengths = plan.paths.iter().map(|path| path.path.chars().count()).filter(|n| *n <= WIDEST);
        let width = lengths.max().unwrap_or(0);
        for path in &plan.paths {
            let sign = match path.effect {
                Effect::Added => '+',
                Effect::Deleted => '-',
                Effect::Replaced | Effect::Patched | Effect::Attributes => '~',
            };
            let name = format!("{sign} {:<width$}", path.path);
            let name = self.paint.ink(ink(path.effect), name);
            let by = self.paint.ink(Ink::Faint, format!("[{}]", self.by(&path.steps)));
            self.line(format!("  {name}  {:<WHAT$}  {by}", turned(path)));
        }
    }

    /// Who it is, by the numbers of the overlays: `1 patches, 2 root`.
    fn by(&self, steps: &[Touch]) -> String {
        let number = |name: &str| self.plan.overlays.iter().position(|overlay| overlay.name == name);
        let parts = steps.iter().map(|step| {
            let number = number(&step.overlay).map(|number| number + 1).unwrap_or_default();
            format!("{number} {}", step.part.name())
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    fn conflicts(&mut self) {
        let plan = self.plan;
        if plan.conflicts.is_empty() {
            return;
        }
        self.head(&count(plan.conflicts.len(), "path of several overlays", "paths of several overlays"));
        for conflict in &plan.conflicts {
            let path = self.paint.ink(Ink::Warning, format!("! {}", conflict.path));
            self.line(format!("  {path}  {}", story(&conflict.steps)));
        }
    }

    fn order(&mut self) {
        let plan = self.plan;
        if plan.order_risks.is_empty() {
            return;
        }
        self.head("The order matters");
        for risk in &plan.order_risks {
            let path = risk.path.as_deref().unwrap_or("the whole build");
            let path = self.paint.ink(Ink::Warning, format!("! {path}"));
            let at = risk.at.as_ref().map(|at| format!(": {at}")).unwrap_or_default();
            let whose = risk.overlays.join(", ");
            let space = if whose.is_empty() { "" } else { "  " };
            self.line(format!("  {path}{space}{whose}{at}"));
            self.line(format!("      {}", risk.problem));
        }
    }

    fn space(&mut self) {
        let space = &self.plan.space;
        self.head("Space of the root file system");
        let least = if self.plan.not_known.is_empty() { "" } else { "at least " };
        self.line(format!(
            "  {} in the base, {least}{} in the result",
            bytes(space.before),
            bytes(space.after)
        ));
        for line in space.lines() {
            match line.starts_with(TOO_LARGE) {
                true => self.line(format!("  {}", self.paint.ink(Ink::Gone, line))),
                false => self.line(format!("  {line}")),
            }
        }
    }
}

/// How full the slot is.
pub(super) fn slot(space: &Space) -> Option<String> {
    let (name, limit) = space.slot.as_ref().zip(space.limit)?;
    Some(match limit.checked_sub(space.after) {
        Some(free) => format!(
            "the slot {name} holds {}: {} full, {} free",
            bytes(limit),
            percent(space.after, limit),
            bytes(free)
        ),
        None => format!(
            "{TOO_LARGE}: the slot {name} holds {}, {} more are needed; leave overlays or files out",
            bytes(limit),
            bytes(space.after.saturating_sub(limit))
        ),
    })
}

fn ink(effect: Effect) -> Ink {
    match effect {
        Effect::Added => Ink::Added,
        Effect::Deleted => Ink::Gone,
        Effect::Replaced | Effect::Patched | Effect::Attributes => Ink::Changed,
    }
}

/// What was done, after a number.
pub(super) fn done(effect: Effect) -> &'static str {
    match effect {
        Effect::Added => "added",
        Effect::Replaced => "replaced",
        Effect::Patched => "patched",
        Effect::Deleted => "deleted",
        Effect::Attributes => "with another owner or mode",
    }
}

/// `A adds it (root/etc/x), B patches it (patches/x.patch)`.
pub(crate) fn story(steps: &[Touch]) -> String {
    let parts = steps.iter().map(|step| format!("{} {} ({})", step.overlay, step.effect.does(), step.source));
    parts.collect::<Vec<_>>().join(", ")
}

/// What is at a path: `file 0755 0:0, 4.2 kB`.
pub(crate) fn described(state: &State) -> String {
    let mut text = format!("{} {} {}", kind(state.kind), state.mode, state.owner);
    let mut more = |what: String| text.push_str(&format!(", {what}"));
    if let Some(size) = state.size {
        more(bytes(size));
    }
    if let Some(target) = &state.target {
        more(format!("to {target}"));
    }
    if let Some(device) = &state.device {
        more(device.clone());
    }
    text
}

/// The name of a kind.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Link => "link",
        Kind::CharacterDevice => "character device",
        Kind::BlockDevice => "block device",
        Kind::Fifo => "pipe",
        Kind::Socket => "socket",
    }
}

/// What becomes of a path: what is there, or only what differs.
pub(super) fn turned(path: &PathPlan) -> String {
    match (&path.before, &path.after) {
        (Some(a), Some(b)) if a.kind == b.kind => differences(a, b),
        (Some(a), Some(b)) => format!("{} -> {}", described(a), described(b)),
        (None, Some(state)) | (Some(state), None) => described(state),
        (None, None) => String::new(),
    }
}

fn differences(a: &State, b: &State) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, a: &str, b: &str| match a == b {
        true => parts.push(format!("{name}{a}")),
        false => parts.push(format!("{name}{a} -> {b}")),
    };
    part("", &a.mode, &b.mode);
    part("", &a.owner, &b.owner);
    let size = |state: &State| state.size.map(|size| format!("{size} B")).unwrap_or_default();
    if a.size.is_some() {
        part("", &size(a), &size(b));
    }
    if let (Some(a), Some(b)) = (&a.target, &b.target) {
        part("to ", a, b);
    }
    if let (Some(a), Some(b)) = (&a.device, &b.device) {
        part("", a, b);
    }
    format!("{} {}", kind(a.kind), parts.join(", "))
}
