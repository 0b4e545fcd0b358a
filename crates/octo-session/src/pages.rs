//! Which pages may ask. A browser on the machine that publishes a container's ports reaches them, whatever site's page it
//! shows: that page could open a shell, or put a file into the workspace. So what it sends is refused. The workshop's server
//! has judged a page before it passes a request on, and speaks as a page of the service itself.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

/// The same routes, for programs and for pages that this server showed itself.
pub fn own_alone(router: Router) -> Router {
    router.layer(middleware::from_fn(judge))
}

async fn judge(request: Request, next: Next) -> Response {
    if may_ask(request.headers()) {
        return next.run(request).await;
    }
    let said = serde_json::json!({ "error": "a page of another site sent this", "code": "FOREIGN_PAGE" });
    (StatusCode::FORBIDDEN, axum::Json(said)).into_response()
}

/// Whether this can have come from a program, or from a page of ours. A page cannot choose these headers; but its owner can
/// let a name of theirs lead here, so that a name for this host counts only if it can be nobody else's.
fn may_ask(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let host = hosts.next();
    if hosts.next().is_some() || host.is_some_and(|host| !is_ours(host)) {
        return false;
    }
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        origin.is_some() && origin == host
    })
}

/// Whether this is an address or `localhost`, with or without a port.
fn is_ours(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn pages_are_known_by_what_they_cannot_choose() {
        let rows: [(&[(&'static str, &str)], bool); 15] = [
            (&[], true),
            (&[("host", "127.0.0.1:41821")], true),
            (&[("host", "localhost:41821")], true),
            (&[("host", "[::1]:41821")], true),
            (&[("host", "10.88.0.7")], true),
            (&[("host", "127.0.0.1:41821"), ("origin", "http://127.0.0.1:41821")], true),
            // Another site's page, and one without a site, as in a frame that is caged.
            (&[("host", "127.0.0.1:41821"), ("origin", "https://evil.example")], false),
            (&[("host", "127.0.0.1:41821"), ("origin", "null")], false),
            // The page of another service of this machine.
            (&[("host", "127.0.0.1:41821"), ("origin", "http://127.0.0.1:3000")], false),
            // A name that somebody lets lead to this machine.
            (&[("host", "evil.example:41821")], false),
            (&[("host", "evil.example:41821"), ("origin", "http://evil.example:41821")], false),
            (&[("host", "localhost.evil.example")], false),
            (&[("host", "127.0.0.1.evil.example:41821")], false),
            (&[("host", "127.0.0.1"), ("host", "evil.example")], false),
            (&[("host", "127.0.0.1"), ("origin", "http://127.0.0.1"), ("origin", "null")], false),
        ];
        for (pairs, expected) in rows {
            assert_eq!(may_ask(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_of_somebody_s_is_ours(host in "[a-z0-9.:\\[\\]-]{0,20}\\.example(:[0-9]{1,5})?") {
            prop_assert!(!is_ours(&host));
        }
    }
}
