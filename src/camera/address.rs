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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_are_read_and_shown() {
        let table = [
            (
                "/webcam/?action=snapshot",
                Some(("http://printer/webcam/?action=snapshot", "http://printer/webcam/?…")),
            ),
            (
                "webcam/snapshot.jpg",
                Some(("http://printer/webcam/snapshot.jpg", "http://printer/webcam/snapshot.jpg")),
            ),
            (" /a ", Some(("http://printer/a", "http://printer/a"))),
            ("//cam.lan:81/a", Some(("http://cam.lan:81/a", "http://cam.lan:81/a"))),
            ("HTTPS://cam.lan/a", Some(("HTTPS://cam.lan/a", "HTTPS://cam.lan/a"))),
            (
                "http://u:p@cam.lan:81/a?pwd=p#f",
                Some(("http://u:p@cam.lan:81/a?pwd=p#f", "http://cam.lan:81/a?…")),
            ),
            ("http://u:p/w@cam.lan/a", Some(("http://u:p/w@cam.lan/a", "http://…"))),
            ("http://cam.lan/a?mail=b@c&pwd=p", Some(("http://cam.lan/a?mail=b@c&pwd=p", "http://…"))),
            ("", None),
            ("  ", None),
            ("rtsp://cam.lan/a", None),
            ("http:cam.lan", None),
            ("file:///etc/passwd", None),
            ("webrtc://cam.lan", None),
            ("javascript:alert(1)", None),
            ("/a\r\nHost: b", None),
        ];
        for (entry, expected) in table {
            let address = Address::read(entry, "http://printer/");
            let told = address.as_ref().map(|address| (address.reveal(), address.to_string()));
            assert_eq!(told.as_ref().map(|(url, shown)| (*url, shown.as_str())), expected, "{entry:?}");
        }
        assert_eq!(Address::read(&"a".repeat(LONGEST + 1), "http://printer"), None);
        let long = Address::read(&"ü".repeat(500), "http://printer").unwrap().to_string();
        assert_eq!((long.chars().count(), long.chars().last()), (SHOWN + 8, Some('…')));
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown(
            before in "[a-z:/?#@ü]{0,4}",
            after in "[a-z:/?#@ü]{0,4}",
            rest in "[a-z@:/?#=]{0,9}",
            query in any::<bool>(),
        ) {
            let entry = match query {
                false => format!("http://{before}hunter2{after}@cam.lan{rest}"),
                true => format!("http://cam.lan/{before}?{after}hunter2{rest}"),
            };
            let address = Address::read(&entry, "http://printer").unwrap();
            let shown = format!("{address} {address:?}");
            prop_assert!(!shown.contains("hunter2"), "{} is shown as {}", entry, shown);
        }

        #[test]
        fn any_entry_is_read(entry in "\\PC{0,40}", web in "\\PC{0,10}") {
            if let Some(address) = Address::read(&entry, &web) {
                let _ = address.to_string();
            }
        }
    }
}
