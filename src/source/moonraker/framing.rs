//! Messages on Moonraker's Unix socket: each ends with the byte 0x03.

use super::MAX_MESSAGE;

/// The byte behind each message.
pub(super) const END: u8 = 0x03;

/// A buffer that a single large message blew up goes back to this size.
const USUAL: usize = 16 * 1024;

/// Longest message that is passed over; who sends a longer one is not Moonraker. A WebSocket brings it whole into memory.
pub(super) const MOST_PASSED_OVER: usize = 4 * MAX_MESSAGE;

/// So much of the end of a message tells which request it answers.
const TAIL: usize = 64;

/// Cuts a stream of bytes into messages. One that is longer than [`MAX_MESSAGE`] is passed over; if it answers a
/// request, a refusal of that request takes its place.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes at the front that are dealt with.
    used: usize,
    /// Bytes at the front that are known to hold no end.
    searched: usize,
    /// Bytes of a message that is too long, of which only the end is kept.
    passed_over: usize,
}

/// A message grew beyond what is passed over.
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
    /// If what is there is longer than can be passed over.
    pub fn has_message(&mut self) -> Result<bool, TooLong> {
        loop {
            if self.searched > self.used && self.buffer.get(self.searched - 1) == Some(&END) {
                return Ok(true);
            }
            let from = self.searched.max(self.used);
            let rest = self.buffer.get(from..).unwrap_or_default();
            let found = rest.iter().position(|byte| *byte == END);
            self.searched = found.map_or(self.buffer.len(), |found| from + found + 1);
            let length = self.searched - self.used - usize::from(found.is_some());
            if self.passed_over == 0 && length <= MAX_MESSAGE {
                return Ok(found.is_some());
            }
            self.pass_over(length, found.is_some());
            if self.passed_over > MOST_PASSED_OVER {
                return Err(TooLong);
            }
            if found.is_none() {
                return Ok(false);
            }
            self.passed_over = 0;
        }
    }

    /// Passes over what is there of a message, its end included if it `ends`.
    fn pass_over(&mut self, length: usize, ends: bool) {
        let end = self.used + length;
        let tail = self.used.max(end.saturating_sub(TAIL));
        if ends {
            let mut refusal = refusal(self.buffer.get(tail..end).unwrap_or_default()).unwrap_or_default();
            if !refusal.is_empty() {
                refusal.push(END);
            }
            self.used = tail;
            self.searched = tail;
            self.buffer.splice(tail..=end, refusal);
        } else {
            self.passed_over += tail - self.used;
            // More than nothing, since it has begun.
            self.passed_over = self.passed_over.max(1);
            self.used = tail;
        }
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

/// What takes the place of an answer that is too long, of which this is the end; none if it is no answer. Moonraker
/// writes the request's number last.
pub(super) fn refusal(end: &[u8]) -> Option<Vec<u8>> {
    let end = std::str::from_utf8(end.get(end.len().saturating_sub(TAIL / 2)..)?).ok()?;
    let (rest, id) = end.trim_end().strip_suffix('}')?.trim_end().rsplit_once(':')?;
    let id: u64 = id.trim().parse().ok()?;
    rest.trim_end().ends_with("\"id\"").then(|| {
        let most = MAX_MESSAGE / 1024;
        let text = format!(
            r#"{{"jsonrpc":"2.0","error":{{"code":-32000,"message":"the answer is longer than {most} KiB: ask for less at once"}},"id":{id}}}"#
        );
        text.into_bytes()
    })
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

    /// An answer of so many bytes.
    fn answer(length: usize, id: u64) -> Vec<u8> {
        let end = format!("\"}}], \"id\": {id}}}");
        let mut answer = br#"{"jsonrpc": "2.0", "result": [{"path": ""#.to_vec();
        answer.resize(length - end.len(), b'x');
        answer.extend(end.as_bytes());
        answer
    }

    #[test]
    fn a_long_answer_becomes_a_refusal_and_what_is_around_it_comes_through() {
        for length in [MAX_MESSAGE, MAX_MESSAGE + 1, 3 * MAX_MESSAGE] {
            for piece in [1000, 65_536, usize::MAX] {
                let mut decoder = Decoder::default();
                let stream = [b"{1}\x03", &answer(length, 42)[..], b"\x03{2}\x03"].concat();
                let (mut messages, mut most) = (Vec::new(), 0);
                for part in stream.chunks(piece.min(stream.len())) {
                    decoder.push(part);
                    messages.extend(all(&mut decoder));
                    most = most.max(decoder.capacity());
                }
                let [first, middle, last] = &messages[..] else { panic!("{}", messages.len()) };
                assert_eq!((&first[..], &last[..]), (&b"{1}"[..], &b"{2}"[..]));
                if length <= MAX_MESSAGE {
                    assert_eq!(middle.len(), length);
                } else {
                    let refusal: serde_json::Value = serde_json::from_slice(middle).unwrap();
                    assert_eq!(refusal["id"], 42);
                    assert!(refusal["error"]["message"].as_str().unwrap().contains("1024 KiB"));
                }
                if piece < MAX_MESSAGE {
                    assert!(most <= 3 * MAX_MESSAGE, "{most}");
                }
            }
        }
    }

    #[test]
    fn a_long_message_that_answers_nothing_is_passed_over() {
        for end in ["}", "\"id\": 7", "\\\"id\\\": 7}", "\"id\": -1}", "\"id\": \"a\"}", "\u{fc}"] {
            let mut decoder = Decoder::default();
            decoder.push(&vec![b'x'; MAX_MESSAGE + 9]);
            assert_eq!(decoder.has_message(), Ok(false));
            decoder.push(end.as_bytes());
            decoder.push(b"\x03{}\x03");
            assert_eq!(all(&mut decoder), [b"{}"], "{end}");
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut decoder = Decoder::default();
        let piece = vec![b'x'; 1 << 20];
        let given_up = (0..=65).position(|_| {
            decoder.push(&piece);
            decoder.has_message() == Err(TooLong)
        });
        assert_eq!(given_up, Some(4), "in MiB");
        assert!(decoder.capacity() <= 4 * MAX_MESSAGE, "{}", decoder.capacity());
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
