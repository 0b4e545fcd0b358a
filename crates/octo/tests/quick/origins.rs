//! Other sites' pages: what they may read, and what they cannot do with somebody's cookie.

use crate::support::Bed;
use http::{HeaderMap, HeaderName, HeaderValue};
use octo::auth::{Client, Role, origin};
use serde_json::json;
use std::net::IpAddr;

fn headers(rows: &[(&str, &str)]) -> HeaderMap {
    rows.iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()))
        .fold(HeaderMap::new(), |mut headers, (name, value)| {
            headers.append(name, value);
            headers
        })
}

#[test]
fn an_origin_is_ours_by_scheme_host_and_port() {
    let allowed = ["https://front.example.org".to_owned()];
    let rows: [(&str, &str, bool); 14] = [
        ("http://octo.lan:8080", "octo.lan:8080", true),
        ("http://OCTO.lan:8080", "octo.LAN:8080", true),
        ("https://octo.lan", "octo.lan", true),
        ("https://octo.lan", "octo.lan:443", true),
        ("http://[::1]:8080", "[::1]:8080", true),
        ("https://front.example.org", "octo.lan", true),
        ("http://front.example.org", "octo.lan", false),
        ("https://front.example.org.evil.net", "octo.lan", false),
        ("http://octo.lan:8081", "octo.lan:8080", false),
        ("http://evil.octo.lan:8080", "octo.lan:8080", false),
        ("http://octo.lan", "octo.lan:8080", false),
        ("null", "octo.lan", false),
        ("", "octo.lan", false),
        ("file://octo.lan", "octo.lan", false),
    ];
    for (origin, host, ours) in rows {
        assert_eq!(
            origin::is_ours(&headers(&[("origin", origin)]), &[host], &allowed),
            ours,
            "{origin} at {host}"
        );
    }
    let is_ours = |rows: &[(&str, &str)]| origin::is_ours(&headers(rows), &["octo.lan"], &allowed);
    assert!(!is_ours(&[]), "without a word of where it comes from");
    assert!(is_ours(&[("sec-fetch-site", "same-origin")]));
    assert!(!is_ours(&[("sec-fetch-site", "same-site")]));
    assert!(!is_ours(&[("origin", "https://evil.net"), ("sec-fetch-site", "same-origin")]));
    assert!(!is_ours(&[("origin", "https://octo.lan"), ("origin", "https://evil.net")]));
}

/// Protects against other sites' pages that use the cookie of whoever looks at them. A WebSocket is a shell.
#[test]
fn a_cookie_alone_changes_nothing() {
    let bed = Bed::new();
    bed.user("anna", Role::User);
    let token = bed.token("anna");
    let cookie = format!("auth_token={token}");
    let host = format!("http://{}", bed.address);
    let change =
        |headers: &[(&str, &str)]| bed.with_json("PUT", "/api/me", headers, &json!({"display_name": "Anna"}));
    let foreign = [("cookie", cookie.as_str()), ("origin", "https://evil.net")];
    let answer = change(&foreign);
    assert_eq!((answer.status, answer.reason().as_str()), (403, "cross_origin"), "{answer:?}");
    assert_eq!(change(&[("cookie", &cookie)]).status, 403, "no word of where it comes from");
    assert_eq!(change(&[("cookie", &cookie), ("origin", "null")]).status, 403);
    assert_eq!(change(&[("cookie", &cookie), ("origin", &host)]).status, 200);
    assert_eq!(change(&[("cookie", &cookie), ("sec-fetch-site", "same-origin")]).status, 200);
    // A token in a header is nothing that a browser adds by itself.
    assert_eq!(
        change(&[("authorization", &format!("Bearer {token}")), ("origin", "https://evil.net")]).status,
        200
    );
    // Looking is harmless: the other page cannot read the answer.
    assert_eq!(bed.get("/api/me", &foreign).status, 200);
    let socket = [
        ("cookie", cookie.as_str()),
        ("origin", "https://evil.net"),
        ("connection", "upgrade"),
        ("upgrade", "WebSocket"),
    ];
    assert_eq!(bed.get("/api/me", &socket).reason(), "cross_origin");
    let socket = [
        ("cookie", cookie.as_str()),
        ("origin", host.as_str()),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
    ];
    assert_eq!(bed.get("/api/me", &socket).status, 200);
    // A page of another site cannot log anybody out either, nor take the cookie away that did not come with it.
    for foreign in [&foreign[..], &foreign[1..]] {
        let out = bed.send("POST", "/api/auth/logout", foreign, None);
        assert_eq!((out.status, out.header("set-cookie")), (403, ""), "{foreign:?}");
    }
    assert_eq!(bed.get("/api/me", &[("cookie", &cookie)]).status, 200);
}

/// Protects developers, whose word alone counts: any page that they look at could give it, or lie about its own name.
#[test]
fn the_development_mode_believes_no_other_site_s_page() {
    let bed = Bed::with(|config| {
        config.auth.dev_mode = true;
        config.auth.dev_users = vec![crate::support::dev_user("devon", Role::Admin)];
        config.server.public_url = Some("http://octo.lan".into());
    });
    let me = |rows: &[(&str, &str)]| {
        let mut headers = vec![("x-dev-user", "devon")];
        headers.extend(rows);
        bed.get("/api/me", &headers)
    };
    let own = format!("http://{}", bed.address);
    for rows in [
        &[][..],
        &[("origin", own.as_str())],
        &[("origin", "http://localhost:3000")],
        &[("host", "localhost:8080")],
        &[("host", "octo.lan")],
    ] {
        assert_eq!(me(rows).status, 200, "{rows:?}");
    }
    for rows in [
        &[("origin", "https://evil.net")][..],
        &[("origin", "null")],
        &[("host", "evil.net:8080")],
        &[("host", "evil.net:8080"), ("origin", "http://evil.net:8080")],
        &[("host", "localhost.evil.net")],
    ] {
        let answer = me(rows);
        assert_eq!((answer.status, answer.reason().as_str()), (403, "cross_origin"), "{rows:?}");
    }
    // A socket, which any page may open, and a stream, which any may read.
    for rows in [
        &[("origin", "https://evil.net"), ("connection", "upgrade"), ("upgrade", "websocket")][..],
        &[("origin", "https://evil.net"), ("accept", "text/event-stream")],
    ] {
        assert_eq!(bed.get("/api/me?token=dev:devon", rows).reason(), "cross_origin", "{rows:?}");
    }
}

#[test]
fn the_public_name_and_a_trusted_proxys_word_count_as_ours() {
    let bed = Bed::with(|config| {
        config.server.public_url = Some("https://octo.example.org/".into());
        config.server.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    bed.user("anna", Role::User);
    let cookie = format!("auth_token={}", bed.token("anna"));
    let change = |rows: &[(&str, &str)]| {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(rows);
        bed.with_json("PUT", "/api/me", &headers, &json!({"display_name": "Anna"})).status
    };
    assert_eq!(change(&[("origin", "https://octo.example.org")]), 200);
    assert_eq!(change(&[("origin", "http://octo.example.org")]), 403);
    assert_eq!(change(&[("origin", "https://other.org"), ("x-forwarded-host", "other.org")]), 200);
    let untrusting = Bed::new();
    untrusting.user("anna", Role::User);
    let cookie = format!("auth_token={}", untrusting.token("anna"));
    let rows =
        [("cookie", cookie.as_str()), ("origin", "https://other.org"), ("x-forwarded-host", "other.org")];
    assert_eq!(untrusting.with_json("PUT", "/api/me", &rows, &json!({})).status, 403);
}

/// Protects the throttle and the record from addresses that somebody made up.
#[test]
fn forwarded_addresses_count_from_trusted_proxies_alone() {
    let trusted: Vec<IpAddr> = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap()).to_vec();
    let rows: [(&str, &[&str], &str); 9] = [
        ("9.9.9.9", &["1.1.1.1"], "9.9.9.9"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &["1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", &["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", &["6.6.6.6", "1.1.1.1, 10.0.0.2"], "1.1.1.1"),
        ("10.0.0.1", &["1.1.1.1:4711"], "1.1.1.1"),
        ("10.0.0.1", &["[2001:db8::1]:80"], "2001:db8::1"),
        ("10.0.0.1", &["1.1.1.1, nonsense"], "10.0.0.1"),
        ("::ffff:10.0.0.1", &["::ffff:1.1.1.1"], "1.1.1.1"),
    ];
    for (peer, forwarded, address) in rows {
        let rows: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        let peer = (peer.parse::<IpAddr>().unwrap(), 80).into();
        assert_eq!(
            Client::of(&headers(&rows), peer, &trusted).address.to_string(),
            address,
            "{peer} {forwarded:?}"
        );
    }
}

/// Protects answers from being read by pages of sites that the settings do not name.
#[test]
fn only_sites_of_the_settings_may_read_answers() {
    let production = Bed::new();
    let named = Bed::with(|config| config.auth.allowed_origins = vec!["https://front.example.org".into()]);
    let open = Bed::with(|config| config.auth.dev_mode = true);
    let dev = Bed::with(|config| {
        config.auth.dev_mode = true;
        config.auth.allowed_origins = vec!["https://front.example.org".into()];
    });
    let rows = [
        (&production, "https://front.example.org", "", ""),
        (&named, "https://front.example.org", "https://front.example.org", "true"),
        (&named, "https://evil.net", "", ""),
        (&named, "http://localhost:3000", "", ""),
        (&open, "https://anywhere.net", "*", ""),
        (&open, "http://localhost:3000", "http://localhost:3000", "true"),
        (&dev, "http://localhost:3001", "http://localhost:3001", "true"),
        (&dev, "https://anywhere.net", "", ""),
        (&dev, "null", "", ""),
    ];
    for (bed, origin, allowed, credentials) in rows {
        let answer = bed.get("/api/features", &[("origin", origin)]);
        assert_eq!(answer.header("access-control-allow-origin"), allowed, "{origin}");
        assert_eq!(answer.header("access-control-allow-credentials"), credentials, "{origin}");
        assert!(answer.header("vary").contains("origin"));
        let asked = bed.send(
            "OPTIONS",
            "/api/me",
            &[
                ("origin", origin),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "authorization"),
            ],
            None,
        );
        assert_eq!(asked.status, 204);
        assert_eq!(asked.header("access-control-allow-origin"), allowed, "{origin}");
        assert_eq!(
            asked.header("access-control-allow-methods").contains("PUT"),
            !allowed.is_empty(),
            "{origin}"
        );
        // What the file server and the agent server take and say, docs/workshop.md: a page could else neither go on with an
        // upload nor hold a write against a version.
        let list = |name: &str, answer: &crate::support::Answer| -> Vec<String> {
            answer.header(name).split(',').map(|word| word.trim().to_owned()).collect()
        };
        for name in [
            "authorization",
            "upload-offset",
            "if-match",
            "if-none-match",
            "if-range",
            "x-opencode-directory",
        ] {
            let may = list("access-control-allow-headers", &asked).iter().any(|allowed| allowed == name);
            assert_eq!(may, !allowed.is_empty(), "{origin} {name}");
        }
        for name in ["etag", "location", "upload-offset", "x-next-cursor", "x-tree-truncated", "x-request-id"]
        {
            let may = list("access-control-expose-headers", &answer).iter().any(|exposed| exposed == name);
            assert_eq!(may, !allowed.is_empty(), "{origin} {name}");
        }
    }
}
