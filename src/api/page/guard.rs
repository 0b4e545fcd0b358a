//! Who may see the page, and whose forms count.
//!
//! A browser can be made to send requests by any page that it shows. What keeps those away: a name that somebody else could
//! own is no name of the printer (DNS rebinding), a form comes from the page's own origin, and it bears the page's key.

use crate::page::SAID;
use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName, ORIGIN};
use std::net::{IpAddr, Ipv6Addr};

/// Whom the settings let see the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admits {
    /// Who.
    pub who: Who,
    /// Names of the printer besides those that can be nobody else's.
    pub hosts: Vec<String>,
}

/// Who may see the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Who {
    /// There is no page.
    Nobody,
    /// The printer's own web server, which asks for a login where Moonraker does; and whoever is on the machine itself.
    #[default]
    Proxy,
    /// Everybody in the network.
    Anyone,
}

/// What browsers tell of the page that sends a request; it cannot be set by a script.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const NOT_HERE: &str = SAID.not_here;
const NO_NAME: &str = SAID.no_name;
const STRANGER: &str = SAID.stranger;

/// Whether a request for the page is answered; the error is what to say.
pub(super) fn visitor(
    admits: &Admits,
    peer: Option<IpAddr>,
    headers: &HeaderMap,
) -> Result<(), &'static str> {
    let near = peer.is_some_and(|peer| peer.to_canonical().is_loopback());
    if admits.who != Who::Anyone && !near {
        return Err(NOT_HERE);
    }
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(NO_NAME) };
    let name = name_of(host.to_str().unwrap_or_default());
    let known = admits.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    if known || is_own(name) { Ok(()) } else { Err(NO_NAME) }
}

/// Whether a form comes from the page itself; the error is what to say.
pub(super) fn sender(headers: &HeaderMap) -> Result<(), &'static str> {
    if headers.contains_key(ORIGIN) && is_near(headers, &["same-origin"]) { Ok(()) } else { Err(STRANGER) }
}

/// Whether what belongs to the page is asked for by the page, or by somebody who enters its address: by nothing, at
/// least, that says otherwise.
pub(super) fn asker(headers: &HeaderMap) -> Result<(), &'static str> {
    if is_near(headers, &["same-origin", "none"]) { Ok(()) } else { Err(STRANGER) }
}

/// Whether all that a browser tells of where a request comes from, if anything, is the page's own place.
fn is_near(headers: &HeaderMap, sites: &[&str]) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(HOST).unwrap_or_default();
    let own =
        |origin: &str| origin.split_once("://").is_some_and(|(_, place)| place.eq_ignore_ascii_case(host));
    text(ORIGIN).is_none_or(own) && text(SEC_FETCH_SITE).is_none_or(|site| sites.contains(&site))
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let differ = one.bytes().zip(other.bytes()).fold(0, |differ, (one, other)| differ | (one ^ other));
    one.len() == other.len() && !one.is_empty() && std::hint::black_box(differ) == 0
}

/// The name or address in a `Host`, without the port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Whether a name can be nobody's but a machine's in this network: an address, a name without a dot, or one below a
/// domain that is nowhere in the public name system (RFC 6761, 6762 and 8375).
fn is_own(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() || name.parse::<Ipv6Addr>().is_ok() {
        return true;
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let local = [".local", ".localhost", ".home.arpa", ".internal"].iter().any(|end| name.ends_with(end));
    !name.is_empty() && name.bytes().all(plain) && (local || !name.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    fn headers(rows: &[(HeaderName, &str)]) -> HeaderMap {
        rows.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_the_machine_itself_and_names_that_nobody_can_own() {
        let proxy = Admits { who: Who::Proxy, hosts: vec!["printer.example.org".to_owned()] };
        let anyone = Admits { who: Who::Anyone, ..proxy.clone() };
        let table = [
            ("127.0.0.1", "127.0.0.1:8000", Ok(())),
            ("::1", "[::1]:8000", Ok(())),
            ("::ffff:127.0.0.1", "192.168.1.20", Ok(())),
            ("127.0.0.1", "u1", Ok(())),
            ("127.0.0.1", "U1.local:80", Ok(())),
            ("127.0.0.1", "localhost", Ok(())),
            ("127.0.0.1", "u1.home.arpa.", Ok(())),
            ("127.0.0.1", "Printer.example.org", Ok(())),
            ("127.0.0.1", "evil.example.org", Err(NO_NAME)),
            ("127.0.0.1", "127.0.0.1.evil.org", Err(NO_NAME)),
            ("127.0.0.1", "evil.org:80", Err(NO_NAME)),
            ("127.0.0.1", "", Err(NO_NAME)),
            ("127.0.0.1", "local.", Ok(())),
            ("127.0.0.1", "evil.notlocal", Err(NO_NAME)),
            ("192.168.1.7", "192.168.1.20", Err(NOT_HERE)),
        ];
        for (peer, host, expected) in table {
            let asked = headers(&[(HOST, host)]);
            assert_eq!(visitor(&proxy, peer.parse().ok(), &asked), expected, "{peer} {host}");
        }
        let asked = headers(&[(HOST, "192.168.1.20")]);
        assert_eq!(visitor(&anyone, "192.168.1.7".parse().ok(), &asked), Ok(()));
        assert_eq!(visitor(&proxy, None, &asked), Err(NOT_HERE));
        let asked = headers(&[(HOST, "evil.example.org")]);
        assert_eq!(visitor(&anyone, "192.168.1.7".parse().ok(), &asked), Err(NO_NAME));
    }

    #[test]
    fn a_form_comes_from_the_pages_own_origin() {
        let own = (ORIGIN, "http://u1.local:8000");
        let host = (HOST, "u1.local:8000");
        let table = [
            (vec![host.clone(), own.clone()], Ok(())),
            (vec![host.clone(), own.clone(), (SEC_FETCH_SITE, "same-origin")], Ok(())),
            (vec![host.clone(), own.clone(), (SEC_FETCH_SITE, "cross-site")], Err(STRANGER)),
            (vec![host.clone(), own, (SEC_FETCH_SITE, "same-site")], Err(STRANGER)),
            (vec![host.clone()], Err(STRANGER)),
            (vec![host.clone(), (ORIGIN, "null")], Err(STRANGER)),
            (vec![host.clone(), (ORIGIN, "http://u1.local")], Err(STRANGER)),
            (vec![host, (ORIGIN, "http://evil.org")], Err(STRANGER)),
        ];
        for (rows, expected) in table {
            assert_eq!(sender(&headers(&rows)), expected, "{rows:?}");
        }
    }

    #[test]
    fn keys_are_the_same_or_not() {
        for (one, other, same) in
            [("a", "a", true), ("", "", false), ("a", "", false), ("ab", "ac", false), ("ab", "a", false)]
        {
            assert_eq!(is_same(one, other), same, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn no_host_panics_and_no_public_name_is_own(text in ".*", name in "[a-z]{1,8}\\.(com|org|dev|io|box|lan)") {
            let _ = is_own(name_of(&text));
            prop_assert!(!is_own(&name));
        }
    }
}
