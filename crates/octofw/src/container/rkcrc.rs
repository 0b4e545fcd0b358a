//! RKCRC, the check sum of Rockchip's images: 32 bits, polynomial 0x04C10DB7, initial value 0, most significant
//! bit first, no final exclusive or (`tools/rk2918_tools/rkcrc.h` of the community builder). It is not CRC-32:
//! one bit of the polynomial differs.

const POLYNOMIAL: u32 = 0x04C1_0DB7;

/// `TABLES[k][b]` is the effect of byte `b` with `k` more bytes after it, so that sixteen bytes go in one step.
static TABLES: [[u32; 256]; 16] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn tables() -> [[u32; 256]; 16] {
    let mut tables = [[0; 256]; 16];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000_0000 == 0 { crc << 1 } else { (crc << 1) ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut after = 1;
    while after < 16 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[after - 1][byte];
            tables[after][byte] = (before << 8) ^ tables[0][(before >> 24) as usize];
            byte += 1;
        }
        after += 1;
    }
    tables
}

/// A running sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RkCrc(u32);

impl RkCrc {
    /// The sum of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<16>();
        let mut crc = self.0;
        for word in words {
            // What was summed before lies over the first four bytes.
            let before = crc.to_be_bytes().into_iter().chain(std::iter::repeat(0));
            let bytes = word.iter().zip(before).map(|(byte, before)| byte ^ before);
            crc = TABLES.iter().rev().zip(bytes).fold(0, |crc, (table, byte)| crc ^ at(table, byte));
        }
        let [table, ..] = &TABLES;
        for byte in rest {
            let [top, ..] = crc.to_be_bytes();
            crc = (crc << 8) ^ at(table, top ^ byte);
        }
        self.0 = crc;
    }

    /// The sum so far.
    #[must_use]
    pub fn value(self) -> u32 {
        self.0
    }
}

/// The sum of a whole slice.
#[must_use]
pub fn rkcrc(bytes: &[u8]) -> u32 {
    let mut crc = RkCrc::new();
    crc.update(bytes);
    crc.value()
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "a byte cannot exceed a table of 256")]
fn at(table: &[u32; 256], byte: u8) -> u32 {
    table[usize::from(byte)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bit by bit, straight from the definition.
    fn plainly(bytes: &[u8]) -> u32 {
        bytes.iter().fold(0, |crc, byte| {
            (0..8).fold(crc ^ (u32::from(*byte) << 24), |crc, _| {
                (crc << 1) ^ if crc & 0x8000_0000 == 0 { 0 } else { POLYNOMIAL }
            })
        })
    }

    #[test]
    fn known_answers() {
        let table: [(&[u8], u32); 4] =
            [(b"", 0), (b"A", 0x3043_6DC0), (b"123456789", 0x889A_9615), (&[0x00, 0xff], 0xB1F8_80B4)];
        for (bytes, sum) in table {
            assert_eq!(rkcrc(bytes), sum, "{bytes:02x?}");
            assert_eq!(plainly(bytes), sum, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn pieces_and_steps_do_not_matter(bytes: Vec<u8>, cut: prop::sample::Index) {
            let cut = cut.index(bytes.len() + 1);
            let mut crc = RkCrc::new();
            crc.update(&bytes[..cut]);
            crc.update(&bytes[cut..]);
            prop_assert_eq!(crc.value(), plainly(&bytes));
        }
    }
}
