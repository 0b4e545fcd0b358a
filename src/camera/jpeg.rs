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

#[cfg(test)]
mod tests {
    use super::super::sample::{file, jfif, picture, plain, segment};
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 10_000;

    fn walk(bytes: &[u8]) -> Result<Option<(usize, Size)>, JpegError> {
        Walk::default().go(bytes)
    }

    #[test]
    fn whole_files_are_taken_with_their_size() {
        let pixels = picture(640, 480, &[0x12; 40]);
        let cases = [
            plain(40),
            file(&[], &pixels),
            // The small picture in the header has an end of its own.
            file(&[jfif(), segment(0xE1, &plain(9))], &pixels),
            file(&[segment(0xFE, b"a comment \xFF\xD9")], &pixels),
            // Fill bytes before a marker.
            file(&[vec![0xFF, 0xFF], jfif()], &pixels),
            // Stuffed bytes and restart markers.
            file(&[jfif()], &picture(640, 480, &[1, 0xFF, 0, 0xFF, 0xD0, 2, 0xFF, 0xD7, 3, 0xFF, 0xFF, 0])),
            // A second scan with tables before it.
            {
                let scans = [vec![7; 30], segment(0xC4, b"\xFF\xD9"), segment(0xDA, &[0; 6]), vec![8; 30]];
                file(&[jfif()], &picture(640, 480, &scans.concat()))
            },
            // What no coder writes.
            file(&[jfif()], &picture(640, 480, &[1, 0xFF, 0x17, 2])),
        ];
        for (n, bytes) in cases.iter().enumerate() {
            assert_eq!(check(bytes, MOST), Ok((640, 480)), "{n}");
            assert_eq!(walk(bytes), Ok(Some((bytes.len(), (640, 480)))), "{n}");
            let padded = [bytes.as_slice(), &[0; 20]].concat();
            assert_eq!(check(&padded, MOST), Ok((640, 480)), "{n}");
            assert_eq!(walk(&padded), Ok(Some((bytes.len(), (640, 480)))), "{n}");
        }
        assert_eq!(check(&file(&[], &picture(65535, 1, &[0; 40])), MOST), Ok((65535, 1)));
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_refused() {
        let bytes = file(&[jfif(), segment(0xE1, &plain(9))], &picture(640, 480, &[0x12; 40]));
        for end in 0..bytes.len() {
            let expected = if end == 0 { JpegError::Empty } else { JpegError::CutOff };
            assert_eq!(check(&bytes[..end], MOST), Err(expected), "{end}");
            assert_eq!(walk(&bytes[..end]), Ok(None), "{end}");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let no_frame = [&[0xFF, 0xD8], &segment(0xDA, &[0; 6])[..], &[7; 100], &[0xFF, 0xD9]].concat();
        let cases: [(&str, Vec<u8>, JpegError); 9] = [
            ("nothing", vec![], JpegError::Empty),
            ("a page", b"<html><body>502 Bad Gateway</body></html>".to_vec(), JpegError::NotAPicture),
            ("PNG", b"\x89PNG\r\n\x1A\n".repeat(30), JpegError::NotAPicture),
            ("zeros", vec![0; 200], JpegError::NotAPicture),
            ("no marker follows", [&[0xFF, 0xD8], &[7; 200][..]].concat(), JpegError::NotAPicture),
            ("no frame", no_frame, JpegError::NotAPicture),
            ("no width", file(&[], &picture(0, 480, &[7; 99])), JpegError::NotAPicture),
            ("tiny", [&[0xFF, 0xD8], &picture(1, 1, &[])[69..]].concat(), JpegError::CutOff),
            ("too large", plain(MOST), JpegError::TooLarge { most: MOST }),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(check(&bytes, MOST), Err(expected), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_checked(bytes in prop::collection::vec(any::<u8>(), 0..300), begin in any::<bool>()) {
            let bytes = if begin { [&[0xFF, 0xD8, 0xFF], bytes.as_slice()].concat() } else { bytes };
            let _ = check(&bytes, MOST);
            if let Ok(Some((end, _))) = walk(&bytes) {
                prop_assert!(bytes[..end].ends_with(&[0xFF, 0xD9]));
            }
        }

        #[test]
        fn the_end_is_the_same_in_whatever_pieces_it_comes(
            pixels in prop::collection::vec(prop_oneof![Just(0xFF), Just(0), any::<u8>()], 40..200),
            pieces in prop::collection::vec(1_usize..50, 1..50),
        ) {
            let bytes = file(&[jfif(), segment(0xE1, &plain(9))], &picture(3, 2, &pixels));
            let expected = walk(&bytes);
            let (mut walk, mut come, mut found) = (Walk::default(), 0, Ok(None));
            for piece in pieces.iter().cycle() {
                come = (come + piece).min(bytes.len());
                found = walk.go(&bytes[..come]);
                if found != Ok(None) || come == bytes.len() {
                    break;
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
