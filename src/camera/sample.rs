//! Pictures for the tests, put together from the markers of ITU-T T.81, annex B.

/// A segment with its length.
pub(super) fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker], &length[..], content].concat()
}

/// The segment with which most files begin.
pub(super) fn jfif() -> Vec<u8> {
    segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
}

/// Frame header, tables, scan header, then `pixels` and the end.
pub(super) fn picture(width: u16, height: u16, pixels: &[u8]) -> Vec<u8> {
    let ([h1, h2], [w1, w2]) = (height.to_be_bytes(), width.to_be_bytes());
    [
        segment(0xDB, &[1; 65]),
        segment(0xC0, &[8, h1, h2, w1, w2, 1, 1, 0x11, 0]),
        segment(0xC4, &[0; 17]),
        segment(0xDA, &[1, 1, 0, 0, 63, 0]),
        pixels.to_vec(),
        vec![0xFF, 0xD9],
    ]
    .concat()
}

/// A whole file: `head` are the segments before the picture.
pub(super) fn file(head: &[Vec<u8>], picture: &[u8]) -> Vec<u8> {
    [&[0xFF, 0xD8], head.concat().as_slice(), picture].concat()
}

/// A whole plain file with `pixels` bytes of coded pixels.
pub(super) fn plain(pixels: usize) -> Vec<u8> {
    file(&[jfif()], &picture(640, 480, &vec![0x5A; pixels]))
}
