//! Changes to extended.cfg and extended2.cfg that leave every other line as it is, byte for byte: people and other
//! programs write there too.

use super::extended_cfg::{CfgError, ExtendedCfg, is_blank, section_name};
use crate::whole_file::{self, ReadError};
use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a file of settings was not changed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file cannot be read.
    #[error("{0}; nothing was changed")]
    Read(#[from] ReadError),
    /// The file is not as it should be.
    #[error("{} {error}; mend that line, nothing was changed", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: CfgError,
    },
    /// No line can be put there without a change to what others mean.
    #[error("{} cannot be changed without harm to its other lines; write it by hand", .0.display())]
    Harm(PathBuf),
    /// The file cannot be written.
    #[error("cannot write {}: {source}; nothing was changed", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// What a key of a section says in a file; nothing where that cannot be told.
pub fn get_in_file(path: &Path, section: &str, key: &str) -> Option<String> {
    let text = whole_file::read_text(path, super::lookup::CFG_LIMIT).ok()?;
    Some(ExtendedCfg::parse(&text).ok()?.get(section, key).ok()??.text)
}

/// Sets keys of a section in a file, which keeps its owner and mode. After a crash either all of them are there or none.
///
/// # Errors
///
/// [`EditError`]; the file is as it was then.
pub fn set_in_file(path: &Path, section: &str, values: &[(&str, String)]) -> Result<(), EditError> {
    // Others of ours may be at it: this ends when it is dropped. Where the folder cannot be locked the file is still whole.
    let folder = std::fs::canonicalize(path).and_then(|target| File::open(whole_file::folder_of(&target)));
    let _alone = folder.inspect(|folder| drop(folder.lock()));
    let text = whole_file::read_text(path, super::lookup::CFG_LIMIT)?;
    let broken = |error| EditError::Broken { path: path.to_owned(), error };
    ExtendedCfg::parse(&text).map_err(broken)?;
    let fresh = set(&text, section, values).ok_or_else(|| EditError::Harm(path.to_owned()))?;
    if fresh == text {
        return Ok(());
    }
    let write = || {
        // A link stays one.
        let target = std::fs::canonicalize(path)?;
        let before = std::fs::metadata(&target)?;
        whole_file::replace_with(&target, fresh.as_bytes(), |new| {
            std::fs::set_permissions(new, std::fs::Permissions::from_mode(before.mode() & 0o7777))?;
            match std::fs::metadata(new)? {
                new if (new.uid(), new.gid()) == (before.uid(), before.gid()) => Ok(()),
                _ => std::os::unix::fs::chown(new, Some(before.uid()), Some(before.gid())),
            }
        })
    };
    write().map_err(|source| EditError::Write { path: path.to_owned(), source })
}

/// `text` with these keys of a section set, in this order where they are new. None if it cannot be parsed, or if another
/// line would mean something else then, or if a value cannot be written.
pub fn set(text: &str, section: &str, values: &[(&str, String)]) -> Option<String> {
    let before = ExtendedCfg::parse(text).ok()?;
    let mut fresh = text.to_owned();
    for (key, value) in values {
        fresh = set_one(&fresh, section, key, &value.replace('%', "%%"))?;
    }
    let after = ExtendedCfg::parse(&fresh).ok()?;
    let is_set = |(key, value): &(&str, String)| {
        after.get(section, key).is_ok_and(|found| found.is_some_and(|found| found.text == *value))
    };
    let keys: Vec<&str> = values.iter().map(|(key, _)| *key).collect();
    (values.iter().all(is_set) && before.is_like(&after, section, &keys)).then_some(fresh)
}

fn set_one(text: &str, section: &str, key: &str, value: &str) -> Option<String> {
    let lines = Lines::of(text);
    let end = lines.end();
    let Some(place) = lines.find(section, key) else {
        // A blank line stands between sections.
        let gap = match lines.all.last() {
            None => "",
            Some((line, _)) if body(line).trim_matches(is_blank).is_empty() => "",
            Some(_) => end,
        };
        let last = if text.is_empty() || text.ends_with(['\n', '\r']) { "" } else { end };
        return Some(format!("{text}{last}{gap}[{section}]{end}{key}: {value}{end}"));
    };
    let mut fresh = String::with_capacity(text.len() + key.len() + value.len() + 4);
    for (number, (line, kind)) in lines.all.iter().enumerate() {
        match place {
            Place::At(at) if number == at => {
                let body = body(line);
                let sign = body.find([':', '=']).map_or(body.len(), |sign| sign + 1);
                let (head, rest) = body.split_at(sign);
                let blanks = &rest[..rest.len() - rest.trim_start_matches(is_blank).len()];
                let blanks = if blanks.len() == rest.len() { " " } else { blanks };
                fresh.extend([head, blanks, value, &line[body.len()..]]);
            }
            // The rest of the former value.
            Place::At(at) if *kind == Kind::Continued(at) => {}
            Place::Behind(at, indent) if number == at => {
                let body = body(line);
                let ended = if body.len() == line.len() { end } else { &line[body.len()..] };
                // Not as elsewhere in the file: an odd `\r` and the `\n` of a blank line behind it would be one end.
                fresh.extend([body, ended, indent, key, ": ", value, ended]);
            }
            _ if fresh.ends_with('\r') && line.starts_with('\n') => return None,
            _ => fresh.push_str(line),
        }
    }
    Some(fresh)
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has nothing to say.
    Idle,
    /// The header of a section.
    Section,
    /// A key and its value.
    Key,
    /// It goes on with the value of the key of that line.
    Continued(usize),
}

/// Where a value is to go.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    /// Into this line.
    At(usize),
    /// Behind this line, with this indent.
    Behind(usize, &'a str),
}

/// The lines of a file with their ends, told apart as the reader does.
struct Lines<'a> {
    all: Vec<(&'a str, Kind)>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let (mut all, mut rest) = (Vec::new(), text);
        let (mut key, mut indent) = (None, 0);
        while !rest.is_empty() {
            let length = match rest.find(['\n', '\r']) {
                Some(at) if rest[at..].starts_with("\r\n") => at + 2,
                Some(at) => at + 1,
                None => rest.len(),
            };
            let (line, after) = rest.split_at(length);
            rest = after;
            let trimmed = body(line).trim_matches(is_blank);
            let depth = body(line).chars().take_while(|c| is_blank(*c)).count();
            let kind = match key {
                _ if trimmed.is_empty() || trimmed.starts_with(['#', ';']) => Kind::Idle,
                Some(key) if depth > indent => Kind::Continued(key),
                _ => {
                    indent = depth;
                    let is_section = section_name(trimmed).is_some();
                    key = (!is_section).then_some(all.len());
                    if is_section { Kind::Section } else { Kind::Key }
                }
            };
            all.push((line, kind));
        }
        Self { all }
    }

    /// How lines end here.
    fn end(&self) -> &'a str {
        self.all.iter().map(|(line, _)| &line[body(line).len()..]).find(|end| !end.is_empty()).unwrap_or("\n")
    }

    /// Where this key of a section stands, or is to stand; none where there is no such section.
    fn find(&self, section: &str, key: &str) -> Option<Place<'a>> {
        let mut place = None;
        for (number, (line, kind)) in self.all.iter().enumerate() {
            let (body, trimmed) = (body(line), body(line).trim_matches(is_blank));
            let indent = &body[..body.len() - body.trim_start_matches(is_blank).len()];
            match (kind, &mut place) {
                (Kind::Section, Some(_)) => break,
                (Kind::Section, None) if section_name(trimmed) == Some(section) => {
                    place = Some(Place::Behind(number, indent));
                }
                (Kind::Key, Some(_)) => {
                    let name = trimmed.split([':', '=']).next().unwrap_or_default();
                    if name.trim_end_matches(is_blank).to_lowercase() == key.to_lowercase() {
                        return Some(Place::At(number));
                    }
                    place = Some(Place::Behind(number, indent));
                }
                (Kind::Continued(_), Some(Place::Behind(last, _))) => *last = number,
                _ => {}
            }
        }
        place
    }
}

/// A line without its end.
fn body(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

#[cfg(test)]
mod tests;
