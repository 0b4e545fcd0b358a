//! One picture.

use crate::clock::Moment;
use std::fmt;

/// A picture of the camera: a whole JPEG file, checked. Shared by all who asked for it, never copied.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The JPEG file.
    pub jpeg: Vec<u8>,
    /// When it came.
    pub taken: Moment,
    /// Its width in pixels, as it is stored: before its orientation is applied.
    pub width: u16,
    /// Its height in pixels, the same.
    pub height: u16,
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.jpeg
    }
}

/// A log never shows the bytes.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes, {}x{}, {:?})", self.jpeg.len(), self.width, self.height, self.taken)
    }
}
