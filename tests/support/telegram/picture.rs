//! As much of JPEG and PNG as it takes to know a picture's size.

/// Width and height; none for what is no whole picture.
pub(super) fn size(bytes: &[u8]) -> Option<(u64, u64)> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        let number = |at: usize| Some(u64::from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)));
        return Some((number(16)?, number(20)?));
    }
    if !bytes.starts_with(&[0xff, 0xd8]) || !bytes.ends_with(&[0xff, 0xd9]) {
        return None;
    }
    let mut at = 2;
    loop {
        let &[mark, kind, high, low] = bytes.get(at..at + 4)?.first_chunk()?;
        if mark != 0xff {
            return None;
        }
        // Start of frame, whatever the coding; C4, C8 and CC are something else.
        if (0xc0..=0xcf).contains(&kind) && ![0xc4, 0xc8, 0xcc].contains(&kind) {
            let &[high, low, wide_high, wide_low] = bytes.get(at + 5..at + 9)?.first_chunk()?;
            let number = |high: u8, low: u8| u64::from(u16::from_be_bytes([high, low]));
            return Some((number(wide_high, wide_low), number(high, low)));
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}
