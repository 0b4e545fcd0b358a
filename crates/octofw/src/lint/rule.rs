//! What a rule is, and the list of all.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; the exit code does not count it.
    Note,
    /// Works on some printers, or until somebody changes something else.
    Warning,
    /// A printer with it fails, or the build does.
    Error,
}

impl Severity {
    /// Its name as it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One thing that is looked for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Stable code, `FAMILY/NAME`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it can be looked for only where the base is known.
    pub needs_base: bool,
    /// What is found, in a sentence.
    pub what: &'static str,
    /// What comes of it on a printer.
    pub why: &'static str,
    /// How it is mended, as an order.
    pub fix: &'static str,
}

impl Rule {
    /// The family that its code begins with.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.code.split('/').next().unwrap_or_default()
    }

    /// Whether an overlay may allow it: not the rules about what is allowed.
    #[must_use]
    pub fn may_be_allowed(&self) -> bool {
        self.family() != "allow"
    }
}

/// Every rule, family by family.
#[must_use]
pub fn rules() -> Vec<&'static Rule> {
    let families: [&[&'static Rule]; 9] = [
        super::init::RULES,
        super::files::RULES,
        super::elf::RULES,
        super::scripts::RULES,
        super::patches::RULES,
        super::config::RULES,
        super::image::RULES,
        super::overlay::RULES,
        super::allow::RULES,
    ];
    families.concat()
}

/// The rule of a code.
#[must_use]
pub fn rule(code: &str) -> Option<&'static Rule> {
    rules().into_iter().find(|rule| rule.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_of_one_form_and_every_rule_explains_itself() {
        let mut seen = Vec::new();
        for rule in rules() {
            let parts: Vec<&str> = rule.code.split('/').collect();
            let is_plain = |part: &&str| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            };
            assert!(parts.len() == 2 && parts.iter().all(is_plain), "{}", rule.code);
            assert!(!seen.contains(&rule.code), "{} twice", rule.code);
            for text in [rule.what, rule.why] {
                assert!(text.ends_with('.') && text.len() > 20, "{}: {text:?}", rule.code);
            }
            assert!(!rule.fix.is_empty() && !rule.fix.ends_with('.'), "{}: {:?}", rule.code, rule.fix);
            seen.push(rule.code);
        }
        assert!(rule("init/not-executable").is_some() && rule("init/nothing").is_none());
    }
}
