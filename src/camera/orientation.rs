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

#[cfg(test)]
mod tests {
    use super::super::jpeg::check;
    use super::super::sample::{file, jfif, picture, plain, segment};
    use super::*;
    use proptest::prelude::*;

    /// Where a picture's axes go, x to the right and y down: its columns are the images of the axes.
    type Matrix = [[i8; 2]; 2];

    fn product(a: Matrix, b: Matrix) -> Matrix {
        let cell = |row: usize, column: usize| (0..2).map(|k| a[row][k] * b[k][column]).sum();
        [[cell(0, 0), cell(0, 1)], [cell(1, 0), cell(1, 1)]]
    }

    /// As the Exif standard tells each value: the side where the first row is seen, and the first column.
    fn standard(value: u8) -> Matrix {
        let (row, column) = [
            ("top", "left"),
            ("top", "right"),
            ("bottom", "right"),
            ("bottom", "left"),
            ("left", "top"),
            ("right", "top"),
            ("right", "bottom"),
            ("left", "bottom"),
        ][usize::from(value) - 1];
        // Away from the side where the first one is.
        let away = |side: &str| match side {
            "left" => [1, 0],
            "right" => [-1, 0],
            "top" => [0, 1],
            _ => [0, -1],
        };
        let (x, y) = (away(column), away(row));
        [[x[0], y[0]], [x[1], y[1]]]
    }

    #[test]
    fn every_combination_is_shown_as_the_entry_asks() {
        for rotation in [0, 90, 180, 270] {
            for (horizontal, vertical) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut expected = [[1, 0], [0, 1]];
                for _ in 0..rotation / 90 {
                    // Clockwise: right becomes down, down becomes left.
                    expected = product([[0, -1], [1, 0]], expected);
                }
                if horizontal {
                    expected = product([[-1, 0], [0, 1]], expected);
                }
                if vertical {
                    expected = product([[1, 0], [0, -1]], expected);
                }
                let orientation = Orientation::of(rotation, horizontal, vertical);
                let told = (rotation, horizontal, vertical);
                assert_eq!(standard(orientation.0), expected, "{told:?}: {orientation:?}");
                assert_eq!(orientation.is_plain(), expected == [[1, 0], [0, 1]], "{told:?}");
            }
        }
        for odd in [1, 45, 89, 91, 359, u16::MAX] {
            assert!(Orientation::of(odd, false, false).is_plain(), "{odd}");
        }
        assert_eq!(Orientation::of(450, false, false), Orientation::of(90, false, false));
    }

    /// The values of the Exif segments in a file's head.
    fn values(jpeg: &[u8]) -> Vec<u8> {
        let (mut at, mut values) = (2, Vec::new());
        while let [0xFF, marker @ (0xE0..=0xEF | 0xFE), high, low, ..] = jpeg[at..] {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if marker == 0xE1 && jpeg[at + 4..].starts_with(b"Exif\0\0") {
                // One entry: orientation, a short, once.
                let expected = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
                assert_eq!(&jpeg[at + 10..at + 29], expected);
                assert_eq!(&jpeg[at + 30..at + 36], [0; 6]);
                values.push(jpeg[at + 29]);
            }
            at += 2 + length;
        }
        values
    }

    #[test]
    fn it_stands_right_after_the_start_and_only_once() {
        let theirs = segment(0xE1, b"Exif\0\0II*\0 and so on");
        let xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>");
        let body = picture(640, 480, &[0x12; 40]);
        let turned = Orientation::of(90, false, false);
        for (head, kept) in [
            (vec![], vec![]),
            (vec![jfif()], vec![jfif()]),
            (vec![theirs.clone()], vec![]),
            (vec![theirs.clone(), jfif(), theirs.clone(), xmp.clone()], vec![jfif(), xmp.clone()]),
            (vec![jfif(), xmp.clone(), theirs.clone()], vec![jfif(), xmp.clone()]),
        ] {
            let before = file(&head, &body);
            let mut after = before.clone();
            turned.write(&mut after);
            let expected = file(&[vec![turned.segment().to_vec()], kept].concat(), &body);
            assert_eq!(after, expected, "{head:?}");
            assert_eq!(values(&after), [6]);
            assert_eq!(check(&after, 10_000), Ok((640, 480)));
            let mut again = after.clone();
            Orientation::of(0, true, false).write(&mut again);
            assert_eq!(values(&again), [2]);
            assert_eq!(again.len(), after.len());
            let mut same = before.clone();
            Orientation::of(0, false, false).write(&mut same);
            assert_eq!(same, before, "shown as it is");
        }
    }

    #[test]
    fn the_picture_is_not_copied_elsewhere() {
        let mut jpeg = plain(4000);
        jpeg.reserve_exact(LENGTH);
        let place = jpeg.as_ptr();
        Orientation::of(180, false, false).write(&mut jpeg);
        assert_eq!(jpeg.as_ptr(), place);
    }

    proptest! {
        #[test]
        fn any_bytes_get_one_segment_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), begin in 0_usize..3) {
            let start: &[u8] = [&[][..], &[0xFF, 0xD8], &[0xFF, 0xD8, 0xFF, 0xE1, 0, 20]][begin];
            let before = [start, &bytes].concat();
            let mut after = before.clone();
            Orientation::of(270, false, false).write(&mut after);
            if before.starts_with(&[0xFF, 0xD8]) {
                prop_assert_eq!(&after[2..2 + LENGTH], &Orientation(8).segment());
                prop_assert!(after.len() <= before.len() + LENGTH);
            } else {
                prop_assert_eq!(after, before);
            }
        }

        #[test]
        fn pictures_stay_pictures(heads in prop::collection::vec((0xE0_u8..=0xEF, any::<bool>(), 0_usize..40), 0..8)) {
            let head: Vec<_> = heads.iter().map(|(marker, exif, length)| {
                let text: &[u8] = if *exif { b"Exif\0\0" } else { b"other" };
                segment(*marker, &[text, &vec![0xFF; *length]].concat())
            }).collect();
            let body = picture(7, 5, &[9; 40]);
            let mut jpeg = file(&head, &body);
            Orientation::of(0, false, true).write(&mut jpeg);
            let kept = head.iter().filter(|part| part[1] != 0xE1 || !part[4..].starts_with(b"Exif\0"));
            let expected = [Orientation(4).segment().to_vec()].into_iter().chain(kept.cloned());
            prop_assert_eq!(&jpeg, &file(&expected.collect::<Vec<_>>(), &body));
            prop_assert_eq!(check(&jpeg, 10_000), Ok((7, 5)));
        }
    }
}
