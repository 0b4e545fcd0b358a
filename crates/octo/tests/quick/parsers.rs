//! What reads outside bytes: the header, the cookie, lengths of time, paths.

use http::header::{COOKIE, HeaderMap, HeaderValue};
use octo::auth::{bearer, cookie, origin};
use octo::cli::duration::Seconds;
use octo::config::expand::{ExpandError, expand};
use proptest::prelude::*;
use std::path::Path;

/// The contract's table of what `Authorization` may be.
#[test]
fn bearer_is_lenient_as_the_contract_says_and_not_more() {
    let rows: [(&str, Option<&str>); 14] = [
        ("Bearer x", Some("x")),
        ("bearer   x", Some("x")),
        (" Bearer\tx ", Some("x")),
        ("BEARER x", Some("x")),
        ("Bearer\t\t x.y-z_1", Some("x.y-z_1")),
        ("", None),
        (" ", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("Token x", None),
        ("Bearer a b", None),
        ("bear x", None),
        ("Bearerx", None),
        ("Basic eDp5", None),
    ];
    for (header, token) in rows {
        assert_eq!(bearer::token(header.as_bytes()).ok(), token, "{header:?}");
    }
    assert!(bearer::token(b"Bearer \xff").is_err());
}

#[test]
fn the_cookie_is_found_among_others() {
    let rows: [(&[&str], Option<&str>); 10] = [
        (&["auth_token=x"], Some("x")),
        (&["a=1; auth_token=x; b=2"], Some("x")),
        (&["a=1;auth_token=x"], Some("x")),
        (&["a=1", "auth_token=x"], Some("x")),
        (&["auth_token=\"x\""], Some("x")),
        (&["auth_token=x", "auth_token=y"], Some("x")),
        (&["auth_token="], None),
        (&["my_auth_token=x"], None),
        (&["auth_token2=x; Auth_Token=y"], None),
        (&[], None),
    ];
    for (lines, token) in rows {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        assert_eq!(cookie::token(&headers), token, "{lines:?}");
    }
}

#[test]
fn lengths_of_time_are_a_number_and_one_letter() {
    let rows = [
        ("1s", Some(1)),
        ("90s", Some(90)),
        ("15m", Some(900)),
        ("12h", Some(43_200)),
        ("7d", Some(604_800)),
        ("2w", Some(1_209_600)),
        ("", None),
        ("s", None),
        ("7", None),
        ("7 d", None),
        ("+7d", None),
        ("-7d", None),
        ("1.5h", None),
        ("7D", None),
        ("7dd", None),
        ("0s", None),
        ("7é", None),
        ("99999999999999999999s", None),
        ("18446744073709551615w", None),
    ];
    for (text, seconds) in rows {
        assert_eq!(text.parse().ok(), seconds.map(Seconds), "{text:?}");
    }
}

fn variable(name: &str) -> Option<String> {
    match name {
        "HOME" => Some("/home/anna".into()),
        "A" => Some("/a".into()),
        "B_2" => Some("b".into()),
        "LOOP" => Some("$A".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

#[test]
fn paths_are_expanded_and_an_undefined_variable_is_an_error() {
    let rows = [
        ("/x/y", "/x/y"),
        ("x", "/base/x"),
        ("./x", "/base/x"),
        ("../x", "/base/../x"),
        ("~", "/home/anna"),
        ("~/x", "/home/anna/x"),
        ("x/~", "/base/x/~"),
        ("$A/x", "/a/x"),
        ("${A}x", "/ax"),
        ("$A", "/a"),
        ("$A/$B_2/${B_2}", "/a/b/b"),
        ("$B_2-x", "/base/b-x"),
        // What comes from a variable is not expanded again.
        ("x$LOOP", "/base/x$A"),
        ("x$EMPTY", "/base/x"),
    ];
    for (text, path) in rows {
        assert_eq!(expand(text, Path::new("/base"), &variable).unwrap(), Path::new(path), "{text:?}");
    }
    for text in ["$NONE/x", "a${NONE}b"] {
        let error = expand(text, Path::new("/base"), &variable).unwrap_err();
        assert_eq!(error, ExpandError::Undefined { text: text.into(), name: "NONE".into() });
        assert!(error.to_string().contains("$NONE"), "{error}");
    }
    for text in ["", "$", "a$/b", "${A", "${}", "${1}", "$1", "${A-x}", "~bob/x", "$EMPTY"] {
        assert!(expand(text, Path::new("/base"), &variable).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_header_is_a_token_without_white_space_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(token) = bearer::token(&bytes) {
            prop_assert!(!token.is_empty() && !token.contains(|c: char| c.is_ascii_whitespace()));
        }
    }

    #[test]
    fn a_token_between_any_white_space_is_found(token in "[!-~]{1,40}", a in "[ \t]{0,4}", b in "[ \t]{1,4}") {
        let header = format!("{a}bEaReR{b}{token}{a}");
        prop_assert_eq!(bearer::token(header.as_bytes()).unwrap(), token);
    }

    #[test]
    fn any_cookie_header_is_read(value in "[ -~]{0,80}") {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(&value).unwrap());
        if let Some(token) = cookie::token(&headers) {
            prop_assert!(value.contains(token) && !token.contains(';'));
        }
    }

    #[test]
    fn any_length_of_time_is_read_or_refused(text in "\\PC{0,24}") {
        if let Ok(Seconds(seconds)) = text.parse::<Seconds>() {
            prop_assert!(seconds > 0);
        }
    }

    #[test]
    fn any_path_expands_to_an_absolute_one_or_not_at_all(text in "[a$~{}_./ A1é]{0,24}") {
        if let Ok(path) = expand(&text, Path::new("/base"), &variable) {
            prop_assert!(path.is_absolute());
        }
    }

    #[test]
    fn a_path_without_signs_stays(text in "/[a-z/]{0,24}") {
        let path = expand(&text, Path::new("/base"), &variable).unwrap();
        prop_assert_eq!(path, Path::new(&text).components().collect::<std::path::PathBuf>());
    }

    #[test]
    fn any_origin_is_read_or_refused(origin in "\\PC{0,40}") {
        if let Some((scheme, host, _)) = origin::site(&origin) {
            prop_assert!(scheme.starts_with("http") && !host.is_empty());
        }
    }
}
