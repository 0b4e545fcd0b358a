//! Whether a request comes from a page of ours: what a cookie alone does not say.

use http::header::{HOST, HeaderMap, HeaderName, ORIGIN, UPGRADE};
use http::{Method, Uri};
use url::{Host, Url};

/// What a browser says of where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request asks for a WebSocket.
#[must_use]
pub fn is_websocket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|value| value.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket")))
    })
}

/// Whether the request could change something: anything but a plain look. A WebSocket is a shell.
#[must_use]
pub fn could_change(method: &Method, headers: &HeaderMap) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || is_websocket(headers)
}

/// Whether the request comes from a page of this server or of a site that the settings allow. `hosts` are the names by which
/// this server is reached. Without an `Origin`, a browser's own word that it is the same origin counts.
#[must_use]
pub fn is_ours(headers: &HeaderMap, hosts: &[&str], allowed: &[String]) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (Some(origin), None) => {
            let Some(origin) = origin.to_str().ok().and_then(site) else { return false };
            hosts.iter().any(|host| authority(host, &origin.0) == Some((origin.1.clone(), origin.2)))
                || allowed.iter().filter_map(|allowed| site(allowed)).any(|allowed| allowed == origin)
        }
        (None, _) => headers.get(FETCH_SITE).is_some_and(|site| site == "same-origin"),
        _ => false,
    }
}

/// Whether a `Host` is an address, `localhost`, or one of these sites. Any other name could be that of somebody else's page,
/// who lets it lead to this machine.
#[must_use]
pub fn is_home(host: &str, sites: &[String]) -> bool {
    let Ok(url) = Url::parse(&format!("http://{host}")) else { return false };
    match url.host() {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        Some(Host::Domain(name)) => {
            name == "localhost"
                || name.ends_with(".localhost")
                || sites.iter().filter_map(|allowed| site(allowed)).any(|(_, allowed, _)| allowed == name)
        }
        None => false,
    }
}

/// The host that a request names.
#[must_use]
pub fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(HOST).and_then(|host| host.to_str().ok()),
    }
}

/// Scheme, host and port of an origin; `null` and what is no URL have none.
#[must_use]
pub fn site(text: &str) -> Option<(String, String, u16)> {
    let url = Url::parse(text).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port_or_known_default()?))
}

/// Host and port of a `Host` header, with the default port of the scheme.
fn authority(host: &str, scheme: &str) -> Option<(String, u16)> {
    let (_, host, port) = site(&format!("{scheme}://{host}"))?;
    Some((host, port))
}
