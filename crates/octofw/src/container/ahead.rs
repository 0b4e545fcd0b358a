//! Reading a large range on one thread while another works on what was read: together they take as long as the slower.

use std::io::{self, Read as _};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use super::source::CHUNK;
use super::{SourceFile, Span};

/// Pieces that are read before the first of them is done.
const AHEAD: usize = 8;

/// Bytes of a file and the place of the first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    at: u64,
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// All of its bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Those of its bytes that lie in a range of the file.
    pub(crate) fn within(self, span: Span) -> &'a [u8] {
        let inside = |place: u64| {
            let place = usize::try_from(place.saturating_sub(self.at)).unwrap_or(usize::MAX);
            place.min(self.bytes.len())
        };
        self.bytes.get(inside(span.offset)..inside(span.end())).unwrap_or_default()
    }
}

impl SourceFile {
    /// Reads a range on a thread of its own, which gives each piece to `there`; then it goes to `here`, on the caller's
    /// thread, while the next is read. `ready` is given the end of each piece before it is read and may wait for it.
    ///
    /// # Errors
    /// If reading fails or the file has become shorter, and those of `ready`.
    pub(crate) fn read_ahead(
        &self,
        span: Span,
        ready: impl Fn(u64) -> io::Result<()> + Send,
        mut there: impl FnMut(Piece<'_>) + Send,
        mut here: impl FnMut(Piece<'_>),
    ) -> io::Result<()> {
        thread::scope(|scope| {
            let (full, pieces) = sync_channel::<(u64, usize, Vec<u8>)>(AHEAD);
            let (empty, spare) = channel::<Vec<u8>>();
            let reading = scope.spawn(move || {
                let mut reader = self.reader(span);
                let mut at = span.offset;
                loop {
                    ready(at.saturating_add(CHUNK as u64).min(span.end()))?;
                    let mut buffer = spare.try_recv().unwrap_or_else(|_| vec![0; CHUNK]);
                    let length = reader.read(&mut buffer)?;
                    let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                        return Ok(());
                    };
                    there(Piece { at, bytes });
                    let piece = (at, length, buffer);
                    at = at.saturating_add(length as u64);
                    // Whoever takes them ends after the last.
                    if full.send(piece).is_err() {
                        return Ok(());
                    }
                }
            });
            for (at, length, buffer) in pieces {
                here(Piece { at, bytes: buffer.get(..length).unwrap_or_default() });
                // The reader may be done.
                let _ = empty.send(buffer);
            }
            reading.join().map_err(|_| io::Error::other("a thread that reads ended early"))?
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_piece_gives_what_lies_in_a_range() {
        let piece = Piece { at: 100, bytes: b"0123456789" };
        for (span, expected) in [
            (Span::new(0, 1000), "0123456789"),
            (Span::new(0, 103), "012"),
            (Span::new(102, 3), "234"),
            (Span::new(108, 50), "89"),
            (Span::new(0, 100), ""),
            (Span::new(110, 5), ""),
            (Span::new(105, 0), ""),
        ] {
            assert_eq!(piece.within(span), expected.as_bytes(), "{span:?}");
        }
    }

    #[test]
    fn every_byte_comes_once_and_in_order_on_both_threads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..3_000_000u32).map(|number| (number >> 7) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let source = SourceFile::open(&path).unwrap();
        for span in [source.span(), Span::new(12_345, 2_000_000), Span::new(7, 0)] {
            let (mut there, mut here) = (Vec::new(), Vec::new());
            let take = |place: &mut Vec<u8>, piece: Piece<'_>| place.extend_from_slice(piece.bytes());
            let (one, other) = (&mut there, &mut here);
            source
                .read_ahead(span, |_| Ok(()), |piece| take(one, piece), |piece| take(other, piece))
                .unwrap();
            let expected = &bytes[span.offset as usize..span.end() as usize];
            assert!(there == expected && here == expected, "{span:?}");
        }
    }

    #[test]
    fn a_file_that_shrinks_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![1; 2 * CHUNK]).unwrap();
        let source = SourceFile::open(&path).unwrap();
        fs::write(&path, vec![1; CHUNK]).unwrap();
        let error = source.read_ahead(source.span(), |_| Ok(()), |_| (), |_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
