use super::*;
use proptest::prelude::*;

fn identity() -> Identity {
    Identity {
        serial: "S".to_owned(),
        fingerprint: "F".to_owned(),
        printer_type: "6.1.0".to_owned(),
        firmware: "1.3.19".to_owned(),
        software: "0.3.0".to_owned(),
        product: "P/1".to_owned(),
    }
}

fn reply(headers: &[(&str, &str)], body: &str) -> Reply {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Reply { status: 200, headers, body: body.as_bytes().to_vec() }
}

#[test]
fn what_is_not_known_is_no_header() {
    let token = Token::new("T");
    let at = Duration::from_millis(1_700_000_000_370);
    let request = Request::new("POST", EVENTS, &identity(), token.as_ref(), at);
    let expected = [
        ("Fingerprint", "F"),
        ("Timestamp", "1700000000.3"),
        ("User-Agent", "P/1"),
        ("User-Agent-Printer", "6.1.0"),
        ("User-Agent-Version", "0.3.0"),
        ("Token", "T"),
    ];
    assert_eq!(request.headers, expected.map(|(name, value)| (name, value.to_owned())));
    let unknown = Identity { fingerprint: String::new(), software: String::new(), ..identity() };
    let request = Request::new("GET", REGISTER, &unknown, None, at).with_header("Code", "a\r\nb");
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["Timestamp", "User-Agent", "User-Agent-Printer", "User-Agent-Version", "Code"]);
    assert_eq!(request.headers[3].1, "1.3.19");
    assert_eq!(request.headers[4].1, "ab");
}

#[test]
fn a_timestamp_is_cut_to_tenths() {
    for (millis, text) in [(0, "0.0"), (24_000, "24.0"), (1_725_551_234_999, "1725551234.9")] {
        assert_eq!(timestamp(Duration::from_millis(millis)), text);
    }
}

#[test]
fn commands_as_json_and_as_gcode() {
    let body = r#"{"command": "START_PRINT", "args": ["/a"], "kwargs": {"path": "/b"}, "x": 1}"#;
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        let order = command(&reply(&[("command-id", " 77 "), ("CONTENT-TYPE", kind)], body)).unwrap();
        assert_eq!((order.id, order.name.as_str(), order.text("path", 0)), (77, "START_PRINT", Some("/b")));
    }
    let body = r#"{"command": "SEND_INFO", "args": null, "kwargs": null}"#;
    let order = command(&reply(&[("Command-Id", "1"), ("Content-Type", "application/json")], body)).unwrap();
    assert!(order.args.is_empty() && order.kwargs.is_empty() && !order.force);
    for (kind, force) in
        [("text/x.gcode", "1"), ("text/x.gcode; charset=utf-8", "0"), ("Text/X.Gcode ;a", "")]
    {
        let headers = [("Command-Id", "6"), ("Content-Type", kind), ("Force", force)];
        let order = command(&reply(&headers, "G28\r\n")).unwrap();
        assert_eq!(
            (order.name.as_str(), order.text("gcode", 0), order.force),
            ("GCODE", Some("G28\r\n"), force == "1")
        );
    }
}

#[test]
fn commands_that_cannot_be_read() {
    let json = ("Content-Type", "application/json");
    let long = format!("[\"{}\"]", "x".repeat(MOST_BODY));
    for (headers, body, id, reason) in [
        (vec![json], "{}", None, "Invalid Command-Id header"),
        (vec![json, ("Command-Id", "abc")], "{}", None, "Invalid Command-Id header"),
        (vec![json, ("Command-Id", "0")], "{}", None, "Invalid Command-Id header"),
        (vec![json, ("Command-Id", "-4")], "{}", None, "Invalid Command-Id header"),
        (vec![json, ("Command-Id", "99999999999")], "{}", None, "Invalid Command-Id header"),
        (
            vec![("Command-Id", "11"), ("Content-Type", "text/plain")],
            "M115",
            Some(11),
            "Invalid command content type",
        ),
        (vec![("Command-Id", "11")], "{}", Some(11), "Invalid command content type"),
        (
            vec![("Command-Id", "11"), ("Content-Type", "text/x.gcodes")],
            "",
            Some(11),
            "Invalid command content type",
        ),
        (vec![json, ("Command-Id", "70")], "{\"command\": ", Some(70), "EOF"),
        (vec![json, ("Command-Id", "70")], "[]", Some(70), "no JSON object"),
        (vec![json, ("Command-Id", "70")], long.as_str(), Some(70), "too long"),
    ] {
        let error = command(&reply(&headers, body)).unwrap_err();
        assert_eq!(error.id, id, "{headers:?}");
        assert!(error.reason.contains(reason), "{}", error.reason);
    }
}

#[test]
fn what_an_answer_says_about_time() {
    let now = Duration::from_secs(1_700_000_000);
    for (text, expected) in [
        ("5", Some(5)),
        ("Tue, 14 Nov 2023 22:14:20 GMT", Some(60)),
        ("Tue, 14 Nov 2023 22:13:00 GMT", Some(0)),
        ("soon", None),
        ("-1", None),
        ("", None),
    ] {
        let answer = reply(&[("Retry-After", text)], "");
        assert_eq!(answer.retry_after(now), expected.map(Duration::from_secs), "{text}");
    }
    let expires = ("Expires", "Wed, 15 Nov 2023 22:13:20 GMT");
    assert_eq!(reply(&[expires], "").lifetime(now), Some(Duration::from_secs(86_400)));
    // The printer's own clock is wrong.
    let dated = reply(&[expires, ("Date", "Tue, 14 Nov 2023 22:13:20 GMT")], "");
    assert_eq!(dated.lifetime(Duration::ZERO), Some(Duration::from_secs(86_400)));
    assert_eq!(reply(&[("Expires", "0")], "").lifetime(now), None);
}

#[test]
fn what_an_answer_says_to_people() {
    for (body, words) in [
        ("", "status 200"),
        ("Service temporarily unavailable\n", "Service temporarily unavailable"),
        (r#"{"message":"unknown code"}"#, "unknown code"),
        (r#"{"code":1}"#, r#"{"code":1}"#),
    ] {
        assert_eq!(reply(&[], body).words(None), words);
    }
    let (token, late) = (Token::new("secret-token"), "x".repeat(MOST_SHOWN - 3));
    let said_back = reply(&[], &format!("{late}secret-token")).words(token.as_ref());
    assert_eq!(said_back, format!("{late}***"));
    assert_eq!(reply(&[], &"ž".repeat(5000)).words(None).chars().count(), MOST_SHOWN);
}

proptest! {
    #[test]
    fn any_answer_is_read(
        headers in proptest::collection::vec(("(?i)(command-id|content-type|retry-after|expires|date|force)", "([0-9]{1,12}|application/json|text/x.gcode|\\PC{0,20})"), 0..6),
        body in proptest::collection::vec(any::<u8>(), 0..200),
        json in "\\{(\"command\":|\"args\":|\"kwargs\":|null|\\[|\\]|\\{|\\}|,|1){0,8}",
    ) {
        for body in [body, json.into_bytes()] {
            let reply = Reply { status: 200, headers: headers.clone(), body };
            let _ = (reply.words(None), reply.retry_after(Duration::ZERO), reply.lifetime(Duration::ZERO));
            if let Ok(order) = command(&reply) {
                prop_assert!(order.id > 0);
            }
        }
    }
}
