//! The headers of a request as they go on to a service. Pure.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;

use super::{credentials, hop};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
/// The number of a request, in every log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What others may have said about where the request comes from. Ours to say.
const SAID_BEFORE: [HeaderName; 7] = [
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    FORWARDED_PREFIX,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-real-ip"),
    header::FORWARDED,
];

/// What is known of a request besides its headers.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The service's address, `127.0.0.1:41821`.
    pub authority: &'a str,
    /// The part of the path that is ours.
    pub prefix: &'a str,
    /// Who is at the other end of the connection, where that is known.
    pub peer: Option<IpAddr>,
    /// Whether what this peer says of the one before it is believed.
    pub trusted: bool,
    /// The request's number.
    pub request_id: &'a str,
}

/// The headers to send on. `Content-Length` is left to who sends the body.
#[must_use]
pub fn headers(sent: &HeaderMap, origin: &Origin<'_>) -> HeaderMap {
    let mut headers = sent.clone();
    hop::strip(&mut headers);
    credentials::strip(&mut headers);
    for name in SAID_BEFORE {
        headers.remove(name);
    }
    headers.remove(header::CONTENT_LENGTH);
    // Answered by this server already, when it began to read the body.
    headers.remove(header::EXPECT);
    let believed = |name: &HeaderName| sent.get(name).filter(|_| origin.trusted).cloned();
    let mut put = |name: HeaderName, value: Option<HeaderValue>| {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    put(header::HOST, HeaderValue::from_str(origin.authority).ok());
    // Which page sent it was judged by this server. A service compares it with its own address.
    let page = sent.get(header::ORIGIN).map(|_| format!("http://{}", origin.authority));
    put(header::ORIGIN, page.and_then(|page| HeaderValue::from_str(&page).ok()));
    put(FORWARDED_FOR, forwarded_for(sent, origin));
    put(FORWARDED_PROTO, believed(&FORWARDED_PROTO).or_else(|| Some(HeaderValue::from_static("http"))));
    put(FORWARDED_HOST, believed(&FORWARDED_HOST).or_else(|| sent.get(header::HOST).cloned()));
    put(FORWARDED_PREFIX, HeaderValue::from_str(origin.prefix).ok());
    put(REQUEST_ID, HeaderValue::from_str(origin.request_id).ok());
    headers
}

/// The peer, behind those that it names where it is believed.
fn forwarded_for(sent: &HeaderMap, origin: &Origin<'_>) -> Option<HeaderValue> {
    let peer = origin.peer?.to_canonical().to_string();
    let mut chain: Vec<&str> = Vec::new();
    if origin.trusted {
        chain.extend(hop::words(sent, FORWARDED_FOR));
    }
    chain.push(&peer);
    HeaderValue::from_str(&chain.join(", ")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(sent: &[(&'static str, &str)]) -> HeaderMap {
        sent.iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    const ORIGIN: Origin<'_> = Origin {
        authority: "127.0.0.1:41821",
        prefix: "/sessions/1/files",
        peer: Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))),
        trusted: false,
        request_id: "abc",
    };

    #[test]
    fn a_service_learns_who_asks_and_where_it_is_found() {
        let sent = of(&[("host", "octo.example"), ("accept", "text/html"), ("authorization", "Bearer x")]);
        let headers = headers(&sent, &ORIGIN);
        let expected = of(&[
            ("host", "127.0.0.1:41821"),
            ("accept", "text/html"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-host", "octo.example"),
            ("x-forwarded-prefix", "/sessions/1/files"),
            ("x-request-id", "abc"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let said = of(&[
            ("host", "inner"),
            ("x-forwarded-for", "198.51.100.7"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "octo.example"),
            ("x-forwarded-prefix", "/elsewhere"),
            ("x-real-ip", "198.51.100.7"),
            ("forwarded", "for=198.51.100.7"),
        ]);
        let doubted = headers(&said, &ORIGIN);
        assert_eq!(doubted["x-forwarded-for"], "192.0.2.1");
        assert_eq!(doubted["x-forwarded-proto"], "http");
        assert_eq!(doubted["x-forwarded-host"], "inner");
        let believed = headers(&said, &Origin { trusted: true, ..ORIGIN });
        assert_eq!(believed["x-forwarded-for"], "198.51.100.7, 192.0.2.1");
        assert_eq!(believed["x-forwarded-proto"], "https");
        assert_eq!(believed["x-forwarded-host"], "octo.example");
        for sent_on in [doubted, believed] {
            assert_eq!(sent_on["x-forwarded-prefix"], "/sessions/1/files");
            assert!(!sent_on.contains_key("x-real-ip") && !sent_on.contains_key("forwarded"));
        }
    }

    #[test]
    fn a_page_that_was_let_in_is_the_service_s_own() {
        let sent = of(&[("host", "octo.example"), ("origin", "https://octo.example")]);
        assert_eq!(headers(&sent, &ORIGIN)["origin"], "http://127.0.0.1:41821");
        assert!(!headers(&of(&[("host", "octo.example")]), &ORIGIN).contains_key("origin"));
    }

    #[test]
    fn the_body_s_length_and_its_announcement_are_not_copied() {
        let sent =
            of(&[("content-length", "5"), ("transfer-encoding", "chunked"), ("expect", "100-continue")]);
        let headers = headers(&sent, &ORIGIN);
        for name in ["content-length", "transfer-encoding", "expect"] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn other_headers_survive_byte_for_byte(values in proptest::collection::vec("[ -~]{0,30}", 0..5)) {
            let mut sent = HeaderMap::new();
            for value in &values {
                sent.append("x-any", HeaderValue::from_str(value).unwrap());
            }
            let passed: Vec<_> = headers(&sent, &ORIGIN).get_all("x-any").iter().cloned().collect();
            let expected: Vec<_> = sent.get_all("x-any").iter().cloned().collect();
            prop_assert_eq!(passed, expected);
        }

        #[test]
        fn a_connection_header_takes_nothing_of_ours_away(name in "(host|x-forwarded-for|x-forwarded-prefix|x-request-id)") {
            let sent = of(&[("host", "octo.example"), ("connection", &name)]);
            prop_assert!(headers(&sent, &ORIGIN).contains_key(name.as_str()));
        }
    }
}
