//! Keys of settings that differ, in files that both roots have: Klipper's and Moonraker's `.cfg` and `.conf`, `.ini`.
//!
//! They are read as Klipper reads them: sections, `key: value` or `key = value`, indented lines that go on, comments.

use std::collections::BTreeMap;

use serde::Serialize;

use super::DiffError;
use super::paths::{Content, PathChange};
use super::root::Root;

/// Ends of the names of files that are understood.
const ENDS: [&str; 3] = [".cfg", ".conf", ".ini"];
/// Words in the name of a key whose value is not shown.
const SECRET: [&str; 4] = ["password", "passwd", "secret", "token"];

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingChange {
    /// The file.
    pub path: String,
    /// The section; empty in front of the first.
    pub section: String,
    /// The key.
    pub key: String,
    /// Its value in the first; `null` where it has none. One that must not be shown is `(hidden)`.
    pub a: Option<String>,
    /// Its value in the second.
    pub b: Option<String>,
}

pub(super) fn compare(a: &Root, b: &Root, paths: &[PathChange]) -> Result<Vec<SettingChange>, DiffError> {
    let mut changes = Vec::new();
    for change in paths.iter().filter(|change| change.content == Content::Differs) {
        if !ENDS.iter().any(|end| change.path.ends_with(end)) {
            continue;
        }
        let text = |root: &Root| -> Result<Option<String>, DiffError> {
            Ok(root.content(&change.path)?.and_then(|bytes| String::from_utf8(bytes).ok()))
        };
        if let (Some(one), Some(other)) = (text(a)?, text(b)?) {
            changes.extend(between(&change.path, &one, &other));
        }
    }
    Ok(changes)
}

fn between(path: &str, a: &str, b: &str) -> Vec<SettingChange> {
    let (one, other) = (keys(a), keys(b));
    let mut names: Vec<_> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().filter(|name| one.get(*name) != other.get(*name));
    differing
        .map(|name| {
            let (section, key) = name;
            let hides = SECRET.iter().any(|word| key.to_ascii_lowercase().contains(word));
            let value = |found: Option<&String>| match found {
                Some(_) if hides => Some("(hidden)".to_owned()),
                found => found.cloned(),
            };
            SettingChange {
                path: path.to_owned(),
                section: section.clone(),
                key: key.clone(),
                a: value(one.get(name)),
                b: value(other.get(name)),
            }
        })
        .collect()
}

/// Every key by section and name. Of one that comes twice the last counts.
pub(crate) fn keys(text: &str) -> BTreeMap<(String, String), String> {
    let mut found: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut section = String::new();
    let mut last: Option<(String, String)> = None;
    for line in text.lines() {
        let bare = line.split(['#', ';']).next().unwrap_or_default().trim_end();
        if bare.trim().is_empty() {
            continue;
        }
        if let (true, Some(value)) =
            (line.starts_with([' ', '\t']), last.as_ref().and_then(|last| found.get_mut(last)))
        {
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(bare.trim());
            continue;
        }
        let bare = bare.trim();
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim().to_owned();
            last = None;
            continue;
        }
        let (key, value) = bare.split_once([':', '=']).unwrap_or((bare, ""));
        let name = (section.clone(), key.trim().to_owned());
        found.insert(name.clone(), value.trim().to_owned());
        last = Some(name);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_value_and_presence_and_secrets_are_hidden() {
        let a = "top = 1\n[printer]\nkinematics: corexy # good\nmax_velocity: 300\n[mqtt]\npassword: a\n";
        let b = "top = 1\n[printer]\nkinematics = corexy\nmax_velocity: 500\nmax_accel: 1\n[mqtt]\npassword: b\n\
                 [gcode_macro X]\ngcode:\n  G28\n  ; nothing\n  G1 X1\n";
        let rows: Vec<_> = between("/p", a, b)
            .into_iter()
            .map(|c| (c.section, c.key, c.a.unwrap_or_default(), c.b.unwrap_or_default()))
            .collect();
        let expected = [
            ("gcode_macro X", "gcode", "", "G28\nG1 X1"),
            ("mqtt", "password", "(hidden)", "(hidden)"),
            ("printer", "max_accel", "", "1"),
            ("printer", "max_velocity", "300", "500"),
        ];
        let expected = expected.map(|(s, k, a, b)| (s.to_owned(), k.to_owned(), a.to_owned(), b.to_owned()));
        assert_eq!(rows, expected);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_and_equals_itself(text in "(?s).{0,200}") {
            proptest::prop_assert_eq!(between("/p", &text, &text), Vec::new());
        }
    }
}
