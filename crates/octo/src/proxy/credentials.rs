//! Keeps the platform's own credentials out of containers: whatever runs in a session could use them against its user.
//!
//! Pure. Everything that is not a credential stays as it was sent, byte for byte.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode;

/// The cookie that holds a log-in.
pub const COOKIE: &str = "auth_token";

/// The header with a session's key, which the server alone may set.
pub const SESSION_KEY: HeaderName = HeaderName::from_static("x-octo-session-key");

/// Names of parameters of a query that hold a log-in or a ticket for one.
const PARAMETERS: [&[u8]; 2] = [b"token", b"ticket"];

/// Takes the credentials out of a request's headers.
pub fn strip(headers: &mut HeaderMap) {
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::PROXY_AUTHORIZATION);
    headers.remove(HeaderName::from_static("x-dev-user"));
    headers.remove(SESSION_KEY);
    let kept: Vec<HeaderValue> = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| HeaderValue::from_bytes(&cookies(value.as_bytes())?).ok())
        .collect();
    headers.remove(header::COOKIE);
    for value in kept {
        headers.append(header::COOKIE, value);
    }
    if let Some(referer) = headers.get(header::REFERER).and_then(|value| value.to_str().ok())
        && let Some((before, query)) = referer.split_once('?')
    {
        let stripped = self::query(query);
        if stripped != query {
            let mark = if stripped.is_empty() { "" } else { "?" };
            match HeaderValue::from_str(&format!("{before}{mark}{stripped}")) {
                Ok(value) => headers.insert(header::REFERER, value),
                Err(_) => headers.remove(header::REFERER),
            };
        }
    }
}

/// A `Cookie` header without the log-in; `None` where nothing is left.
fn cookies(value: &[u8]) -> Option<Vec<u8>> {
    let is_ours = |pair: &[u8]| {
        let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(COOKIE.as_bytes())
    };
    let pairs: Vec<&[u8]> = value.split(|byte| *byte == b';').collect();
    if !pairs.iter().any(|pair| is_ours(pair)) {
        return Some(value.to_vec());
    }
    let kept: Vec<&[u8]> = pairs
        .into_iter()
        .filter(|pair| !is_ours(pair) && !pair.trim_ascii().is_empty())
        .map(<[u8]>::trim_ascii)
        .collect();
    if kept.is_empty() { None } else { Some(kept.join(&b"; "[..])) }
}

/// A query without the parameters that hold a log-in.
#[must_use]
pub fn query(query: &str) -> String {
    let is_ours = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default().replace('+', " ");
        let name: Vec<u8> = percent_decode(name.as_bytes()).collect();
        PARAMETERS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
    };
    query.split('&').filter(|parameter| !is_ours(parameter)).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_headers_that_log_in_are_removed() {
        let mut headers = HeaderMap::new();
        headers.append("authorization", HeaderValue::from_static("Bearer secret"));
        headers.append("authorization", HeaderValue::from_static("Basic secret"));
        headers.append("x-dev-user", HeaderValue::from_static("secret"));
        headers.append("x-octo-session-key", HeaderValue::from_static("secret"));
        headers.append("x-other", HeaderValue::from_static("stays"));
        strip(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-other"], "stays");
    }

    #[test]
    fn only_our_cookie_is_removed() {
        for (sent, kept) in [
            ("auth_token=secret", None),
            ("a=1; auth_token=secret; b=2", Some("a=1; b=2")),
            ("auth_token=secret;a=1;b=2", Some("a=1; b=2")),
            (" auth_token = secret ; a=1", Some("a=1")),
            ("AUTH_TOKEN=secret; a=1", Some("a=1")),
            ("auth_token=secret; auth_token=secret", None),
            ("auth_token; a=1", Some("a=1")),
            ("a=\"x;auth_token=secret\"", Some("a=\"x")),
            ("a=1;b=2 ;  c=3", Some("a=1;b=2 ;  c=3")),
            ("auth_token2=x; my_auth_token=y", Some("auth_token2=x; my_auth_token=y")),
            ("a=auth_token=1", Some("a=auth_token=1")),
        ] {
            let mut headers = HeaderMap::new();
            headers.append("cookie", HeaderValue::from_static(sent));
            strip(&mut headers);
            assert_eq!(headers.get("cookie").map(|value| value.to_str().unwrap()), kept, "{sent}");
        }
    }

    #[test]
    fn a_query_loses_its_token_and_nothing_else() {
        for (sent, kept) in [
            ("token=secret", ""),
            ("a=1&token=secret&b=%2F", "a=1&b=%2F"),
            ("ticket=secret&a", "a"),
            ("%74oken=secret", ""),
            ("Token=secret", ""),
            ("tokens=1&xtoken=2", "tokens=1&xtoken=2"),
            ("a=token=1", "a=token=1"),
            ("a=1&&b=2", "a=1&&b=2"),
            ("token", ""),
        ] {
            assert_eq!(query(sent), kept, "{sent}");
        }
    }

    #[test]
    fn a_referring_page_s_token_is_removed_too() {
        let mut headers = HeaderMap::new();
        headers.append("referer", HeaderValue::from_static("http://here/page?token=secret&a=1"));
        strip(&mut headers);
        assert_eq!(headers["referer"], "http://here/page?a=1");
        headers.insert("referer", HeaderValue::from_static("http://here/page?token=secret"));
        strip(&mut headers);
        assert_eq!(headers["referer"], "http://here/page");
    }

    proptest! {
        #[test]
        fn no_token_comes_through(before in "[a-z=;%& ]{0,20}", after in "[a-z=;%& ]{0,20}") {
            let mut headers = HeaderMap::new();
            let sent = format!("{before};auth_token=SECRET;{after}");
            headers.append("cookie", HeaderValue::from_str(&sent).unwrap());
            strip(&mut headers);
            for value in headers.get_all("cookie") {
                prop_assert!(!value.to_str().unwrap().contains("SECRET"));
            }
            let sent = format!("{before}&token=SECRET&{after}");
            prop_assert!(!query(&sent).contains("SECRET"));
        }

        #[test]
        fn a_query_without_token_survives_byte_for_byte(sent in "([a-s0-9=&+;/?]|%2[0-9A-F]){0,60}") {
            prop_assert_eq!(query(&sent), sent);
        }
    }
}
