//! The last output of a shell: what a window that comes back is shown, and what slow windows have not read yet. Pure.

use std::collections::VecDeque;

/// A ring of bytes, each with its number since the shell began.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes: VecDeque<u8>,
    capacity: usize,
    end: u64,
}

impl Ring {
    /// A ring for that many bytes, at least one.
    pub(crate) fn new(capacity: usize) -> Ring {
        Ring { bytes: VecDeque::new(), capacity: capacity.max(1), end: 0 }
    }

    /// Takes output in; what is oldest goes.
    pub(crate) fn push(&mut self, output: &[u8]) {
        self.end += output.len() as u64;
        let kept = output.get(output.len().saturating_sub(self.capacity)..).unwrap_or_default();
        let over = (self.bytes.len() + kept.len()).saturating_sub(self.capacity);
        self.bytes.drain(..over.min(self.bytes.len()));
        self.bytes.extend(kept);
    }

    /// The number of the byte that comes next.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The number of the oldest byte.
    pub(crate) fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }

    /// At most `most` bytes from number `from` on; and the number of the byte after them. What is gone is left out.
    pub(crate) fn read(&self, from: u64, most: usize) -> (Vec<u8>, u64) {
        let from = from.clamp(self.start(), self.end);
        let skip = usize::try_from(from - self.start()).unwrap_or(usize::MAX);
        let piece: Vec<u8> = self.bytes.iter().skip(skip).take(most).copied().collect();
        let next = from + piece.len() as u64;
        (piece, next)
    }

    /// Where a window that comes back starts to read: at the beginning, or, if that is gone, after the first end of a
    /// line, so that it does not start inside a character or a command to the terminal.
    pub(crate) fn place_to_start(&self) -> u64 {
        if self.start() == 0 {
            return 0;
        }
        match self.bytes.iter().position(|&byte| byte == b'\n') {
            Some(line_end) => self.start() + line_end as u64 + 1,
            None => self.start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_oldest_goes_and_numbers_stay() {
        let mut ring = Ring::new(4);
        ring.push(b"ab");
        ring.push(b"cdef");
        assert_eq!((ring.start(), ring.end()), (2, 6));
        assert_eq!(ring.read(0, 10), (b"cdef".to_vec(), 6));
        assert_eq!(ring.read(3, 2), (b"de".to_vec(), 5));
        assert_eq!(ring.read(6, 2), (Vec::new(), 6));
        assert_eq!(ring.read(99, 2), (Vec::new(), 6));
    }

    #[test]
    fn a_window_that_comes_back_starts_with_a_line() {
        let mut ring = Ring::new(8);
        ring.push(b"abc\nde");
        assert_eq!(ring.place_to_start(), 0);
        ring.push(b"fghi\nj");
        assert_eq!(ring.read(ring.place_to_start(), 99).0, b"j");
    }

    proptest! {
        #[test]
        fn it_holds_the_end_of_what_came(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..12), capacity in 1usize..64) {
            let mut ring = Ring::new(capacity);
            let mut all = Vec::new();
            for piece in pieces {
                ring.push(&piece);
                all.extend(piece);
            }
            let expected = all.get(all.len().saturating_sub(capacity)..).unwrap_or_default();
            prop_assert_eq!(ring.read(0, usize::MAX).0, expected);
            prop_assert!(ring.place_to_start() <= ring.end());
        }
    }
}
