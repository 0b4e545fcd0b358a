//! What follows from other things, and the proof that a difference is seen.

use super::{expect, play};
use octobridge::bridge::prusa_connect::decrypted;
use octobridge::bridge::prusa_connect::rehearsal::{
    camera_fingerprint, camera_id, fingerprint, settings_file,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Identifiers that follow from serial numbers and cameras, or what files of settings say.
pub(crate) fn derived(vector: &Value) -> Result<(), String> {
    let files = &vector["inputs"]["steps"][0]["ini_files"];
    if let Some(files) = files.as_array() {
        let read = |text: &Value| match settings_file(text.as_str().unwrap()) {
            Ok((server, token)) => json!({ "server": server, "token": token }),
            Err(error) => json!({ "error": error }),
        };
        let results: Vec<Value> = files.iter().map(read).collect();
        return expect::value("", &vector["outcome"], &json!({ "results": results }));
    }
    let table = |make: &dyn Fn(&str) -> String, name: &str| -> BTreeMap<String, String> {
        let rows = vector["outcome"][name].as_object().unwrap();
        rows.keys().map(|key| (key.clone(), make(key))).collect()
    };
    let made = json!({
        "fingerprints": table(&fingerprint, "fingerprints"),
        "camera_ids": table(&camera_id, "camera_ids"),
        "camera_fingerprints": table(&|plain| camera_fingerprint(&camera_id(plain)), "camera_fingerprints"),
    });
    expect::value("", &vector["outcome"], &made)
}

/// What encrypted downloads are decrypted to: parts of a keystream, which is what zeros become.
pub(crate) fn cipher(vector: &Value) -> Result<(), String> {
    let kwargs = &vector["inputs"]["command"]["kwargs"];
    let text = |name: &str| kwargs[name].as_str().unwrap();
    for part in vector["outcome"]["keystream"].as_array().unwrap() {
        let expected = part["bytes_hex"].as_str().unwrap();
        let place = part["offset"].as_u64().unwrap();
        let bytes = decrypted(text("key"), text("iv"), place, vec![0; expected.len() / 2]).ok_or("no key")?;
        let made: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        expect::value("keystream", &json!(expected), &json!(made))?;
    }
    Ok(())
}

/// That the comparison sees a request too many, one too few, two in the wrong order, and one with another body, header or
/// path: each is done to the expectation in turn.
pub(crate) fn proof(vector: &Value) -> Result<(), String> {
    let Ok(played) = play::play(vector) else { return Ok(()) };
    let expected = vector["expected_requests"].as_array().cloned().unwrap_or_default();
    let unseen = |changed: Vec<Value>, how: String| {
        let mut mutant = vector.clone();
        mutant["expected_requests"] = changed.into();
        match expect::compare(&mutant, &played) {
            Ok(()) => Err(format!("the comparison does not see {how}")),
            Err(_) => Ok(()),
        }
    };
    for (index, request) in expected.iter().enumerate() {
        let mut changed = expected.clone();
        changed.remove(index);
        unseen(changed, format!("that request {index} is too many"))?;
        let mut changed = expected.clone();
        changed.insert(index, request.clone());
        unseen(changed, format!("that request {index} is missing"))?;
        // Between two servers there is no order.
        let after = expected.get(index + 1).filter(|next| next["server"] == request["server"]);
        let swapped = after.filter(|next| differ(request, next));
        if swapped.is_some() {
            let mut changed = expected.clone();
            changed.swap(index, index + 1);
            unseen(changed, format!("that requests {index} and the next are swapped"))?;
        }
        let replaced = |with: Value, how: &str| {
            let mut changed = expected.clone();
            changed[index] = with;
            unseen(changed, format!("another {how} of request {index}"))
        };
        let mut other = request.clone();
        other["path"] = "/p/elsewhere".into();
        replaced(other, "path")?;
        for header in ["Token", "Fingerprint", "Timestamp", "Clock-Adjusted", "Code"] {
            let mut other = request.clone();
            let headers = other["headers"].as_array_mut().unwrap();
            let before = headers.len();
            headers.retain(|pair| pair[0] != header);
            if headers.len() == before {
                headers.push(json!([header, "1"]));
            }
            replaced(other, header)?;
        }
        for key in request["body_json"].as_object().into_iter().flatten().map(|(key, _)| key) {
            let mut other = request.clone();
            other["body_json"].as_object_mut().unwrap().remove(key);
            replaced(other, key)?;
        }
        if request["body_json"].is_object() {
            let mut other = request.clone();
            other["body_json"]["surplus"] = 1.into();
            replaced(other, "surplus")?;
        }
    }
    Ok(())
}

/// Whether two requests differ in what counts.
fn differ(one: &Value, other: &Value) -> bool {
    let header = |request: &Value, name: &str| {
        let headers = request["headers"].as_array().unwrap();
        headers.iter().find(|pair| pair[0] == name).map(|pair| pair[1].clone())
    };
    let same = |name| header(one, name) == header(other, name);
    one["path"] != other["path"]
        || one["body_json"] != other["body_json"]
        || !same("Timestamp")
        || !same("Code")
}
