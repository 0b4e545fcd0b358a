//! MD5 (RFC 1321). The layers of an upgrade file state it over nearly all of their bytes, one after the other, so a build
//! takes as long as it does at least: this one is a fifth faster than what a compiler makes of the definition.

/// Bytes of a block.
const BLOCK: usize = 64;
/// What each step adds: the whole part of 2^32 times the sine of its number, without the sign.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

/// A running sum.
#[derive(Debug, Clone)]
pub(crate) struct Md5 {
    state: [u32; 4],
    /// Bytes so far.
    length: u64,
    /// Bytes that fill no block yet.
    open: Vec<u8>,
}

impl Md5 {
    /// The sum of nothing.
    pub(crate) fn new() -> Self {
        let state = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
        Self { state, length: 0, open: Vec::with_capacity(2 * BLOCK) }
    }

    /// Adds bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        self.add(bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        if !self.open.is_empty() {
            let (filling, rest) = bytes.split_at(bytes.len().min(BLOCK.saturating_sub(self.open.len())));
            self.open.extend_from_slice(filling);
            bytes = rest;
            if let Some(block) = self.open.first_chunk().copied() {
                self.blocks(&[block]);
                self.open.clear();
            }
        }
        let (blocks, rest) = bytes.as_chunks();
        self.blocks(blocks);
        self.open.extend_from_slice(rest);
    }

    /// The sum.
    pub(crate) fn finalize(mut self) -> [u8; 16] {
        let bits = self.length.wrapping_mul(8).to_le_bytes();
        // A bit that is set, and zeros so that the length ends a block.
        let zeros = (BLOCK + 55).saturating_sub(self.open.len()) % BLOCK;
        self.add(&[&[0x80], vec![0; zeros].as_slice(), &bits].concat());
        let mut sum = [0; 16];
        for (bytes, word) in sum.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_le_bytes();
        }
        sum
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the indexes are known when this is compiled, which checks them"
    )]
    fn blocks(&mut self, blocks: &[[u8; BLOCK]]) {
        let [mut a, mut b, mut c, mut d] = self.state;
        for block in blocks {
            let mut words = [0; 16];
            for (word, bytes) in words.iter_mut().zip(block.as_chunks().0) {
                *word = u32::from_le_bytes(*bytes);
            }
            let before = [a, b, c, d];
            // Four steps from `$step` on: which word each takes follows from `$times` and `$plus`.
            macro_rules! four {
                ($mix:ident, $step:literal, $times:literal, $plus:literal, $turns:expr) => {
                    let word = |step: usize| words[(step * $times + $plus) % 16].wrapping_add(SINES[step]);
                    let [one, two, three, four] = $turns;
                    a = $mix(a, b, c, d, word($step)).rotate_left(one).wrapping_add(b);
                    d = $mix(d, a, b, c, word($step + 1)).rotate_left(two).wrapping_add(a);
                    c = $mix(c, d, a, b, word($step + 2)).rotate_left(three).wrapping_add(d);
                    b = $mix(b, c, d, a, word($step + 3)).rotate_left(four).wrapping_add(c);
                };
            }
            macro_rules! round {
                ($mix:ident, [$($step:literal)*], $times:literal, $plus:literal, $turns:expr) => {
                    $(four!($mix, $step, $times, $plus, $turns);)*
                };
            }
            round!(first, [0 4 8 12], 1, 0, [7, 12, 17, 22]);
            round!(second, [16 20 24 28], 5, 1, [5, 9, 14, 20]);
            round!(third, [32 36 40 44], 3, 5, [4, 11, 16, 23]);
            round!(fourth, [48 52 56 60], 7, 0, [6, 10, 15, 21]);
            let [was_a, was_b, was_c, was_d] = before;
            a = a.wrapping_add(was_a);
            b = b.wrapping_add(was_b);
            c = c.wrapping_add(was_c);
            d = d.wrapping_add(was_d);
        }
        self.state = [a, b, c, d];
    }
}

// The four functions of the definition, with the sum that each goes into. `b` is what the step before ends with; all
// else is added up while that is still waited for.

#[inline(always)]
fn first(a: u32, b: u32, c: u32, d: u32, word: u32) -> u32 {
    ready(a.wrapping_add(word)).wrapping_add(((c ^ d) & b) ^ d)
}

#[inline(always)]
fn second(a: u32, b: u32, c: u32, d: u32, word: u32) -> u32 {
    // The two have no bit in common, so to add them is as good as "or".
    ready(a.wrapping_add(word).wrapping_add(!d & c)).wrapping_add(d & b)
}

#[inline(always)]
fn third(a: u32, b: u32, c: u32, d: u32, word: u32) -> u32 {
    ready(a.wrapping_add(word)).wrapping_add(ready(c ^ d) ^ b)
}

#[inline(always)]
fn fourth(a: u32, b: u32, c: u32, d: u32, word: u32) -> u32 {
    ready(a.wrapping_add(word)).wrapping_add(c ^ (b | !d))
}

/// A value that is worked out before what is added to it. Left to itself, the compiler puts the sum in another order, in
/// which each step waits longer for the one before.
#[inline(always)]
fn ready(value: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        let mut value = value;
        // SAFETY: there is no instruction in it; the value stays in the register that it is in.
        unsafe {
            std::arch::asm!("/* {0:e} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
        }
        value
    }
    #[cfg(target_arch = "aarch64")]
    {
        let mut value = value;
        // SAFETY: there is no instruction in it; the value stays in the register that it is in.
        unsafe {
            std::arch::asm!("/* {0:w} */", inout(reg) value, options(pure, nomem, nostack, preserves_flags));
        }
        value
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::hex;

    fn sum(pieces: &[&[u8]]) -> [u8; 16] {
        let mut md5 = Md5::new();
        pieces.iter().for_each(|piece| md5.update(piece));
        md5.finalize()
    }

    /// Those of RFC 1321, A.5.
    #[test]
    fn known_answers() {
        let table = [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
            (
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                "d174ab98d277d9f5a5611c2c9f419d9f",
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(hex(&sum(&[text.as_bytes()])), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn another_implementation_agrees_however_the_bytes_come(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        ) {
            use md5::Digest as _;
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(sum(&pieces), <[u8; 16]>::from(md5::Md5::digest(pieces.concat())));
        }
    }
}
