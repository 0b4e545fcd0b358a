//! Settings: what the printer's parsers of them take, and what nobody shall ship in them.

use std::collections::BTreeSet;

use super::finding::Findings;
use super::rule::{Rule, Severity};
use super::run::Content;

const NOT_PARSED: Rule = Rule {
    code: "config/not-parsed",
    severity: Severity::Error,
    needs_base: false,
    what: "A file of settings breaks the rules of Python's configparser.",
    why: "The reader ends with a traceback and says nothing: every feature that is switched on in that file \
          is off, or \
          Klipper does not start.",
    fix: "write [section], then `key: value` lines; only lines that go on with a value may be indented",
};
const DUPLICATE: Rule = Rule {
    code: "config/duplicate",
    severity: Severity::Error,
    needs_base: false,
    what: "A section or a key comes twice in an extended.cfg.",
    why: "configparser refuses the whole file, so that every feature in it is off.",
    fix: "leave one of them",
};
const PERCENT: Rule = Rule {
    code: "config/percent",
    severity: Severity::Error,
    needs_base: false,
    what: "A value in an extended.cfg has a percent sign.",
    why: "configparser takes it for the beginning of an interpolation, and reading that value fails: a \
          password with a \
          % switches its feature off.",
    fix: "choose a value without %; secrets do not belong into this file anyway",
};
const INLINE_COMMENT: Rule = Rule {
    code: "config/inline-comment",
    severity: Severity::Warning,
    needs_base: false,
    what: "A value in an extended.cfg is followed by what looks like a comment.",
    why: "There are no comments behind a value: `enabled: true # yes` has the value `true # yes`, which is \
          not `true`.",
    fix: "put the comment on a line of its own",
};
const JSON: Rule = Rule {
    code: "config/json",
    severity: Severity::Error,
    needs_base: false,
    what: "A JSON file does not parse.",
    why: "The program that reads it finds out on the printer.",
    fix: "mend it until jq . takes it",
};
pub(super) const SECRET: Rule = Rule {
    code: "config/secret",
    severity: Severity::Error,
    needs_base: false,
    what: "A secret, such as a token or a private key, lies in the overlay.",
    why: "Everybody who downloads the image has it, every printer shares it, and the web page's file manager \
          shows it. \
          A token that was once in a public image cannot be taken back.",
    fix: "take it out and revoke it; let the owner store it on the printer, in printer_data with mode 0600",
};

pub(super) const RULES: &[&Rule] = &[
    &NOT_PARSED,
    &DUPLICATE,
    &PERCENT,
    &INLINE_COMMENT,
    &super::web::YAML,
    &super::web::DUPLICATE_KEY,
    &super::web::FILE_NAME,
    &super::web::NAME_TAKEN,
    &super::web::MISSING_COMMAND,
    &JSON,
    &SECRET,
];

/// How a file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// `configparser` with its defaults, as extended-config.py uses it.
    Strict,
    /// As Klipper and Moonraker read theirs: sections may come again, comments may follow a value, `%` is a letter.
    Klipper,
}

fn dialect(path: &str) -> Option<Dialect> {
    let name = super::shell::base_name(path);
    if matches!(name, "extended.cfg" | "extended2.cfg") {
        return Some(Dialect::Strict);
    }
    let is_settings = name.ends_with(".cfg") || name.ends_with(".conf");
    let is_klipper = ["extended/klipper/", "extended/moonraker/", "origin_printer_data/config/"]
        .iter()
        .any(|folder| path.contains(folder));
    (is_settings && is_klipper).then_some(Dialect::Klipper)
}

/// Looks at a file of settings, if it is one.
pub(super) fn look(content: &Content<'_>, findings: &mut Findings) {
    if content.path.ends_with(".json") && !content.bytes.is_empty() {
        if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(content.bytes) {
            let message = format!("it is no JSON: {error}");
            findings.add(&JSON, content.at().line(error.line()), message);
        }
        return;
    }
    let Some(dialect) = dialect(content.path) else { return };
    match std::str::from_utf8(content.bytes) {
        Ok(text) => look_at_settings(content, text, dialect, findings),
        Err(error) => {
            let line = super::run::line_of(content.bytes, error.valid_up_to());
            findings.add(&NOT_PARSED, content.at().line(line), "it is not UTF-8");
        }
    }
}

/// Reads a text line by line as `configparser` does.
fn look_at_settings(content: &Content<'_>, text: &str, dialect: Dialect, findings: &mut Findings) {
    let is_strict = dialect == Dialect::Strict;
    let mut sections = BTreeSet::new();
    let mut keys = BTreeSet::new();
    let (mut section, mut key): (Option<String>, bool) = (None, false);
    let mut indent = 0;
    for (number, line) in text.split('\n').enumerate() {
        let at = content.at().line(number + 1);
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        let depth = line.len() - line.trim_start().len();
        let value = if section.is_some() && key && depth > indent {
            bare
        } else {
            indent = depth;
            if let Some(name) = header(bare) {
                if !sections.insert(name.to_owned()) && is_strict {
                    findings.add(&DUPLICATE, at, format!("the section [{name}] comes a second time"));
                }
                if !is_strict {
                    keys.clear();
                }
                (section, key) = (Some(name.to_owned()), false);
                continue;
            }
            let Some(name) = &section else {
                findings.add(&NOT_PARSED, at, "there is no [section] in front of it");
                return;
            };
            let Some((option, value)) =
                bare.split_once([':', '=']).filter(|(option, _)| !option.trim().is_empty())
            else {
                findings.add(&NOT_PARSED, at, "it is neither a [section] nor `key: value`");
                continue;
            };
            key = true;
            let option = option.trim().to_lowercase();
            if is_strict && !keys.insert((name.clone(), option.clone())) {
                findings.add(&DUPLICATE, at, format!("the key {option} of [{name}] comes a second time"));
            }
            value
        };
        if is_strict && value.contains('%') {
            findings.add(&PERCENT, at, "its value has a percent sign");
        }
        if is_strict && [" #", " ;", "\t#", "\t;"].iter().any(|mark| value.contains(mark)) {
            findings.add(&INLINE_COMMENT, at, "what follows the value is a part of it");
        }
    }
}

/// The name in `[name]`; what follows the last bracket does not count.
fn header(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('[')?;
    let name = rest.get(..rest.rfind(']')?)?;
    (!name.is_empty()).then_some(name)
}
