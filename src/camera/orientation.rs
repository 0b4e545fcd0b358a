//! Turning and mirroring a picture without touching its pixels: a viewer does it, as the file's header asks.
//!
//! The header is an Exif segment with nothing but the orientation (JEITA CP-3451, tag 0x0112).

use super::jpeg::array;

/// Length of the segment, in bytes.
pub(super) const LENGTH: usize = 36;

/// How a viewer shows a picture: the value of Exif's orientation, 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation(u8);

impl Orientation {
    /// Turned clockwise by `rotation` degrees, then mirrored: the order in which Mainsail and Fluidd show a camera.
    /// An angle that is no multiple of 90 counts as 0.
    pub(super) fn of(rotation: u16, flip_horizontal: bool, flip_vertical: bool) -> Self {
        let quarters = if rotation.is_multiple_of(90) { rotation / 90 } else { 0 };
        // Top to bottom is left to right and half a turn.
        let quarters = (quarters + if flip_vertical { 2 } else { 0 }) % 4;
        Self(match (flip_horizontal != flip_vertical, quarters) {
            (false, 0) => 1,
            (false, 1) => 6,
            (false, 2) => 3,
            (false, _) => 8,
            (true, 0) => 2,
            (true, 1) => 5,
            (true, 2) => 4,
            (true, _) => 7,
        })
    }

    /// Whether the picture is shown as it is.
    pub(super) fn is_plain(self) -> bool {
        self.0 == 1
    }

    /// Writes it into a file, right after its first marker, in place of every Exif segment that the camera wrote.
    /// A file that is to be shown as it is stays as it is. Works in place: room for [`LENGTH`] more bytes in the
    /// vector saves a copy of the picture.
    pub(super) fn write(self, jpeg: &mut Vec<u8>) {
        if self.is_plain() || !jpeg.starts_with(&[0xFF, 0xD8]) {
            return;
        }
        remove_exif(jpeg);
        jpeg.reserve_exact(LENGTH);
        jpeg.splice(2..2, self.segment());
    }

    fn segment(self) -> [u8; LENGTH] {
        let mut segment =
            *b"\xFF\xE1\x00\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
        if let Some(value) = segment.get_mut(29) {
            *value = self.0;
        }
        segment
    }
}

/// Removes the Exif segments before the picture's data, in one pass.
fn remove_exif(jpeg: &mut Vec<u8>) {
    let (mut read, mut written) = (2, 2);
    while let Some([0xFF, marker, high, low]) = array(jpeg, read) {
        // Application data and comments only: what comes then is the picture.
        if !matches!(marker, 0xE0..=0xEF | 0xFE) {
            break;
        }
        let end = read + 2 + usize::from(u16::from_be_bytes([high, low]));
        if end < read + 4 || end > jpeg.len() {
            break;
        }
        if marker != 0xE1 || array(jpeg, read + 4) != Some(*b"Exif\0") {
            jpeg.copy_within(read..end, written);
            written += end - read;
        }
        read = end;
    }
    jpeg.drain(written..read);
}
