//! Finds one whole picture in an answer while it comes in. What the answer says of itself is not trusted: only its
//! bytes tell whether it is a picture, a stream of pictures, or a page.

use super::error::Fault;
use super::jpeg::{JpegError, Size, Walk};
use super::orientation::LENGTH as ROOM;

/// Most that may come before the first picture of a stream, in bytes.
const MOST_HEAD: usize = 8 * 1024;
/// By how much the room for a picture grows, in bytes. Doubling would need twice the picture at times.
const STEP: usize = 256 * 1024;

/// An answer that is coming in.
pub(super) struct Body {
    bytes: Vec<u8>,
    most: usize,
    /// Whether what came before the picture is removed.
    begun: bool,
    walk: Walk,
}

impl Body {
    /// Nothing yet, of at most `most` bytes. `told` is the length that the answer claims.
    pub(super) fn new(most: usize, told: Option<u64>) -> Self {
        let told = told.and_then(|told| usize::try_from(told).ok()).map_or(0, |told| told.min(most));
        Self { bytes: Vec::with_capacity(told + ROOM), most, begun: false, walk: Walk::default() }
    }

    /// Takes what came next; gives the picture once it is whole.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<Option<(Vec<u8>, Size)>, Fault> {
        if self.bytes.capacity() - self.bytes.len() < piece.len() {
            self.bytes.reserve_exact(piece.len() + STEP);
        }
        self.bytes.extend_from_slice(piece);
        if !self.begun {
            let Some(start) = start(&self.bytes)? else { return Ok(None) };
            self.bytes.drain(..start);
            self.begun = true;
        }
        if let Some((end, size)) = self.walk.go(&self.bytes)?
            && end <= self.most
        {
            let mut jpeg = std::mem::take(&mut self.bytes);
            jpeg.truncate(end);
            return Ok(Some((jpeg, size)));
        }
        if self.bytes.len() > self.most {
            return Err(JpegError::TooLarge { most: self.most }.into());
        }
        Ok(None)
    }

    /// What is wrong when the answer ends here, without a whole picture.
    pub(super) fn ended(&self) -> Fault {
        let blank = self.bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace());
        match (self.begun, blank) {
            (true, _) => JpegError::CutOff.into(),
            (false, true) => JpegError::Empty.into(),
            (false, false) => JpegError::NotAPicture.into(),
        }
    }
}

/// Where the picture begins: at once, or after the head of a stream's part. None while that is not known.
fn start(bytes: &[u8]) -> Result<Option<usize>, Fault> {
    match bytes.iter().position(|byte| !byte.is_ascii_whitespace()).and_then(|first| bytes.get(first)) {
        _ if bytes.first() == Some(&0xFF) => return Ok(Some(0)),
        Some(b'<') => return Err(Fault::Page),
        _ => {}
    }
    let begins = |window: &[u8]| window.ends_with(b"\n\xFF\xD8\xFF");
    let blank_line = |window: &[u8]| window.starts_with(b"\n\n") || window.starts_with(b"\r\n\r\n");
    for (length, offset) in [(5, 2), (7, 4)] {
        let head = bytes.get(..MOST_HEAD).unwrap_or(bytes);
        if let Some(at) = head.windows(length).position(|window| begins(window) && blank_line(window)) {
            return Ok(Some(at + offset));
        }
    }
    if bytes.len() >= MOST_HEAD { Err(JpegError::NotAPicture.into()) } else { Ok(None) }
}
