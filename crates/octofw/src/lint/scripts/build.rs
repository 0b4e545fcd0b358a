//! What a script does to the root that it is given.

use std::collections::BTreeSet;

use super::super::files;
use super::super::finding::{At, Findings};
use super::super::run::Context;
use super::super::shell::{Command, Script, Values, Word, assignment};
use super::super::subject::Form;
use super::{NO_GUARD, ORDER, UNQUOTED};
use crate::overlay::Order;

/// Variables of the builder that hold a folder.
const FOLDERS: [&str; 7] =
    ["ROOTFS_DIR", "ROOT_DIR", "BUILD_DIR", "CACHE_DIR", "BOOT_IMG", "ROOTFS_IMG", "CHROOT_CACHE"];

pub(super) fn look(context: &Context<'_>, script: &Script, at: At<'_>, findings: &mut Findings) {
    let names_guard = |word: &Word| word.text.contains("CREATE_FIRMWARE");
    let is_guarded = script.variables.iter().any(|name| name == "CREATE_FIRMWARE")
        || script.commands.iter().any(|command| command.words.iter().any(names_guard));
    if !is_guarded {
        findings.add(&NO_GUARD, at, "it does not look at CREATE_FIRMWARE before it begins");
    }
    look_at_quotes(script, at, findings);
    let values = Values::of(script);
    look_at_paths(context, script, &values, at, findings);
    look_at_modes(context, script, &values, at, findings);
}

fn look_at_quotes(script: &Script, at: At<'_>, findings: &mut Findings) {
    let mut folders: BTreeSet<&str> = FOLDERS.into_iter().collect();
    for command in &script.commands {
        for word in &command.words {
            if let Some((name, value)) = assignment(word)
                && matches!(value, "$1" | "${1}" | "$ROOTFS_DIR" | "${ROOTFS_DIR}")
                && command.function.is_none()
            {
                folders.insert(name);
            }
        }
    }
    for command in &script.commands {
        // There nothing is taken apart.
        if matches!(command.name(), "[[" | "case") {
            continue;
        }
        let in_front = command.words.len() - command.called().len();
        for word in command.words.iter().skip(in_front) {
            let is_argument = |name: &&String| {
                let is_root = name.as_str() == "1" && command.function.is_none();
                is_root || folders.contains(name.as_str())
            };
            if let Some(name) = word.bare.iter().find(is_argument) {
                findings.add(
                    &UNQUOTED,
                    at.line(word.line),
                    format!("${name} is not quoted in: {}", word.text),
                );
            }
        }
    }
}

/// Paths below the root that a word may mean: whatever follows any of its slashes, and the word itself.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim_end_matches('/');
    std::iter::once(text).chain(text.match_indices('/').filter_map(|(place, _)| text.get(place + 1..)))
}

fn look_at_paths(
    context: &Context<'_>,
    script: &Script,
    values: &Values,
    at: At<'_>,
    findings: &mut Findings,
) {
    // What runs before everything else fills root/ itself.
    let after_root = at.path.starts_with(crate::overlay::scripts::SCRIPTS);
    let mut told = BTreeSet::new();
    for word in script.commands.iter().flat_map(|command| &command.words) {
        let text = values.expand(&word.text);
        if text.len() > 4096 {
            continue;
        }
        let provided = paths(&text).find(|path| {
            path.contains('/')
                && context.subject.item(path).is_some_and(|item| !matches!(item.form, Form::Folder))
        });
        if let Some(path) = provided.filter(|path| after_root && told.insert((*path).to_owned())) {
            let order = match context.order {
                Order::Classic => "scripts come first here (classic)",
                Order::Current => "root/ comes first here (current)",
            };
            findings.add(
                &ORDER,
                at.line(word.line),
                format!("it names {path}, which root/ provides too; {order}"),
            );
        }
        if let Some(origin) = paths(&text).find(|path| path.starts_with("home/lava/origin_printer_data/")) {
            files::look_at_target(origin, at.line(word.line), findings);
        }
    }
}

/// `chmod`, `install -m` and `mkdir -m` that give everybody or setuid away.
fn look_at_modes(
    context: &Context<'_>,
    script: &Script,
    values: &Values,
    at: At<'_>,
    findings: &mut Findings,
) {
    for command in &script.commands {
        let Some((mode, targets)) = given(command) else { continue };
        let mode = mode_of(&values.expand(mode));
        if mode & 0o6002 == 0 {
            continue;
        }
        for target in targets.iter().filter(|word| !word.text.starts_with('-')) {
            let text = values.expand(&target.text);
            let is_declared = paths(&text).any(|path| {
                context.owned(path).and_then(|owned| owned.mode).is_some_and(|mode| mode & 0o6000 != 0)
            });
            files::look_at_given_mode(mode, &target.text, at.line(target.line), is_declared, findings);
        }
    }
}

/// The mode and the paths of a command that gives one.
fn given(command: &Command) -> Option<(&str, &[Word])> {
    if let Some(behind) = command.behind("chmod") {
        let place =
            behind.iter().position(|word| !word.text.starts_with('-') || word.text.starts_with("-r"))?;
        return Some((&behind.get(place)?.text, behind.get(place.checked_add(1)?..)?));
    }
    let behind = command.behind("install").or_else(|| command.behind("mkdir"))?;
    let place = behind.iter().position(|word| word.text == "-m" || word.text == "--mode")?;
    Some((&behind.get(place.checked_add(1)?)?.text, behind.last().map(std::slice::from_ref)?))
}

/// The bits that a mode sets: octal, or the letters that matter here.
fn mode_of(text: &str) -> u32 {
    if let Ok(mode) = u32::from_str_radix(text, 8) {
        return mode & 0o7777;
    }
    let mut mode = 0;
    for part in text.split(',') {
        let Some(place) = part.find(['+', '=']) else { continue };
        let (who, what) = part.split_at(place);
        let is_for = |letter: char| who.contains(letter) || who.contains('a');
        if what.contains('w') && is_for('o') {
            mode |= 0o002;
        }
        if what.contains('t') {
            mode |= 0o1000;
        }
        if what.contains('s') && (who.is_empty() || is_for('u')) {
            mode |= 0o4000;
        }
        if what.contains('s') && (who.is_empty() || is_for('g')) {
            mode |= 0o2000;
        }
    }
    mode
}

#[cfg(test)]
mod tests {
    use super::mode_of;

    #[test]
    fn modes_are_read_in_both_forms() {
        for (text, mode) in [
            ("755", 0o755),
            ("4755", 0o4755),
            ("a+rw", 0o002),
            ("o+w", 0o002),
            ("u+w", 0),
            ("+s", 0o6000),
            ("u+s,o=w", 0o4002),
            ("u+x", 0),
            ("$MODE", 0),
            ("1777", 0o1777),
            ("a+rwt", 0o1002),
        ] {
            assert_eq!(mode_of(text), mode, "{text}");
        }
    }
}
