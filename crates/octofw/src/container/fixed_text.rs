//! Text in a field of fixed size, filled up with zero bytes. The bytes after the text are kept as they were, so
//! that a header that is read and written again is the same to the last bit.

use std::fmt;

/// A text field of `N` bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FixedText<const N: usize>([u8; N]);

impl<const N: usize> FixedText<N> {
    /// Takes stored bytes as they are.
    #[must_use]
    pub fn from_stored(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Makes a field of a text; `None` if it is longer than the field or holds a zero byte.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > N || text.bytes().any(|byte| byte == 0) {
            return None;
        }
        let mut field = [0; N];
        for (to, from) in field.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Some(Self(field))
    }

    /// The bytes before the first zero.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The text before the first zero; empty if it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    /// The whole field as stored.
    #[must_use]
    pub fn stored(&self) -> &[u8; N] {
        &self.0
    }

    /// Whether the text is not empty and every byte of it fulfils `allowed`.
    pub(crate) fn is_of(&self, allowed: impl Fn(u8) -> bool) -> bool {
        let bytes = self.bytes();
        !bytes.is_empty() && bytes.iter().all(|byte| allowed(*byte))
    }
}

impl<const N: usize> fmt::Debug for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

impl<const N: usize> fmt::Display for FixedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_may_fill_the_field_but_not_exceed_it() {
        assert_eq!(FixedText::<4>::new("abcd").unwrap().text(), "abcd");
        assert_eq!(FixedText::<4>::new("ab").unwrap().stored(), b"ab\0\0");
        assert!(FixedText::<4>::new("abcde").is_none());
        assert!(FixedText::<4>::new("a\0b").is_none());
    }

    #[test]
    fn bytes_after_the_text_are_kept() {
        let field = FixedText::from_stored(*b"ab\0x");
        assert_eq!(field.text(), "ab");
        assert_eq!(field.stored(), b"ab\0x");
    }
}
