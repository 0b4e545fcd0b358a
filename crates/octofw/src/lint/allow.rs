//! What an overlay allows itself, with a reason for each: `octofw-lint.toml` beside its `root/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::finding::{At, Finding, Findings};
use super::rule::{Rule, Severity, rule};
use super::subject::read_beginning;
use crate::overlay::Overlay;

/// The list's file name.
pub const ALLOW_FILE: &str = "octofw-lint.toml";
/// Largest list, in bytes.
const MOST_READ: usize = 256 << 10;
/// Shortest reason, in characters: `ok` is none.
const LEAST_REASON: usize = 10;

const UNREADABLE: Rule = Rule {
    code: "allow/unreadable",
    severity: Severity::Error,
    needs_base: false,
    what: "The list of what is allowed cannot be read.",
    why: "Nothing of it counts then, so that every finding is told again.",
    fix: "write tables of this form: [[allow]], code = \"…\", path = \"…\", reason = \"…\"",
};
const UNKNOWN_CODE: Rule = Rule {
    code: "allow/unknown-code",
    severity: Severity::Error,
    needs_base: false,
    what: "The list allows a rule that does not exist, or one that cannot be allowed.",
    why: "It is most often misspelt, and allows nothing.",
    fix: "take a code of octofw lint --list",
};
const NO_REASON: Rule = Rule {
    code: "allow/no-reason",
    severity: Severity::Error,
    needs_base: false,
    what: "Something is allowed without a reason, or with one of fewer than ten letters.",
    why: "Nobody will know later whether it is still right, and everybody copies it.",
    fix: "say in a sentence why it is right here",
};
const UNUSED: Rule = Rule {
    code: "allow/unused",
    severity: Severity::Warning,
    needs_base: false,
    what: "Something is allowed that is not found.",
    why: "It was mended, or the path has changed: the next mistake of that kind would pass unseen.",
    fix: "take the entry out",
};

pub(super) const RULES: &[&Rule] = &[&UNREADABLE, &UNKNOWN_CODE, &NO_REASON, &UNUSED];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    allow: Vec<Spanned<Line>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    code: String,
    path: Option<String>,
    reason: Option<String>,
}

/// One list.
#[derive(Debug)]
pub(super) struct Allowed {
    /// The overlay that it belongs to; none for a list that counts everywhere.
    overlay: Option<String>,
    /// The list's file, as findings show it.
    shown: String,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    code: String,
    path: Option<String>,
    reason: String,
    line: usize,
    is_used: bool,
}

impl Allowed {
    /// The list of an overlay, which may be empty.
    pub(super) fn of_overlay(overlay: &Overlay, findings: &mut Findings) -> Self {
        let place = overlay.folder.join(ALLOW_FILE);
        let is_there = std::fs::symlink_metadata(&place).is_ok();
        Self::read(Some(&overlay.name), ALLOW_FILE, is_there.then_some(place), findings)
    }

    /// A list that counts for everything.
    pub(super) fn of_file(path: &Path, findings: &mut Findings) -> Self {
        Self::read(None, &path.display().to_string(), Some(path.to_owned()), findings)
    }

    fn read(overlay: Option<&str>, shown: &str, place: Option<PathBuf>, findings: &mut Findings) -> Self {
        let mut list =
            Self { overlay: overlay.map(str::to_owned), shown: shown.to_owned(), entries: Vec::new() };
        let Some(place) = place else { return list };
        let at = At::file(overlay.unwrap_or_default(), shown);
        let bytes = match read_beginning(&place, MOST_READ + 1) {
            Ok(bytes) if bytes.len() > MOST_READ => {
                findings.add(&UNREADABLE, at, format!("it is longer than {MOST_READ} bytes"));
                return list;
            }
            Ok(bytes) => bytes,
            Err(error) => {
                findings.add(&UNREADABLE, at, format!("it cannot be read: {error}"));
                return list;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let file: File = match toml::from_str(&text) {
            Ok(file) => file,
            Err(error) => {
                let line = error.span().map(|span| super::run::line_of(text.as_bytes(), span.start));
                let at = line.map_or(at, |line| at.line(line));
                findings.add(&UNREADABLE, at, error.message());
                return list;
            }
        };
        for entry in file.allow {
            let line = super::run::line_of(text.as_bytes(), entry.span().start);
            let Line { code, path, reason } = entry.into_inner();
            let at = at.line(line);
            if !rule(&code).is_some_and(Rule::may_be_allowed) {
                findings.add(&UNKNOWN_CODE, at, format!("there is no rule {code} that may be allowed"));
                continue;
            }
            let reason = reason.unwrap_or_default().trim().to_owned();
            if reason.chars().count() < LEAST_REASON {
                findings.add(&NO_REASON, at, format!("{code} is allowed without a reason"));
                continue;
            }
            list.entries.push(Entry { code, path, reason, line, is_used: false });
        }
        list
    }
}

/// Marks the findings that are allowed, and adds one for each entry that allows nothing.
pub(super) fn apply(lists: &mut [Allowed], findings: &mut Vec<Finding>, unlooked: &BTreeSet<&str>) {
    for finding in findings.iter_mut() {
        for list in lists.iter_mut() {
            if list.overlay.is_some() && list.overlay != finding.overlay && finding.overlay.is_some() {
                continue;
            }
            for entry in list.entries.iter_mut().filter(|entry| entry.code == finding.code) {
                let path = finding.path.as_deref().unwrap_or_default();
                if entry.path.as_deref().is_none_or(|pattern| matches(pattern, path)) {
                    entry.is_used = true;
                    finding.allowed.get_or_insert_with(|| entry.reason.clone());
                }
            }
        }
    }
    let mut unused = Findings::default();
    let mut names = Vec::new();
    for list in lists.iter() {
        let overlay = list.overlay.as_deref().unwrap_or_default();
        names.push(overlay.to_owned());
        for entry in
            list.entries.iter().filter(|entry| !entry.is_used && !unlooked.contains(entry.code.as_str()))
        {
            let path = entry.path.as_deref().map(|path| format!(" at {path}")).unwrap_or_default();
            let message = format!("{}{path} is allowed, but not found", entry.code);
            unused.add(&UNUSED, At::file(overlay, &list.shown).line(entry.line), message);
        }
    }
    findings.extend(unused.finish(&names).0);
}

/// Whether a path is that of a pattern: `*` stands for anything but a slash, `**` for anything.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    // The places of the path that what was read of the pattern may have reached.
    let mut reached: Vec<bool> = vec![false; path.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    let mut at = 0;
    while let Some(byte) = pattern.get(at) {
        let mut next = vec![false; path.len() + 1];
        if *byte == b'*' {
            let is_deep = pattern.get(at + 1) == Some(&b'*');
            at += if is_deep { 2 } else { 1 };
            let mut on = false;
            for (place, here) in reached.iter().enumerate() {
                let stops = !is_deep && place.checked_sub(1).and_then(|place| path.get(place)) == Some(&b'/');
                on = *here || (on && !stops);
                if let Some(next) = next.get_mut(place) {
                    *next = on;
                }
            }
        } else {
            at += 1;
            for (place, found) in path.iter().enumerate() {
                if found == byte
                    && reached.get(place) == Some(&true)
                    && let Some(next) = next.get_mut(place + 1)
                {
                    *next = true;
                }
            }
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, expected) in [
            ("root/etc/x", "root/etc/x", true),
            ("root/etc/x", "root/etc/xy", false),
            ("root/etc/*", "root/etc/x", true),
            ("root/etc/*", "root/etc/x/y", false),
            ("root/**", "root/etc/x/y", true),
            ("**/x", "root/etc/x", true),
            ("*/x", "root/etc/x", false),
            ("root/*/S*x", "root/etc/S66x", true),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_taken(pattern in "[a*/]{0,20}", path in "[a/]{0,20}") {
            let is_deep = pattern.contains("**");
            let found = matches(&pattern, &path);
            if !is_deep && found && !pattern.contains('*') {
                proptest::prop_assert_eq!(pattern, path);
            }
        }
    }
}
