//! The sums over the bulk of a file, which is read once: MD5 on one thread, the others on that which reads.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::ahead::Piece;
use super::md5::Md5;
use super::rkcrc::RkCrc;
use super::{SourceFile, Span};

/// Over what each sum is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// MD5: `update.img` up to the end of the rom image.
    pub(crate) md5: Option<Span>,
    /// RKCRC: the rom image.
    pub(crate) crc: Span,
    /// SHA-256.
    pub(crate) sha256: Option<Span>,
}

/// What was summed up.
#[derive(Debug)]
pub(crate) struct Sums {
    /// RKCRC of the rom image.
    pub(crate) crc: u32,
    /// MD5 so far; of nothing where it is not asked for.
    pub(crate) md5: Md5,
    /// SHA-256, where it is asked for.
    pub(crate) sha256: Option<[u8; 32]>,
}

/// Takes sums; behind whoever writes the file still, where somebody does.
///
/// # Errors
/// If the file cannot be read, or its writer ended early.
pub(crate) fn take(source: &SourceFile, wanted: Wanted, reached: Option<&Reached>) -> io::Result<Sums> {
    let Wanted { md5: md5_of, crc: crc_of, sha256: sha256_of } = wanted;
    let (mut crc, mut md5, mut sha256) = (RkCrc::new(), Md5::new(), Sha256::new());
    let spans = [Some(crc_of), md5_of, sha256_of];
    let start = spans.iter().flatten().map(|span| span.offset).min().unwrap_or_default();
    let end = spans.iter().flatten().map(|span| span.end()).max().unwrap_or_default();
    source.read_ahead(
        Span::new(start, end.saturating_sub(start)),
        |position| reached.map_or(Ok(()), |reached| reached.wait(position)),
        |piece: Piece<'_>| {
            crc.update(piece.within(crc_of));
            if let Some(span) = sha256_of {
                sha256.update(piece.within(span));
            }
        },
        |piece| {
            if let Some(span) = md5_of {
                md5.update(piece.within(span));
            }
        },
    )?;
    Ok(Sums { crc: crc.value(), md5, sha256: sha256_of.map(|_| sha256.finalize().into()) })
}

/// How far a file is written, for those who read it meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    position: u64,
    ended: bool,
}

impl Reached {
    /// Everything before this byte can be read.
    pub(crate) fn set(&self, position: u64) {
        self.change(|state| state.position = state.position.max(position));
    }

    /// Nothing more comes.
    pub(crate) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two numbers cannot be half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.moved.notify_all();
    }

    /// Waits until everything before this byte can be read.
    fn wait(&self, position: u64) -> io::Result<()> {
        let mut state = self.state();
        while state.position < position {
            if state.ended {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "its writer ended early"));
            }
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::thread;

    use super::*;
    use crate::container::rkcrc::rkcrc;

    #[test]
    fn sums_follow_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..1_000_000u32).flat_map(|number| number.to_le_bytes()).collect();
        let mut file = File::create(&path).unwrap();
        let source = SourceFile::open(&path).unwrap();
        let (reached, len) = (Reached::default(), bytes.len() as u64);
        let wanted = Wanted {
            md5: Some(Span::new(0, len)),
            crc: Span::new(10, len - 10),
            sha256: Some(Span::new(300_000, 600_000)),
        };
        let sums = thread::scope(|scope| {
            let sums = scope.spawn(|| take(&source, wanted, Some(&reached)));
            let mut position = 0;
            for piece in bytes.chunks(300_001) {
                file.write_all(piece).unwrap();
                position += piece.len() as u64;
                reached.set(position);
            }
            reached.end();
            sums.join().unwrap().unwrap()
        });
        assert_eq!(sums.crc, rkcrc(&bytes[10..]));
        assert_eq!(sums.md5.finalize(), <[u8; 16]>::from(md5::Md5::digest(&bytes)));
        assert_eq!(sums.sha256, Some(Sha256::digest(&bytes[300_000..900_000]).into()));
    }

    #[test]
    fn a_writer_that_ends_early_leaves_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [0; 100]).unwrap();
        let source = SourceFile::open(&path).unwrap();
        let reached = Reached::default();
        reached.set(100);
        reached.end();
        let wanted = |len| Wanted { md5: Some(Span::new(0, len)), crc: Span::new(0, len), sha256: None };
        let take = |len| take(&source, wanted(len), Some(&reached));
        assert!(take(100).is_ok());
        assert_eq!(take(101).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
