//! Giving every part its place in a new rom image.

use super::{BLOCK, HEADER_LEN, MAX_PARTS, PART_LEN, Part, Rkaf, TRAILER_LEN};
use crate::container::FixedText;

/// Why parts cannot be put into one image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArrangeError {
    /// The table is full.
    #[error("the rom image (RKAF) cannot take part {0}: its table has {MAX_PARTS} places")]
    TooManyParts(String),
    /// A name does not fit its field.
    #[error("the rom image (RKAF) cannot take part {0}: a name may have 31 bytes and a file name 59")]
    LongName(String),
    /// The image would pass the 32-bit limit.
    #[error("the rom image (RKAF) would have {0} bytes, more than the 4294967295 that its header can say")]
    TooLarge(u64),
}

impl Rkaf {
    /// An image without parts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            length: HEADER_LEN as u32,
            model: FixedText::from_stored([0; 34]),
            id: FixedText::from_stored([0; 30]),
            manufacturer: FixedText::from_stored([0; 56]),
            unknown: 0,
            version: 0,
            parts: Vec::new(),
            unused: vec![0; MAX_PARTS * PART_LEN],
            reserved: [0; 116],
        }
    }

    /// Adds a part at the end of the table. Its place is only right after [`Rkaf::arrange`].
    ///
    /// # Errors
    /// If the table is full or a name too long.
    pub fn add(
        &mut self,
        name: &str,
        file: &str,
        flash_address: u32,
        flash_size: u32,
        size: u32,
    ) -> Result<(), ArrangeError> {
        if self.parts.len() >= MAX_PARTS {
            return Err(ArrangeError::TooManyParts(name.to_owned()));
        }
        let fits = name.len() < 32 && file.len() < 60;
        let (Some(stored_name), Some(stored_file), true) = (FixedText::new(name), FixedText::new(file), fits)
        else {
            return Err(ArrangeError::LongName(name.to_owned()));
        };
        self.unused.truncate(self.unused.len().saturating_sub(PART_LEN));
        // New parts lie behind all that are there.
        let position = self.parts.iter().map(|part| part.position).max().unwrap_or_default();
        self.parts.push(Part {
            name: stored_name,
            file: stored_file,
            flash_size,
            position,
            flash_address,
            blocks: 0,
            size,
        });
        Ok(())
    }

    /// Places the data one after the other, in the order in which it lies now, each file once, after giving the files
    /// of `sizes` a new size in bytes.
    ///
    /// # Errors
    /// If the image would exceed 4 GiB.
    pub fn arrange(&mut self, sizes: &[(&str, u64)]) -> Result<(), ArrangeError> {
        let order: Vec<String> = self.files().iter().map(|part| part.file.text().to_owned()).collect();
        let mut end = HEADER_LEN as u64;
        for file in order {
            let old = self.part_of_file(&file).map_or(0, |part| u64::from(part.size));
            let size = sizes.iter().find(|(name, _)| *name == file).map_or(old, |(_, size)| *size);
            let blocks = size.div_ceil(BLOCK);
            let next = end.saturating_add(blocks.saturating_mul(BLOCK));
            let whole = next.saturating_add(TRAILER_LEN as u64);
            let (Ok(position), Ok(blocks), Ok(size), Ok(_)) =
                (u32::try_from(end), u32::try_from(blocks), u32::try_from(size), u32::try_from(whole))
            else {
                return Err(ArrangeError::TooLarge(whole));
            };
            for part in self.parts.iter_mut().filter(|part| part.file.text() == file) {
                (part.position, part.blocks, part.size) = (position, blocks, size);
            }
            end = next;
        }
        self.length = u32::try_from(end).map_err(|_| ArrangeError::TooLarge(end))?;
        let whole = self.length.saturating_add(TRAILER_LEN as u32);
        for part in self.parts.iter_mut().filter(|part| part.is_self()) {
            part.size = whole;
        }
        Ok(())
    }
}

impl Default for Rkaf {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::Span;
    use proptest::prelude::*;

    #[test]
    fn sizes_around_a_block_take_the_right_number() {
        let mut rkaf = Rkaf::new();
        for (index, size) in [0, 1, 2047, 2048, 2049, 0].into_iter().enumerate() {
            rkaf.add(&format!("p{index}"), &format!("f{index}"), 0, 0, size).unwrap();
        }
        rkaf.arrange(&[]).unwrap();
        let places: Vec<(u32, u32)> = rkaf.parts.iter().map(|part| (part.position, part.blocks)).collect();
        assert_eq!(places, [(2048, 0), (2048, 1), (4096, 1), (6144, 1), (8192, 2), (12288, 0)]);
        assert_eq!(rkaf.length, 12288);
        assert_eq!(Rkaf::parse(&rkaf.encode(), Span::new(0, 12292)).unwrap(), rkaf);
    }

    #[test]
    fn limits_are_errors() {
        let mut rkaf = Rkaf::new();
        for index in 0..16 {
            rkaf.add(&format!("p{index}"), &format!("f{index}"), 0, 0, 1).unwrap();
        }
        assert_eq!(rkaf.add("more", "more", 0, 0, 1), Err(ArrangeError::TooManyParts("more".into())));
        assert_eq!(rkaf.encode().len(), HEADER_LEN);
        let mut rkaf = Rkaf::new();
        let long = "x".repeat(32);
        assert_eq!(rkaf.add(&long, "f", 0, 0, 1), Err(ArrangeError::LongName(long)));
        rkaf.add("a", "a", 0, 0, 1).unwrap();
        assert!(matches!(rkaf.arrange(&[("a", u64::from(u32::MAX))]), Err(ArrangeError::TooLarge(_))));
        assert!(matches!(rkaf.arrange(&[("a", u64::MAX)]), Err(ArrangeError::TooLarge(_))));
        let most = u64::from(u32::MAX) - 4095;
        rkaf.arrange(&[("a", most)]).unwrap();
        assert_eq!(u64::from(rkaf.length), 2048 + most.div_ceil(2048) * 2048);
    }

    proptest! {
        /// Any list of up to 16 parts over a few files, so that many share.
        #[test]
        fn whatever_is_arranged_can_be_read(
            list in prop::collection::vec((0usize..12, prop::sample::select(vec![0u32, 1, 2047, 2048, 2049, 70_000])), 1..=16),
        ) {
            let mut rkaf = Rkaf::new();
            for (index, (file, size)) in list.iter().enumerate() {
                rkaf.add(&format!("p{index}"), &format!("f{file}"), 0, 0, *size).unwrap();
            }
            rkaf.arrange(&[]).unwrap();
            let at = Span::new(0, u64::from(rkaf.length) + 4);
            let read = Rkaf::parse(&rkaf.encode(), at).unwrap();
            prop_assert_eq!(&read, &rkaf);
            let distinct: std::collections::BTreeSet<usize> = list.iter().map(|(file, _)| *file).collect();
            prop_assert_eq!(read.files().len(), distinct.len());
            let total: u64 = read.files().iter().map(|part| part.padded_size()).sum();
            prop_assert_eq!(u64::from(read.length), 2048 + total);
        }
    }
}
