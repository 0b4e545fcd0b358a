//! Reader of extended.cfg and extended2.cfg, by the rules of Python's `configparser`, because the firmware's own
//! tools read the same file with it: no inline comments, keys in any case, indented lines continue a value, a
//! duplicate is an error, `%` interpolates. A file that Python refuses is refused here as a whole.

use std::collections::HashMap;

/// Interpolation goes this deep, as in Python.
const MAX_DEPTH: usize = 10;

/// A parsed file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtendedCfg {
    sections: HashMap<String, Section>,
    defaults: Section,
}

type Section = HashMap<String, RawValue>;

#[derive(Debug, Clone, PartialEq, Eq)]
struct RawValue {
    line: usize,
    text: String,
}

/// A value and the line of its key, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CfgValue {
    /// The value after interpolation.
    pub text: String,
    /// Line of the key.
    pub line: usize,
}

/// Why a file, or one value of it, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CfgError {
    /// A key stands before the first section.
    #[error("line {line}: there is no [section] above this line")]
    NoSection {
        /// Line from 1.
        line: usize,
    },
    /// A section stands twice.
    #[error("line {line}: section [{section}] is there twice")]
    DuplicateSection {
        /// Line from 1.
        line: usize,
        /// The section.
        section: String,
    },
    /// A key stands twice in one section.
    #[error("line {line}: `{key}` is there twice in [{section}]")]
    DuplicateKey {
        /// Line from 1.
        line: usize,
        /// The section.
        section: String,
        /// The key.
        key: String,
    },
    /// Neither a section, nor a key with a value, nor a comment.
    #[error("line {line}: expected `key: value`")]
    NotAKey {
        /// Line from 1.
        line: usize,
    },
    /// A `%` that Python's interpolation refuses.
    #[error("line {line}: a `%` in the value of `{key}` must be written `%%`")]
    Interpolation {
        /// Line of the key, from 1.
        line: usize,
        /// The key.
        key: String,
    },
}

impl ExtendedCfg {
    /// Parses a whole file.
    ///
    /// # Errors
    ///
    /// [`CfgError`] for what `configparser` refuses too, with the line.
    pub fn parse(text: &str) -> Result<Self, CfgError> {
        let mut reader = Reader::default();
        for (index, line) in lines(text).enumerate() {
            reader.line(index + 1, line)?;
        }
        reader.finish()
    }

    /// The value of `key` in `section`, interpolated; `None` where either is missing.
    ///
    /// # Errors
    ///
    /// [`CfgError::Interpolation`] where Python's `get` fails too.
    pub fn get(&self, section: &str, key: &str) -> Result<Option<CfgValue>, CfgError> {
        let Some(values) = self.sections.get(section) else { return Ok(None) };
        let key = key.to_lowercase();
        let Some(raw) = values.get(&key).or_else(|| self.defaults.get(&key)) else { return Ok(None) };
        let text = self
            .interpolate(values, &raw.text, 1)
            .ok_or(CfgError::Interpolation { line: raw.line, key: key.clone() })?;
        Ok(Some(CfgValue { text, line: raw.line }))
    }

    /// Names of the sections, in no order.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// The keys that stand in a section itself, each with its line, in no order.
    pub fn keys(&self, section: &str) -> impl Iterator<Item = (&str, usize)> {
        self.sections.get(section).into_iter().flatten().map(|(key, value)| (key.as_str(), value.line))
    }

    /// Whether `other` says the same, but for these keys of this section.
    pub(super) fn is_like(&self, other: &Self, section: &str, keys: &[&str]) -> bool {
        let says = |cfg: &Self, name: &str, key: &String, text: &str| {
            let values = if name == "DEFAULT" { Some(&cfg.defaults) } else { cfg.sections.get(name) };
            values.and_then(|values| values.get(key)).is_some_and(|value| value.text == text)
        };
        let says_all = |one: &Self, two: &Self| {
            let all = one.sections.iter().map(|(name, values)| (name.as_str(), values));
            all.chain([("DEFAULT", &one.defaults)]).all(|(name, values)| {
                let apart =
                    |key: &String| name == section && keys.iter().any(|set| set.to_lowercase() == *key);
                values.iter().all(|(key, value)| apart(key) || says(two, name, key, &value.text))
            })
        };
        says_all(self, other) && says_all(other, self)
    }

    /// Replaces `%%` and `%(key)s`; `None` for any other `%`, for unknown keys and for loops.
    fn interpolate(&self, section: &Section, text: &str, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                out.push('%');
                rest = after;
            } else {
                let inner = rest.strip_prefix('(')?;
                let (name, after) = inner.split_once(")s").filter(|(name, _)| !name.contains(')'))?;
                let name = name.to_lowercase();
                let value = section.get(&name).or_else(|| self.defaults.get(&name))?;
                let value = if value.text.contains('%') {
                    self.interpolate(section, &value.text, depth + 1)?
                } else {
                    value.text.clone()
                };
                // A chain of references may double the text at each step: no setting is that long.
                if out.len() + value.len() > 64 * 1024 {
                    return None;
                }
                out.push_str(&value);
                rest = after;
            }
        }
        out.push_str(rest);
        Some(out)
    }
}

/// Lines as Python's universal newlines split them.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r')
    })
}

/// What Python strips: white space, and four control characters that Unicode does not count as such.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[derive(Default)]
struct Reader {
    done: ExtendedCfg,
    section: Option<String>,
    key: Option<OpenKey>,
    indent: usize,
}

struct OpenKey {
    name: String,
    line: usize,
    parts: Vec<String>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), CfgError> {
        let trimmed = line.trim_matches(is_blank);
        if trimmed.is_empty() {
            // An empty line may lie inside a value that goes on below it.
            if let Some(key) = &mut self.key {
                key.parts.push(String::new());
            }
            return Ok(());
        }
        if trimmed.starts_with(['#', ';']) {
            return Ok(());
        }
        let indent = line.chars().take_while(|c| is_blank(*c)).count();
        if let Some(key) = &mut self.key
            && self.section.is_some()
            && indent > self.indent
        {
            key.parts.push(trimmed.to_owned());
            return Ok(());
        }
        self.indent = indent;
        if let Some(name) = section_name(trimmed) {
            self.open_section(number, name)
        } else {
            self.open_key(number, trimmed)
        }
    }

    fn open_section(&mut self, line: usize, name: &str) -> Result<(), CfgError> {
        self.close_key();
        if name != "DEFAULT" {
            if self.done.sections.contains_key(name) {
                return Err(CfgError::DuplicateSection { line, section: name.to_owned() });
            }
            self.done.sections.insert(name.to_owned(), Section::new());
        }
        self.section = Some(name.to_owned());
        Ok(())
    }

    fn open_key(&mut self, line: usize, trimmed: &str) -> Result<(), CfgError> {
        self.close_key();
        let Some(section) = self.section.clone() else { return Err(CfgError::NoSection { line }) };
        let (name, value) = trimmed.split_once(['=', ':']).ok_or(CfgError::NotAKey { line })?;
        let name = name.trim_end_matches(is_blank).to_lowercase();
        if name.is_empty() {
            return Err(CfgError::NotAKey { line });
        }
        let known = match section.as_str() {
            "DEFAULT" => self.done.defaults.contains_key(&name),
            _ => self.done.sections.get(&section).is_some_and(|s| s.contains_key(&name)),
        };
        if known {
            return Err(CfgError::DuplicateKey { line, section, key: name });
        }
        self.key = Some(OpenKey { name, line, parts: vec![value.trim_matches(is_blank).to_owned()] });
        Ok(())
    }

    /// Stores the open value: its lines joined, without empty ones at the end.
    fn close_key(&mut self) {
        let (Some(key), Some(section)) = (self.key.take(), &self.section) else { return };
        let value =
            RawValue { line: key.line, text: key.parts.join("\n").trim_end_matches(is_blank).to_owned() };
        match section.as_str() {
            "DEFAULT" => self.done.defaults.insert(key.name, value),
            _ => self.done.sections.entry(section.clone()).or_default().insert(key.name, value),
        };
    }

    fn finish(mut self) -> Result<ExtendedCfg, CfgError> {
        self.close_key();
        Ok(self.done)
    }
}

/// The name in `[name]`; what follows the last bracket is ignored, as in Python 3.11.
pub(super) fn section_name(trimmed: &str) -> Option<&str> {
    let inner = trimmed.strip_prefix('[')?;
    let end = inner.rfind(']')?;
    (end > 0).then(|| &inner[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn get(text: &str, section: &str, key: &str) -> Option<String> {
        ExtendedCfg::parse(text).unwrap().get(section, key).unwrap().map(|v| v.text)
    }

    #[test]
    fn reads_as_configparser_does() {
        let table = [
            ("[telegram]\nenabled: true\n", Some("true")),
            ("[telegram]\nenabled = true\n", Some("true")),
            ("[telegram]\r\nENABLED:true\r\n", Some("true")),
            ("[telegram]\nenabled: true # yes\n", Some("true # yes")),
            ("[telegram]\nenabled: a;b\n", Some("a;b")),
            ("# note\n[telegram]\n; note\nenabled: true", Some("true")),
            ("[telegram]\nenabled: one\n  two\n\n  three\n", Some("one\ntwo\n\nthree")),
            ("[telegram]\nenabled:\n", Some("")),
            ("[telegram]\nenabled\u{1e}: \u{1f}true\u{1c}\n", Some("true")),
            ("[telegram]\nenabled: true\u{200b}\n", Some("true\u{200b}")),
            ("[telegram]\nenabled: http://x:1/y=z\n", Some("http://x:1/y=z")),
            ("[telegram]\nname: 5\nenabled: %(name)s%%\n", Some("5%")),
            ("[DEFAULT]\nenabled: yes\n[telegram]\nx: 1\n", Some("yes")),
            ("[Telegram]\nenabled: true\n", None),
            ("[telegram]\nother: true\n", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(get(text, "telegram", "Enabled").as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_configparser_refuses() {
        let duplicate_key = CfgError::DuplicateKey { line: 3, section: "a".into(), key: "x".into() };
        let table = [
            ("x: 1\n[a]\n", CfgError::NoSection { line: 1 }),
            ("[a]\nx: 1\nX: 2\n", duplicate_key),
            ("[a]\n[b]\n[a]\n", CfgError::DuplicateSection { line: 3, section: "a".into() }),
            ("[a]\nno delimiter\n", CfgError::NotAKey { line: 2 }),
            ("[a]\n: 1\n", CfgError::NotAKey { line: 2 }),
            ("<<<<<<< HEAD\n", CfgError::NoSection { line: 1 }),
        ];
        for (text, expected) in table {
            assert_eq!(ExtendedCfg::parse(text).unwrap_err(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_percent_sign_fails_the_value_and_not_the_file() {
        let cfg = ExtendedCfg::parse("[a]\nbad: 5%\nloop: %(loop)s\ngood: 1\n").unwrap();
        assert_eq!(cfg.get("a", "bad"), Err(CfgError::Interpolation { line: 2, key: "bad".into() }));
        assert!(cfg.get("a", "loop").is_err());
        assert_eq!(cfg.get("a", "good").unwrap().unwrap(), CfgValue { text: "1".into(), line: 4 });
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text: String, key: String) {
            if let Ok(cfg) = ExtendedCfg::parse(&text) {
                let _ = cfg.get("telegram", &key);
            }
        }

        #[test]
        fn what_is_written_is_read(value in "[a-z0-9 ;#=:\\[\\]]{0,20}") {
            let text = format!("[s]\nkey: {value}\n");
            prop_assert_eq!(get(&text, "s", "key").unwrap(), value.trim());
        }
    }
}
