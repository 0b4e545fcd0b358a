//! The feed's address, as `WS_URL` gives it.

use crate::source::moonraker::{split_port, without_secrets};
use std::fmt::{self, Write};

/// Where the feed is unless `WS_URL` says otherwise.
pub const DEFAULT_ADDRESS: &str = "wss://print.lo.f0rth.space/ws/printer/{PRINTER_ID}";

/// An address of a feed. Shown without user, password and query, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub(super) encrypted: bool,
    /// Name or address; an IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// User and password, as they stand in the address.
    pub(super) login: Option<String>,
    path: String,
    query: String,
}

/// Why a text is no address of a feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("WS_URL {shown:?}: {why}; write for example wss://host/ws/printer/{{PRINTER_ID}}")]
pub struct AddressError {
    /// The text without what may be a secret.
    shown: String,
    why: &'static str,
}

impl Address {
    /// Reads `ws://HOST[:PORT][/PATH][?QUERY]`, or `wss://` for an encrypted connection. `{PRINTER_ID}` and
    /// `{printer_id}` are replaced by the printer's name, percent-encoded.
    ///
    /// # Errors
    ///
    /// If it is no such address.
    pub fn new(template: &str, printer_id: &str) -> Result<Self, AddressError> {
        let template = template.trim();
        let fail = |why| Err(AddressError { shown: without_secrets(template), why });
        let id = encoded(printer_id);
        let text = template.replace("{PRINTER_ID}", &id).replace("{printer_id}", &id);
        let Some((scheme, rest)) = text.split_once("://") else {
            return fail("it must begin with ws:// or wss://");
        };
        let encrypted = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return fail("it must begin with ws:// or wss://"),
        };
        // What stands behind # is never sent.
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login.to_owned()), place),
            None => (None, authority),
        };
        if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return fail("blanks and letters beyond ASCII in path and query must be percent-encoded");
        }
        let Some((host, port)) = split_port(place) else {
            return fail("the port must be a number from 1 to 65535, and an IPv6 address stands in brackets");
        };
        let named = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte));
        if host.is_empty() || !named {
            return fail("the host is missing or holds characters that no host name has");
        }
        Ok(Self {
            encrypted,
            host: host.to_owned(),
            port: port.unwrap_or(if encrypted { 443 } else { 80 }),
            login,
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query: query.to_owned(),
        })
    }

    /// The whole address with its query, but without user and password, for the handshake.
    pub(super) fn request(&self) -> String {
        format!("{self}{}", self.query)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { encrypted, host, port, path, .. } = self;
        let scheme = if *encrypted { "wss" } else { "ws" };
        let usual = if *encrypted { 443 } else { 80 };
        f.write_str(scheme)?;
        f.write_str("://")?;
        if host.contains(':') {
            write!(f, "[{host}]")?
        } else {
            f.write_str(host)?
        }
        if *port != usual {
            write!(f, ":{port}")?;
        }
        f.write_str(path)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Percent-encodes everything but the letters, digits and marks that mean themselves anywhere in an address.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_accepted_form_says_what_it_means() {
        for (template, id, shown, request) in [
            (
                DEFAULT_ADDRESS,
                "A1M-1",
                "wss://print.lo.f0rth.space/ws/printer/A1M-1",
                "wss://print.lo.f0rth.space/ws/printer/A1M-1",
            ),
            (
                " ws://h:81/{printer_id}/x\n",
                "a b/\u{fc}",
                "ws://h:81/a%20b%2F%C3%BC/x",
                "ws://h:81/a%20b%2F%C3%BC/x",
            ),
            ("WSS://h", "x", "wss://h/", "wss://h/"),
            ("ws://h?token=SECRET&p={PRINTER_ID}", "x", "ws://h/", "ws://h/?token=SECRET&p=x"),
            ("ws://me:SECRET@[::1]:8000/a#b", "x", "ws://[::1]:8000/a", "ws://[::1]:8000/a"),
            ("ws://h:80/{PRINTER}", "x", "ws://h/{PRINTER}", "ws://h/{PRINTER}"),
        ] {
            let address = Address::new(template, id).unwrap();
            assert_eq!((address.to_string().as_str(), address.request().as_str()), (shown, request));
            assert!(!format!("{address:?}").contains("SECRET"), "{address:?}");
        }
        let address = Address::new("ws://me:SECRET@h/", "x").unwrap();
        assert_eq!(address.login.as_deref(), Some("me:SECRET"));
    }

    #[test]
    fn every_wrong_form_is_named_with_the_remedy() {
        for (template, part) in [
            ("", "must begin with"),
            ("print.lo", "must begin with"),
            ("https://h/", "must begin with"),
            ("ws://h:0/", "port"),
            ("ws://h:x/", "port"),
            ("ws://::1/", "port"),
            ("ws://", "host"),
            ("ws:///path", "host"),
            ("ws://a b/", "host"),
            ("ws://h/\u{fc}", "percent-encoded"),
            ("ws://h/?a b=SECRET", "percent-encoded"),
            ("http://me:SECRET@h/?SECRET", "must begin with"),
        ] {
            let error = Address::new(template, "x").unwrap_err().to_string();
            assert!(
                error.contains(part) && error.contains("write for example wss://"),
                "{template}: {error}"
            );
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(
            text in ".{0,100}", like in "wss?://[a-z@:\\[\\]/?#0-9%.{}]{0,40}", id in ".{0,20}",
        ) {
            let _ = Address::new(&text, &id);
            if let Ok(address) = Address::new(&like, &id) {
                let shown = address.to_string();
                prop_assert_eq!(Address::new(&shown, "").map(|again| again.to_string()), Ok(shown));
            }
        }
    }
}
