//! The `Authorization` header.

use thiserror::Error;

/// The header is there and is not `Bearer TOKEN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the header Authorization is not `Bearer TOKEN`")]
pub struct Malformed;

/// The token in a header's value: two words, the first `bearer` in any case, however much white space there is.
///
/// # Errors
/// When it is anything else.
pub fn token(value: &[u8]) -> Result<&str, Malformed> {
    let mut words = std::str::from_utf8(value).map_err(|_| Malformed)?.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(scheme), Some(token), None) if scheme.eq_ignore_ascii_case("bearer") => Ok(token),
        _ => Err(Malformed),
    }
}
