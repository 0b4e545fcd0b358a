//! The stand-in refuses what the service's reference does not name, or no test here would prove anything.

use super::{JPEG, SUBJECT, checker, config, server};
use crate::support::openrouter::rules;
use serde_json::json;

#[test]
fn the_stand_in_is_strict() {
    let server = server();
    checker(config(&server.url(), &[("AI_STRUCTURED", "1")])).0.check(&SUBJECT, JPEG, 1);
    let mut good = server.asked().remove(0).body;
    good["messages"][1]["content"][1]["image_url"]["url"] = "data:image/jpeg;base64,AAEC".into();
    assert_eq!(rules::check(&good), Ok(vec![0, 1, 2]));
    // Where the body is spoiled, by what, and a part of the complaint.
    let table = [
        ("/model", json!(7), "`model` cannot be 7"),
        ("/temperature", json!("0.1"), "`temperature` cannot be"),
        ("/max_tokens", json!(0), "`max_tokens` cannot be 0"),
        ("/max_tokens", json!(1.5), "`max_tokens` cannot be"),
        ("/messages", json!([]), "0 messages"),
        ("/messages/0/role", json!("user"), "instead of the message of the system"),
        ("/messages/0/content", json!("hi"), "no instructions"),
        ("/messages/1/content/0/type", json!("image_url"), "the first part: `type`"),
        ("/messages/1/content/1/image_url", json!("data:"), "`image_url` cannot be"),
        ("/messages/1/content/1/image_url/url", json!("data:image/png;base64,AAEC"), "no data URL of a JPEG"),
        ("/messages/1/content/1/image_url/url", json!("data:image/jpeg;base64,AAE"), "not base64"),
        ("/messages/1/content/1/image_url/url", json!("data:image/jpeg;base64,AA_-"), "not base64"),
        ("/response_format/type", json!("json"), "`type` cannot be"),
        ("/response_format/json_schema/name", json!("a b"), "`name` cannot be"),
        ("/response_format/json_schema/schema/required", json!(["summary"]), "not a strict schema"),
        ("/messages/1/content/1/image_url", json!({"url": "x", "size": 1}), "`size` is not known"),
    ];
    for (place, value, complaint) in table {
        let mut body = good.clone();
        *body.pointer_mut(place).unwrap() = value;
        let error = rules::check(&body).unwrap_err();
        assert!(error.contains(complaint), "{place}: {error}");
    }
    let mut more = good.clone();
    more["stream"] = json!(true);
    assert!(rules::check(&more).unwrap_err().contains("`stream` is not known"));
}
