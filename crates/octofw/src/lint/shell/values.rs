//! What variables of a script stand for, where the script itself says so.

use std::collections::BTreeMap;

use super::{Script, assignment};

/// Longest value, and variables inside each other, that are followed.
const MOST_VALUE: usize = 4096;
const DEEPEST: usize = 6;
/// Variables that are followed for one text.
const MOST_FOLLOWED: usize = 200;

/// Values of variables, as they were written.
#[derive(Debug, Default)]
pub(in crate::lint) struct Values(BTreeMap<String, String>);

impl Values {
    /// Every variable that a script gives a value; of one with several the first counts.
    pub(in crate::lint) fn of(script: &Script) -> Self {
        let mut values = BTreeMap::new();
        for command in &script.commands {
            for word in &command.words {
                let is_first = matches!(command.name(), "" | "export" | "readonly" | "local" | "declare");
                let Some((name, value)) = assignment(word).filter(|_| is_first) else { continue };
                values.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        Self(values)
    }

    /// A text with the variables in it replaced; those that are not known stand as they were written.
    pub(in crate::lint) fn expand(&self, text: &str) -> String {
        let mut left = MOST_FOLLOWED;
        self.expand_within(text, DEEPEST, &mut left)
    }

    fn expand_within(&self, text: &str, deepest: usize, left: &mut usize) -> String {
        let mut made = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('$') {
            made.push_str(before);
            if made.len() > MOST_VALUE {
                return made;
            }
            let (name, default, length) = variable(behind);
            let known = self.0.get(name).map(String::as_str).filter(|_| !name.is_empty());
            match known.or(default) {
                Some(value) if deepest > 0 && *left > 0 && value.len() < MOST_VALUE => {
                    *left -= 1;
                    made.push_str(&self.expand_within(value, deepest - 1, left));
                }
                _ => {
                    made.push('$');
                    made.push_str(behind.get(..length).unwrap_or_default());
                }
            }
            rest = behind.get(length..).unwrap_or_default();
        }
        made.push_str(rest);
        made
    }
}

/// The name behind a `$`, the default of `${NAME:-DEFAULT}`, and how many bytes that is.
fn variable(behind: &str) -> (&str, Option<&str>, usize) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let end_of_name = |text: &str| text.bytes().position(|byte| !is_part(byte)).unwrap_or(text.len());
    let Some(inner) = behind.strip_prefix('{') else {
        let end = end_of_name(behind);
        return (behind.get(..end).unwrap_or_default(), None, end);
    };
    let end = end_of_name(inner);
    let name = inner.get(..end).unwrap_or_default();
    let rest = inner.get(end..).unwrap_or_default();
    if rest.starts_with('}') {
        return (name, None, end + 2);
    }
    let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'));
    let close = rest.find('}');
    match (default, close) {
        (Some(default), Some(close)) => {
            let skipped = rest.len() - default.len();
            let default = rest.get(skipped..close).filter(|default| !default.contains('$'));
            (name, default, end + close + 2)
        }
        // Any other form is no value that can be told.
        (None, Some(close)) => ("", None, end + close + 2),
        (_, None) => ("", None, behind.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_followed_as_far_as_the_script_tells() {
        let script = "N=x\nP=/run/$N.pid\nQ=${OTHER:-/var/run/q.pid}\nexport R=\"$P\"\nL=$L$L\nS=$(cmd)";
        let values = Values::of(&Script::read(script.as_bytes()));
        for (text, expected) in [
            ("$P", "/run/x.pid"),
            ("${P}.old", "/run/x.pid.old"),
            ("$Q", "/var/run/q.pid"),
            ("${R%.pid}", "${R%.pid}"),
            ("$R", "/run/x.pid"),
            ("$1/etc", "$1/etc"),
            ("${Z-}y", "y"),
            ("$", "$"),
            ("${P", "${P"),
        ] {
            assert_eq!(values.expand(text), expected, "{text}");
        }
        assert!(values.expand("$L").len() < 10_000);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(script in "([A-C]=[$A-C{}:-]{0,9}\n){0,4}", text in "[$A-C{}:ä-]{0,20}") {
            Values::of(&Script::read(script.as_bytes())).expand(&text);
        }
    }
}
