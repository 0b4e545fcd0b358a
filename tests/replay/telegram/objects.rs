//! Vectors of single objects of the Bot API: answers, escapes, lengths.

use crate::folder::Verdict;
use octobridge::bridge::telegram::rehearsal::{class_of, cut, escapes};
use serde_json::Value;
use std::path::Path;

pub(crate) fn verdict(path: &Path) -> Verdict {
    let text = std::fs::read_to_string(path).unwrap();
    let whole: Value = serde_json::from_str(&text).expect("a vector is JSON");
    let id = whole["id"].as_str().unwrap_or_default();
    let check: fn(&Value) -> Result<(), String> = match id {
        "b-errors" => error,
        "b-escape" => escape,
        "b-limits" => limit,
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
