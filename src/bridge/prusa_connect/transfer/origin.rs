//! Who a server is: scheme, host and port. A secret goes to none but the one it is for.

use std::net::IpAddr;
use ureq::http::Uri;

/// The server behind an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whether it speaks TLS.
    pub(crate) tls: bool,
    /// Its host in lower case, with brackets around an IPv6 address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
}

impl Origin {
    /// The server behind an address of HTTP or HTTPS; none behind any other.
    pub(crate) fn of(url: &str) -> Option<Self> {
        Self::of_uri(&url.parse().ok()?)
    }

    /// The same.
    pub(super) fn of_uri(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host();
        // Behind the host, since a port that is none would be taken for one that is not told.
        let behind =
            authority.as_str().rsplit('@').next()?.strip_prefix(host).filter(|_| !host.is_empty())?;
        let port = match behind.strip_prefix(':').unwrap_or(behind) {
            "" if tls => 443,
            "" => 80,
            port => port.parse().ok().filter(|port| *port > 0)?,
        };
        Some(Self { tls, host: host.to_ascii_lowercase(), port })
    }
}

/// Whether an address is that of this machine, or one that is only good on its own link: nothing that a stranger may
/// have asked for from within.
pub(super) fn is_close(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => {
            ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
        }
        IpAddr::V6(ip) => match ip.to_ipv4() {
            // Mapped, or in the old compatible form, of which ::1 is one.
            Some(inner) if !ip.is_loopback() => is_close(IpAddr::V4(inner)),
            _ => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast(),
        },
    }
}

/// The address that a redirection from `base` to `to` means.
pub(super) fn redirected(base: &str, to: &str) -> Option<String> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let to = to.split('#').next().filter(|to| plain(to))?;
    let lower = to.to_ascii_lowercase();
    let url = if lower.starts_with("http://") || lower.starts_with("https://") {
        to.to_owned()
    } else {
        let (scheme, rest) = base.split_once("://")?;
        let place = rest.split(['?', '#']).next()?;
        let host = place.split('/').next()?;
        if to.starts_with("//") {
            format!("{scheme}:{to}")
        } else if to.starts_with('/') {
            format!("{scheme}://{host}{to}")
        } else if to.starts_with('?') {
            format!("{scheme}://{place}{to}")
        } else if to.split(['/', '?']).next()?.contains(':') {
            // Another scheme.
            return None;
        } else {
            let folder = place.rsplit_once('/').map_or(place, |(folder, _)| folder);
            format!("{scheme}://{folder}/{to}")
        }
    };
    Origin::of(&url).map(|_| url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn origin(url: &str) -> Option<(bool, String, u16)> {
        Origin::of(url).map(|origin| (origin.tls, origin.host, origin.port))
    }

    #[test]
    fn the_server_of_an_address_is_found() {
        for (url, expected) in [
            ("https://connect.prusa3d.com", Some((true, "connect.prusa3d.com", 443))),
            ("HTTPS://Connect.Prusa3D.com:443/p", Some((true, "connect.prusa3d.com", 443))),
            (
                "https://connect.prusa3d.com.evil.example/p",
                Some((true, "connect.prusa3d.com.evil.example", 443)),
            ),
            ("https://connect.prusa3d.com@evil.example/p", Some((true, "evil.example", 443))),
            ("http://connect.prusa3d.com:8080", Some((false, "connect.prusa3d.com", 8080))),
            ("http://[::1]:81/x", Some((false, "[::1]", 81))),
            ("ftp://a/b", None),
            ("file:///etc/passwd", None),
            ("/etc/passwd", None),
            ("http://", None),
            ("http://a:0/", None),
            ("http://a:99999/", None),
            ("", None),
        ] {
            let expected = expected.map(|(tls, host, port)| (tls, host.to_owned(), port));
            assert_eq!(origin(url), expected, "{url}");
        }
    }

    #[test]
    fn addresses_close_by_are_known() {
        for (address, close) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("169.254.169.254", true),
            ("0.0.0.0", true),
            ("255.255.255.255", true),
            ("224.0.0.1", true),
            ("::1", true),
            ("::", true),
            ("fe80::1", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:169.254.1.1", true),
            ("::127.0.0.1", true),
            ("192.168.1.7", false),
            ("10.0.0.7", false),
            ("203.0.113.9", false),
            ("2001:db8::1", false),
            ("fd00::1", false),
        ] {
            assert_eq!(is_close(address.parse().unwrap()), close, "{address}");
        }
    }

    #[test]
    fn redirections_are_followed_as_browsers_do() {
        let base = "https://a.example:8443/b/c?d=e/f";
        for (to, expected) in [
            ("http://x.example/y", Some("http://x.example/y")),
            ("//x.example/y", Some("https://x.example/y")),
            ("/y?z", Some("https://a.example:8443/y?z")),
            ("y#part", Some("https://a.example:8443/b/y")),
            ("?y", Some("https://a.example:8443/b/c?y")),
            ("ftp://x.example/y", None),
            ("file:/etc/passwd", None),
            ("a b", None),
            ("/\u{e4}", None),
        ] {
            assert_eq!(redirected(base, to).as_deref(), expected, "{to}");
        }
        assert_eq!(redirected("http://a.example", "y").as_deref(), Some("http://a.example/y"));
    }

    proptest! {
        #[test]
        fn any_address_is_read(url in "(https?://)?([a-z.:@/?#\\[\\]]|\\PC){0,20}", to in "(https?:)?([a-z.:@/?#]|\\PC){0,12}") {
            let _ = Origin::of(&url);
            if let Some(next) = redirected(&url, &to) {
                prop_assert!(Origin::of(&next).is_some());
            }
        }
    }
}
