//! The cipher of the text for Android: AES-256 in CBC mode, with the key made of the text in the database. It hides
//! file names from who carries them; whether a text was changed on its way it does not tell. So the apps want it.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use cbc::cipher::{Array, BlockModeEncrypt, KeyIvInit};
use ring::digest;

/// Length of a block, in bytes.
const BLOCK: usize = 16;

/// The text of a key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key(pub(super) String);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// `text` encrypted and written as base64, with the vector in front. The vector must be by chance.
pub(super) fn encrypt(text: &str, key: &Key, vector: [u8; BLOCK]) -> String {
    let digest = digest::digest(&digest::SHA256, key.0.as_bytes());
    let mut whole = [0; 32];
    for (to, from) in whole.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    let mut cipher = Encryptor::<Aes256>::new(&Array(whole), &Array(vector));
    let mut bytes = vector.to_vec();
    let (blocks, rest) = text.as_bytes().as_chunks::<BLOCK>();
    let fill = BLOCK - rest.len();
    let mut last = [fill as u8; BLOCK];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    for block in blocks.iter().chain(std::iter::once(&last)) {
        let mut block = Array(*block);
        cipher.encrypt_block(&mut block);
        bytes.extend_from_slice(&block.0);
    }
    STANDARD.encode(bytes)
}
