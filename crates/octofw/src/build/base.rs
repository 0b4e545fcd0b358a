//! The base: its digest and whether its own sums are right, found out in one reading while other things are done.
//!
//! That takes most of a processor for as long as the MD5 of the base takes. It begins when somebody waits for it, or when
//! the build says that there is a processor left ([`BaseFile::go_on`]).

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
    found: OnceCell<Found>,
    /// Where it is still to be read.
    coming: RefCell<Option<Coming>>,
}

/// What will be found.
struct Coming {
    /// Has it begin.
    start: Sender<()>,
    found: Receiver<io::Result<Found>>,
}

/// What came of reading it.
struct Found {
    sha256: String,
    /// Whether its own sums were taken.
    summed: bool,
    /// The first sum that is wrong.
    wrong: Option<FormatError>,
}

impl BaseFile {
    /// Looks what the state knows of the base at `path`; where that is not all, it will be read on a thread of `scope`.
    pub(super) fn begin<'scope>(
        path: &Path,
        state: &State,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Self, BuildError> {
        let looked = state.look(path).map_err(|e| unreadable(path, e))?;
        let known = looked.sha256().filter(|sha256| state.has_right_sums(sha256));
        let found = OnceCell::new();
        let coming = match known {
            Some(sha256) => {
                let _ = found.set(Found { sha256: sha256.to_owned(), summed: true, wrong: None });
                None
            }
            None => {
                let (told, found) = channel();
                let (start, started) = channel();
                let path = path.to_owned();
                scope.spawn(move || {
                    // A build that fails before it has nobody who wants to know, then or meanwhile.
                    if started.recv().is_ok() {
                        let _ = told.send(read(&path));
                    }
                });
                Some(Coming { start, found })
            }
        };
        Ok(Self { path: path.to_owned(), looked, found, coming: RefCell::new(coming) })
    }

    /// There is a processor left to read it.
    pub(super) fn go_on(&self) {
        if let Some(coming) = self.coming.borrow().as_ref() {
            // It may have begun before.
            let _ = coming.start.send(());
        }
    }

    /// Its SHA-256 in lower-case hex; waits for it.
    pub(super) fn sha256(&self) -> Result<&str, BuildError> {
        Ok(&self.found()?.sha256)
    }

    /// Waits until all of its sums were taken.
    ///
    /// # Errors
    /// When one is wrong, or it cannot be read.
    pub(super) fn check(&self) -> Result<(), BuildError> {
        match self.found()? {
            Found { summed: false, .. } => Ok(Image::open(&self.path).map(drop)?),
            Found { wrong: None, .. } => Ok(()),
            Found { wrong: Some(wrong), .. } => {
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

    fn found(&self) -> Result<&Found, BuildError> {
        self.go_on();
        if let Some(coming) = self.coming.take() {
            let found = coming.found.recv().map_err(|_| BuildError::Thread)?;
            let _ = self.found.set(found.map_err(|e| unreadable(&self.path, e))?);
        }
        self.found.get().ok_or(BuildError::Thread)
    }
}

fn read(path: &Path) -> io::Result<Found> {
    let Ok(image) = Image::read(path) else {
        // Whoever builds on it reads its headers too, and tells what is wrong with them.
        return Ok(Found { sha256: digest::of_file(path)?.0, summed: false, wrong: None });
    };
    let (wrong, sha256) = image.check_sums_and_digest()?;
    Ok(Found { sha256, summed: true, wrong: wrong.into_iter().next() })
}

fn unreadable(path: &Path, source: io::Error) -> BuildError {
    BuildError::system(format!("cannot read the base {}", path.display()), source)
}
