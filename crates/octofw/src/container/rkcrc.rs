//! RKCRC, the check sum of Rockchip's images: 32 bits, polynomial 0x04C10DB7, initial value 0, most significant
//! bit first, no final exclusive or (`tools/rk2918_tools/rkcrc.h` of the community builder). It is not CRC-32:
//! one bit of the polynomial differs.

const POLYNOMIAL: u32 = 0x04C1_0DB7;

/// `TABLES[k][b]` is the effect of byte `b` with `k` more bytes after it, so that eight bytes go in one step.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
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
    while after < 8 {
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

/// Bytes of each of the stretches that are summed at once.
const STRETCH: usize = 1 << STRETCH_LOG;
const STRETCH_LOG: u32 = 12;

/// What a sum becomes by a stretch of zeros, for each of its bits from the lowest: a sum is linear.
static OVER: [u32; 32] = over_stretch();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const fn over_stretch() -> [u32; 32] {
    let mut over = [0; 32];
    let mut bit = 0;
    // One byte of zeros,
    while bit < 32 {
        let crc = 1u32 << bit;
        over[bit] = (crc << 8) ^ tables()[0][(crc >> 24) as usize];
        bit += 1;
    }
    // and then twice as many each time.
    let mut doubled = 0;
    while doubled < STRETCH_LOG {
        let mut twice = [0; 32];
        let mut bit = 0;
        while bit < 32 {
            let mut from = 0;
            while from < 32 {
                if over[bit] >> from & 1 == 1 {
                    twice[bit] ^= over[from];
                }
                from += 1;
            }
            bit += 1;
        }
        over = twice;
        doubled += 1;
    }
    over
}

/// The sum behind a stretch of zeros.
fn over(crc: u32) -> u32 {
    OVER.iter().enumerate().fold(0, |sum, (bit, over)| if crc >> bit & 1 == 1 { sum ^ over } else { sum })
}

/// The sum behind eight more bytes.
#[inline]
fn step(crc: u32, [a, b, c, d, e, f, g, h]: &[u8; 8]) -> u32 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let [ca, cb, cc, cd] = crc.to_be_bytes();
    at(t7, ca ^ a)
        ^ at(t6, cb ^ b)
        ^ at(t5, cc ^ c)
        ^ at(t4, cd ^ d)
        ^ at(t3, *e)
        ^ at(t2, *f)
        ^ at(t1, *g)
        ^ at(t0, *h)
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
        let mut rest = bytes;
        // Three stretches at once: each step waits for the one before, and so the machine has something to do meanwhile.
        while let Some((stretches, behind)) = rest.split_first_chunk::<{ 3 * STRETCH }>() {
            let (first, others) = stretches.split_at(STRETCH);
            let (second, third) = others.split_at(STRETCH);
            let mut sums = [self.0, 0, 0];
            let words = [first, second, third].map(|stretch| stretch.as_chunks::<8>().0);
            let [one, two, three] = words;
            for ((a, b), c) in one.iter().zip(two).zip(three) {
                let [x, y, z] = sums;
                sums = [step(x, a), step(y, b), step(z, c)];
            }
            let [x, y, z] = sums;
            self.0 = over(over(x) ^ y) ^ z;
            rest = behind;
        }
        let (words, rest) = rest.as_chunks::<8>();
        let mut crc = words.iter().fold(self.0, step);
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

    #[test]
    fn stretches_do_not_matter() {
        let bytes: Vec<u8> = (0..40_000u32).map(|n| ((n * n) >> 3) as u8).collect();
        for cut in [0, 1, 5, 3 * STRETCH - 1, 3 * STRETCH, 3 * STRETCH + 9, 6 * STRETCH, bytes.len()] {
            let mut crc = RkCrc::new();
            crc.update(&bytes[..cut]);
            crc.update(&bytes[cut..]);
            assert_eq!(crc.value(), plainly(&bytes), "{cut}");
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
