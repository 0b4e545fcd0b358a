//! What a vector expects, compared with what came.
//!
//! Where it may differ, besides P1 to P3 of [`super::play`]:
//! - P4: `Timestamp` by a tenth of a second; numbers by their value; the product of `User-Agent`.
//! - P5: the words of a failure, of what a parser says, and `error` in the details: they are there, and free.
//! - P6: commands that are newer than the SDK end in another way than `Unknown command`.
//! - P7: polling goes on after 408, 429 and 5xx.
//! - P8: the order of a camera's capabilities and resolutions.

use super::play::Played;
use octobridge::bridge::prusa_connect::rehearsal::Made;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The headers that count, in lower case.
const HEADERS: [&str; 10] = [
    "fingerprint",
    "timestamp",
    "user-agent-printer",
    "user-agent-version",
    "token",
    "code",
    "clock-adjusted",
    "content-type",
    "content-encryption-mode",
    "range",
];
/// Lists whose order does not count.
const UNORDERED: [&str; 3] = ["children", "capabilities", "available_resolutions"];
/// Reasons of refusals whose words count.
const WORDS: [&str; 7] = [
    "Invalid Command-Id header",
    "Invalid command content type",
    "Printer has not been initialized properly",
    "Another command is running",
    "Unknown command",
    "Not Implemented",
    "Another transfer in progress",
];
/// Commands that are newer than the SDK.
const NEWER: [&str; 6] =
    ["CANCEL_OBJECT", "SET_IDLE", "SET_TOKEN", "SET_VALUE", "START_ENCRYPTED_DOWNLOAD", "UNCANCEL_OBJECT"];

/// The first difference.
pub(crate) fn compare(vector: &Value, played: &Played) -> Result<(), String> {
    let expected = vector["expected_requests"].as_array().unwrap();
    let servers: BTreeSet<&str> = expected
        .iter()
        .map(|request| request["server"].as_str().unwrap())
        .chain(played.made.iter().map(|(server, _)| server.as_str()))
        .collect();
    for server in servers {
        let mut made = played.made.iter().filter(|(known, _)| known == server).map(|(_, made)| made);
        for (index, request) in expected.iter().enumerate().filter(|(_, request)| request["server"] == server)
        {
            let made = made.next().ok_or_else(|| {
                format!("request {index} is missing: {} {}", request["method"], request["body"])
            })?;
            same(vector, request, made).map_err(|difference| format!("request {index}: {difference}"))?;
        }
        if let Some(made) = made.next() {
            let body = String::from_utf8_lossy(made.body.as_deref().unwrap_or_default());
            return Err(format!("nobody expects {} {} {body}", made.method, made.path));
        }
    }
    outcome(vector, played)
}

fn same(vector: &Value, expected: &Value, made: &Made) -> Result<(), String> {
    if expected["method"] != made.method || expected["path"] != made.path.as_str() {
        return Err(format!("{} {} came", made.method, made.path));
    }
    let theirs = expected["headers"].as_array().unwrap().iter();
    let theirs = headers(theirs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())));
    let ours = headers(made.headers.iter().map(|(name, value)| (*name, value.as_str())));
    for name in HEADERS {
        let (theirs, ours) = (theirs.get(name), ours.get(name));
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<f64>().ok());
        let near = name == "timestamp"
            && number(theirs).zip(number(ours)).is_some_and(|(theirs, ours)| (theirs - ours).abs() <= 0.1001);
        if theirs != ours && !near {
            return Err(format!("the header {name} is {ours:?}, not {theirs:?}"));
        }
    }
    let agent =
        |headers: &BTreeMap<String, String>| headers.get("user-agent").is_some_and(|agent| !agent.is_empty());
    if agent(&theirs) != agent(&ours) {
        return Err(format!("the header user-agent is {:?}", ours.get("user-agent")));
    }
    let body = made.body.as_deref().unwrap_or_default();
    let Some(theirs) = expected.get("body_json").filter(|body| !body.is_null()) else {
        let same = super::stage::body(expected) == body;
        return if same { Ok(()) } else { Err(format!("the body is {}", String::from_utf8_lossy(body))) };
    };
    let ours: Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))?;
    value("", &loosened(vector, theirs, &ours), &ours)
}

fn headers<'h>(pairs: impl Iterator<Item = (&'h str, &'h str)>) -> BTreeMap<String, String> {
    pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect()
}

/// What is expected, with the words that are free taken from what came.
fn loosened(vector: &Value, expected: &Value, made: &Value) -> Value {
    let mut expected = expected.clone();
    // P8.
    for list in ["/capabilities", "/options/available_resolutions"] {
        let sorted = |body: &Value| {
            let mut entries: Vec<String> =
                body.pointer(list)?.as_array()?.iter().map(Value::to_string).collect();
            entries.sort();
            Some(entries)
        };
        if sorted(&expected) == sorted(made)
            && let (Some(theirs), Some(ours)) = (expected.pointer_mut(list), made.pointer(list))
        {
            theirs.clone_from(ours);
        }
    }
    let kind = expected["event"].as_str().unwrap_or_default().to_owned();
    let reason = expected["reason"].as_str().unwrap_or_default().to_owned();
    let words = |value: &Value| value.as_str().is_some_and(|words| !words.is_empty());
    // P6.
    let newer = reason == "Unknown command" && names(vector, &expected["command_id"]);
    let free = match kind.as_str() {
        "FAILED" | "TRANSFER_ABORTED" => true,
        "REJECTED" => newer || !WORDS.contains(&reason.as_str()),
        _ => false,
    };
    if free && !reason.is_empty() && words(&made["reason"]) {
        expected["reason"] = made["reason"].clone();
    }
    if !expected["data"]["error"].is_null() && words(&made["data"]["error"]) {
        expected["data"]["error"] = made["data"]["error"].clone();
    }
    expected
}

/// Whether the command of that number is newer than the SDK.
fn names(vector: &Value, id: &Value) -> bool {
    let mut responses = vector["server_responses"].as_array().into_iter().flatten();
    responses.any(|response| {
        let body =
            serde_json::from_str::<Value>(response["body"].as_str().unwrap_or_default()).unwrap_or_default();
        let this = response["headers"]["Command-Id"].as_str() == Some(id.to_string().as_str());
        this && body["command"].as_str().is_some_and(|name| NEWER.contains(&name))
    })
}

/// The first difference of two values; numbers are compared by value.
pub(crate) fn value(place: &str, expected: &Value, made: &Value) -> Result<(), String> {
    match (expected, made) {
        (Value::Object(expected), Value::Object(made)) => {
            if let Some(key) = made.keys().find(|key| !expected.contains_key(*key)) {
                return Err(format!("nobody expects {place}/{key}: {}", made[key]));
            }
            expected.iter().try_for_each(|(key, expected)| {
                let made = made.get(key).ok_or_else(|| format!("{place}/{key} is missing"))?;
                value(&format!("{place}/{key}"), expected, made)
            })
        }
        (Value::Array(expected), Value::Array(made)) if expected.len() == made.len() => {
            let key = place.rsplit('/').next().unwrap_or_default();
            if UNORDERED.contains(&key) {
                return unordered(place, expected, made);
            }
            let mut pairs = expected.iter().zip(made).enumerate();
            pairs.try_for_each(|(index, (expected, made))| value(&format!("{place}/{index}"), expected, made))
        }
        (Value::Number(theirs), Value::Number(ours)) if theirs.as_f64() == ours.as_f64() => Ok(()),
        _ if expected == made => Ok(()),
        _ => Err(format!("{place} is {made}, not {expected}")),
    }
}

/// Each of the expected is among those that came.
fn unordered(place: &str, expected: &[Value], made: &[Value]) -> Result<(), String> {
    let mut left: Vec<&Value> = made.iter().collect();
    for expected in expected {
        let found = left.iter().position(|made| value(place, expected, made).is_ok());
        left.remove(found.ok_or_else(|| format!("{place} has no {expected}"))?);
    }
    Ok(())
}

/// P7: whether the last answer of a vector is one after which the line asks again.
pub(crate) fn polls_on(vector: &Value) -> bool {
    let last = vector["server_responses"].as_array().and_then(|responses| responses.last());
    let status = last.and_then(|last| last["status"].as_u64()).unwrap_or_default();
    matches!(status, 408 | 429 | 500..)
}

/// The state of the client in the end, as far as the line knows it.
fn outcome(vector: &Value, played: &Played) -> Result<(), String> {
    let Some(outcome) = vector["outcome"].as_object() else { return Ok(()) };
    let goes_on = polls_on(vector);
    for (key, expected) in outcome {
        let found = match key.as_str() {
            "code" => played.code_shown.clone().into(),
            "camera_token" => played.camera_token.clone().into(),
            "camera_fingerprint" => played.camera_fingerprint.clone().into(),
            "token" => played.token.clone().into(),
            "code_cleared_after_token" => played.code.is_none().into(),
            // P7.
            "polling_continues" if goes_on => continue,
            "polling_continues" => played.polls.into(),
            "command_pending" => played.pending.into(),
            "stop_of_running_command_requested" => (!played.stopped.is_empty()).into(),
            "error" => {
                let told = played.error.as_deref().unwrap_or_default();
                if expected.as_str().is_none_or(|words| !told.contains(words)) {
                    return Err(format!("people are told {told:?}, not {expected}"));
                }
                continue;
            }
            "gcode" | "args" | "force" => {
                let (gcode, args, force) = played.gcode.clone().ok_or("there was no G-code")?;
                match key.as_str() {
                    "gcode" => gcode,
                    "args" => args.into(),
                    _ => force.into(),
                }
            }
            // What the application knows, which is the player here.
            _ => continue,
        };
        value(key, expected, &found).map_err(|difference| format!("in the end {difference}"))?;
    }
    Ok(())
}
