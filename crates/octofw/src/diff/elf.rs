//! What programs and libraries need, where that differs.

use serde::Serialize;

use super::DiffError;
use super::paths::{Content, PathChange};
use super::root::Root;
use crate::elf::{Elf, is_elf};

/// A program or library whose needs differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgramChange {
    /// The file.
    pub path: String,
    /// What the one of the first needs; `null` where there is none, or none that can be read.
    pub a: Option<Elf>,
    /// What the one of the second needs.
    pub b: Option<Elf>,
}

pub(super) fn compare(a: &Root, b: &Root, paths: &[PathChange]) -> Result<Vec<ProgramChange>, DiffError> {
    let mut changes = Vec::new();
    for change in paths.iter().filter(|change| change.is_file() && change.content != Content::Same) {
        let elf = |root: &Root, is_there: bool| -> Result<Option<Elf>, DiffError> {
            let bytes = if is_there { root.content(&change.path)? } else { None };
            Ok(bytes.filter(|bytes| is_elf(bytes)).and_then(|bytes| Elf::read(&bytes).ok()))
        };
        let (one, other) = (elf(a, change.a.is_some())?, elf(b, change.b.is_some())?);
        if one != other {
            changes.push(ProgramChange { path: change.path.clone(), a: one, b: other });
        }
    }
    Ok(changes)
}
