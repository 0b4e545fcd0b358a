//! The cookie that holds a browser's token.

use http::header::{COOKIE, HeaderMap, HeaderValue, InvalidHeaderValue};

/// Its name.
pub const NAME: &str = "auth_token";

/// The token in the `Cookie` headers; the first where there are several.
#[must_use]
pub fn token(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| name.trim_end() == NAME)
        .map(|(_, value)| unquoted(value.trim()))
        .filter(|value| !value.is_empty())
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// The `Set-Cookie` that keeps `token` for so many seconds. `secure`: only over https.
///
/// # Errors
/// When the token holds what no header may.
pub fn set(token: &str, seconds: u64, secure: bool) -> Result<HeaderValue, InvalidHeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}").parse()
}

/// The `Set-Cookie` that removes it.
///
/// # Errors
/// Never in fact.
pub fn clear(secure: bool) -> Result<HeaderValue, InvalidHeaderValue> {
    set("", 0, secure)
}
