//! Follows the frames of a WebSocket in a stream of bytes, without keeping any of it. RFC 6455, section 5.

use thiserror::Error;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    /// From the browser: every frame is masked.
    Service,
    /// From the service: no frame is masked.
    Client,
}

/// Why a stream of bytes is no sequence of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Broken {
    /// RFC 6455, section 5.1.
    #[error("a frame is masked that must not be, or is not masked that must be")]
    Mask,
    /// RFC 6455, section 5.5.
    #[error("a control frame is in pieces or longer than 125 bytes")]
    Control,
    /// RFC 6455, section 5.2.
    #[error("a frame claims to be longer than there can be")]
    Length,
}

/// What went by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// How many bytes belong to frames up to and with a close frame; all of them where there was none.
    pub used: usize,
    /// A close frame ended.
    pub closed: bool,
    /// There was something that is not a ping, a pong or a close.
    pub data: bool,
}

const CLOSE: u8 = 0x8;
/// The longest header: two bytes, eight of length, four of mask.
const LONGEST: usize = 14;

/// The place in the frames.
#[derive(Debug, Clone)]
pub struct Walk {
    toward: Toward,
    header: [u8; LONGEST],
    have: usize,
    left: u64,
    opcode: u8,
}

impl Walk {
    /// From the first frame on.
    #[must_use]
    pub const fn new(toward: Toward) -> Self {
        Self { toward, header: [0; LONGEST], have: 0, left: 0, opcode: 0 }
    }

    /// Whether a frame of another origin could be put in here.
    #[must_use]
    pub const fn between_frames(&self) -> bool {
        self.have == 0 && self.left == 0
    }

    /// Follows the next bytes.
    ///
    /// # Errors
    /// [`Broken`]; nothing that follows makes sense then.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Seen, Broken> {
        let mut seen = Seen::default();
        let mut rest = bytes;
        loop {
            if self.left > 0 {
                let passed = rest.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                seen.data |= passed > 0 && self.opcode < CLOSE;
                self.left -= passed as u64;
                seen.used += passed;
                rest = rest.get(passed..).unwrap_or_default();
                if self.left > 0 {
                    return Ok(seen);
                }
                if self.opcode == CLOSE {
                    seen.closed = true;
                    return Ok(seen);
                }
            }
            let Some((byte, after)) = rest.split_first() else { return Ok(seen) };
            rest = after;
            seen.used += 1;
            if let Some(place) = self.header.get_mut(self.have) {
                *place = *byte;
            }
            self.have += 1;
            if let Some(left) = self.length()? {
                self.have = 0;
                self.left = left;
                seen.data |= self.opcode < CLOSE;
                if left == 0 && self.opcode == CLOSE {
                    seen.closed = true;
                    return Ok(seen);
                }
            }
        }
    }

    /// The length of the frame's content, once its header is whole.
    fn length(&mut self) -> Result<Option<u64>, Broken> {
        let [first, second, long @ ..] = &self.header;
        if self.have < 2 {
            return Ok(None);
        }
        let masked = second & 0x80 != 0;
        if masked != (self.toward == Toward::Service) {
            return Err(Broken::Mask);
        }
        self.opcode = first & 0xf;
        let short = second & 0x7f;
        if self.opcode >= CLOSE && (short > 125 || first & 0x80 == 0) {
            return Err(Broken::Control);
        }
        let more = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.have < 2 + more + if masked { 4 } else { 0 } {
            return Ok(None);
        }
        if more == 0 {
            return Ok(Some(u64::from(short)));
        }
        let length = long.iter().take(more).fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
        if length > i64::MAX as u64 { Err(Broken::Length) } else { Ok(Some(length)) }
    }
}

/// A ping without content.
pub const PING: [u8; 2] = [0x89, 0];

/// A close frame. The reason is cut where it is too long; `mask` is for frames toward a service.
#[must_use]
pub fn close(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let reason = reason.get(..end).unwrap_or_default().as_bytes();
    let mut content = Vec::with_capacity(2 + reason.len());
    content.extend_from_slice(&code.to_be_bytes());
    content.extend_from_slice(reason);
    // At most 125, as cut above.
    let length = u8::try_from(content.len()).unwrap_or(125);
    let mut frame = vec![0x80 | CLOSE];
    match mask {
        None => frame.push(length),
        Some(mask) => {
            frame.push(0x80 | length);
            frame.extend_from_slice(&mask);
            for (byte, key) in content.iter_mut().zip(mask.iter().cycle()) {
                *byte ^= key;
            }
        }
    }
    frame.extend_from_slice(&content);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(opcode: u8, length: usize, masked: bool) -> Vec<u8> {
        let mut bytes = vec![0x80 | opcode];
        let mask = if masked { 0x80 } else { 0 };
        match length {
            0..=125 => bytes.push(mask | length as u8),
            126..=65535 => {
                bytes.push(mask | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        if masked {
            bytes.extend([1, 2, 3, 4]);
        }
        bytes.extend(vec![0xff; length]);
        bytes
    }

    #[test]
    fn what_is_no_frame_is_said_so() {
        for (toward, bytes, expected) in [
            (Toward::Service, &[0x81, 0x05][..], Broken::Mask),
            (Toward::Client, &[0x81, 0x85], Broken::Mask),
            (Toward::Client, &[0x89, 126], Broken::Control),
            (Toward::Client, &[0x08, 0], Broken::Control),
            (Toward::Client, &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], Broken::Length),
        ] {
            assert_eq!(Walk::new(toward).feed(bytes), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn only_data_counts_as_data() {
        for (opcode, length, data) in [
            (0, 1, true),
            (1, 0, true),
            (2, 5, true),
            (9, 0, false),
            (9, 100, false),
            (10, 0, false),
            (8, 2, false),
        ] {
            let seen = Walk::new(Toward::Client).feed(&frame(opcode, length, false)).unwrap();
            assert_eq!(seen.data, data, "{opcode} {length}");
        }
    }

    #[test]
    fn nothing_is_taken_behind_a_close() {
        let mut bytes = frame(1, 3, true);
        bytes.extend(frame(8, 2, true));
        let expected = bytes.len();
        bytes.extend(frame(1, 3, true));
        let seen = Walk::new(Toward::Service).feed(&bytes).unwrap();
        assert_eq!(seen, Seen { used: expected, closed: true, data: true });
        let seen = Walk::new(Toward::Client).feed(&frame(8, 0, false)).unwrap();
        assert!(seen.closed);
    }

    #[test]
    fn our_close_is_a_close() {
        let long = "ä".repeat(100);
        for (reason, mask) in
            [("", None), ("try again", Some([9, 8, 7, 6])), (long.as_str(), Some([1, 0, 0, 1]))]
        {
            let toward = if mask.is_some() { Toward::Service } else { Toward::Client };
            let bytes = close(1013, reason, mask);
            let seen = Walk::new(toward).feed(&bytes).unwrap();
            assert_eq!((seen.used, seen.closed), (bytes.len(), true), "{reason}");
        }
        assert_eq!(close(1001, "x", None), [0x88, 3, 0x03, 0xe9, b'x']);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            frames in proptest::collection::vec((prop_oneof![Just(0_u8), Just(1), Just(2), Just(9), Just(10)],
                prop_oneof![0_usize..200, 60_000_usize..70_000]), 0..6),
            cuts in proptest::collection::vec(1_usize..5000, 1..50),
            masked: bool,
        ) {
            let bytes: Vec<u8> = frames.iter()
                .flat_map(|(opcode, length)| frame(*opcode, if *opcode > 2 { length % 126 } else { *length }, masked))
                .collect();
            let mut walk = Walk::new(if masked { Toward::Service } else { Toward::Client });
            let mut rest = &bytes[..];
            let mut cuts = cuts.iter().cycle();
            let mut data = false;
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                let seen = walk.feed(piece).unwrap();
                prop_assert_eq!(seen.used, piece.len());
                prop_assert!(!seen.closed);
                data |= seen.data;
                rest = after;
            }
            prop_assert!(walk.between_frames());
            prop_assert_eq!(data, frames.iter().any(|(opcode, _)| *opcode < 8));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes: Vec<u8>, toward_client: bool) {
            let mut walk = Walk::new(if toward_client { Toward::Client } else { Toward::Service });
            if let Ok(seen) = walk.feed(&bytes) {
                prop_assert!(seen.used <= bytes.len());
                prop_assert!(seen.closed || seen.used == bytes.len());
            }
        }
    }
}
