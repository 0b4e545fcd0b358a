//! The cipher of encrypted downloads: AES-128 in counter mode. Whoever has the key may have changed the file on its way:
//! nothing tells.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

/// Size of a block, in bytes.
pub(super) const BLOCK: u64 = 16;
/// So many blocks are worked on at once: processors without instructions for it are some times as fast so.
const GROUP: usize = 8;
/// Size of these, in bytes.
const GROUP_SIZE: usize = GROUP * BLOCK as usize;

/// What decrypts one file. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    key: [u8; 16],
    /// The first twelve bytes of each counter; the number of the block follows.
    nonce: [u8; 12],
}

impl Key {
    /// A key, and a vector of which the last four bytes are not used: the block's number takes their place.
    pub(super) fn new(key: [u8; 16], vector: [u8; 16]) -> Self {
        let mut nonce = [0; 12];
        nonce.iter_mut().zip(vector).for_each(|(to, from)| *to = from);
        Self { key, nonce }
    }

    /// What decrypts from the byte at that place of the file on.
    pub(super) fn at(&self, place: u64) -> Stream {
        let cipher = Aes128::new(&Array(self.key));
        Stream { cipher, nonce: self.nonce, place, mask: [0; GROUP_SIZE], known: None }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// Decrypts a file piece by piece.
pub(super) struct Stream {
    cipher: Aes128,
    nonce: [u8; 12],
    place: u64,
    /// What the bytes of the group of that number are mixed with.
    mask: [u8; GROUP_SIZE],
    known: Option<u64>,
}

impl Stream {
    /// Decrypts the next bytes.
    pub(super) fn apply(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let group = self.place / GROUP_SIZE as u64;
            if self.known != Some(group) {
                self.fill(group);
            }
            let inside = (self.place % GROUP_SIZE as u64) as usize;
            let mask = self.mask.get(inside..).unwrap_or_default();
            let (now, rest) = bytes.split_at_mut(mask.len().min(bytes.len()));
            now.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            self.place += now.len() as u64;
            bytes = rest;
        }
    }

    fn fill(&mut self, group: u64) {
        let mut blocks: [_; GROUP] = std::array::from_fn(|number| {
            // Of a number only the last four bytes count: a file of more than 64 GiB has no place on a printer.
            let number = (group * GROUP as u64 + number as u64) as u32;
            let mut block = [0; BLOCK as usize];
            let counter = self.nonce.iter().copied().chain(number.to_be_bytes());
            block.iter_mut().zip(counter).for_each(|(to, from)| *to = from);
            Array(block)
        });
        self.cipher.encrypt_blocks(&mut blocks);
        let bytes = blocks.iter().flat_map(|block| block.0);
        self.mask.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        self.known = Some(group);
    }
}

/// Sixteen bytes written as hex digits.
pub(super) fn from_hex(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}
