//! Bytes that look like content and are the same every time: SplitMix64 from a seed of the part's name.

use std::io::{self, Read};

/// An endless stream of pseudo-random bytes.
pub(super) struct Noise {
    state: u64,
    word: [u8; 8],
    used: usize,
}

impl Noise {
    /// The stream of a label (FNV-1a of it is the seed).
    pub(super) fn of(label: &str) -> Self {
        let state = label.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { state, word: [0; 8], used: 8 }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in &mut *buffer {
            if self.used == self.word.len() {
                self.word = self.next().to_le_bytes();
                self.used = 0;
            }
            *byte = self.word.get(self.used).copied().unwrap_or_default();
            self.used += 1;
        }
        Ok(buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(label: &str, pieces: &[usize]) -> Vec<u8> {
        let mut noise = Noise::of(label);
        let mut all = Vec::new();
        for piece in pieces {
            let mut buffer = vec![0; *piece];
            noise.read_exact(&mut buffer).unwrap();
            all.extend(buffer);
        }
        all
    }

    #[test]
    fn the_stream_depends_on_the_label_only() {
        assert_eq!(bytes("a", &[100]), bytes("a", &[1, 7, 50, 42]));
        assert_ne!(bytes("a", &[100]), bytes("b", &[100]));
    }

    /// SplitMix64 with seed 0 begins so (the algorithm's published reference output).
    #[test]
    fn it_is_splitmix64() {
        let mut noise = Noise { state: 0, word: [0; 8], used: 8 };
        assert_eq!(noise.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(noise.next(), 0x6e78_9e6a_a1b9_65f4);
    }
}
