//! What a session looks at before it packs: what changed, and whether the printer could live with it.

use std::collections::{BTreeMap, BTreeSet};

use super::session::{Plan, SessionError, system};
use super::snapshot::{Kind, Snapshot, What, place, shown};
use super::startable;
use super::steps::{Came, Step};
use crate::digest;
use crate::manifest::{Change, Counts};
use crate::overlay::root::{MOST_BYTES, too_large};
use crate::overlay::{Overlay, owners};

/// Lists what differs from the base, and refuses what the printer could not start. A rehearsal only records that, as a
/// step of the overlay that made it.
pub(super) fn changes(
    plan: &Plan,
    base: &Snapshot,
    last: &Snapshot,
    touched: &BTreeMap<Vec<u8>, BTreeSet<usize>>,
    steps: &mut Vec<Step>,
) -> Result<Vec<Change>, SessionError> {
    let mut list = Vec::new();
    let passes_over = plan.passes_over_scripts()?;
    for (path, what) in last.since(base) {
        let overlays: Vec<String> = touched
            .get(&path)
            .into_iter()
            .flatten()
            .filter_map(|number| plan.overlays.get(*number))
            .map(|overlay| overlay.name.clone())
            .collect();
        let name = shown(&path);
        let Some(entry) = last.entries.get(&path).or_else(|| base.entries.get(&path)) else { continue };
        let mut sha256 = None;
        if entry.kind == Kind::File && matches!(what, What::Added | What::Replaced) {
            let place = place(&plan.tree, &path);
            let found = startable::problem(&path, entry.mode, &place)
                .map_err(system(format!("cannot read {name}")))?;
            match found {
                // A script that did not run may set it right.
                Some(_) if passes_over => {}
                Some(problem) if plan.scripting.rehearse => {
                    let came = Came::Failed(problem);
                    steps.push(Step { overlay: overlays.join(", "), part: name.clone(), came });
                }
                Some(problem) => {
                    let problem = format!("overlay {}: {problem}", overlays.join(", "));
                    return Err(SessionError::Unfit { path: name, problem });
                }
                None => {}
            }
            sha256 = Some(digest::of_file(&place).map_err(system(format!("cannot read {name}")))?.0);
        }
        list.push(Change::new(name, what, overlays, entry, sha256));
    }
    Ok(list)
}

/// The community's probe for lost owners: these two belong to root and to the printer's user.
pub(super) fn check_owners(base: &Snapshot, last: &Snapshot) -> Result<(), SessionError> {
    for (path, uid, gid) in [("etc/passwd", 0, 0), ("home/lava/bin/hwver.sh", 1000, 1000)] {
        let owner = |snapshot: &Snapshot| snapshot.get(path).map(|entry| (entry.uid, entry.gid));
        if owner(base) == Some((uid, gid)) && owner(last) != Some((uid, gid)) {
            let problem = format!(
                "it belongs to {uid}:{gid} in the base and no longer does; a script copied the root without its owners, or changed this one"
            );
            return Err(SessionError::Unfit { path: path.into(), problem });
        }
    }
    Ok(())
}

/// No image takes a file that is larger than a slot many times over; to read one of holes would take for ever.
pub(super) fn check_sizes(
    overlay: &Overlay,
    before: &Snapshot,
    after: &Snapshot,
) -> Result<(), SessionError> {
    for (path, entry) in &after.entries {
        let known = || before.entries.get(path).is_some_and(|old| old.size == entry.size);
        if entry.kind == Kind::File && entry.size > MOST_BYTES && !known() {
            let problem = format!("overlay {}: {}", overlay.name, too_large(entry.size));
            return Err(SessionError::Unfit { path: shown(path), problem });
        }
    }
    Ok(())
}

/// A note for each file that now runs as its owner or group and did not, and that no owners table names so.
pub(super) fn undeclared_privileges(
    plan: &Plan,
    base: &Snapshot,
    last: &Snapshot,
) -> Result<Vec<String>, SessionError> {
    let mut declared = BTreeMap::new();
    for overlay in &plan.overlays {
        for owned in owners::read(overlay)? {
            if let Some(mode) = owned.mode {
                declared.insert(owned.path.into_os_string().into_encoded_bytes(), mode & 0o6000);
            }
        }
    }
    // What is declared for a file holds for each of its names.
    let of_name = |(path, bits): (&Vec<u8>, &u32)| Some((last.entries.get(path)?.inode, *bits));
    let of_file: BTreeSet<_> = declared.iter().filter_map(of_name).collect();
    let mut notes = Vec::new();
    for (path, entry) in &last.entries {
        let bits = entry.mode & 0o6000;
        let before = base.entries.get(path).filter(|old| old.kind == entry.kind);
        let same = before.is_some_and(|old| old.mode & 0o6000 == bits && old.uid == entry.uid);
        if entry.kind == Kind::File && bits != 0 && !same && !of_file.contains(&(entry.inode, bits)) {
            notes.push(format!(
                "{} now runs as its owner or group ({:04o} {}:{}), by a script and not by an owners table; if that is meant, declare it there",
                shown(path), entry.mode & 0o7777, entry.uid, entry.gid
            ));
        }
    }
    Ok(notes)
}

pub(super) fn check_nodes(base: &Snapshot, last: &Snapshot) -> Result<(), SessionError> {
    for (path, entry) in base.entries.iter().filter(|(_, entry)| entry.kind.is_device()) {
        let kept =
            last.entries.get(path).is_some_and(|now| now.kind == entry.kind && now.device == entry.device);
        if !kept {
            let problem = "this device node of the base is gone or changed; no overlay may touch the base's device nodes";
            return Err(SessionError::Unfit { path: shown(path), problem: problem.into() });
        }
    }
    Ok(())
}

/// Names that were one inode in the base and still have equal contents must still be one inode.
pub(super) fn check_hard_links(plan: &Plan, base: &Snapshot, last: &Snapshot) -> Result<(), SessionError> {
    let mut groups: BTreeMap<(u64, u64), Vec<&Vec<u8>>> = BTreeMap::new();
    for (path, entry) in base.entries.iter().filter(|(_, entry)| entry.kind == Kind::File) {
        groups.entry(entry.inode).or_default().push(path);
    }
    for names in groups.into_values().filter(|names| names.len() > 1) {
        let mut inodes: BTreeMap<(u64, u64), &Vec<u8>> = BTreeMap::new();
        for path in names {
            if let Some(now) = last.entries.get(path).filter(|now| now.kind == Kind::File) {
                inodes.entry(now.inode).or_insert(path);
            }
        }
        if inodes.len() < 2 {
            continue;
        }
        let mut seen = BTreeMap::new();
        for path in inodes.into_values() {
            let content = digest::of_file(&place(&plan.tree, path))
                .map_err(system(format!("cannot read {}", shown(path))))?;
            if let Some(other) = seen.insert(content, path) {
                let problem = format!(
                    "in the base it is the same file as {} (a hard link), now it is a copy; an overlay copied both, which loses the link",
                    shown(other)
                );
                return Err(SessionError::Unfit { path: shown(path), problem });
            }
        }
    }
    Ok(())
}

pub(super) fn counts(snapshot: &Snapshot) -> Counts {
    Counts {
        paths: snapshot.entries.len() as u64,
        inodes: snapshot.inodes(),
        hard_links: snapshot.hard_links(),
        devices: snapshot.devices(),
    }
}
