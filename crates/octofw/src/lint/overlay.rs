//! The overlay as a folder: its `owners`, and whatever else keeps a build from using it.

use std::collections::BTreeSet;

use super::files;
use super::finding::{At, Findings};
use super::rule::{Rule, Severity};
use super::run::Context;
use super::subject::{Form, Item, Subject, read_beginning};
use crate::overlay::owners::{OWNERS, Owned};
use crate::overlay::patches::find as find_patches;
use crate::overlay::root::ROOT;
use crate::overlay::scripts::{PRE_SCRIPTS, SCRIPTS, find as find_scripts};
use crate::overlay::{Overlay, is_skipped};

/// Largest `owners`, in bytes.
const MOST_READ: usize = 1 << 20;

pub(super) const UNFIT: Rule = Rule {
    code: "overlay/unfit",
    severity: Severity::Error,
    needs_base: false,
    what: "The builder cannot use something of the overlay.",
    why: "The build ends there, before anything is written.",
    fix: "do what the message says",
};
const OWNERS_WRONG: Rule = Rule {
    code: "overlay/owners",
    severity: Severity::Error,
    needs_base: false,
    what: "The overlay's `owners` cannot be read, or names what is not in the root, is a link or lies behind one.",
    why: "Owners and modes that it declares would be missing: a service cannot write where it must. The build \
          ends there.",
    fix: "name what is there, where links lead; write one line per path: PATH MODE UID GID, for example usr/local/bin/tool 4755 0 0",
};
const NOTHING: Rule = Rule {
    code: "overlay/empty",
    severity: Severity::Warning,
    needs_base: false,
    what: "The overlay's folder has none of the parts that a builder uses, or nothing in them.",
    why: "It is most often the folder above the overlays, or a misspelt name, also of a script or a patch: what was \
          meant is not in the image, and nothing says so.",
    fix: "name the folder that holds root/, scripts/, pre-scripts/ or patches/; scripts end in .sh, and patches in \
          .patch",
};

pub(super) const RULES: &[&Rule] = &[&UNFIT, &OWNERS_WRONG, &NOTHING];

/// Looks at the folder itself; gives the lines of `owners`.
pub(super) fn look(subject: &Subject, findings: &mut Findings) -> Vec<Owned> {
    let Some(overlay) = &subject.overlay else { return Vec::new() };
    let name = &subject.name;
    let is_there = |part: &str| std::fs::symlink_metadata(overlay.folder.join(part)).ok();
    if ![ROOT, "scripts", "pre-scripts", "patches", OWNERS].iter().any(|part| is_there(part).is_some()) {
        findings.add(
            &NOTHING,
            At::file(name, ""),
            "it has neither root/ nor scripts/, pre-scripts/ or patches/",
        );
    } else if is_there(ROOT).is_none_or(|found| found.is_dir()) && does_nothing(subject, overlay) {
        let message = "nothing in it is applied: it has no file in root/, no *.sh right in scripts/ or pre-scripts/, \
                       no *.patch in patches/, and no line in owners";
        findings.add(&NOTHING, At::file(name, ""), message);
    }
    if is_there(ROOT).is_some_and(|found| !found.is_dir()) {
        findings.add_with(
            &UNFIT,
            At::file(name, ROOT),
            "it is no folder",
            "put a real folder there, not a link",
        );
    }
    for (path, problem) in &subject.unlisted {
        findings.add(&files::UNREADABLE, At::file(name, &format!("{ROOT}/{path}")), problem);
    }
    let Some(found) = is_there(OWNERS) else { return Vec::new() };
    let at = At::file(name, OWNERS);
    // A pipe would be waited for, and a large file be held in memory.
    if !found.is_file() || found.len() > MOST_READ as u64 {
        findings.add(&OWNERS_WRONG, at, "it is no file, or too large");
        return Vec::new();
    }
    let owners = match crate::overlay::owners::read(overlay) {
        Ok(owners) => owners,
        Err(error) => {
            findings.add(&OWNERS_WRONG, at, error.to_string());
            return Vec::new();
        }
    };
    let text = read_beginning(&overlay.folder.join(OWNERS), MOST_READ).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    for owned in &owners {
        let path = owned.path.to_string_lossy();
        let line = text.lines().position(|line| {
            line.split_whitespace().next().is_some_and(|word| word.trim_start_matches('/') == path)
        });
        let at = line.map_or(at, |line| at.line(line + 1));
        files::look_at_given_mode(owned.mode.unwrap_or_default(), &path, at, true, findings);
    }
    owners
}

/// Whether a builder finds nothing to do in the parts that it has. One that cannot be read is no such part.
fn does_nothing(subject: &Subject, overlay: &Overlay) -> bool {
    let none = |folder: &str| find_scripts(overlay, folder).is_ok_and(|found| found.is_empty());
    let owners = std::fs::symlink_metadata(overlay.folder.join(OWNERS));
    let skipped = |item: &Item| is_skipped(super::shell::base_name(&item.path));
    subject.items.iter().all(skipped)
        && subject.unlisted.is_empty()
        && none(SCRIPTS)
        && none(PRE_SCRIPTS)
        && find_patches(overlay).is_ok_and(|found| found.is_empty())
        && owners.map_or(true, |found| found.len() == 0)
}

/// Looks whether what `owners` names is in the root; `made` is what patches and `root/` provide.
pub(super) fn look_at_owned(context: &Context<'_>, made: &BTreeSet<String>, findings: &mut Findings) {
    let layers = context.layers;
    for owned in context.owners.iter().filter(|_| layers.has_base()) {
        let mut here = String::new();
        for part in owned.path.iter() {
            if !here.is_empty() {
                here.push('/');
            }
            here.push_str(&part.to_string_lossy());
            // What a script names it may have made, or taken away.
            if layers.may_be_made(&here) {
                break;
            }
            let problem = match layers.look(&here) {
                Some((_, Form::Link(_))) => "is a link",
                None if !is_made(made, &here) => "is not in the root",
                _ => continue,
            };
            let at = At::file(&context.subject.name, OWNERS).line(owned.line);
            let message = format!("it names /{}, but /{here} {problem}", owned.path.display());
            findings.add(&OWNERS_WRONG, at, message);
            break;
        }
    }
}

/// Whether a path is one of those that are made, or a folder above one.
pub(super) fn is_made(made: &BTreeSet<String>, path: &str) -> bool {
    let below = format!("{path}/");
    made.contains(path) || made.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
}

/// Whatever the builder refuses that no other rule has found.
pub(super) fn look_at_rest(subject: &Subject, findings: &mut Findings) {
    let Some(overlay) = &subject.overlay else { return };
    if findings.has_error(&subject.name) {
        return;
    }
    // Without errors so far there is nothing in it that is too large, or that would be waited for.
    if let Err(error) = overlay.check() {
        findings.add(&UNFIT, At::file(&subject.name, ""), error.to_string());
    }
}
