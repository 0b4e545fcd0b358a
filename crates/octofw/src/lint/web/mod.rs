//! Switches of the web page: YAML files in firmware-config/functions, merged in the order of their names, whose
//! commands run as root.

mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{At, Findings};
use super::rule::{Rule, Severity};
use super::run::{Content, Context};
use super::shell::Script;
use yaml::{Fault, Node, Value};

pub(super) const YAML: Rule = Rule {
    code: "config/yaml",
    severity: Severity::Error,
    needs_base: false,
    what: "A YAML file does not parse.",
    why: "The web page of the firmware's settings reads all files together: one that is broken takes the \
          whole page away.",
    fix: "mend it: blanks instead of tabs, a blank behind each colon, quotes around values with `: ` or ` #`",
};
pub(super) const DUPLICATE_KEY: Rule = Rule {
    code: "config/yaml-duplicate-key",
    severity: Severity::Error,
    needs_base: false,
    what: "A key comes twice in one map of a YAML file.",
    why: "The parser takes the last one without a word: the first switch is never seen.",
    fix: "rename one of the two",
};
pub(super) const FILE_NAME: Rule = Rule {
    code: "config/yaml-file-name",
    severity: Severity::Warning,
    needs_base: false,
    what: "A file of switches is not called two digits, an underscore, a name and .yaml.",
    why: "Only *.yaml is read, in the order of the names: a group must be there before its items.",
    fix: "call it as the others are: 53_service.yaml",
};
pub(super) const NAME_TAKEN: Rule = Rule {
    code: "config/yaml-name-taken",
    severity: Severity::Error,
    needs_base: false,
    what: "Two files define the same switch, action or status item.",
    why: "The files are merged by name: the later one replaces parts of the earlier one without a word, and \
          a switch \
          then starts the other's command, as root.",
    fix: "put the service's name in front of the item's name",
};
pub(super) const MISSING_COMMAND: Rule = Rule {
    code: "config/missing-command",
    severity: Severity::Error,
    needs_base: true,
    what: "A switch calls a command that is not in the root, or not executable.",
    why: "The page shows the switch; pressing it does nothing but print an error.",
    fix: "ship the command, or correct its path",
};

/// Keys whose values are commands.
const COMMANDS: [&str; 4] = ["cmd", "get_cmd", "if_cmd", "shell"];
const GROUPS: [&str; 3] = ["settings", "actions", "status"];
const FUNCTIONS: &str = "usr/local/share/firmware-config/functions";
/// Longest file that is looked at, in bytes.
const MOST_READ: usize = 1 << 20;
/// Commands of one switch that are looked for.
const MOST_COMMANDS: usize = 200;

/// Something that a file of switches defines.
#[derive(Debug)]
pub(super) struct Entry {
    owner: String,
    shown: String,
    line: usize,
    /// `settings/web/cloud`.
    name: String,
}

/// Looks at a YAML file; gives what it defines.
pub(super) fn look(content: &Content<'_>, context: &Context<'_>, findings: &mut Findings) -> Vec<Entry> {
    let is_yaml = [".yaml", ".yml"].iter().any(|end| content.path.ends_with(end));
    if !is_yaml {
        return Vec::new();
    }
    if content.bytes.len() > MOST_READ {
        return Vec::new();
    }
    let at = content.at();
    let read = yaml::read(content.bytes);
    for (line, key) in &read.duplicates {
        findings.add(&DUPLICATE_KEY, at.line(*line), format!("the key {key} comes a second time"));
    }
    if let Some(Fault { line, message }) = &read.fault {
        findings.add(&YAML, at.line(*line), format!("it is no YAML: {message}"));
        return Vec::new();
    }
    if !content.path.contains("firmware-config") {
        return Vec::new();
    }
    let Some(node) = read.node else { return Vec::new() };
    let name = super::shell::base_name(content.path);
    let is_in_folder = content.path.starts_with(FUNCTIONS);
    if is_in_folder && !has_good_name(name) {
        findings.add(&FILE_NAME, at, format!("{name} is not of the form NN_name.yaml"));
    }
    if context.layers.has_base() {
        look_at_commands(&node, context, at, findings);
    }
    entries(&node, content.overlay, &content.shown)
}

fn has_good_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".yaml") else { return false };
    let bytes = stem.as_bytes();
    matches!(bytes, [a, b, b'_', _, ..] if a.is_ascii_digit() && b.is_ascii_digit())
}

/// The files of switches of the base that no overlay replaces.
pub(super) fn of_base(context: &Context<'_>, replaced: &BTreeSet<String>) -> Vec<Entry> {
    let mut found = Vec::new();
    for name in context.layers.names_in_base(FUNCTIONS) {
        let path = format!("{FUNCTIONS}/{name}");
        if replaced.contains(&path) || !name.ends_with(".yaml") {
            continue;
        }
        let bytes = context.layers.base_content(&path, MOST_READ).unwrap_or_default();
        if let Some(node) = yaml::read(&bytes).node {
            found.extend(entries(&node, "", &format!("/{path}")));
        }
    }
    found
}

/// Everything that a file defines by name.
fn entries(node: &Node, owner: &str, shown: &str) -> Vec<Entry> {
    let mut found = Vec::new();
    for kind in GROUPS {
        let Some(groups) = node.at(kind) else { continue };
        for (group, line, inner) in groups.pairs() {
            // A group of status items is replaced as a whole; settings and actions by their items.
            match inner.at("items").map(|items| (&items.value, items)) {
                Some((Value::Map(_), items)) => {
                    for (item, line, _) in items.pairs() {
                        let name = format!("{kind}/{group}/{item}");
                        found.push(Entry { owner: owner.to_owned(), shown: shown.to_owned(), line, name });
                    }
                }
                Some((Value::List(_), _)) => {
                    let name = format!("{kind}/{group}");
                    found.push(Entry { owner: owner.to_owned(), shown: shown.to_owned(), line, name });
                }
                _ => {}
            }
        }
    }
    found
}

/// Looks for what two files define. Of files with one name only one is in the folder in the end.
pub(super) fn look_at_all(ours: &[Entry], base: &[Entry], findings: &mut Findings) {
    let (mut names, mut files): (BTreeMap<&str, &Entry>, BTreeMap<&str, &Entry>) = Default::default();
    for one in base {
        names.entry(&one.name).or_insert(one);
    }
    let mut told = BTreeSet::new();
    for one in ours {
        let at = At::file(&one.owner, &one.shown);
        let other = *names.entry(&one.name).or_insert(one);
        if !has_same_name(other, one) {
            let whose = if other.owner.is_empty() { "the base" } else { &other.owner };
            let message = format!("{} is defined by {whose} in {} too", one.name, other.shown);
            findings.add(&NAME_TAKEN, at.line(one.line), message);
        }
        let other = *files.entry(&one.shown).or_insert(one);
        if other.owner != one.owner && told.insert((&one.owner, &one.shown)) {
            let message = format!("it takes the place of the file of this name of {}", other.owner);
            findings.add(&NAME_TAKEN, at, message);
        }
    }
}

fn has_same_name(one: &Entry, other: &Entry) -> bool {
    super::shell::base_name(&one.shown) == super::shell::base_name(&other.shown)
}

fn look_at_commands(node: &Node, context: &Context<'_>, at: At<'_>, findings: &mut Findings) {
    let mut todo = vec![node];
    while let Some(node) = todo.pop() {
        match &node.value {
            Value::Map(pairs) => {
                for (key, _, inner) in pairs {
                    if COMMANDS.contains(&key.as_str()) {
                        look_at_command(inner, context, at, findings);
                    }
                    todo.push(inner);
                }
            }
            Value::List(items) => todo.extend(items),
            Value::Text(_) => {}
        }
    }
}

/// A command is a text for the shell, or a list of its words.
fn look_at_command(node: &Node, context: &Context<'_>, at: At<'_>, findings: &mut Findings) {
    let mut called: Vec<(String, usize)> = Vec::new();
    let script = |text: &str, called: &mut Vec<(String, usize)>| {
        for command in Script::read(text.as_bytes()).commands {
            if let Some(word) = command.called().first().filter(|word| word.text.starts_with('/')) {
                called.push((word.text.clone(), node.line));
            }
        }
    };
    match &node.value {
        Value::Text(text) => script(text, &mut called),
        Value::List(items) => {
            let words: Vec<&str> = items.iter().filter_map(Node::text).collect();
            if let Some(first) = words.first() {
                called.push(((*first).to_owned(), node.line));
            }
            if let [shell, option, text, ..] = words.as_slice()
                && shell.ends_with("sh")
                && option.starts_with('-')
                && option.ends_with('c')
            {
                script(text, &mut called);
            }
        }
        Value::Map(_) => {}
    }
    let layers = context.layers;
    let runs = |path: &str| {
        let found = layers.follow(path);
        found.is_some_and(|found| {
            found.is_file && (found.mode & 0o111 != 0 || is_made_executable(context, &found.path))
        })
    };
    let mut told = BTreeSet::new();
    for (command, line) in called.into_iter().take(MOST_COMMANDS) {
        if command.contains(['$', '*', '?', '`']) || !told.insert(command.clone()) {
            continue;
        }
        let is_there = match command.starts_with('/') {
            true => runs(&command),
            false => ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin"]
                .iter()
                .any(|folder| runs(&format!("{folder}/{command}"))),
        };
        if !is_there && !layers.may_be_made(&command) {
            let message = format!("{command} is not in the root, or not executable");
            findings.add(&MISSING_COMMAND, at.line(line), message);
        }
    }
}

fn is_made_executable(context: &Context<'_>, path: &str) -> bool {
    context.owned(path).and_then(|owned| owned.mode).is_some_and(|mode| mode & 0o111 != 0)
}
