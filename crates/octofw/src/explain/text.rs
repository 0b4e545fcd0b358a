//! The explanation as text for people.

use std::fmt::Write as _;

use super::Explanation;
use crate::paint::{Ink, Paint, bytes, count, plain};
use crate::plan::{described, name_of_kind};

/// Most further names that are told.
const MOST_NAMES: usize = 6;

impl Explanation {
    /// The explanation for people.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let mut out = String::new();
        let mut line = |name: &str, what: &str| {
            let name = paint.ink(Ink::Faint, format!("{name:<9}"));
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {name} {}", plain(what));
        };
        if !self.is_known() {
            for link in &self.links {
                line("link", &format!("{} -> {}", link.path, link.target));
            }
            line("", "neither the base nor an overlay has it");
            for near in &self.near {
                line("like it", near);
            }
            for note in &self.notes {
                line("note", note);
            }
            return format!("{}\n{out}", paint.ink(Ink::Warning, plain(&self.path)));
        }
        for link in &self.links {
            line("link", &format!("{} -> {}", link.path, link.target));
        }
        let is_trial = self.steps.iter().any(|step| step.part.is_some()) || self.owner_from.is_some();
        match &self.before {
            Some(state) => line("base", &described(state)),
            None if is_trial => line("base", "does not have it"),
            None => {}
        }
        for (number, hand) in self.steps.iter().enumerate() {
            let what = match (hand.effect, &hand.source) {
                (Some(effect), Some(source)) => format!("{} {}: {source}", hand.overlay, effect.does()),
                (Some(effect), None) => format!("{} {}", hand.overlay, effect.does()),
                _ => format!("{} touches it", hand.overlay),
            };
            line(&format!("{}.", number + 1), &what);
        }
        match &self.after {
            Some(state) => line("result", &described(state)),
            None => line("result", "does not have it"),
        }
        if let Some(cause) = &self.owner_from {
            line("owner", cause);
        }
        if let Some(cause) = &self.mode_from {
            line("mode", cause);
        }
        if let Some(end) = &self.leads_to {
            line("leads to", end);
        }
        if !self.names.is_empty() {
            let first: Vec<&str> = self.names.iter().take(MOST_NAMES).map(String::as_str).collect();
            let more = self.names.len().saturating_sub(first.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            line("also", &format!("{}{more}", first.join(", ")));
        }
        if let Some(below) = &self.below {
            line("below", &format!("{}, {}", count(below.paths, "path", "paths"), bytes(below.bytes)));
            for (overlay, number) in &below.changes {
                line("", &format!("{overlay} touches {number} of them"));
            }
        }
        for note in &self.notes {
            line("note", note);
        }
        let kind = self.after.as_ref().or(self.before.as_ref()).map(|state| name_of_kind(state.kind));
        let title = format!("{} ({})", plain(&self.path), kind.unwrap_or("nothing"));
        format!("{}\n{out}", paint.ink(Ink::Strong, title))
    }
}
