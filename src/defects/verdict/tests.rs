//! Expectations from what the service documents and from how its users' models really answer.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Settings with a key and a model of their own.
pub(in crate::defects) fn config() -> Config {
    let setting = |name: &str| match name {
        "OPENROUTER_API_KEY" => Some("sk-or-v1-secret".to_owned()),
        "OPENROUTER_BASE_URL" => Some("http://127.0.0.1:9/v1".to_owned()),
        "AI_MODEL" => Some("some/model".to_owned()),
        _ => None,
    };
    Config::read(&setting).unwrap().unwrap()
}

fn read(status: u16, body: &Value) -> Result<Verdict, Failure> {
    Answer { status, retry_after: None, body: body.to_string().as_bytes() }.read(&config())
}

/// An answer with this content, as the service wraps it.
fn said(content: &Value) -> Result<Verdict, Failure> {
    read(
        200,
        &json!({
            "id": "gen-1", "object": "chat.completion", "created": 1, "model": "some/model",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }),
    )
}

fn good(defect: bool, confidence: f64, summary: &str) -> Option<Verdict> {
    Some(Verdict { defect, confidence, summary: summary.to_owned() })
}

#[test]
fn contents_are_read_strictly() {
    let unreadable = None;
    let table = [
        // The answer as it was asked for.
        (r#"{"has_defect": false, "confidence": 0.04, "summary": "clean"}"#, good(false, 0.04, "clean")),
        (r#"{"has_defect":true,"confidence":1,"summary":"Spaghetti"}"#, good(true, 1.0, "Spaghetti")),
        (r#"{"has_defect":true,"confidence":0,"summary":""}"#, good(true, 0.0, "")),
        // Chatter and code fences around it.
        (
            "```json\n{\"has_defect\": true, \"confidence\": 0.92, \"summary\": \"a\"}\n```",
            good(true, 0.92, "a"),
        ),
        (
            "Sure! {\"has_defect\": false, \"confidence\": 0.1, \"summary\": \"b\"} Hope it helps.",
            good(false, 0.1, "b"),
        ),
        ("```\n{\"confidence\":0.5,\"has_defect\":true,\"more\":[{}]}```", good(true, 0.5, "")),
        // Values as text.
        (r#"{"has_defect":"false","confidence":"0.95","summary":"none"}"#, good(false, 0.95, "none")),
        (r#"{"has_defect":"TRUE","confidence":" 0.5 ","summary":"x"}"#, good(true, 0.5, "x")),
        (r#"{"has_defect":"False","confidence":".5"}"#, good(false, 0.5, "")),
        // A summary that is none.
        (r#"{"has_defect":true,"confidence":0.8,"summary":null}"#, good(true, 0.8, "")),
        (r#"{"has_defect":true,"confidence":0.8,"summary":["a"]}"#, good(true, 0.8, "")),
        (r#"{"has_defect":true,"confidence":0.8,"summary":"a\u0000b\nc\u202e"}"#, good(true, 0.8, "ab c")),
        // Everything else is neither a defect nor none.
        ("no defect", unreadable.clone()),
        ("I see a has_defect: false, confidence 0.9", unreadable.clone()),
        ("{}", unreadable.clone()),
        ("}{", unreadable.clone()),
        ("{ not json }", unreadable.clone()),
        ("[true, 0.9]", unreadable.clone()),
        (r#"{"has_defect":true}"#, unreadable.clone()),
        (r#"{"confidence":0.9}"#, unreadable.clone()),
        (r#"{"has_defect":1,"confidence":0.9}"#, unreadable.clone()),
        (r#"{"has_defect":null,"confidence":0.9}"#, unreadable.clone()),
        (r#"{"has_defect":"yes","confidence":0.9}"#, unreadable.clone()),
        (r#"{"has_defect":{},"confidence":0.9}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":92}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":1.01}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":-0.1}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":"92%"}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":"0,9"}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":"high"}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":null}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":true}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":"NaN"}"#, unreadable.clone()),
        (r#"{"has_defect":true,"confidence":1e999}"#, unreadable.clone()),
        (r#"{"has_defect": true, "confidence": 0.9, "summ"#, unreadable.clone()),
        (r#"{"a":1} {"has_defect":true,"confidence":0.9}"#, unreadable),
    ];
    for (content, expected) in table {
        let read = said(&content.into());
        assert_eq!(read.as_ref().ok(), expected.as_ref(), "{content}");
        if let Err(failure) = read {
            assert_eq!((failure.class, failure.code), (Class::Unreadable, None), "{content}");
            assert!(failure.text.contains("not in the form"), "{}", failure.text);
        }
    }
}

#[test]
fn long_texts_are_cut() {
    let long = "é".repeat(5000);
    let verdict =
        said(&json!(json!({"has_defect": true, "confidence": 1, "summary": long}).to_string())).unwrap();
    assert_eq!(verdict.summary.chars().count(), 400);
    let failure = said(&json!(long)).unwrap_err();
    let quoted = failure.text.chars().filter(|c| *c == 'é').count();
    assert!((100..=200).contains(&quoted), "{quoted}");
}

#[test]
fn empty_contents_may_pass() {
    for content in [json!(""), json!(" \n\t"), Value::Null] {
        let failure = said(&content).unwrap_err();
        assert_eq!((failure.class, failure.code), (Class::Transient, None), "{content}");
        assert!(failure.text.contains("empty answer"), "{}", failure.text);
    }
    for choices in [
        json!([]),
        json!([{}]),
        json!([{"message": {}}]),
        json!([{"message": null}]),
        json!([null]),
        json!({}),
    ] {
        let failure = read(200, &json!({"choices": choices})).unwrap_err();
        assert_eq!(failure.class, Class::Transient, "{choices}");
    }
    // What is there but no text was not asked for.
    let parts =
        said(&json!([{"type": "text", "text": "{\"has_defect\":true,\"confidence\":1}"}])).unwrap_err();
    assert_eq!(parts.class, Class::Unreadable);
}

#[test]
fn used_up_tokens_are_named() {
    let cut = |content: &str| {
        read(200, &json!({"choices": [{"finish_reason": "length", "message": {"content": content}}]}))
            .unwrap_err()
    };
    let (empty, half) = (cut(""), cut("{\"has_defect\": tr"));
    assert_eq!((empty.class, half.class), (Class::Transient, Class::Unreadable));
    for failure in [empty, half] {
        assert!(failure.text.contains("raise AI_MAX_TOKENS"), "{}", failure.text);
    }
}

#[test]
fn errors_come_with_status_200_too() {
    use Class::{BadKey, Permanent, Transient};
    let table = [
        (json!({"code": 502, "message": "Provider returned error"}), Transient, Some(502)),
        (json!({"code": 429, "message": "slow down", "metadata": {"raw": "x"}}), Transient, Some(429)),
        (json!({"code": "503", "message": "x"}), Transient, Some(503)),
        (json!({"code": 402, "message": "x"}), Permanent, Some(402)),
        (json!({"code": 403, "message": "flagged"}), Permanent, Some(403)),
        (json!({"code": 401, "message": "x"}), BadKey, Some(401)),
        (json!({"code": "server_error", "message": "x"}), Transient, None),
        (json!({"code": 0, "message": "x"}), Transient, None),
        (json!({"code": 200, "message": "x"}), Transient, None),
        (json!({"code": 1e300}), Transient, None),
        (json!({"message": "x"}), Transient, None),
        (json!({}), Transient, None),
        (json!("model not loaded"), Transient, None),
        (json!([7]), Transient, None),
    ];
    let answer = json!({"message": {"content": "{\"has_defect\":false,\"confidence\":0,\"summary\":\"\"}"}});
    for (error, class, code) in table {
        let mut choice = answer.clone();
        choice["error"] = error.clone();
        let bodies = [
            json!({"error": error}),
            // What was said before the error counts no more.
            json!({"error": error, "choices": [answer]}),
            json!({"choices": [choice, answer]}),
        ];
        for body in bodies {
            let failure = read(200, &body).unwrap_err();
            assert_eq!((failure.class, failure.code), (class, code), "{body}");
        }
    }
    let broken =
        json!({"choices": [{"finish_reason": "error", "message": {"content": "{\"has_defect\":true"}}]});
    assert_eq!(read(200, &broken).unwrap_err().class, Transient);
    let none = json!({"error": null, "choices": [{"error": null, "message": answer["message"]}]});
    assert_eq!(read(200, &none).unwrap(), Verdict { defect: false, confidence: 0.0, summary: String::new() });
}

#[test]
fn refusals_are_explained() {
    use Class::{BadKey, Permanent, Transient};
    let table = [
        (400, Permanent, "AI_MODEL"),
        (401, BadKey, "OPENROUTER_API_KEY"),
        (402, Permanent, "credits"),
        (403, Permanent, "limits of the key"),
        (404, Permanent, "some/model"),
        (408, Transient, "again later"),
        (409, Transient, "again later"),
        (413, Permanent, "resolution"),
        (429, Transient, "too many requests"),
        (500, Transient, "again later"),
        (502, Transient, "again later"),
        (302, Permanent, "OPENROUTER_BASE_URL"),
        (418, Permanent, "refused"),
    ];
    for (status, class, words) in table {
        let whole = json!({"error": {"code": 999, "message": "its <words>", "metadata": {}}}).to_string();
        for (body, quoted) in
            [(whole.as_str(), true), ("{\"error\":\"its <words>\"}", true), ("<html>", false), ("", false)]
        {
            let answer = Answer { status, retry_after: Some(" 17 "), body: body.as_bytes() };
            let failure = answer.read(&config()).unwrap_err();
            assert_eq!((failure.class, failure.code), (class, Some(status)), "{body}");
            assert_eq!(failure.retry_after, Some(Duration::from_secs(17)));
            assert!(failure.text.contains(words), "{status}: {}", failure.text);
            assert_eq!(failure.text.contains("\"its <words>\""), quoted, "{}", failure.text);
        }
    }
}

#[test]
fn retry_after_is_a_number_of_seconds_or_nothing() {
    for (header, expected) in [
        (None, None),
        (Some("5"), Some(5)),
        (Some("Sat, 21 Nov 2026 10:00:00 GMT"), None),
        (Some("-5"), None),
        (Some("1.5"), None),
        (Some(""), None),
    ] {
        let answer = Answer { status: 503, retry_after: header, body: b"" };
        let asked = answer.read(&config()).unwrap_err().retry_after;
        assert_eq!(asked, expected.map(Duration::from_secs), "{header:?}");
    }
}

#[test]
fn what_is_no_answer_of_the_service_is_no_verdict() {
    for body in [
        &b"<html>log in</html>"[..],
        b"",
        b"[]",
        b"null",
        b"{}",
        b"{\"choices\":",
        b"\xff\xfe",
        b"{\"id\":1}",
    ] {
        let answer = Answer { status: 200, retry_after: None, body };
        let failure = answer.read(&config()).unwrap_err();
        assert_eq!((failure.class, failure.code), (Class::Transient, Some(200)), "{body:?}");
        assert!(failure.text.contains("OPENROUTER_BASE_URL"), "{}", failure.text);
    }
}

#[test]
fn the_threshold_is_reached_and_not_passed() {
    let verdict = |defect, confidence| Verdict { defect, confidence, summary: String::new() };
    assert!(verdict(true, 0.7).alerts(0.7) && verdict(true, 0.92).alerts(0.7));
    assert!(!verdict(true, 0.69).alerts(0.7));
    assert!(!verdict(false, 1.0).alerts(0.0) && verdict(true, 0.0).alerts(0.0));
}

proptest! {
    #[test]
    fn any_answer_is_read(status in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..200), after in "\\PC{0,9}") {
        let _ = Answer { status, retry_after: Some(&after), body: &body }.read(&config());
    }

    #[test]
    fn any_content_is_read_within_its_bounds(
        like in "(```|json|[{}\\[\\]\",:]|has_defect|confidence|summary|true|false|0\\.[0-9]|\\PC){0,30}",
        defect in "(true|false|\"true\"|1|null)",
        confidence in "(-?[0-9]{1,2}(\\.[0-9]{1,3})?|\"0\\.[0-9]\"|null)",
        summary in any::<String>(),
    ) {
        let summary = json!(summary);
        let whole = format!("{like}{{\"has_defect\":{defect},\"confidence\":{confidence},\"summary\":{summary}}}");
        for content in [like, whole] {
            match said(&json!(content)) {
                Ok(verdict) => {
                    prop_assert!((0.0..=1.0).contains(&verdict.confidence));
                    prop_assert!(verdict.summary.chars().count() <= 400);
                    prop_assert!(!verdict.summary.chars().any(char::is_control));
                }
                Err(failure) => prop_assert!(failure.text.chars().count() < 400, "{}", failure.text),
            }
        }
    }

    #[test]
    fn any_json_is_read(error in "(null|7|\"x\"|\\{\"code\":(-?[0-9]{1,9}|\"[a-z0-9]{0,4}\"|null),\"message\":(7|\"x\")\\})", choices in "(null|\\[\\]|\\[7\\]|\\[\\{\"message\":(7|\\{\"content\":(7|\"[{}]?\")\\})\\}\\])") {
        let body = format!("{{\"error\":{error},\"choices\":{choices}}}");
        let answer = Answer { status: 200, retry_after: None, body: body.as_bytes() };
        prop_assert!(answer.read(&config()).is_err());
    }
}
