//! The list as text for people.

use std::fmt::Write as _;

use super::{Item, List, Listed};
use crate::paint::{Ink, Paint, bytes, count};
use crate::plan::name_of_order;
use crate::rootfs::snapshot::Kind;

impl List {
    /// The list for people; `whole` with every file, otherwise a line per overlay.
    #[must_use]
    pub fn text(&self, paint: Paint, whole: bool) -> String {
        let mut out = String::new();
        let profile = self.profile.as_ref().map(|name| format!(", profile {name}")).unwrap_or_default();
        let title = format!(
            "{} in this order ({}{profile})",
            count(self.overlays.len(), "overlay", "overlays"),
            name_of_order(self.order)
        );
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", paint.ink(Ink::Strong, title));
        let width = self.overlays.iter().map(|overlay| overlay.name.chars().count()).max().unwrap_or(0);
        for (number, overlay) in self.overlays.iter().enumerate() {
            let name = paint.ink(Ink::Strong, format!("{:<width$}", overlay.name));
            let _ = writeln!(out, "{:>3}  {name}  {}", number + 1, summary(overlay));
            if whole {
                parts(overlay, paint, &mut out);
            }
        }
        out
    }
}

fn summary(overlay: &Listed) -> String {
    let mut parts = Vec::new();
    let mut part = |number: usize, one: &str, many: &str| {
        if number > 0 {
            parts.push(count(number, one, many));
        }
    };
    part(overlay.pre_scripts.len(), "pre-script", "pre-scripts");
    part(overlay.patches.len(), "patch", "patches");
    part(overlay.scripts.len(), "script", "scripts");
    part(overlay.count(Kind::File), "file", "files");
    part(overlay.count(Kind::Link), "link", "links");
    part(overlay.owners, "line of owners", "lines of owners");
    if overlay.bytes() > 0 {
        parts.push(bytes(overlay.bytes()));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn parts(overlay: &Listed, paint: Paint, out: &mut String) {
    let mut line = |size: Option<u64>, what: &str| {
        let size = size.map(bytes).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "     {:>10}  {what}", paint.ink(Ink::Faint, size));
    };
    for script in &overlay.pre_scripts {
        line(Some(script.size), &script.path);
    }
    for patch in &overlay.patches {
        line(Some(patch.size), &format!("{}, changes {}", patch.path, patch.changes.join(", ")));
    }
    for script in &overlay.scripts {
        line(Some(script.size), &script.path);
    }
    // A folder that holds something is told by what it holds.
    let is_empty = |item: &Item| {
        let below = format!("{}/", item.path);
        item.kind == Kind::Directory && !overlay.root.iter().any(|other| other.path.starts_with(&below))
    };
    for item in &overlay.root {
        match (&item.target, item.kind) {
            (Some(target), _) => line(None, &format!("{} -> {target}", item.path)),
            (None, Kind::Directory) if is_empty(item) => line(None, &format!("{}/", item.path)),
            (None, Kind::Directory) => {}
            (None, _) => {
                let runs = if item.runs == Some(true) { ", executable" } else { "" };
                line(item.size, &format!("{}{runs}", item.path));
            }
        }
    }
}
