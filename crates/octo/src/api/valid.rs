//! What names, addresses, passwords and codes must look like. Pure.

use serde_json::json;

use super::error::{ApiError, Code};
use crate::auth::password;

fn wrong(field: &str, why: &str) -> ApiError {
    ApiError::new(Code::BadRequest, why).with(json!({ "field": field }))
}

/// A name to log in with.
///
/// # Errors
/// Unless it is 3 to 50 of `A-Z a-z 0-9 _ -`.
pub fn username(name: &str) -> Result<(), ApiError> {
    let fits = (3..=50).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fits { Ok(()) } else { Err(wrong("username", "a user name has 3 to 50 of A-Z a-z 0-9 _ -")) }
}

/// An address: one `@`, a dot behind it.
///
/// # Errors
/// Unless it is one.
pub fn email(address: &str) -> Result<(), ApiError> {
    let fits = address.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && !domain.contains('@')
            && domain.split_once('.').is_some_and(|(host, rest)| !host.is_empty() && !rest.is_empty())
            && !domain.ends_with('.')
    }) && address.len() <= 254
        && !address.contains(|c: char| c.is_whitespace() || c.is_control());
    if fits { Ok(()) } else { Err(wrong("email", "this is no e-mail address")) }
}

/// A new password.
///
/// # Errors
/// When it is too short or far too long.
pub fn new_password(text: &str) -> Result<(), ApiError> {
    if text.chars().count() < password::SHORTEST {
        return Err(wrong("password", "a password has at least 8 characters"));
    }
    if text.len() > password::LONGEST {
        return Err(wrong("password", "a password has at most 1024 bytes"));
    }
    Ok(())
}

/// How somebody is called.
///
/// # Errors
/// Unless it is 1 to 100 characters.
pub fn display_name(name: &str) -> Result<(), ApiError> {
    let fits = (1..=100).contains(&name.chars().count())
        && !name.chars().any(char::is_control)
        && !name.trim().is_empty();
    if fits { Ok(()) } else { Err(wrong("display_name", "a name has 1 to 100 characters")) }
}

/// The address of a picture.
///
/// # Errors
/// Unless it is a URL of the web.
pub fn avatar_url(url: &str) -> Result<(), ApiError> {
    let fits = url.len() <= 2048
        && url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if fits {
        Ok(())
    } else {
        Err(wrong("avatar_url", "a picture's address begins with https:// or http://"))
    }
}

/// What a page keeps for a user.
///
/// # Errors
/// Unless it is a JSON object of at most 64 KiB.
pub fn settings(settings: &serde_json::Value) -> Result<(), ApiError> {
    let fits = settings.is_object() && settings.to_string().len() <= 64 * 1024;
    if fits { Ok(()) } else { Err(wrong("settings", "settings are a JSON object of at most 64 KiB")) }
}

/// An invite code of one's own choice, or a prefix.
///
/// # Errors
/// Unless it is `least` to 64 of `A-Z a-z 0-9 _ -`.
pub fn code(field: &'static str, code: &str, least: usize) -> Result<(), ApiError> {
    let fits = (least..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let why = format!("this has {least} to 64 of A-Z a-z 0-9 _ -");
    if fits { Ok(()) } else { Err(wrong(field, &why)) }
}

/// How often a code may be used, and how many codes are made at one time.
///
/// # Errors
/// Unless it is 1 to 1000.
pub fn count(field: &'static str, count: u32) -> Result<(), ApiError> {
    if (1..=1000).contains(&count) { Ok(()) } else { Err(wrong(field, "this must be 1 to 1000")) }
}

/// A remark.
///
/// # Errors
/// When it is longer than 500 characters.
pub fn note(note: &str) -> Result<(), ApiError> {
    if note.chars().count() <= 500 { Ok(()) } else { Err(wrong("note", "a note has at most 500 characters")) }
}
