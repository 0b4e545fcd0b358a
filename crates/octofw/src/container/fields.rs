//! Reading the fields of a header one after the other, each with its absolute offset for the error message.

use std::borrow::Cow;

use super::{Fault, FormatError, Layer};

/// Walks over the bytes of one header.
pub(crate) struct FieldReader<'a> {
    layer: Layer,
    offset: u64,
    rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
    /// `start` is the absolute offset of the first byte, for messages.
    pub(crate) fn new(layer: Layer, start: u64, bytes: &'a [u8]) -> Self {
        Self { layer, offset: start, rest: bytes }
    }

    /// Absolute offset of the next field.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `N` bytes.
    pub(crate) fn bytes<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], FormatError> {
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
                self.offset = self.offset.saturating_add(N as u64);
                Ok(*bytes)
            }
            None => Err(self.error(
                Fault::Truncated,
                field,
                self.offset,
                format!("{} bytes", self.rest.len()),
                format!("{N} bytes"),
            )),
        }
    }

    pub(crate) fn u16_be(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.bytes(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32_be(&mut self, field: &'static str) -> Result<u32, FormatError> {
        self.bytes(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64_be(&mut self, field: &'static str) -> Result<u64, FormatError> {
        self.bytes(field).map(u64::from_be_bytes)
    }

    pub(crate) fn u16_le(&mut self, field: &'static str) -> Result<u16, FormatError> {
        self.bytes(field).map(u16::from_le_bytes)
    }

    pub(crate) fn u32_le(&mut self, field: &'static str) -> Result<u32, FormatError> {
        self.bytes(field).map(u32::from_le_bytes)
    }

    pub(crate) fn u64_le(&mut self, field: &'static str) -> Result<u64, FormatError> {
        self.bytes(field).map(u64::from_le_bytes)
    }

    /// An error of this layer at an absolute offset.
    pub(crate) fn error(
        &self,
        fault: Fault,
        field: impl Into<Cow<'static, str>>,
        offset: u64,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> FormatError {
        FormatError {
            layer: self.layer,
            fault,
            field: field.into(),
            offset,
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// Text for a message out of untrusted bytes: printable, and short.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 64;
    let text = bytes.iter().take(MOST).copied().collect::<Vec<u8>>();
    let more = if bytes.len() > MOST { "…" } else { "" };
    format!("\"{}{more}\"", text.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_order_and_the_end_is_an_error() {
        let mut reader = FieldReader::new(Layer::Rkfw, 100, &[1, 2, 0, 3, 0, 0]);
        assert_eq!(reader.bytes::<1>("a").unwrap(), [1]);
        assert_eq!(reader.u16_le("b").unwrap(), 2);
        assert_eq!(reader.offset(), 103);
        let error = reader.u32_le("c").unwrap_err();
        assert_eq!((error.fault, error.offset), (Fault::Truncated, 103));
        assert_eq!(error.found, "3 bytes");
    }

    #[test]
    fn untrusted_text_is_escaped_and_short() {
        assert_eq!(shown(b"a\x1b[0m"), "\"a\\x1b[0m\"");
        assert!(shown(&[b'x'; 4096]).len() < 80);
    }
}
