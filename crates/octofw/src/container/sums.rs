//! The two sums over the bulk of a file, each taken on a thread of its own: together they take as long as the slower.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use md5::{Digest as _, Md5};

use super::rkcrc::RkCrc;
use super::{SourceFile, Span};

/// What was summed up.
#[derive(Debug)]
pub(crate) struct Sums {
    /// RKCRC of the rom image.
    pub(crate) crc: u32,
    /// MD5 so far: of `update.img` up to the end of the rom image; of nothing where it is not asked for.
    pub(crate) md5: Md5,
}

/// Takes the MD5 of `update`, where there is one, and the CRC of `rom`; behind whoever writes the file still, where
/// somebody does.
///
/// # Errors
/// If the file cannot be read, or its writer ended early.
pub(crate) fn take(
    source: &SourceFile,
    update: Option<Span>,
    rom: Span,
    reached: Option<&Reached>,
) -> io::Result<Sums> {
    let ready = |position| reached.map_or(Ok(()), |reached| reached.wait(position));
    let sum = || {
        let mut crc = RkCrc::new();
        source.for_each_piece_when(rom, ready, |piece| crc.update(piece)).map(|()| crc.value())
    };
    let mut md5 = Md5::new();
    let Some(update) = update else { return Ok(Sums { crc: sum()?, md5 }) };
    let crc = std::thread::scope(|scope| {
        let crc = scope.spawn(sum);
        source.for_each_piece_when(update, ready, |piece| md5.update(piece))?;
        crc.join().map_err(|_| io::Error::other("a thread that takes a sum ended early"))?
    })?;
    Ok(Sums { crc, md5 })
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
        let sums = thread::scope(|scope| {
            let sums = scope
                .spawn(|| take(&source, Some(Span::new(0, len)), Span::new(10, len - 10), Some(&reached)));
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
        assert_eq!(sums.md5.finalize(), Md5::digest(&bytes));
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
        let take = |len| take(&source, Some(Span::new(0, len)), Span::new(0, len), Some(&reached));
        assert!(take(100).is_ok());
        assert_eq!(take(101).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
