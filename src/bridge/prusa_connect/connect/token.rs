//! The printer's token.

use std::fmt;

/// What Connect knows a registered printer by, or a camera. It gets into no text by accident: its `Debug` is a mask, and
/// it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Box<str>);

/// Shortest token that is hidden, in bytes.
const SHORTEST_HIDDEN: usize = 8;
/// What stands in its place.
const HIDDEN: &str = "***";
/// Longest token that is taken, in bytes. Those seen have 20.
const LONGEST: usize = 512;

impl Token {
    /// The token of that text; none if it cannot be one, since it would break a header.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound =
            !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self(text.into()))
    }

    /// The token itself, for the header of a request and for the file that keeps it, and for nothing else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// A text of somebody else's without the token in it: nothing of the text where the token stands in it with some of
    /// its signs encoded. One that is as short as a word protects nothing, and would take words out of the text.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        if self.0.len() < SHORTEST_HIDDEN {
            return text.to_owned();
        }
        let text = text.replace(&*self.0, HIDDEN);
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let pieces = self.0.as_bytes().windows(SHORTEST_HIDDEN).filter(|piece| piece.iter().all(is_plain));
        let stands_there = |piece: &[u8]| text.as_bytes().windows(SHORTEST_HIDDEN).any(|part| part == piece);
        if pieces.into_iter().any(stands_there) { HIDDEN.to_owned() } else { text }
    }

    /// Its first five characters at most, and never more than a quarter of it: enough for its owner to know it.
    pub(crate) fn hint(&self) -> String {
        let shown = self.0.get(..(self.0.len() / 4).min(5)).unwrap_or_default();
        format!("{shown}…")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_into_a_header_is_a_token() {
        let long = "x".repeat(LONGEST + 1);
        for text in ["", " ", "a b", "a\r\nHost: b", "žluť", long.as_str()] {
            assert!(Token::new(text).is_none(), "{text}");
        }
        let token = Token::new(" Ta3kPq9LmZx81BvCwYt5\n").unwrap();
        assert_eq!((token.reveal(), token.hint().as_str()), ("Ta3kPq9LmZx81BvCwYt5", "Ta3kP…"));
        assert_eq!(token.hide_in("a Ta3kPq9LmZx81BvCwYt5 b"), "a *** b");
        assert_eq!(token.hide_in("cut off: Ta3kPq9LmZ"), "***");
        let odd = Token::new(r#"sk+/="LeakMark01"#).unwrap();
        for encoded in [r#"{"said":"sk+/=\"LeakMark01"}"#, "sk%2B%2F%3D%22LeakMark01"] {
            assert_eq!(odd.hide_in(encoded), "***");
        }
        assert_eq!(odd.hide_in("no such printer"), "no such printer");
        assert_eq!(Token::new("abc").unwrap().hint(), "…");
        assert_eq!(format!("{token:?}"), "Token(***)");
    }
}
