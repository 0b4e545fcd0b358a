//! Where a picture is fetched: an address that may hold a password and never shows it.

use std::fmt;

/// Longest address that is used, in bytes.
const LONGEST: usize = 2048;
/// Most of an address that is shown, in characters.
const SHOWN: usize = 120;

/// An `http` or `https` address.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address(String);

impl Address {
    /// Reads an entry of the printer's list of cameras. What has no scheme is relative to `web`, the printer's web
    /// server (`http://host`, without a slash at its end). None for anything that cannot be fetched over HTTP.
    pub(super) fn read(entry: &str, web: &str) -> Option<Self> {
        let entry = entry.trim();
        if entry.is_empty() || entry.len() > LONGEST || entry.chars().any(char::is_control) {
            return None;
        }
        if let Some(rest) = entry.strip_prefix("//") {
            return Some(Self(format!("http://{rest}")));
        }
        match scheme(entry) {
            Some(name) if name.eq_ignore_ascii_case("http") || name.eq_ignore_ascii_case("https") => {
                entry.get(name.len()..)?.starts_with("://").then(|| Self(entry.to_owned()))
            }
            Some(_) => None,
            None => Some(Self::below(web, entry)),
        }
    }

    /// A path on a server.
    pub(super) fn below(server: &str, path: &str) -> Self {
        Self(format!("{}/{}", server.trim_end_matches('/'), path.trim_start_matches('/')))
    }

    /// The address itself, for the one place that asks it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// The same with a part of it replaced, if it has that part.
    pub(super) fn replaced(&self, part: &str, by: &str) -> Option<Self> {
        self.0.contains(part).then(|| Self(self.0.replacen(part, by, 1)))
    }
}

/// For people: without user and password, and without the query, where cameras take passwords, too.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("http", ""));
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if path.contains('@') {
            // Perhaps the password holds a slash, and all of this is user and password.
            return write!(f, "{scheme}://…");
        }
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (path, query) = path.split_at(path.find(['?', '#']).unwrap_or(path.len()));
        let shown = [host, path].concat();
        let end = shown.char_indices().nth(SHOWN).map_or(shown.len(), |(end, _)| end);
        let more = if end < shown.len() || !query.is_empty() { "…" } else { "" };
        let mark = if query.is_empty() { "" } else { "?" };
        write!(f, "{scheme}://{}{mark}{more}", shown.get(..end).unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The scheme before the first colon (RFC 3986, 3.1), if there is one.
fn scheme(address: &str) -> Option<&str> {
    let (name, _) = address.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(plain)).then_some(name)
}
