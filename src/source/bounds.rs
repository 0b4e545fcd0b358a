//! Where one frame of a WebSocket ends and the next begins (RFC 6455, section 5.2), told from the bytes that a server
//! sends, so that nothing is read beyond the end of a frame.

/// Longest header of a frame, in bytes: two, eight of length, four of mask.
const MOST_HEADER: usize = 14;

/// Follows what comes from the server, from the first byte of its answer to the upgrade.
#[derive(Debug)]
pub(super) enum Bounds {
    /// Within the answer to the upgrade. `begun` after its first letter, `blank` at the beginning of a line.
    Answer { begun: bool, blank: bool },
    /// Within the header of a frame, of which that much came.
    Header { bytes: [u8; MOST_HEADER], come: usize },
    /// Within what a frame carries: so many bytes are still to come.
    Content(u64),
}

impl Bounds {
    const BETWEEN: Self = Self::Header { bytes: [0; MOST_HEADER], come: 0 };

    /// Nothing came yet.
    pub(super) fn new() -> Self {
        Self::Answer { begun: false, blank: true }
    }

    /// Whether a frame, or the answer to the upgrade, has just ended.
    pub(super) fn are_between(&self) -> bool {
        matches!(self, Self::Header { come: 0, .. })
    }

    /// How much may be read without reading beyond the end of a frame; at least 1. Only the answer to the upgrade has
    /// an end that is not known before it came.
    pub(super) fn most(&self) -> usize {
        match self {
            Self::Answer { .. } => usize::MAX,
            Self::Header { bytes, come } => header_length(bytes, *come).saturating_sub(*come).max(1),
            Self::Content(left) => usize::try_from(*left).unwrap_or(usize::MAX),
        }
    }

    /// Takes notice of what was read.
    pub(super) fn take(&mut self, mut read: &[u8]) {
        while let Some((byte, behind)) = read.split_first() {
            match self {
                Self::Answer { begun, blank } => {
                    match byte {
                        b'\n' if *begun && *blank => *self = Self::BETWEEN,
                        b'\n' => *blank = true,
                        b'\r' => {}
                        _ => (*begun, *blank) = (true, false),
                    }
                    read = behind;
                }
                Self::Header { bytes, come } => {
                    if let Some(place) = bytes.get_mut(*come) {
                        *place = *byte;
                    }
                    *come += 1;
                    if *come == header_length(bytes, *come) {
                        *self = match content_length(bytes) {
                            0 => Self::BETWEEN,
                            length => Self::Content(length),
                        };
                    }
                    read = behind;
                }
                Self::Content(left) => {
                    let of_it = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                    *left -= of_it as u64;
                    if *left == 0 {
                        *self = Self::BETWEEN;
                    }
                    read = read.get(of_it..).unwrap_or_default();
                }
            }
        }
    }
}

/// Length of a header, as far as is told by the bytes of it that came.
fn header_length(bytes: &[u8; MOST_HEADER], come: usize) -> usize {
    let [_, second, ..] = bytes;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    match second & 0x7F {
        _ if come < 2 => 2,
        126 => 4 + mask,
        127 => 10 + mask,
        _ => 2 + mask,
    }
}

fn content_length(bytes: &[u8; MOST_HEADER]) -> u64 {
    let [_, second, a, b, c, d, e, f, g, h, ..] = *bytes;
    match second & 0x7F {
        126 => u64::from(u16::from_be_bytes([a, b])),
        127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        short => u64::from(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

    /// A frame with a header of the shortest form that holds the length, or a longer one.
    fn frame(length: usize, form: u8, masked: bool) -> Vec<u8> {
        let mask = u8::from(masked) << 7;
        let mut frame = vec![0x81];
        match (length, form) {
            (0..126, 0) => frame.push(mask | u8::try_from(length).unwrap()),
            (0..0x1_0000, 0 | 1) => {
                frame.push(mask | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(if masked { vec![0xFF; 4] } else { vec![] });
        frame.resize(frame.len() + length, 0xFF);
        frame
    }

    #[test]
    fn frames_are_read_one_by_one() {
        let mut bounds = Bounds::new();
        bounds.take(ANSWER);
        assert!(bounds.are_between());
        for length in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000, 3_000_000] {
            for (form, masked) in [(0, false), (1, false), (2, false), (0, true), (1, true), (2, true)] {
                let (frame, mut read) = (frame(length, form, masked), 0);
                let mut reads = 0;
                while read < frame.len() {
                    // A reader with a buffer.
                    let next = bounds.most().min(16 * 1024);
                    bounds.take(&frame[read..read + next]);
                    read += next;
                    reads += 1;
                    assert_eq!(bounds.are_between(), read == frame.len(), "{length} at {read}");
                }
                assert!(reads <= 3 + length / (16 * 1024), "{length}: {reads}");
            }
        }
    }

    #[test]
    fn the_answer_ends_with_its_blank_line() {
        for (answer, ends) in [
            (ANSWER, true),
            (b"HTTP/1.1 101 X\nA: b\n\n", true),
            (b"\r\n\r\nHTTP/1.1 101 X\r\n\r\n", true),
            (b"HTTP/1.1 101 X\r\nA: b\r\n", false),
            (b"\r\n\r\n", false),
        ] {
            let mut bounds = Bounds::new();
            for byte in answer {
                assert!(!bounds.are_between());
                bounds.take(&[*byte]);
            }
            assert_eq!(bounds.are_between(), ends, "{}", String::from_utf8_lossy(answer));
        }
    }

    proptest! {
        #[test]
        fn in_whatever_pieces_it_comes(
            lengths in prop::collection::vec((0_usize..300, 0_u8..3, any::<bool>()), 1..8),
            pieces in prop::collection::vec(1_usize..40, 1..20),
        ) {
            let frames = lengths.into_iter().flat_map(|(length, form, masked)| frame(length, form, masked));
            let bytes: Vec<u8> = ANSWER.iter().copied().chain(frames).collect();
            let mut bounds = Bounds::new();
            let (mut rest, mut pieces) = (bytes.as_slice(), pieces.iter().cycle());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
                bounds.take(piece);
                rest = behind;
            }
            prop_assert!(bounds.are_between());
        }

        #[test]
        fn any_bytes_are_followed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bounds = Bounds::new();
            bounds.take(ANSWER);
            for byte in bytes {
                prop_assert!(bounds.most() > 0);
                bounds.take(&[byte]);
            }
        }
    }
}
