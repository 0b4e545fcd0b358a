//! Pictures: base64 in a JSON string, in the forms that servers give it.

use super::MAX_MESSAGE;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::ops::Range;

/// Smallest picture, in bytes.
const LEAST: usize = 100;
/// Largest picture, in bytes.
const MOST: usize = 10 * 1024 * 1024;
/// Letters that are decoded at a time.
const PIECE: usize = 1024;
/// Longest media type before the base64, in bytes.
const MOST_TYPE: usize = 64;

/// Why a text is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadPicture {
    #[error("a picture that is not base64")]
    NotBase64,
    #[error("a picture that is no JPEG")]
    NotJpeg,
    #[error("a picture that is cut off")]
    CutOff,
    #[error("a picture of more than {} MB", MOST / 1024 / 1024)]
    TooLarge,
}

/// Decodes a picture out of a JSON string that stands as it is in `message`, with its quotation marks at both ends of
/// `place`. The picture takes the message's place in memory, since pictures are the greatest things that the program
/// handles: what is decoded is shorter than what it was made of.
pub(super) fn decode(mut message: Vec<u8>, place: Range<usize>) -> Result<Vec<u8>, BadPicture> {
    const _: () = assert!(MAX_MESSAGE / 4 * 3 <= MOST, "no message holds more than the largest picture");
    let string = message.get(place.clone()).unwrap_or_default();
    let inside = string.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let inside = inside.ok_or(BadPicture::NotBase64)?;
    let coded = without_prefix(inside).len();
    if coded / 4 * 3 > MOST {
        return Err(BadPicture::TooLarge);
    }
    // Before the quotation mark at the end.
    let end = place.end - 1;
    let length = decode_in_place(&mut message, end - coded..end).ok_or(BadPicture::NotBase64)?;
    message.truncate(length);
    if !message.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Err(BadPicture::NotJpeg);
    }
    if message.len() < LEAST || !message.ends_with(&[0xFF, 0xD9]) {
        return Err(BadPicture::CutOff);
    }
    message.shrink_to_fit();
    Ok(message)
}

/// Leaves out `data:image/jpeg;base64,`, in which JSON may write the slash with a backslash.
fn without_prefix(text: &[u8]) -> &[u8] {
    const END: &[u8] = b";base64,";
    let text = text.trim_ascii_start();
    let Some(rest) = text.strip_prefix(b"data:") else { return text };
    let end = rest.windows(END.len()).take(MOST_TYPE).position(|window| window == END);
    end.and_then(|at| rest.get(at + END.len()..)).unwrap_or(text)
}

/// Decodes what stands at `coded` to the beginning of the same bytes; gives the length of what was decoded.
fn decode_in_place(bytes: &mut [u8], coded: Range<usize>) -> Option<usize> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&STANDARD, config);
    let mut letters = Letters(coded);
    let mut decoded = 0;
    let mut padded = false;
    let mut room = [0; PIECE / 4 * 3];
    loop {
        // Nearly every piece is nothing but letters. One that is not must be read letter by letter.
        let plain = letters.0.start..letters.0.start + PIECE;
        if !padded
            && plain.end <= letters.0.end
            && engine.decode_slice(bytes.get(plain.clone())?, &mut room) == Ok(room.len())
        {
            bytes.get_mut(decoded..decoded + room.len())?.copy_from_slice(&room);
            decoded += room.len();
            letters.0.start = plain.end;
            continue;
        }
        let mut piece = [0; PIECE];
        let mut length = 0;
        for place in &mut piece {
            let Some(letter) = letters.next(bytes) else { break };
            // Padding is only at the end.
            if padded && letter != b'=' {
                return None;
            }
            padded |= letter == b'=';
            *place = letter;
            length += 1;
        }
        if length == 0 {
            return Some(decoded);
        }
        let count = engine.decode_slice(piece.get(..length)?, &mut room).ok()?;
        // Never beyond the letters that were read.
        bytes.get_mut(decoded..decoded + count)?.copy_from_slice(room.get(..count)?);
        decoded += count;
    }
}

/// The letters of a JSON string without white space: where those are that were not read yet. What is no letter of
/// base64 stays for the decoder to refuse.
struct Letters(Range<usize>);

impl Letters {
    fn next(&mut self, bytes: &[u8]) -> Option<u8> {
        loop {
            let letter = match self.byte(bytes)? {
                b'\\' => self.escaped(bytes),
                byte => byte,
            };
            if !matches!(letter, b' ' | b'\t' | b'\r' | b'\n' | 0x0C) {
                return Some(letter);
            }
        }
    }

    fn byte(&mut self, bytes: &[u8]) -> Option<u8> {
        bytes.get(self.0.next()?).copied()
    }

    /// The letter that an escape stands for; a zero for one beyond ASCII. The JSON was checked before.
    fn escaped(&mut self, bytes: &[u8]) -> u8 {
        match self.byte(bytes) {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'f') => 0x0C,
            Some(b'u') => {
                let mut code = 0_u32;
                for _ in 0..4 {
                    let digit = self.byte(bytes).and_then(|byte| char::from(byte).to_digit(16));
                    code = code << 4 | digit.unwrap_or_default();
                }
                u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or_default()
            }
            Some(byte) => byte,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn jpeg(length: usize) -> Vec<u8> {
        let middle = (0..length.saturating_sub(6)).map(|n| n.to_le_bytes()[0].wrapping_mul(37));
        [0xFF, 0xD8, 0xFF, 0xE0].into_iter().chain(middle).chain([0xFF, 0xD9]).collect()
    }

    /// Decodes a string that stands in a message.
    fn decode(string: &str) -> Result<Vec<u8>, BadPicture> {
        let message = [b"{\"image\":", string.as_bytes(), b",\"end\":\"\\\"}"].concat();
        super::decode(message, 9..9 + string.len())
    }

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    #[test]
    fn every_form_of_base64_is_taken() {
        for length in [100, 101, 102, 767, 768, 769, 5000] {
            let picture = jpeg(length);
            let coded = STANDARD.encode(&picture);
            let bare = coded.trim_end_matches('=');
            let lines: Vec<&str> =
                coded.as_bytes().chunks(76).map(|l| std::str::from_utf8(l).unwrap()).collect();
            let unicode: String = bare.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
            for form in [
                quoted(&coded),
                quoted(bare),
                quoted(&lines.join("\r\n")),
                quoted(&format!(" {}\t\n", lines.join(" "))),
                quoted(&format!("data:image/jpeg;base64,{coded}")),
                format!("\"data:image\\/jpeg;base64,{}\"", coded.replace('/', "\\/")),
                format!("\"{unicode}\""),
            ] {
                assert_eq!(decode(&form).as_ref(), Ok(&picture), "{length} {:.40}", form);
            }
        }
    }

    #[test]
    fn what_is_no_whole_picture_is_refused() {
        let coded = |bytes: &[u8]| quoted(&STANDARD.encode(bytes));
        let good = jpeg(200);
        let mut padded_early = STANDARD.encode(&good[..100]);
        padded_early.push_str(&STANDARD.encode(&good[100..]));
        // The same where a piece that is decoded at a time ends.
        let large = jpeg(2000);
        let between =
            STANDARD.encode(&large[..PIECE / 4 * 3 - 1]) + &STANDARD.encode(&large[PIECE / 4 * 3 - 1..]);
        for (string, expected) in [
            ("null".to_owned(), BadPicture::NotBase64),
            ("7".to_owned(), BadPicture::NotBase64),
            ("\"!!!!\"".to_owned(), BadPicture::NotBase64),
            ("\"a\"".to_owned(), BadPicture::NotBase64),
            (quoted(&padded_early), BadPicture::NotBase64),
            (quoted(&between), BadPicture::NotBase64),
            ("\"data:image/jpeg,AAAA\"".to_owned(), BadPicture::NotBase64),
            ("\"\"".to_owned(), BadPicture::NotJpeg),
            ("\"abc\"".to_owned(), BadPicture::NotJpeg),
            (coded(b"not a jpeg"), BadPicture::NotJpeg),
            (coded(&[0x89, b'P', b'N', b'G']), BadPicture::NotJpeg),
            (coded(&jpeg(99)), BadPicture::CutOff),
            (coded(&good[..199]), BadPicture::CutOff),
        ] {
            assert_eq!(decode(&string), Err(expected), "{string:.60}");
        }
    }

    #[test]
    fn the_largest_that_a_message_can_hold_is_taken() {
        let picture = jpeg(MAX_MESSAGE / 4 * 3 - 300);
        assert_eq!(decode(&quoted(&STANDARD.encode(&picture))).map(|found| found.len()), Ok(picture.len()));
    }

    #[test]
    fn the_picture_takes_the_place_of_its_message() {
        let picture = jpeg(100_000);
        // Without anything before it the first letters are read where the first bytes are written.
        for before in ["", "{"] {
            let message = format!("{before}{}", quoted(&STANDARD.encode(&picture))).into_bytes();
            let (place, end) = (message.as_ptr(), message.len());
            let found = super::decode(message, before.len()..end).unwrap();
            assert_eq!(found, picture);
            // The allocator may move what shrinks, but has no reason to.
            assert_eq!((found.as_ptr(), found.capacity()), (place, picture.len()));
        }
    }

    #[test]
    fn a_place_that_is_none_is_refused() {
        for place in [0..0, 0..1, 5..9, 9..9, 7..200] {
            assert_eq!(super::decode(b"\"/9j/\"".to_vec(), place), Err(BadPicture::NotBase64));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in ".{0,300}", like in "\"(data:|;base64,|[A-Za-z0-9+/=]{1,9}|\\\\[nu/0])*\"?") {
            let _ = decode(&text);
            let _ = decode(&like);
        }

        #[test]
        fn every_picture_comes_through(middle in proptest::collection::vec(any::<u8>(), 95..3000), pad in any::<bool>()) {
            let picture: Vec<u8> = [0xFF, 0xD8, 0xFF].into_iter().chain(middle).chain([0xFF, 0xD9]).collect();
            let coded = STANDARD.encode(&picture);
            let coded = if pad { coded.as_str() } else { coded.trim_end_matches('=') };
            prop_assert_eq!(decode(&quoted(coded)), Ok(picture));
        }
    }
}
