//! What was found, and where.

use std::collections::BTreeMap;

use serde::Serialize;

use super::rule::{Rule, Severity};

/// Findings of one rule in one overlay that are kept; more are only counted.
const MOST_OF_A_RULE: usize = 200;
/// Longest message, in characters: what it quotes may be anything.
const MOST_TEXT: usize = 600;

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The overlay's or the image's name; none for what concerns all of them together.
    pub overlay: Option<String>,
    /// The path in the overlay, such as `root/etc/init.d/S66x`; in an image it begins with a slash.
    pub path: Option<String>,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Why the overlay allows it; it then counts for nothing.
    pub allowed: Option<String>,
}

impl Finding {
    /// Whether the exit code counts it.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.allowed.is_none() && self.severity > Severity::Note
    }
}

/// The place of a finding.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) overlay: &'a str,
    pub(super) path: &'a str,
    pub(super) line: Option<usize>,
}

impl<'a> At<'a> {
    pub(super) fn file(overlay: &'a str, path: &'a str) -> Self {
        Self { overlay, path, line: None }
    }

    pub(super) fn line(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    counts: BTreeMap<(&'static str, String), usize>,
}

impl Findings {
    /// Adds a finding with the rule's own remedy.
    pub(super) fn add(&mut self, rule: &'static Rule, at: At<'_>, message: impl AsRef<str>) {
        self.add_with(rule, at, message, rule.fix);
    }

    /// Adds a finding with a remedy of its own.
    pub(super) fn add_with(
        &mut self,
        rule: &'static Rule,
        at: At<'_>,
        message: impl AsRef<str>,
        remedy: impl AsRef<str>,
    ) {
        let count = self.counts.entry((rule.code, at.overlay.to_owned())).or_default();
        *count += 1;
        if *count > MOST_OF_A_RULE {
            return;
        }
        let some = |text: &str| (!text.is_empty()).then(|| plain(text));
        self.list.push(Finding {
            code: rule.code,
            severity: rule.severity,
            overlay: some(at.overlay),
            path: some(at.path),
            line: at.line,
            message: plain(message.as_ref()),
            remedy: plain(remedy.as_ref()),
            allowed: None,
        });
    }

    /// Whether there is an error in an overlay.
    pub(super) fn has_error(&self, overlay: &str) -> bool {
        self.list.iter().any(|one| one.severity == Severity::Error && one.overlay.as_deref() == Some(overlay))
    }

    /// All findings, by overlay in the order given, path, line and code; and how many more each rule had.
    pub(super) fn finish(mut self, overlays: &[String]) -> (Vec<Finding>, u64) {
        let more = self.counts.values().map(|count| count.saturating_sub(MOST_OF_A_RULE) as u64).sum();
        let place = |overlay: &Option<String>| {
            overlays.iter().position(|known| Some(known) == overlay.as_ref()).map_or(0, |place| place + 1)
        };
        self.list.sort_by(|a, b| {
            (place(&a.overlay), &a.path, a.line, a.code, &a.message).cmp(&(
                place(&b.overlay),
                &b.path,
                b.line,
                b.code,
                &b.message,
            ))
        });
        self.list.dedup();
        (self.list, more)
    }
}

/// A text without anything that a terminal would obey, and not too long.
fn plain(text: &str) -> String {
    let mut made = String::new();
    for (count, character) in text.chars().enumerate() {
        if count >= MOST_TEXT {
            made.push('…');
            break;
        }
        if character.is_control() {
            made.extend(character.escape_default());
        } else {
            made.push(character);
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::rules;

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_a_flood_is_counted() {
        let rule = rules()[0];
        let mut findings = Findings::default();
        for number in 0..1000 {
            findings.add(rule, At::file("o", "p").line(number), "\u{1b}[31m\r\nx");
        }
        let (list, more) = findings.finish(&["o".to_owned()]);
        assert_eq!((list.len(), more), (200, 800));
        assert_eq!(list[0].message, "\\u{1b}[31m\\r\\nx");
        assert_eq!(plain(&"ä".repeat(601)).chars().count(), 601);
    }
}
