//! `~` and variables in paths. The one function for every key that is a path, and for `--config`.

use std::path::{Component, Path, PathBuf};
use thiserror::Error;

/// Why a path cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpandError {
    /// A variable that is not set.
    #[error("{text:?} uses ${name}, which is not set; set it, or write the path out")]
    Undefined {
        /// The path as written.
        text: String,
        /// The variable.
        name: String,
    },
    /// A `$` that begins no variable.
    #[error("{text:?} has a $ that begins no variable; write $NAME or ${{NAME}}")]
    NoName {
        /// The path as written.
        text: String,
    },
    /// Somebody else's home.
    #[error("{text:?} names another user's home, which is not supported; write the path out")]
    OtherHome {
        /// The path as written.
        text: String,
    },
    /// An empty path.
    #[error("a path is empty")]
    Empty,
}

/// The path that `text` means: a leading `~` is `$HOME`, `$NAME` and `${NAME}` are variables, and what is relative then lies
/// below `base`. Text that comes from a variable is not expanded again.
///
/// # Errors
/// When a variable is not set, or the text is not such a path.
pub fn expand(
    text: &str,
    base: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<PathBuf, ExpandError> {
    let undefined = |name: &str| ExpandError::Undefined { text: text.to_owned(), name: name.to_owned() };
    let valued = |name: &str| variable(name).ok_or_else(|| undefined(name));
    let mut path = String::with_capacity(text.len());
    let mut rest = text;
    if let Some(after) = text.strip_prefix('~') {
        if !after.is_empty() && !after.starts_with('/') {
            return Err(ExpandError::OtherHome { text: text.to_owned() });
        }
        path.push_str(&valued("HOME")?);
        rest = after;
    }
    while let Some((before, after)) = rest.split_once('$') {
        path.push_str(before);
        let no_name = || ExpandError::NoName { text: text.to_owned() };
        let (name, left) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}').ok_or_else(no_name)?,
            None => {
                let end = after.find(|c: char| !is_name(c)).unwrap_or(after.len());
                after.split_at_checked(end).ok_or_else(no_name)?
            }
        };
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
            return Err(no_name());
        }
        path.push_str(&valued(name)?);
        rest = left;
    }
    path.push_str(rest);
    if path.is_empty() {
        return Err(ExpandError::Empty);
    }
    // `a/./b` is `a/b`; `..` stays, since what it means depends on links.
    Ok(base.join(path).components().filter(|part| !matches!(part, Component::CurDir)).collect())
}

const fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
