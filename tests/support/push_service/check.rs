//! What a push must be, whatever it tells, by the protocol's own tables.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeSet;

/// What each Live Activity is told.
const STATE: [&str; 8] =
    ["fileName", "filePath", "progress", "sourceTime", "state", "error", "timeLeft", "printTime"];
const STATES: [&str; 8] =
    ["printing", "paused", "pausedGcode", "filamentRequired", "completed", "cancelled", "error", "expired"];
const SOUNDS: [&str; 3] = ["default", "notification_filament_change.wav", "notification_print_done.wav"];
/// What the service makes its own identity of, for messages of the user's own.
const CUSTOM: &str = "$instanceId-custom";
/// The members of an alert.
const ALERT: [&str; 6] = ["title", "body", "title-loc-key", "title-loc-args", "loc-key", "loc-args"];

/// What is wrong with it.
pub(crate) fn push(push: &Value) -> Result<(), String> {
    members(push, &["targets", "highPriority", "androidData", "apnsData"], &[])?;
    let apple = &push["apnsData"];
    let targets = push["targets"].as_array().ok_or("no list of targets")?;
    let mut tokens = BTreeSet::new();
    for target in targets {
        members(target, &["fcmToken", "fcmTokenFallback", "instanceId"], &[])?;
        let text = |field: &str| target[field].as_str().filter(|text| !text.is_empty());
        let token = text("fcmToken").filter(|token| tokens.insert(*token));
        let fallback = target["fcmTokenFallback"].is_null() || text("fcmTokenFallback").is_some();
        is(token.is_some() && fallback && text("instanceId").is_some(), "a target", target)?;
    }
    is(!tokens.is_empty(), "nobody to be told", push)?;
    is(push["highPriority"].is_boolean(), "highPriority", push)?;
    let data = push["androidData"].as_str().ok_or("androidData is no text")?;
    if data == "none" {
        is(!apple.is_null(), "nothing for Android alone", push)?;
    } else {
        let bytes = STANDARD.decode(data).map_err(|error| format!("androidData: {error}"))?;
        is(bytes.len() >= 32 && bytes.len().is_multiple_of(16), "androidData", push)?;
    }
    // The place where a Live Activity can be started has a name of any kind.
    let has_apple = tokens.iter().any(|token| token.starts_with("ios:") || token.starts_with("activity:"));
    is(has_apple || apple["event"] == "start" || apple.is_null(), "apnsData without an iPhone", push)?;
    is(!(has_apple && apple.is_null()), "an iPhone without apnsData", push)?;
    if apple.is_null() { Ok(()) } else { self::apple(apple) }
}

fn apple(apple: &Value) -> Result<(), String> {
    let optional = [
        "event",
        "content-state",
        "sound",
        "alert",
        "activity-alert",
        "collapseId",
        "attributes",
        "attributes-type",
    ];
    members(apple, &[], &optional)?;
    let has = |member: &str| apple.get(member).is_some();
    let event = apple["event"].as_str();
    is(has("event") == has("content-state"), "an event without a state, or the other way round", apple)?;
    is(event.is_none_or(|event| ["update", "end", "start"].contains(&event)), "the event", apple)?;
    if has("content-state") {
        state(&apple["content-state"])?;
    }
    let starts = event == Some("start");
    is(has("attributes") == starts && has("attributes-type") == starts, "a start's attributes", apple)?;
    if starts {
        members(&apple["attributes"], &["filePath", "startedAt"], &[])?;
        is(apple["attributes-type"] == "PrintActivityAttributes", "the kind of attributes", apple)?;
        is(apple["attributes"]["startedAt"].is_f64(), "startedAt", apple)?;
    }
    is(has("sound") == has("alert"), "an alert without a sound, or the other way round", apple)?;
    is(has("alert") || event.is_some(), "nothing at all", apple)?;
    is(has("activity-alert") == (has("alert") && event.is_some()), "the alert of an activity", apple)?;
    let custom = event.is_none() && apple["alert"].get("title-loc-key").is_none();
    is(apple["collapseId"] == if custom { CUSTOM.into() } else { Value::Null }, "collapseId", apple)?;
    if has("alert") {
        let sound = apple["sound"].as_str().unwrap_or_default();
        is(SOUNDS.contains(&sound), "the sound", apple)?;
        let alert = &apple["alert"];
        members(alert, &["title"], &ALERT)?;
        let null = alert.as_object().into_iter().flatten().any(|(_, value)| value.is_null());
        is(!null && alert["title"].as_str() != Some(""), "the alert", alert)?;
    }
    if has("activity-alert") {
        let both = &apple["activity-alert"];
        members(both, &["title", "body"], &[])?;
        members(&both["title"], &["loc-key", "loc-args"], &[])?;
        members(&both["body"], &["loc-key", "loc-args"], &[])?;
    }
    Ok(())
}

fn state(state: &Value) -> Result<(), String> {
    members(state, &STATE, &[])?;
    let text = |field: &str| state[field].is_string();
    is(text("fileName") && text("filePath"), "the file", state)?;
    is(state["progress"].as_u64().is_some_and(|percent| percent <= 100), "the progress", state)?;
    is(state["sourceTime"].is_u64() && state["printTime"].is_u64(), "the times", state)?;
    is(state["timeLeft"].as_i64().is_some_and(|left| left >= -1), "the time left", state)?;
    let word = state["state"].as_str().unwrap_or_default();
    is(STATES.contains(&word), "the state", state)?;
    let said = state["error"].as_str().is_some_and(|error| !error.is_empty());
    is(if word == "error" { said } else { state["error"].is_null() }, "the error", state)
}

/// The members of an object are these, and of the others none but those.
fn members(object: &Value, expected: &[&str], optional: &[&str]) -> Result<(), String> {
    let object = object.as_object().ok_or(format!("no object: {object}"))?;
    let lacks = expected.iter().find(|member| !object.contains_key(**member));
    let known = |member: &&String| expected.contains(&member.as_str()) || optional.contains(&member.as_str());
    let more = object.keys().find(|member| !known(member));
    match (lacks, more) {
        (None, None) => Ok(()),
        (lacks, more) => Err(format!("it lacks {lacks:?}, and has {more:?}: {object:?}")),
    }
}

fn is(holds: bool, what: &str, value: &Value) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("{what}: {value}")) }
}
