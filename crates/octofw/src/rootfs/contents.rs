//! Which files got another content from one look at the root to the next, also where neither length nor time tells it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::session::{SessionError, system};
use super::snapshot::{Kind, Snapshot, What, place, shown};
use super::splicing::Base;
use crate::digest;

/// Knows the contents of the root while overlays are applied to it: those of the base, and of what came since.
pub(super) struct Contents<'a> {
    root: &'a Path,
    base: &'a Base,
    /// The SHA-256 of every file that was made or changed: no more that of the base.
    digests: HashMap<Vec<u8>, String>,
}

impl<'a> Contents<'a> {
    /// Of the tree at `root`, in which nothing has changed yet.
    pub(super) fn new(root: &'a Path, base: &'a Base) -> Self {
        Self { root, base, digests: HashMap::new() }
    }

    /// Marks in `after`, which is how the tree is now, what was rewritten since `before`.
    ///
    /// # Errors
    /// When a file cannot be read; the error names it.
    pub(super) fn mark(&self, after: &mut Snapshot, before: &Snapshot) -> Result<(), SessionError> {
        after.mark_rewritten(before, |path| match self.digests.get(path) {
            Some(known) => Ok(*known != self.digest(path)?),
            None => Ok(self.base.differs(self.root, path)?),
        })
    }

    /// Marks in `last`, which is how the tree is now, what was rewritten since it was `first`: the base's.
    ///
    /// # Errors
    /// When a file cannot be read; the error names it.
    pub(super) fn mark_in_all(&self, last: &mut Snapshot, first: &Snapshot) -> Result<(), SessionError> {
        last.mark_rewritten(first, |path| Ok(self.base.differs(self.root, path)?))
    }

    /// Takes note of the contents that `changes` brought, after which the tree is `after`.
    ///
    /// # Errors
    /// When a file cannot be read; the error names it.
    pub(super) fn remember(
        &mut self,
        changes: &BTreeMap<Vec<u8>, What>,
        after: &Snapshot,
    ) -> Result<(), SessionError> {
        for (path, what) in changes {
            let is_file = after.entries.get(path).is_some_and(|entry| entry.kind == Kind::File);
            if is_file && matches!(what, What::Added | What::Replaced) {
                let digest = self.digest(path)?;
                self.digests.insert(path.clone(), digest);
            }
        }
        Ok(())
    }

    fn digest(&self, path: &[u8]) -> Result<String, SessionError> {
        let read = digest::of_file(&place(self.root, path));
        Ok(read.map_err(system(format!("cannot read {}", shown(path))))?.0)
    }
}
