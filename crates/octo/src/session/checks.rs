//! What may be asked for at the creation of a session. Pure.

use std::collections::BTreeMap;
use thiserror::Error;

/// Longest name of an image.
const IMAGE: usize = 256;
/// Longest name of a variable.
const NAME: usize = 256;
/// Longest value of a variable: runtimes read files of variables by lines of less than 64 kB.
const VALUE: usize = 32 << 10;
/// Most variables.
const VARIABLES: usize = 128;
/// Longest path.
const PATH: usize = 4000;
/// Variables with this start are ours.
const RESERVED: &str = "OCTO_";

/// What is wrong with what was asked for. Values of variables are never told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// The image's name.
    #[error(
        "{0:?} is no image's name: at most {IMAGE} of A-Z a-z 0-9 . _ / : @ -, beginning with a letter or digit, without `..`"
    )]
    Image(String),
    /// A variable's name.
    #[error(
        "{0:?} is no variable's name: letters, digits and _, not beginning with a digit, at most {NAME} of them"
    )]
    Name(String),
    /// A variable's name that is ours.
    #[error("variables that begin with {RESERVED} are set by the workshop; {0} cannot be given")]
    Reserved(String),
    /// A variable's value.
    #[error(
        "the value of {0} has a line break or a NUL, or more than {VALUE} bytes; put it into a file of the workspace"
    )]
    Value(String),
    /// Too many variables.
    #[error("{0} variables are too many; at most {VARIABLES}")]
    Many(usize),
    /// The agent's profile.
    #[error("{0:?} is no agent profile's name: at most 64 of A-Z a-z 0-9 . _ -")]
    Agent(String),
    /// The workspace.
    #[error(
        "{0:?} cannot be a workspace: a path has no colon, comma, quote or control character, and less than {PATH} bytes"
    )]
    Path(String),
    /// What is to be an amount and is none.
    #[error("{text:?} is no amount of {field}; write it as {example}")]
    Amount {
        /// The field.
        field: &'static str,
        /// What was given.
        text: String,
        /// What it could be.
        example: &'static str,
    },
    /// Less than a container can do with.
    #[error("{field} is less than the {least} that a container needs")]
    Less {
        /// The field.
        field: &'static str,
        /// The least.
        least: String,
    },
    /// More than a session may have.
    #[error(
        "{field} is more than the {most} that a session may have here; ask for less, or the administrator for more"
    )]
    More {
        /// The field.
        field: &'static str,
        /// The most.
        most: String,
    },
}

/// Text for a message: the start of what was given.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Whether this may be an image's name.
///
/// # Errors
/// [`Unfit::Image`].
pub fn image(name: &str) -> Result<(), Unfit> {
    let fit = name.len() <= IMAGE
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte))
        && !name.contains("..");
    if fit { Ok(()) } else { Err(Unfit::Image(shown(name))) }
}

/// Whether these variables may be given.
///
/// # Errors
/// What is wrong with the first that is unfit.
pub fn variables(variables: &BTreeMap<String, String>) -> Result<(), Unfit> {
    if variables.len() > VARIABLES {
        return Err(Unfit::Many(variables.len()));
    }
    for (name, value) in variables {
        let fit = name.len() <= NAME
            && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !fit {
            return Err(Unfit::Name(shown(name)));
        }
        if name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED)) {
            return Err(Unfit::Reserved(shown(name)));
        }
        if value.len() > VALUE || value.contains(['\n', '\r', '\0']) {
            return Err(Unfit::Value(shown(name)));
        }
    }
    Ok(())
}

/// Whether this may be the name of an agent's profile.
///
/// # Errors
/// [`Unfit::Agent`].
pub fn agent(name: &str) -> Result<(), Unfit> {
    let fit = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if fit { Ok(()) } else { Err(Unfit::Agent(shown(name))) }
}

/// Whether this text may be a workspace's path. Runtimes read `:` and `,` in it as separators.
///
/// # Errors
/// [`Unfit::Path`].
pub fn path(path: &str) -> Result<(), Unfit> {
    let fit = (1..PATH).contains(&path.len())
        && !path.contains([':', ',', '"', '\'', '\\'])
        && !path.chars().any(char::is_control);
    if fit { Ok(()) } else { Err(Unfit::Path(shown(path))) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_of_images() {
        let long = format!("a{}", "b".repeat(255));
        let good = ["octo-dev:latest", "localhost/a/b:1.2_x", "a@sha256:0123", "A", &long];
        let too_long = format!("{long}c");
        let bad = ["", "-x", "--privileged", ".a", "/a", "a b", "a;b", "a..b", "a\n", "é", "a$b", &too_long];
        for name in good {
            assert_eq!(image(name), Ok(()), "{name}");
        }
        for name in bad {
            assert!(image(name).is_err(), "{name}");
        }
    }

    #[test]
    fn variables_are_judged_by_name_and_value() {
        let check = |name: &str, value: &str| variables(&[(name.to_owned(), value.to_owned())].into());
        let long = "A".repeat(256);
        for (name, value) in
            [("A", ""), ("_a9", "x = y # z"), (&*long, "ü"), ("OCTOPUS", "1"), ("A", &*"v".repeat(VALUE))]
        {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
        for name in ["", "9a", "a-b", "a b", "a=b", "é", "a\n", &*format!("{long}A")] {
            assert!(matches!(check(name, ""), Err(Unfit::Name(_))), "{name}");
        }
        for name in ["OCTO_", "OCTO_SESSION_ID", "octo_x"] {
            assert!(matches!(check(name, ""), Err(Unfit::Reserved(_))), "{name}");
        }
        for value in ["a\nb", "\r", "\0", &*"v".repeat(VALUE + 1)] {
            let told = check("TOKEN", value).unwrap_err();
            assert_eq!(told, Unfit::Value("TOKEN".into()));
        }
        let many = (0..129).map(|n| (format!("A{n}"), String::new())).collect();
        assert_eq!(variables(&many), Err(Unfit::Many(129)));
    }

    #[test]
    fn names_of_agents_and_paths() {
        for name in ["build", "a.b_c-d"] {
            assert_eq!(agent(name), Ok(()));
        }
        for name in ["", "a b", "a/b", "é", &*"a".repeat(65)] {
            assert!(agent(name).is_err(), "{name}");
        }
        for text in ["/srv/a", "project", "a b/ü"] {
            assert_eq!(path(text), Ok(()));
        }
        for text in ["", "/a:/etc", "/a,ro", "a\n", "a\0", "a\"", "a\\b", &*"a".repeat(4000)] {
            assert!(path(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = (image(&text), agent(&text), path(&text), variables(&[(text.clone(), text.clone())].into()));
        }

        #[test]
        fn what_passes_is_never_an_option(text in "[-a-z.:/]{0,8}") {
            prop_assert!(image(&text).is_err() || !text.starts_with('-'));
        }
    }
}
