//! Keys in our own sections of extended.cfg that nobody reads: mistyped ones, mostly.

use super::keys::ALL;
use super::lookup::{OPEN_SECRETS, Sources};
use super::{BridgeName, Problem, instance};

/// The section of the whole program.
const GENERAL: &str = "octobridge";

impl Sources<'_> {
    /// Names what is written in our sections and means nothing.
    pub(super) fn warn_of_unknown(&mut self) {
        let Some((path, cfg)) = &self.cfg else { return };
        let mut found: Vec<(usize, String, String)> = Vec::new();
        for section in cfg.sections() {
            let kind = match instance::read_section(section) {
                Some((bridge, Ok(_))) => bridge.section(),
                Some((_, Err(_))) => continue,
                None => section,
            };
            let ours = BridgeName::ALL.iter().any(|bridge| bridge.section() == kind);
            if !ours && kind != GENERAL {
                continue;
            }
            for (key, line) in cfg.keys(section).filter(|(key, _)| !is_known(kind, key)) {
                let remedy = match nearest(kind, key) {
                    Some(near) => format!("write `{near}` if that is meant, or delete the line"),
                    None => "delete the line; `octobridge config show` lists every setting".to_owned(),
                };
                let what = format!("[{section}] knows no `{key}` ({} line {line})", path.display());
                found.push((line, what, remedy));
            }
        }
        found.sort();
        self.problems.extend(found.into_iter().map(|(_, what, remedy)| Problem::new(what, remedy)));
    }

    /// Names sections of further bridges that cannot be.
    pub(super) fn warn_of_labels(&mut self) {
        let Some((path, cfg)) = &self.cfg else { return };
        let is_wrong = |section: &&str| matches!(instance::read_section(section), Some((_, Err(_))));
        let mut wrong: Vec<&str> = cfg.sections().filter(is_wrong).collect();
        wrong.sort_unstable();
        let problems: Vec<Problem> = wrong
            .into_iter()
            .map(|section| {
                Problem::new(
                    format!("[{section}] in {} is no bridge", path.display()),
                    "further bridges are written [telegram NAME], NAME of letters, digits, - and _",
                )
            })
            .collect();
        self.problems.extend(problems);
    }
}

fn known(kind: &str) -> impl Iterator<Item = &'static str> {
    let keys = ALL.into_iter().filter_map(|key| key.cfg).filter(move |(section, _)| *section == kind);
    let switch = (kind != GENERAL).then_some("enabled");
    keys.map(|(_, name)| name).chain(switch)
}

fn is_known(kind: &str, key: &str) -> bool {
    // Those that stand open are a problem of their own.
    known(kind).any(|name| name == key)
        || OPEN_SECRETS.iter().any(|(section, name, _)| *section == kind && *name == key)
}

/// The known key that a mistyped one resembles most.
fn nearest(kind: &str, key: &str) -> Option<&'static str> {
    let near = known(kind).map(|name| (distance(name, key), name)).min()?;
    (near.0 <= 1 + key.len() / 4).then_some(near.1)
}

/// Letters to insert, delete or change to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(&other) {
            let change = diagonal + usize::from(a != *b);
            diagonal = *cell;
            left = change.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_keys_are_recognised() {
        for (key, near) in [
            ("chatid", Some("chat_id")),
            ("chat-id", Some("chat_id")),
            ("enable", Some("enabled")),
            ("api_ulr", Some("api_url")),
            ("colour_of_the_moon", None),
            ("x", None),
        ] {
            assert_eq!(nearest("telegram", key), near, "{key}");
        }
    }

    #[test]
    fn the_distance_counts_changes() {
        for (one, other, count) in
            [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), count, "{one} {other}");
        }
    }
}
