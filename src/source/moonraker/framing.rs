//! Messages on Moonraker's Unix socket: each ends with the byte 0x03.

use super::MAX_MESSAGE;

/// The byte behind each message.
pub(super) const END: u8 = 0x03;

/// A buffer that a single large message blew up goes back to this size.
const USUAL: usize = 16 * 1024;

/// Cuts a stream of bytes into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes at the front that are dealt with.
    used: usize,
    /// Bytes at the front that are known to hold no end.
    searched: usize,
}

/// A message grew beyond [`MAX_MESSAGE`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Decoder {
    /// Takes more bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.searched -= self.used.min(self.searched);
            self.used = 0;
            if self.buffer.capacity() > USUAL && self.buffer.len() <= USUAL / 2 {
                self.buffer.shrink_to(USUAL);
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a whole message is there.
    ///
    /// # Errors
    ///
    /// If what is there is longer than any message may be.
    pub fn has_message(&mut self) -> Result<bool, TooLong> {
        if self.searched > self.used && self.buffer.get(self.searched - 1) == Some(&END) {
            return Ok(true);
        }
        let from = self.searched.max(self.used);
        let rest = self.buffer.get(from..).unwrap_or_default();
        let found = rest.iter().position(|byte| *byte == END);
        self.searched = found.map_or(self.buffer.len(), |found| from + found + 1);
        let length = self.searched - self.used - usize::from(found.is_some());
        if length > MAX_MESSAGE { Err(TooLong) } else { Ok(found.is_some()) }
    }

    /// The next whole message, without its end, if [`Self::has_message`] found one.
    pub fn take_message(&mut self) -> Option<&[u8]> {
        let (start, end) = (self.used, self.searched);
        if end <= start || self.buffer.get(end - 1) != Some(&END) {
            return None;
        }
        self.used = end;
        self.buffer.get(start..end - 1)
    }

    /// Whether the stream stopped inside a message.
    pub(super) fn is_inside_message(&self) -> bool {
        self.buffer.len() > self.used
    }

    #[cfg(test)]
    fn capacity(&self) -> usize {
        self.buffer.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(decoder: &mut Decoder) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while decoder.has_message().unwrap() {
            messages.push(decoder.take_message().unwrap().to_vec());
        }
        messages
    }

    #[test]
    fn a_long_message_is_refused_when_it_is_too_long_and_not_before() {
        let mut decoder = Decoder::default();
        decoder.push(&vec![b'x'; MAX_MESSAGE]);
        assert_eq!((decoder.has_message(), decoder.take_message()), (Ok(false), None));
        decoder.push(&[END]);
        assert_eq!(decoder.has_message(), Ok(true));
        assert_eq!(decoder.take_message().unwrap().len(), MAX_MESSAGE);
        decoder.push(&vec![b'x'; MAX_MESSAGE + 1]);
        assert_eq!(decoder.has_message(), Err(TooLong));
        assert_eq!(decoder.take_message(), None);
    }

    #[test]
    fn one_large_message_does_not_keep_its_memory() {
        let mut decoder = Decoder::default();
        decoder.push(&vec![b'x'; MAX_MESSAGE]);
        decoder.push(&[END]);
        assert_eq!(all(&mut decoder).len(), 1);
        decoder.push(b"{}\x03");
        assert_eq!(all(&mut decoder), [b"{}"]);
        assert!(decoder.capacity() <= USUAL, "{}", decoder.capacity());
    }

    proptest! {
        #[test]
        fn cuts_as_splitting_the_whole_does(
            bytes in proptest::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(END)], 0..300),
            cuts in proptest::collection::vec(1_usize..40, 1..20),
        ) {
            let mut whole: Vec<Vec<u8>> = bytes.split(|byte| *byte == END).map(<[u8]>::to_vec).collect();
            let tail = whole.pop().unwrap();
            let mut decoder = Decoder::default();
            let mut messages = Vec::new();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                decoder.push(now);
                messages.extend(all(&mut decoder));
                rest = later;
            }
            prop_assert_eq!(messages, whole);
            prop_assert_eq!(decoder.is_inside_message(), !tail.is_empty());
        }
    }
}
