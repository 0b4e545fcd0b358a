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

#[cfg(test)]
mod tests {
    use super::super::sample::plain;
    use super::*;
    use proptest::prelude::*;

    const MOST: usize = 20_000;

    /// What comes of an answer that arrives in pieces of `size` bytes and then ends.
    fn read(answer: &[u8], size: usize, told: Option<u64>) -> Result<Vec<u8>, Fault> {
        let mut body = Body::new(MOST, told);
        for piece in answer.chunks(size) {
            if let Some((jpeg, (width, height))) = body.take(piece)? {
                assert_eq!((width, height), (640, 480));
                return Ok(jpeg);
            }
        }
        Err(body.ended())
    }

    #[test]
    fn a_picture_is_found_in_whatever_it_comes() {
        let jpeg = plain(300);
        let part = |end: &str| {
            let head = ["--b", "Content-Type: image/jpeg", "Content-Length: 7", "", ""].join(end);
            [head.as_bytes(), &jpeg, end.as_bytes()].concat()
        };
        let cases = [
            jpeg.clone(),
            [jpeg.as_slice(), &[0; 64]].concat(),
            [jpeg.as_slice(), &jpeg].concat(),
            part("\r\n"),
            part("\n"),
            [b"\r\n", part("\r\n").as_slice(), &part("\r\n")].concat(),
            // Without the two hyphens, as some cameras begin.
            [b"b\r\nContent-type: image/jpeg\r\n\r\n", jpeg.as_slice()].concat(),
        ];
        for (n, answer) in cases.iter().enumerate() {
            for size in [1, 2, 3, 7, 100, 16 * 1024] {
                for told in [None, Some(0), Some(answer.len() as u64), Some(u64::MAX)] {
                    assert_eq!(read(answer, size, told).as_ref(), Ok(&jpeg), "{n} by {size}, {told:?}");
                }
            }
        }
    }

    #[test]
    fn anything_else_is_named() {
        let jpeg = plain(300);
        let too_large = Fault::Picture(JpegError::TooLarge { most: MOST });
        let not = Fault::Picture(JpegError::NotAPicture);
        let cases: [(&str, Vec<u8>, Fault); 9] = [
            ("nothing", vec![], Fault::Picture(JpegError::Empty)),
            ("an empty line", b"\r\n".to_vec(), Fault::Picture(JpegError::Empty)),
            ("zeros", vec![0; 100], Fault::Picture(JpegError::Empty)),
            ("cut off", jpeg[..jpeg.len() - 2].to_vec(), Fault::Picture(JpegError::CutOff)),
            ("a page", b"\r\n <!DOCTYPE html>".to_vec(), Fault::Page),
            ("a text", b"{\"error\": \"no camera\"}".to_vec(), not.clone()),
            ("a long text", vec![b'x'; MOST_HEAD + 1], not),
            ("too large", plain(MOST), too_large.clone()),
            ("no end", [&plain(0)[..plain(0).len() - 2], &[7; MOST]].concat(), too_large),
        ];
        for (name, answer, expected) in cases {
            for size in [1, 100, 16 * 1024] {
                assert_eq!(read(&answer, size, None), Err(expected.clone()), "{name} by {size}");
            }
        }
    }

    #[test]
    fn the_room_is_bounded_and_the_picture_stays_where_it_is() {
        assert_eq!(Body::new(MOST, Some(u64::MAX)).bytes.capacity(), MOST + ROOM);
        let jpeg = plain(300);
        let mut body = Body::new(MOST, Some(jpeg.len() as u64));
        let place = body.bytes.as_ptr();
        let (taken, _) = body.take(&jpeg).unwrap().unwrap();
        assert_eq!((taken.as_ptr(), taken.capacity()), (place, jpeg.len() + ROOM));
    }

    proptest! {
        #[test]
        fn any_answer_is_read(
            answer in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xFF), Just(b'\n')], 0..300),
            begin in 0_usize..4,
            size in 1_usize..64,
        ) {
            let start: &[u8] = [&b""[..], b"\xFF\xD8\xFF", b"--b\r\n\r\n\xFF\xD8\xFF", b"\n\n"][begin];
            let mut body = Body::new(200, Some(9));
            for piece in [start, &answer].concat().chunks(size) {
                match body.take(piece) {
                    Ok(None) => {
                        let most = if body.begun { 200 } else { MOST_HEAD };
                        prop_assert!(body.bytes.len() <= most + size);
                    }
                    Ok(Some((jpeg, _))) => {
                        prop_assert!(jpeg.len() <= 200 && jpeg.ends_with(&[0xFF, 0xD9]));
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
    }
}
