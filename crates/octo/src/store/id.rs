//! Random names: of rows, of invite codes, of tickets.

/// Letters, digits, `-` and `_`: 64, so that no value is likelier than another.
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Without I, O, 0 and 1, which look like others: 32.
const CLEAR: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// The system has no randomness.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system gives no random bytes: {0}")]
pub struct NoRandomness(#[from] getrandom::Error);

/// So many random characters that need no quoting in a URL.
///
/// # Errors
/// When the system has no randomness.
pub fn random(length: usize) -> Result<String, NoRandomness> {
    draw(length, URL_SAFE)
}

/// So many random characters that a person can copy from paper.
///
/// # Errors
/// When the system has no randomness.
pub fn clear(length: usize) -> Result<String, NoRandomness> {
    draw(length, CLEAR)
}

/// A row's name: `prefix` and 12 random characters.
///
/// # Errors
/// When the system has no randomness.
pub fn named(prefix: &str) -> Result<String, NoRandomness> {
    Ok(format!("{prefix}{}", random(12)?))
}

/// The alphabet's length divides 256.
fn draw(length: usize, alphabet: &[u8]) -> Result<String, NoRandomness> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes)?;
    Ok(bytes
        .iter()
        .filter_map(|byte| alphabet.get(usize::from(*byte) % alphabet.len()))
        .map(|&letter| char::from(letter))
        .collect())
}
