//! Addresses of Moonraker, as `MOONRAKER_URL` may give them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where Moonraker listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Its Unix socket, usually `printer_data/comms/moonraker.sock`. Asks for no credentials.
    Unix(PathBuf),
    /// Its WebSocket.
    WebSocket {
        /// Name or address; an IPv6 address without brackets.
        host: String,
        /// TCP port.
        port: u16,
        /// Path of the upgrade request, with the slash in front.
        path: String,
    },
}

/// Moonraker's own port.
const DEFAULT_PORT: u16 = 7125;

/// Why a text is no address of Moonraker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "MOONRAKER_URL {shown:?}: {why}; write for example unix:/home/lava/printer_data/comms/moonraker.sock or ws://127.0.0.1:7125/websocket"
)]
pub struct EndpointError {
    /// The text without what may be a secret.
    shown: String,
    why: &'static str,
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// Takes `unix:PATH`, `ws://HOST[:PORT][/PATH]` and `http://HOST[:PORT][/PREFIX]`. Without a port it is
    /// 7125; without a path it is `/websocket`, which also goes behind the prefix of an `http` address.
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        let fail = |why| Err(EndpointError { shown: without_secrets(text), why });
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if !path.starts_with('/') {
                fail("the path of the Unix socket must be absolute")
            } else if path.len() >= 108 {
                fail("the path of a Unix socket must be shorter than 108 bytes")
            } else if path.contains('\0') {
                fail("a path holds no zero byte")
            } else {
                // Several slashes in front are one to the system, and would look like a host when shown.
                Ok(Self::Unix(PathBuf::from(format!("/{}", path.trim_start_matches('/')))))
            };
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return fail("it must begin with unix:, ws:// or http://");
        };
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let path = match scheme.to_ascii_lowercase().as_str() {
            "ws" if path.is_empty() || path == "/" => "/websocket".to_owned(),
            "ws" => path.to_owned(),
            "http" => format!("{}/websocket", path.trim_end_matches('/')),
            "wss" | "https" => {
                return fail(
                    "encrypted connections to Moonraker are not supported: use its Unix socket or ws://",
                );
            }
            _ => return fail("it must begin with unix:, ws:// or http://"),
        };
        if authority.contains('@') || rest.contains(['?', '#']) {
            return fail("user, password and query do not belong here: put the key into MOONRAKER_API_KEY");
        }
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return fail("blanks and letters beyond ASCII in the path must be percent-encoded");
        }
        let Some((host, port)) = split_port(authority) else {
            return fail("the port must be a number from 1 to 65535, and an IPv6 address stands in brackets");
        };
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
            return fail("the host is missing or holds characters that no host name has");
        }
        Ok(Self::WebSocket { host: host.to_owned(), port: port.unwrap_or(DEFAULT_PORT), path })
    }
}

/// Host and port of the part of an address between `//` and the path; none if it is none. The brackets of an IPv6
/// address are taken off.
pub(in crate::source) fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let _: std::net::Ipv6Addr = host.parse().ok()?;
        (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    match port {
        None => Some((host, None)),
        Some(port) => match port.parse() {
            Ok(0) | Err(_) => None,
            Ok(number) => Some((host, Some(number))),
        },
    }
}

/// A wrong address may hold a key or a password; neither is shown.
pub(in crate::source) fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let shown = match (text.split_once("://"), text.rfind('@')) {
        (Some((scheme, _)), Some(at)) => {
            format!("{scheme}://…{}", text.get(at..).unwrap_or_default())
        }
        (None, Some(at)) => format!("…{}", text.get(at..).unwrap_or_default()),
        _ => text.to_owned(),
    };
    shown.chars().take(120).collect()
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::WebSocket { host, port, path } if host.contains(':') => {
                write!(f, "ws://[{host}]:{port}{path}")
            }
            Self::WebSocket { host, port, path } => write!(f, "ws://{host}:{port}{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_accepted_form_says_what_it_means() {
        for (text, meaning) in [
            ("unix:/run/moonraker.sock", "unix:/run/moonraker.sock"),
            ("unix:///run/moonraker.sock", "unix:/run/moonraker.sock"),
            ("unix:////run/moonraker.sock", "unix:/run/moonraker.sock"),
            (" ws://127.0.0.1:7125/websocket\n", "ws://127.0.0.1:7125/websocket"),
            ("ws://printer.lan", "ws://printer.lan:7125/websocket"),
            ("ws://printer.lan/", "ws://printer.lan:7125/websocket"),
            ("WS://printer.lan:80/behind/proxy", "ws://printer.lan:80/behind/proxy"),
            ("http://printer.lan:7125", "ws://printer.lan:7125/websocket"),
            ("http://printer.lan:80/printer1/", "ws://printer.lan:80/printer1/websocket"),
            ("ws://[::1]:7126", "ws://[::1]:7126/websocket"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), meaning, "{text}");
            assert_eq!(endpoint.to_string().parse(), Ok(endpoint), "{text}");
        }
    }

    #[test]
    fn every_wrong_form_is_named_with_the_remedy() {
        for (text, part) in [
            ("", "must begin with"),
            ("127.0.0.1:7125", "must begin with"),
            ("ftp://x", "must begin with"),
            ("unix:relative.sock", "must be absolute"),
            ("unix:", "must be absolute"),
            (&format!("unix:/{}", "x".repeat(120)), "shorter than 108"),
            ("wss://printer.lan", "not supported"),
            ("https://printer.lan", "not supported"),
            ("ws://printer.lan:0", "port"),
            ("ws://printer.lan:http", "port"),
            ("ws://printer.lan:70000", "port"),
            ("ws://::1:7125", "port"),
            ("ws://[::1", "port"),
            ("ws://:7125", "host"),
            ("ws://", "host"),
            ("ws://a b", "host"),
            ("ws://host/a b", "percent-encoded"),
            ("ws://host?token=SECRET", "MOONRAKER_API_KEY"),
            ("ws://me:SECRET@host", "MOONRAKER_API_KEY"),
        ] {
            let error = text.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("write for example"), "{text}: {error}");
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in ".{0,200}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }

        #[test]
        fn texts_like_addresses_too(text in "(ws|http|unix)(:|://)[a-z@:\\[\\]/?#0-9%.]{0,40}") {
            if let Ok(endpoint) = text.parse::<Endpoint>() {
                prop_assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            }
        }
    }
}
