//! The stand-in for OctoApp's push service refuses what is not as the protocol has it: each recorded push is in order, and
//! is not any more with any member left out or another one added.

use crate::octoapp_strictness::vectors;
use crate::support::push_service::check;
use serde_json::{Map, Value, json};

/// What an alert may lack, since it depends on what is told.
const OPTIONAL: [&str; 5] = ["body", "title-loc-key", "title-loc-args", "loc-key", "loc-args"];
/// Two blocks and more.
const ENCRYPTED: &str = "AAECAwQFBgcICQoLDA0OD5ez3uwCm+B3JtCoUTGT3pE=";

/// All bodies of pushes in the recordings. Where one has no encrypted text, it gets one.
fn recorded() -> Vec<Value> {
    let mut bodies = Vec::new();
    for (_, vector) in vectors() {
        let cases = vector["cases"].as_array().into_iter().flatten().chain([&vector]);
        for request in cases.flat_map(|case| case["expected_requests"].as_array().into_iter().flatten()) {
            let mut body = request["body"].clone();
            if body.is_object() {
                if body["androidData"] != "none" {
                    body["androidData"] = json!(ENCRYPTED);
                }
                bodies.push(body);
            }
        }
    }
    bodies
}

/// The paths of all objects in a value.
fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(path.to_owned());
            fields.iter().for_each(|(name, value)| objects(value, &format!("{path}/{name}"), found));
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                objects(value, &format!("{path}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_member_of_a_push_counts() {
    let bodies = recorded();
    let mut count = 0;
    for body in &bodies {
        assert_eq!(check::push(body), Ok(()), "{body}");
        let mut places = Vec::new();
        objects(body, "", &mut places);
        for place in places {
            let mut refused = |what: &str, spoil: &dyn Fn(&mut Map<String, Value>)| {
                let mut spoilt = body.clone();
                spoil(spoilt.pointer_mut(&place).unwrap().as_object_mut().unwrap());
                assert!(check::push(&spoilt).is_err(), "{place} with {what}: {spoilt}");
                count += 1;
            };
            refused("another member", &|object| drop(object.insert("other".to_owned(), json!(1))));
            for name in body.pointer(&place).unwrap().as_object().unwrap().keys() {
                if !(place.ends_with("/alert") && OPTIONAL.contains(&name.as_str())) {
                    refused(&format!("no {name}"), &|object| drop(object.remove(name)));
                }
            }
        }
    }
    assert!(bodies.len() > 100 && count > 2000, "{} {count}", bodies.len());
}

#[test]
fn what_is_sent_to_whom_counts() {
    let target = |token: &str| json!({"fcmToken": token, "fcmTokenFallback": null, "instanceId": "1"});
    let push = |tokens: &[&str], android: &str, apple: Value| {
        let targets: Vec<Value> = tokens.iter().map(|token| target(token)).collect();
        json!({"targets": targets, "highPriority": true, "androidData": android, "apnsData": apple})
    };
    let beep = || json!({"sound": "default", "alert": {"title": "x", "title-loc-key": "beep"}});
    for (push, right) in [
        (push(&["a"], ENCRYPTED, Value::Null), true),
        (push(&["a", "ios:a"], ENCRYPTED, beep()), true),
        (push(&["ios:a"], "none", beep()), true),
        (push(&[], ENCRYPTED, Value::Null), false),
        (push(&["a", "a"], ENCRYPTED, Value::Null), false),
        (push(&[""], ENCRYPTED, Value::Null), false),
        (push(&["a"], "none", Value::Null), false),
        (push(&["a"], "{}", Value::Null), false),
        (push(&["a"], ENCRYPTED, beep()), false),
        (push(&["ios:a"], ENCRYPTED, Value::Null), false),
        (push(&["ios:a"], ENCRYPTED, json!({})), false),
    ] {
        assert_eq!(check::push(&push).is_ok(), right, "{push}");
    }
}
