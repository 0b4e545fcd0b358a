//! Whether bytes are a whole JPEG file, told from its markers (ITU-T T.81, annex B). Nothing is decoded.

/// Smallest file that can be a picture, in bytes.
const LEAST: usize = 100;

/// Why bytes are no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// There is nothing.
    #[error("an empty answer")]
    Empty,
    /// It is something else.
    #[error("not a picture")]
    NotAPicture,
    /// It begins as one, but its end is missing.
    #[error("a picture that is cut off")]
    CutOff,
    /// It is larger than allowed.
    #[error("a picture that is too large (more than {} MB)", most / 1_000_000)]
    TooLarge {
        /// Most that is allowed, in bytes.
        most: usize,
    },
}

/// Width and height in pixels.
pub(super) type Size = (u16, u16);

/// Checks a whole file of at most `most` bytes, and gives its size. Zeros after its end are tolerated: some cameras
/// fill up their buffer.
pub(super) fn check(bytes: &[u8], most: usize) -> Result<Size, JpegError> {
    if bytes.is_empty() {
        return Err(JpegError::Empty);
    }
    if bytes.len() > most {
        return Err(JpegError::TooLarge { most });
    }
    let mut walk = Walk::default();
    walk.go(bytes)?;
    let size = walk.size.ok_or(JpegError::CutOff)?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let whole = bytes.get(..end).is_some_and(|file| file.ends_with(&[0xFF, 0xD9]));
    if whole && end >= LEAST { Ok(size) } else { Err(JpegError::CutOff) }
}

/// Goes along the markers of a file while its bytes come in, and finds its end.
///
/// A search for the end's two bytes would find that of the small picture which many cameras put into the header.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// Up to here the file is known.
    at: usize,
    /// Whether `at` is within the coded pixels.
    within_pixels: bool,
    size: Option<Size>,
}

impl Walk {
    /// Goes on with the file as far as it has come; `bytes` are all of it so far. Gives its length and size when its
    /// end is reached.
    pub(super) fn go(&mut self, bytes: &[u8]) -> Result<Option<(usize, Size)>, JpegError> {
        while let Some(rest) = bytes.get(self.at..) {
            if self.within_pixels {
                match next_marker(rest) {
                    Ok(skip) => self.at += skip,
                    Err(skip) => {
                        self.at += skip;
                        return Ok(None);
                    }
                }
                self.within_pixels = false;
            }
            let Some([prefix, marker]) = array(bytes, self.at) else {
                let odd = bytes.get(self.at).is_some_and(|byte| *byte != 0xFF);
                return if odd { Err(JpegError::NotAPicture) } else { Ok(None) };
            };
            match (self.at, prefix, marker) {
                (0, 0xFF, 0xD8) => self.at = 2,
                (0, ..) => return Err(JpegError::NotAPicture),
                (_, 0xFF, 0xFF) => self.at += 1,
                (_, 0xFF, 0xD9) => {
                    let size = self.size.ok_or(JpegError::NotAPicture)?;
                    return match self.at + 2 {
                        end if end < LEAST => Err(JpegError::CutOff),
                        end => Ok(Some((end, size))),
                    };
                }
                (_, 0xFF, 0x01 | 0xD0..=0xD7) => self.at += 2,
                (_, 0xFF, 0x02..) if marker != 0xD8 => {
                    if !self.segment(bytes, marker)? {
                        return Ok(None);
                    }
                }
                _ => return Err(JpegError::NotAPicture),
            }
        }
        Ok(None)
    }

    /// Passes the segment at `at`; false when too little of it has come.
    fn segment(&mut self, bytes: &[u8], marker: u8) -> Result<bool, JpegError> {
        let Some(length) = array(bytes, self.at + 2).map(u16::from_be_bytes) else { return Ok(false) };
        match marker {
            // A frame header; C4, C8 and CC are something else.
            0xC0..=0xCF if !matches!(marker, 0xC4 | 0xC8 | 0xCC) => {
                let Some([_, h1, h2, w1, w2]) = array(bytes, self.at + 4) else { return Ok(false) };
                let (width, height) = (u16::from_be_bytes([w1, w2]), u16::from_be_bytes([h1, h2]));
                if length < 8 || width == 0 || height == 0 {
                    return Err(JpegError::NotAPicture);
                }
                self.size = Some((width, height));
            }
            0xDA if self.size.is_none() => return Err(JpegError::NotAPicture),
            0xDA => self.within_pixels = true,
            _ => {}
        }
        if length < 2 {
            return Err(JpegError::NotAPicture);
        }
        self.at += 2 + usize::from(length);
        Ok(true)
    }
}

/// Where in coded pixels the next marker is that ends them, or up to where there is none for sure. What no coder
/// writes there is passed over: a camera's slip in one place is no reason to show nothing.
fn next_marker(pixels: &[u8]) -> Result<usize, usize> {
    let mut from = 0;
    while let Some(found) = pixels.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == 0xFF)) {
        let at = from + found;
        match pixels.get(at + 1) {
            None => return Err(at),
            // Tables, the end, further scans, application data, comments.
            Some(0xC4 | 0xD9..=0xDD | 0xE0..=0xEF | 0xFE) => return Ok(at),
            Some(_) => from = at + 1,
        }
    }
    Err(pixels.len())
}

/// The `N` bytes at `at`, if they are there.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}
