//! The headers of a service's answer as they go back to the browser. Pure.
//!
//! A service of a session speaks under the server's own name, among other sessions and the API. What it says about the
//! whole site is therefore dropped, and what it says about paths is moved below its own.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::{credentials, hop};
use crate::session::Service;

/// Headers by which a service could change what the browser does with the rest of the site. Which sites may read what
/// is the server's own word too.
const ABOUT_THE_SITE: [HeaderName; 14] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
    header::ALT_SVC,
    HeaderName::from_static("clear-site-data"),
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("service-worker-allowed"),
    header::STRICT_TRANSPORT_SECURITY,
    // A browser would ask its user for a password in this server's name, and then send it with every request here.
    header::WWW_AUTHENTICATE,
    super::request::REQUEST_ID,
];

const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where an answer comes from.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The service's address, `127.0.0.1:41821`.
    pub authority: &'a str,
    /// The part of the path that is ours.
    pub prefix: &'a str,
    /// The service.
    pub service: Service,
}

/// Whether the body is a stream of events.
#[must_use]
pub fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

/// Makes a service's headers fit for the browser.
pub fn adapt(headers: &mut HeaderMap, place: &Place<'_>) {
    hop::strip(headers);
    for name in ABOUT_THE_SITE {
        headers.remove(name);
    }
    for name in [header::LOCATION, header::CONTENT_LOCATION] {
        let moved = headers.get(&name).and_then(|value| location(value.to_str().ok()?, place));
        if let Some(moved) = moved.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, moved);
        }
    }
    let cookies: Vec<HeaderValue> = headers
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|value| HeaderValue::from_bytes(&cookie(value.as_bytes(), place.prefix)?).ok())
        .collect();
    headers.remove(header::SET_COOKIE);
    for value in cookies {
        headers.append(header::SET_COOKIE, value);
    }
    if is_event_stream(headers) {
        headers.insert(BUFFERING, HeaderValue::from_static("no"));
        if !headers.contains_key(header::CACHE_CONTROL) {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
    }
    // What a container serves must not run as a page of this site, which could use the API in its reader's name. An
    // agent's page may run, as one of no site at all.
    let cage = if place.service == Service::Files { "sandbox" } else { "sandbox allow-forms allow-scripts" };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(cage));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Where a `Location` leads through this server; `None` where it may stay as it is.
fn location(to: &str, place: &Place<'_>) -> Option<String> {
    let absolute = ["http://", "https://", "//"].iter().find_map(|scheme| {
        let rest = to.strip_prefix(scheme)?.strip_prefix(place.authority)?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
    });
    let path = match absolute {
        Some(path) => path,
        None if to.starts_with('/') && !to.starts_with("//") => to,
        None => return None,
    };
    // One that heeds X-Forwarded-Prefix has said it already.
    let said =
        path.strip_prefix(place.prefix).is_some_and(|r| r.is_empty() || r.starts_with(['/', '?', '#']));
    if said { Some(path.to_owned()) } else { Some(format!("{}{path}", place.prefix)) }
}

/// A `Set-Cookie` below our path; `None` for one that must not be set: a log-in, or one without a name, which browsers
/// send as if it were any other.
fn cookie(value: &[u8], prefix: &str) -> Option<Vec<u8>> {
    let mut parts = value.split(|byte| *byte == b';');
    let pair = parts.next()?;
    let mut halves = pair.splitn(2, |byte| *byte == b'=');
    let name = halves.next()?.trim_ascii();
    halves.next()?;
    if name.is_empty() || name.eq_ignore_ascii_case(credentials::COOKIE.as_bytes()) {
        return None;
    }
    let mut out = pair.to_vec();
    let mut path = Vec::new();
    for attribute in parts {
        let mut halves = attribute.splitn(2, |byte| *byte == b'=');
        let key = halves.next().unwrap_or_default().trim_ascii();
        if key.eq_ignore_ascii_case(b"path") {
            path = halves.next().unwrap_or_default().trim_ascii().to_vec();
        } else if !key.eq_ignore_ascii_case(b"domain") {
            out.push(b';');
            out.extend_from_slice(attribute);
        }
    }
    // Also one without a path gets ours: the browser's own choice would be the page's folder.
    out.extend_from_slice(b"; Path=");
    let prefixed =
        path.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
    if !prefixed {
        out.extend_from_slice(prefix.as_bytes());
    }
    if path.starts_with(b"/") && path != b"/" {
        out.extend_from_slice(&path);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLACE: Place<'_> =
        Place { authority: "127.0.0.1:41820", prefix: "/sessions/1/opencode", service: Service::Opencode };

    fn adapted(sent: &[(&'static str, &str)], place: &Place<'_>) -> HeaderMap {
        let mut headers: HeaderMap = sent
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        adapt(&mut headers, place);
        headers
    }

    #[test]
    fn a_location_at_the_root_moves_below_the_session() {
        for (sent, expected) in [
            ("/login?a=%2F", "/sessions/1/opencode/login?a=%2F"),
            ("/", "/sessions/1/opencode/"),
            ("http://127.0.0.1:41820/x", "/sessions/1/opencode/x"),
            ("http://127.0.0.1:41820", "/sessions/1/opencode"),
            ("//127.0.0.1:41820/x", "/sessions/1/opencode/x"),
            ("http://127.0.0.1:418201/x", "http://127.0.0.1:418201/x"),
            ("/sessions/1/opencode/x", "/sessions/1/opencode/x"),
            ("/sessions/1/opencodex", "/sessions/1/opencode/sessions/1/opencodex"),
            ("relative", "relative"),
            ("../up", "../up"),
            ("https://example.org/x", "https://example.org/x"),
            ("//example.org/x", "//example.org/x"),
        ] {
            assert_eq!(adapted(&[("location", sent)], &PLACE)["location"], expected, "{sent}");
        }
    }

    #[test]
    fn a_cookie_stays_below_the_session() {
        for (sent, expected) in [
            ("a=1", Some("a=1; Path=/sessions/1/opencode")),
            ("a=1; Path=/", Some("a=1; Path=/sessions/1/opencode")),
            ("a=1; path=/x; HttpOnly", Some("a=1; HttpOnly; Path=/sessions/1/opencode/x")),
            ("a=1; Path=/sessions/1/opencode/x", Some("a=1; Path=/sessions/1/opencode/x")),
            ("a=1; Path=/x; Path=/y", Some("a=1; Path=/sessions/1/opencode/y")),
            ("a=1; Path=/sessions/1/opencodex", Some("a=1; Path=/sessions/1/opencode/sessions/1/opencodex")),
            ("a=1; Path=relative", Some("a=1; Path=/sessions/1/opencode")),
            ("a=1; Domain=example.org; Secure", Some("a=1; Secure; Path=/sessions/1/opencode")),
            ("a=b=c", Some("a=b=c; Path=/sessions/1/opencode")),
            ("auth_token=evil", None),
            (" Auth_Token =evil; Path=/", None),
            ("=auth_token=evil", None),
            ("auth_token", None),
            ("", None),
        ] {
            let headers = adapted(&[("set-cookie", sent)], &PLACE);
            assert_eq!(headers.get("set-cookie").map(|value| value.to_str().unwrap()), expected, "{sent}");
        }
    }

    #[test]
    fn what_is_about_the_whole_site_is_dropped() {
        let sent = [
            ("access-control-allow-origin", "*"),
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
            ("strict-transport-security", "max-age=1"),
            ("www-authenticate", "Basic realm=\"octo\""),
            ("connection", "x-named"),
            ("x-named", "1"),
            ("x-request-id", "theirs"),
            ("etag", "\"1\""),
        ];
        let headers = adapted(&sent, &PLACE);
        let left: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
        assert_eq!(left, ["etag", "content-security-policy", "x-content-type-options"]);
    }

    #[test]
    fn event_streams_are_not_buffered_on_their_way() {
        let headers = adapted(&[("content-type", "Text/Event-Stream; charset=utf-8")], &PLACE);
        assert_eq!(headers["x-accel-buffering"], "no");
        assert_eq!(headers["cache-control"], "no-cache");
        let headers = adapted(&[("content-type", "text/plain")], &PLACE);
        assert!(!headers.contains_key("x-accel-buffering"));
    }

    #[test]
    fn nothing_that_a_container_serves_runs_as_a_page_of_this_site() {
        for (service, cage) in [
            (Service::Files, "sandbox"),
            (Service::Terminal, "sandbox allow-forms allow-scripts"),
            (Service::Opencode, "sandbox allow-forms allow-scripts"),
        ] {
            let sent = [("content-type", "text/html"), ("content-security-policy", "default-src *")];
            let headers = adapted(&sent, &Place { service, ..PLACE });
            assert_eq!(headers["content-security-policy"], cage, "{service:?}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{service:?}");
        }
    }

    proptest! {
        #[test]
        fn no_cookie_leaves_its_session(sent in "[!-~ ]{0,60}") {
            let headers = adapted(&[("set-cookie", &sent)], &PLACE);
            for value in headers.get_all("set-cookie") {
                let text = value.to_str().unwrap();
                let (_, path) = text.rsplit_once("; Path=").unwrap();
                prop_assert!(path.starts_with("/sessions/1/opencode"), "{}", text);
                prop_assert!(!text.to_ascii_lowercase().trim_start().starts_with("auth_token="), "{}", text);
            }
        }

        #[test]
        fn a_location_on_this_site_is_below_the_session(path in "/[a-z0-9%?#=.]{0,30}") {
            let headers = adapted(&[("location", &path)], &PLACE);
            prop_assert!(headers["location"].to_str().unwrap().starts_with("/sessions/1/opencode/"));
        }
    }
}
