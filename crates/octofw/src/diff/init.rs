//! What the printer starts at boot: `/etc/init.d/S??*`, in the order of their names, if they may be executed (busybox'
//! and Buildroot's `rcS`).

use serde::Serialize;

use super::root::Root;
use crate::squashfs::tree::Form;

const FOLDER: &str = "etc/init.d";

/// A script that starts in one only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InitChange {
    /// Its name.
    pub script: String,
    /// What became of it.
    pub what: InitWhat,
    /// The script before it, where it starts; `null` for the first.
    pub after: Option<String>,
}

/// What became of an init script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InitWhat {
    /// Only the second starts it.
    Starts,
    /// Only the first starts it: the script is gone.
    Gone,
    /// Only the first starts it: the second has it without the right to be executed.
    NotExecutable,
}

pub(super) fn compare(a: &Root, b: &Root) -> Vec<InitChange> {
    let (one, other) = (scripts(a), scripts(b));
    let started = |list: &[(String, bool)]| -> Vec<String> {
        list.iter().filter(|(_, runs)| *runs).map(|(name, _)| name.clone()).collect()
    };
    let (before, now) = (started(&one), started(&other));
    let after = |list: &[String], name: &str| {
        let place = list.iter().position(|known| known == name)?;
        list.get(place.checked_sub(1)?).cloned()
    };
    let mut changes = Vec::new();
    for name in now.iter().filter(|name| !before.contains(name)) {
        changes.push(InitChange { script: name.clone(), what: InitWhat::Starts, after: after(&now, name) });
    }
    for name in before.iter().filter(|name| !now.contains(name)) {
        let is_there = other.iter().any(|(known, _)| known == name);
        let what = if is_there { InitWhat::NotExecutable } else { InitWhat::Gone };
        changes.push(InitChange { script: name.clone(), what, after: after(&before, name) });
    }
    changes.sort_by(|one, other| one.script.cmp(&other.script));
    changes
}

/// The scripts of a root and whether each may be executed, in the order of their names.
fn scripts(root: &Root) -> Vec<(String, bool)> {
    let is_script = |name: &String| name.starts_with('S') && name.chars().count() >= 3;
    let names = root.names(FOLDER).into_iter().filter(is_script);
    names
        .filter_map(|name| {
            let node = root.follow(format!("{FOLDER}/{name}").as_bytes())?;
            matches!(node.form, Form::File(_)).then_some((name, node.mode & 0o111 != 0))
        })
        .collect()
}
