//! The gate: which licences may be in an image, and which components are exceptions, with the reason.
//!
//! ```toml
//! allowed = ["MIT", "Apache-2.0"]
//!
//! [[exception]]
//! name = "busybox-static"
//! licence = "GPL-2.0-only"
//! reason = "a program of its own, of which Debian offers the source"
//! ```

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use spdx::{Expression, Licensee, ParseMode};

use super::{LicenceError, file_error};
use crate::sbom::bom::{Bom, Component, Kind};

/// What a policy's file holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    allowed: Vec<String>,
    #[serde(default)]
    exception: Vec<Exception>,
}

/// A component that may be there although the rule does not allow it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Its name.
    pub name: String,
    /// Its licence: what the bill says, or, where the bill is silent, what somebody has looked up.
    pub licence: String,
    /// Why it may be there.
    pub reason: String,
}

/// A policy.
#[derive(Debug)]
pub struct Policy {
    allowed: Vec<Licensee>,
    exceptions: Vec<Exception>,
}

/// A component that the policy does not allow. Its text is one line, with the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// The licence that the bill states.
    pub licence: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_deref().unwrap_or_default();
        let licence = self.licence.as_deref().unwrap_or("no licence");
        write!(to, "{} {version}: {licence}: {}", self.name, self.problem)
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// When it cannot be read, or is not as it must be.
    pub fn read(path: &Path) -> Result<Self, LicenceError> {
        let text = fs::read_to_string(path).map_err(file_error("read", path))?;
        let malformed = |source| LicenceError::Policy { path: path.to_path_buf(), source: Box::new(source) };
        let file: File = toml::from_str(&text).map_err(malformed)?;
        let unknown = |text: &str, error: spdx::ParseError| LicenceError::Identifier {
            path: path.to_path_buf(),
            text: text.to_owned(),
            reason: error.reason.to_string(),
        };
        let allowed =
            file.allowed.iter().map(|text| Licensee::parse(text).map_err(|error| unknown(text, error)));
        let allowed = allowed.collect::<Result<_, _>>()?;
        for exception in &file.exception {
            Expression::parse(&exception.licence).map_err(|error| unknown(&exception.licence, error))?;
        }
        Ok(Self { allowed, exceptions: file.exception })
    }

    /// Every component of a bill that the policy does not allow. Files and overlays have the licences of what they are
    /// made of; the base is its vendor's.
    #[must_use]
    pub fn violations(&self, bom: &Bom) -> Vec<Violation> {
        let all = std::iter::once(&bom.metadata.component).chain(&bom.components);
        let judged = all.filter(|part| matches!(part.kind, Kind::Application | Kind::Library));
        judged.filter_map(|part| self.judge(part)).collect()
    }

    fn judge(&self, part: &Component) -> Option<Violation> {
        let licence = part.licenses.first().map(|licence| licence.expression.as_str());
        let violation = |problem: String| {
            Some(Violation {
                name: part.name.clone(),
                version: part.version.clone(),
                licence: licence.map(str::to_owned),
                problem,
            })
        };
        if let Some(exception) = self.exceptions.iter().find(|exception| exception.name == part.name) {
            return match licence {
                Some(licence) if licence != exception.licence => {
                    violation(format!("its exception in the policy is for {}", exception.licence))
                }
                _ => None,
            };
        }
        let Some(text) = licence else {
            return violation("look it up, and write it into the policy as an exception".into());
        };
        let expression = match Expression::parse_mode(text, ParseMode::LAX) {
            Ok(expression) => expression,
            Err(error) => return violation(format!("this is no SPDX expression: {}", error.reason)),
        };
        let allowed =
            expression.evaluate(|wanted| self.allowed.iter().any(|allowed| allowed.satisfies(wanted)));
        if allowed {
            None
        } else {
            violation("the policy does not allow it; do without, or make an exception".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sbom::bom::{License, Metadata};
    use proptest::prelude::*;

    const POLICY: &str = "allowed = [\"MIT\", \"Apache-2.0\", \"ISC\"]\n\n[[exception]]\nname = \"busybox\"\n\
                          licence = \"GPL-2.0-only\"\nreason = \"a program of its own\"\n";

    fn read(text: &str) -> Result<Policy, LicenceError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Policy::read(file.path())
    }

    fn component(kind: Kind, name: &str, licence: Option<&str>) -> Component {
        let mut component = Component::new(kind, name, name).version("1");
        component.licenses.extend(licence.map(|text| License { expression: text.into() }));
        component
    }

    #[test]
    fn an_expression_passes_if_it_can_be_fulfilled_with_what_is_allowed() {
        let policy = read(POLICY).unwrap();
        let table = [
            (Some("MIT"), ""),
            (Some("MIT OR GPL-3.0-only"), ""),
            (Some("Apache-2.0 AND ISC"), ""),
            (Some("(MIT OR GPL-2.0-only) AND ISC"), ""),
            (Some("MIT AND GPL-3.0-only"), "part 1: MIT AND GPL-3.0-only: the policy does not allow it"),
            (Some("Apache-2.0 WITH LLVM-exception"), "the policy does not allow it"),
            (Some("Proprietary nonsense"), "this is no SPDX expression"),
            (None, "part 1: no licence: look it up"),
        ];
        for (licence, expected) in table {
            let part = component(Kind::Library, "part", licence);
            let found = policy.judge(&part).map(|violation| violation.to_string()).unwrap_or_default();
            assert!(
                found.contains(expected) && found.is_empty() == expected.is_empty(),
                "{licence:?}: {found}"
            );
        }
    }

    #[test]
    fn an_exception_is_for_one_component_and_one_licence() {
        let policy = read(POLICY).unwrap();
        let judge = |name, licence| policy.judge(&component(Kind::Application, name, licence));
        assert_eq!(judge("busybox", None), None, "somebody has looked it up");
        assert_eq!(judge("busybox", Some("GPL-2.0-only")), None);
        assert!(judge("busybox", Some("GPL-3.0-only")).is_some());
        assert!(judge("toybox", Some("GPL-2.0-only")).is_some());
    }

    #[test]
    fn all_programs_and_libraries_of_a_bill_are_judged_and_nothing_else() {
        let policy = read(POLICY).unwrap();
        let subject = component(Kind::Application, "program", Some("WTFPL"));
        let parts = [
            component(Kind::Library, "library", Some("AGPL-3.0-only")),
            component(Kind::Data, "overlay", None),
            component(Kind::Firmware, "base", None),
        ];
        let bom = Bom::new(Metadata::new(subject, 0, vec![]), parts.to_vec(), vec![]).unwrap();
        let names: Vec<String> = policy.violations(&bom).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["program", "library"]);
    }

    #[test]
    fn a_policy_that_is_none_is_wrong_input() {
        for (text, expected) in [
            ("", "allowed"),
            ("allowed = [\"MTI\"]", "MTI"),
            ("allowed = []\nother = 1\n", "other"),
            ("allowed = []\n[[exception]]\nname = \"x\"\nlicence = \"MIT\"\n", "reason"),
            ("allowed = []\n[[exception]]\nname = \"x\"\nlicence = \"?\"\nreason = \"y\"\n", "?"),
        ] {
            let error = read(text).unwrap_err();
            let message = crate::command::whole(&error);
            assert!(error.is_wrong_input() && message.contains(expected), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn any_expression_is_survived(text in "(MIT|AND|OR|WITH|\\(|\\)| |/|\\+|.){0,20}") {
            let _ = read(POLICY).unwrap().judge(&component(Kind::Library, "x", Some(&text)));
        }

        #[test]
        fn any_policy_is_survived(text in "(?s)(allowed = |\\[|\\]|\"|MIT|.){0,30}") {
            let _ = read(&text);
        }
    }
}
