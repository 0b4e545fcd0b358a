//! A token: of the printer, or of a camera.

use std::fmt;

/// Longest token, in bytes. Those seen have 20 (Prusa's firmware stores no more); another server may have others.
const MOST: usize = 256;

/// A token. It is never printed: its `Debug` is a mask, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(Box<str>);

impl Token {
    /// The token of this text; none where the text can be none, or not be sent in a header.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound = !text.is_empty() && text.len() <= MOST && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self(text.into()))
    }

    /// The token itself, for the header of a request and the file that keeps it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
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
    use proptest::prelude::*;

    #[test]
    fn tokens() {
        for wrong in ["", " ", "a b", "a\nb", "\u{e9}", &"x".repeat(MOST + 1)] {
            assert_eq!(Token::parse(wrong), None, "{wrong:?}");
        }
        for right in ["Ta3kPq9LmZx81BvCwYt5", "tok", " b7Qe0RstUvWx2Yz4KlMn\n"] {
            assert_eq!(Token::parse(right).unwrap().reveal(), right.trim());
        }
    }

    proptest! {
        #[test]
        fn none_is_ever_shown(text in "[!-~]{4,30}") {
            let token = Token::parse(&text).unwrap();
            prop_assert_eq!(format!("{token:?}"), "Token(***)");
        }
    }
}
