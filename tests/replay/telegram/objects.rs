//! Vectors of single objects of the Bot API: answers, escapes, lengths, updates.

use crate::folder::Verdict;
use octobridge::bridge::telegram::rehearsal::{class_of, cut, escapes, taken_for};
use serde_json::Value;
use std::path::Path;

pub(crate) fn verdict(path: &Path) -> Verdict {
    let text = std::fs::read_to_string(path).unwrap();
    let whole: Value = serde_json::from_str(&text).expect("a vector is JSON");
    let id = whole["id"].as_str().unwrap_or_default();
    let config = &whole["config"];
    let check: &dyn Fn(&Value) -> Result<(), String> = match id {
        "b-errors" => &error,
        "b-escape" => &escape,
        "b-limits" => &limit,
        "b-updates" => &|case| update(case, config),
        _ => return Verdict::Skipped(format!("nobody knows what {id} is")),
    };
    let cases = whole["cases"].as_array().cloned().unwrap_or_default();
    let failed = cases.iter().find_map(|case| check(case).err().map(|why| format!("{why}: {case}")));
    match failed {
        _ if cases.is_empty() => Verdict::Failed("it has no cases".to_owned()),
        Some(why) => Verdict::Failed(why),
        None => Verdict::Ok(None),
    }
}

/// An answer, and what it is taken for.
fn error(case: &Value) -> Result<(), String> {
    let status = u16::try_from(case["http_status"].as_u64().unwrap()).unwrap();
    let body = match &case["body"] {
        Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    let class = class_of(status, case["headers"]["Retry-After"].as_str(), body.as_bytes());
    // Our words for the vector's classes.
    let expected = match case["class"].as_str().unwrap_or_default() {
        "chat_rights" => "chat_gone",
        "token_bad" => "token",
        "poll_conflict" => "conflict",
        "ignore" | "bad_request" => "refused",
        "ok" | "not_modified" => "done",
        class => class,
    };
    if class == expected { Ok(()) } else { Err(format!("taken for {class}")) }
}

fn escape(case: &Value) -> Result<(), String> {
    let written = escapes(case["in"].as_str().unwrap());
    for (text, name) in written.iter().zip(["html", "markdown_v2", "markdown_v2_pre"]) {
        if case.get(name).is_some_and(|expected| expected.as_str() != Some(text)) {
            return Err(format!("{name} is `{text}`"));
        }
    }
    Ok(())
}

/// A text of some length, and whether it is cut.
fn limit(case: &Value) -> Result<(), String> {
    let text: String = case["repeat_spec"].as_str().unwrap().split(" + ").map(repeated).collect();
    let (size, most) = (case["size"].as_u64().unwrap() as usize, case["limit"].as_u64().unwrap() as usize);
    let units = |text: &str| match case["unit"].as_str().unwrap() {
        "bytes of UTF-8" => text.len(),
        _ => text.encode_utf16().count(),
    };
    if units(&text) != size {
        return Err(format!("counted as {}", units(&text)));
    }
    let fits = case["fits"].as_bool().unwrap();
    let kept = match most {
        4096 => cut(&text, false),
        1024 => cut(&text, true),
        // Nothing is cut to these: see the unit tests of commands.
        _ => return if fits == (size <= most) { Ok(()) } else { Err("it does not add up".to_owned()) },
    };
    match (units(&kept) <= most, kept == text) {
        (true, whole) if whole == fits => Ok(()),
        _ => Err(format!("cut to {}", units(&kept))),
    }
}

/// `x*7`, spelt out.
fn repeated(part: &str) -> String {
    let (text, times) = part.rsplit_once('*').unwrap();
    text.repeat(times.trim().parse().unwrap())
}

/// An update, and what it is taken for.
fn update(case: &Value, config: &Value) -> Result<(), String> {
    let ids = |name: &str| -> Vec<i64> {
        config[name].as_array().into_iter().flatten().map(|id| id.as_i64().unwrap()).collect()
    };
    let bot = config["bot_username"].as_str().unwrap();
    let taken = taken_for(&case["update"], bot, &ids("allowed_chat_ids"), &ids("allowed_user_ids"));
    // The reason is in the vector's words.
    let expected = case["expect"].as_object().unwrap().iter().filter(|(name, _)| *name != "why");
    // The Bot API's name of the update that tells of the bot's own standing, or ours.
    let same = |name: &str, expected: &Value| match name {
        "kind" if taken["kind"] == "membership" => {
            let words = expected.as_str().unwrap_or_default();
            ["member", "kicked", "blocked", "left", "chat_gone"].iter().any(|word| words.contains(word))
        }
        _ => taken.get(name) == Some(expected),
    };
    match expected.into_iter().find(|(name, expected)| !same(name, expected)) {
        Some((name, _)) => Err(format!("{name}: taken for {taken}")),
        None => Ok(()),
    }
}
