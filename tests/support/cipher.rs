//! The other end of the cipher of OctoApp's texts for Android.

use aes::Aes256;
use base64::Engine;
use cbc::cipher::{Array, BlockModeDecrypt, KeyIvInit};
use ring::digest;

/// The text that `text` was made of with the key `key`.
pub(crate) fn decrypt(text: &str, key: &str) -> Result<String, String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|error| error.to_string())?;
    let (vector, text) = bytes.split_at_checked(16).ok_or("too short a cipher")?;
    let digest = digest::digest(&digest::SHA256, key.as_bytes());
    let key: [u8; 32] = digest.as_ref().try_into().unwrap();
    let mut cipher = cbc::Decryptor::<Aes256>::new(&Array(key), &Array(vector.try_into().unwrap()));
    let mut plain = Vec::new();
    for block in text.chunks(16) {
        let mut block = Array::<u8, _>(block.try_into().map_err(|_| "no whole blocks")?);
        cipher.decrypt_block(&mut block);
        plain.extend_from_slice(&block.0);
    }
    let fill = plain.last().copied().filter(|fill| (1..=16).contains(fill)).ok_or("no padding")?;
    let (text, padding) = plain.split_at_checked(plain.len() - usize::from(fill)).ok_or("no padding")?;
    if padding.iter().any(|byte| *byte != fill) {
        return Err("a wrong padding".to_owned());
    }
    String::from_utf8(text.to_vec()).map_err(|error| error.to_string())
}
