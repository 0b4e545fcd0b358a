//! The two sums over the bulk of a file, each taken on a thread of its own: together they take as long as the slower.

use std::io;

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

/// Takes the MD5 of `update`, where there is one, and the CRC of `rom`.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn take(source: &SourceFile, update: Option<Span>, rom: Span) -> io::Result<Sums> {
    let sum = || {
        let mut crc = RkCrc::new();
        source.for_each_piece(rom, |piece| crc.update(piece)).map(|()| crc.value())
    };
    let mut md5 = Md5::new();
    let Some(update) = update else { return Ok(Sums { crc: sum()?, md5 }) };
    let crc = std::thread::scope(|scope| {
        let crc = scope.spawn(sum);
        source.for_each_piece(update, |piece| md5.update(piece))?;
        crc.join().map_err(|_| io::Error::other("a thread that takes a sum ended early"))?
    })?;
    Ok(Sums { crc, md5 })
}
