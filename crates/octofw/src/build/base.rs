//! The base: whether its own sums are right, and its digest, found out while other things are done.
//!
//! The sums take most of a processor for as long as the MD5 of the base takes. That begins when somebody waits for it, or
//! when the build says that there is a processor left ([`BaseFile::go_on`]). The digest is taken in the same reading where
//! the build needs it early, otherwise when it is asked for, which the build does when there is a processor left again.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use super::BuildError;
use super::state::{Looked, State};
use crate::container::FormatError;
use crate::digest;
use crate::image::{Image, ImageError};

/// A base as it was when the build began.
pub(super) struct BaseFile {
    path: PathBuf,
    looked: Looked,
    sha256: OnceCell<String>,
    sums: OnceCell<Sums>,
    /// Where it is still to be read.
    coming: RefCell<Option<Coming>>,
}

/// What will be found.
struct Coming {
    /// Has it begin.
    start: Sender<()>,
    found: Receiver<io::Result<Found>>,
    /// Whether the digest is taken with it.
    with_digest: bool,
}

/// What came of reading it.
struct Found {
    sums: Sums,
    /// Its digest, where that was asked for.
    sha256: Option<String>,
}

/// Its own sums.
struct Sums {
    /// Whether they were taken.
    taken: bool,
    /// The first that is wrong.
    wrong: Option<FormatError>,
}

impl BaseFile {
    /// Looks what the state knows of the base at `path`; where that is not all, it will be read on a thread of `scope`, and
    /// its digest taken with that where it is needed `early`.
    pub(super) fn begin<'scope>(
        path: &Path,
        state: &State,
        scope: &'scope Scope<'scope, '_>,
        early: bool,
    ) -> Result<Self, BuildError> {
        let looked = state.look(path).map_err(|e| unreadable(path, e))?;
        let (sha256, sums) = (OnceCell::new(), OnceCell::new());
        if let Some(known) = looked.sha256() {
            let _ = sha256.set(known.to_owned());
        }
        let coming = match looked.sha256().filter(|sha256| state.has_right_sums(sha256)) {
            Some(_) => {
                let _ = sums.set(Sums { taken: true, wrong: None });
                None
            }
            None => {
                // What may change unseen is read once.
                let with_digest = sha256.get().is_none() && (early || !looked.is_settled());
                let (told, found) = channel();
                let (start, started) = channel();
                let path = path.to_owned();
                scope.spawn(move || {
                    // A build that fails before it has nobody who wants to know, then or meanwhile.
                    if started.recv().is_ok() {
                        let _ = told.send(read(&path, with_digest));
                    }
                });
                Some(Coming { start, found, with_digest })
            }
        };
        Ok(Self { path: path.to_owned(), looked, sha256, sums, coming: RefCell::new(coming) })
    }

    /// There is a processor left to read it.
    pub(super) fn go_on(&self) {
        if let Some(coming) = self.coming.borrow().as_ref() {
            // It may have begun before.
            let _ = coming.start.send(());
        }
    }

    /// Its SHA-256 in lower-case hex; waits for it, or takes it.
    ///
    /// # Errors
    /// When the base cannot be read, or is not what it was when the build began.
    pub(super) fn sha256(&self) -> Result<&str, BuildError> {
        if self.sha256.get().is_none() && self.coming.borrow().as_ref().is_some_and(|c| c.with_digest) {
            self.sums()?;
        }
        if let Some(known) = self.sha256.get() {
            return Ok(known);
        }
        let (sha256, _) = digest::of_file(&self.path).map_err(|e| unreadable(&self.path, e))?;
        // Its sums, and what was built on it, were read before.
        if !self.looked.is_still() {
            return Err(BuildError::BaseChanged { path: self.path.clone() });
        }
        Ok(self.sha256.get_or_init(|| sha256))
    }

    /// Waits until all of its sums were taken.
    ///
    /// # Errors
    /// When one is wrong, or it cannot be read.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        match self.sums()? {
            Sums { taken: false, .. } => Ok(Image::open(&self.path).map(drop)?),
            Sums { wrong: None, .. } => Ok(()),
            Sums { wrong: Some(wrong), .. } => {
                Err(ImageError::Format { path: self.path.clone(), source: wrong.clone() }.into())
            }
        }
    }

    /// Has the state remember its digest.
    pub(super) fn note(&self, state: &mut State) -> Result<(), BuildError> {
        state.note(self.looked.clone(), self.sha256()?);
        Ok(())
    }

    /// Whether the file still is what it was.
    pub(super) fn is_same(&self, state: &mut State) -> Result<bool, BuildError> {
        let now = state.sha256(&self.path).map_err(|e| unreadable(&self.path, e))?;
        Ok(now == self.sha256()?)
    }

    fn sums(&self) -> Result<&Sums, BuildError> {
        self.go_on();
        if let Some(coming) = self.coming.take() {
            let found = coming.found.recv().map_err(|_| BuildError::Thread)?;
            let Found { sums, sha256 } = found.map_err(|e| unreadable(&self.path, e))?;
            let _ = self.sums.set(sums);
            if let Some(sha256) = sha256 {
                let _ = self.sha256.set(sha256);
            }
        }
        self.sums.get().ok_or(BuildError::Thread)
    }
}

fn read(path: &Path, with_digest: bool) -> io::Result<Found> {
    let Ok(image) = Image::read(path) else {
        // Whoever builds on it reads its headers too, and tells what is wrong with them.
        return Ok(Found { sums: Sums { taken: false, wrong: None }, sha256: None });
    };
    let (wrong, sha256) = image.check_sums_with(with_digest)?;
    Ok(Found { sums: Sums { taken: true, wrong: wrong.into_iter().next() }, sha256 })
}

fn unreadable(path: &Path, source: io::Error) -> BuildError {
    BuildError::system(format!("cannot read the base {}", path.display()), source)
}
