//! Who may open a terminal: credentials and origins. Pure.

use axum::http::{HeaderMap, HeaderName, header};

use crate::same::same;

/// Whether `Authorization` carries the credential, which is in base64 as it is sent.
pub(super) fn has_credential(headers: &HeaderMap, credential: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut words = given.split_ascii_whitespace();
    let is_basic = words.next().is_some_and(|word| word.eq_ignore_ascii_case("basic"));
    is_basic && words.next().is_some_and(|word| same(word, credential)) && words.next().is_none()
}

/// Whether the page that opens the socket is of the host that it opens it at. No `Origin` is no page of ours.
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-host");
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let Some((scheme, origin)) = text(header::ORIGIN).and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    let plain = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    // A proxy names the host that the page sees; no page can set that header of a socket.
    [text(FORWARDED), text(header::HOST)].into_iter().flatten().any(|host| plain(host) == plain(origin))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn origins_are_held_against_the_host() {
        for (pairs, expected) in [
            (vec![("host", "box:41822"), ("origin", "http://box:41822")], true),
            (vec![("host", "box"), ("origin", "http://BOX:80")], true),
            (vec![("host", "box:443"), ("origin", "https://box")], true),
            (
                vec![
                    ("host", "127.0.0.1:9"),
                    ("x-forwarded-host", "shop.example"),
                    ("origin", "https://shop.example"),
                ],
                true,
            ),
            (vec![("host", "box:41822"), ("origin", "http://box")], false),
            (vec![("host", "box"), ("origin", "http://evil.example")], false),
            (vec![("host", "box"), ("origin", "http://box.evil.example")], false),
            (vec![("host", "box"), ("origin", "null")], false),
            (vec![("host", "box")], false),
        ] {
            assert_eq!(is_same_origin(&headers(&pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn credentials_must_be_whole() {
        for (given, expected) in [
            ("Basic YTpi", true),
            ("basic  YTpi", true),
            ("Basic YTpj", false),
            ("Basic YTp", false),
            ("Basic", false),
            ("Bearer YTpi", false),
            ("Basic YTpi x", false),
        ] {
            assert_eq!(has_credential(&headers(&[("authorization", given)]), "YTpi"), expected, "{given}");
        }
        assert!(!has_credential(&HeaderMap::new(), "YTpi"));
    }
}
