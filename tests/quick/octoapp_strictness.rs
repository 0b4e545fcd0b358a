//! The player of OctoApp's vectors notices whatever is different, also where a deviation of the bridge is at work: what
//! came is spoilt in one place after the other, and each time it must be refused.

use crate::octoapp_player::expect::compare;
use crate::octoapp_player::world::{Log, one_case, play};
use crate::support::cipher::decrypt;
use octobridge::bridge::octoapp::rehearsal::encrypt;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Texts of the bridge's own, of which only that there is one is compared.
const OWN_WORDS: [&str; 2] = ["/apnsData/alert/title", "/apnsData/alert/body"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/octoapp/3.x")
}

pub(crate) fn vector(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(format!("{name}.json"))).unwrap()).unwrap()
}

/// All vectors with their names.
pub(crate) fn vectors() -> Vec<(String, Value)> {
    let paths = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .map(|name| (name.clone(), vector(&name)))
        .collect()
}

/// Spoils what came in every way; panics where that is not noticed. Gives in how many.
pub(crate) fn strict(name: &str, vector: &Value, log: &Log) -> usize {
    strict_but(name, vector, log, None)
}

/// The same; of the time left of that request only that it is one is compared.
pub(crate) fn strict_but(name: &str, vector: &Value, log: &Log, free: Option<usize>) -> usize {
    compare(vector, log).unwrap_or_else(|difference| panic!("{name}: {difference}"));
    let resolution = vector["clock"]["resolution"].as_f64().unwrap();
    let late = if resolution > 1.0 { 2.0 * resolution + 1.5 } else { 0.5 };
    let mut count = 0;
    let mut spoil = |what: &str, spoiling: &dyn Fn(&mut Log)| {
        let mut spoilt = log.clone();
        spoiling(&mut spoilt);
        count += 1;
        assert!(compare(vector, &spoilt).is_err(), "{name}: {what} goes unnoticed");
    };
    for index in 0..log.requests.len() {
        let request = &log.requests[index];
        spoil(&format!("that request {index} is missing"), &|log| drop(log.requests.remove(index)));
        spoil(&format!("a second request {index}"), &|log| log.requests.push(request.clone()));
        spoil(&format!("a late request {index}"), &|log| log.requests[index].t += late);
        spoil(&format!("an early request {index}"), &|log| log.requests[index].t -= late);
        spoil(&format!("the method of request {index}"), &|log| log.requests[index].method.push('X'));
        spoil(&format!("the address of request {index}"), &|log| log.requests[index].url.push('x'));
        for other in index + 1..log.requests.len() {
            let (one, two) = (request, &log.requests[other]);
            if (one.t - two.t).abs() > late && one.body != two.body {
                spoil(&format!("that {index} comes for {other}"), &|log| {
                    log.requests[index].body = two.body.clone();
                    log.requests[other].body = one.body.clone();
                });
            }
        }
        let is_free = |path: &str| path.ends_with("timeLeft") && free == Some(index);
        for path in leaves(&request.body) {
            if !OWN_WORDS.contains(&path.as_str()) && !is_free(&path) {
                spoil(&format!("{path} of request {index}"), &|log| {
                    change(log.requests[index].body.pointer_mut(&path).unwrap());
                });
            }
        }
        for path in leaves(&android(log, index)) {
            if path == "/printId" && is_only(log, index) || is_free(&path) {
                continue;
            }
            spoil(&format!("Android's {path} of request {index}"), &|log| {
                let mut plain = android(log, index);
                change(plain.pointer_mut(&path).unwrap());
                let text = encrypt(&plain.to_string(), log.key.as_deref().unwrap(), [7; 16]);
                log.requests[index].body["androidData"] = json!(text);
            });
        }
    }
    // Of single pushes only the records that are left are recorded.
    if vector["expected_db_deletes"].is_array() {
        for index in 0..log.deletes.len() {
            spoil(&format!("that deletion {index} is missing"), &|log| drop(log.deletes.remove(index)));
            spoil(&format!("a late deletion {index}"), &|log| log.deletes[index].0 += late);
        }
        spoil("a deletion", &|log| log.deletes.push((1.0, "apps.other".to_owned())));
    }
    for name in &log.apps {
        spoil("a record that is gone", &|log| assert!(log.apps.remove(name)));
    }
    spoil("another record", &|log| assert!(log.apps.insert("other".to_owned())));
    if vector["gcode_downloads"].is_array() {
        spoil("another file", &|log| log.downloads.push("other.gcode".to_owned()));
    }
    for index in 0..log.downloads.len() {
        spoil("a file that is not read", &|log| drop(log.downloads.remove(index)));
    }
    count
}

/// The paths of all values that hold no other.
fn leaves(value: &Value) -> Vec<String> {
    let below = |key: &str, value: &Value| -> Vec<String> {
        leaves(value).into_iter().map(|path| format!("/{key}{path}")).collect()
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(key, value)| below(key, value)).collect()
        }
        Value::Array(values) if !values.is_empty() => {
            values.iter().enumerate().flat_map(|(index, value)| below(&index.to_string(), value)).collect()
        }
        _ => vec![String::new()],
    }
}

fn change(value: &mut Value) {
    *value = match value {
        Value::String(text) => json!(format!("{text}x")),
        Value::Number(number) if number.is_f64() => json!(number.as_f64().unwrap() + 100.0),
        Value::Number(number) => json!(number.as_i64().unwrap() + 100_000),
        Value::Bool(flag) => json!(!*flag),
        _ => json!(1),
    };
}

/// What request `index` holds for Android phones.
pub(crate) fn android(log: &Log, index: usize) -> Value {
    let text = log.requests[index].body["androidData"].as_str();
    let plain = text.and_then(|text| decrypt(text, log.key.as_deref()?).ok());
    plain.map_or(json!({}), |plain| serde_json::from_str(&plain).unwrap())
}

/// Whether no other request tells of the same print.
fn is_only(log: &Log, index: usize) -> bool {
    let id = |index| android(log, index)["printId"].clone();
    (0..log.requests.len()).filter(|other| id(*other) == id(index)).count() == 1
}

#[test]
fn every_difference_to_a_vector_is_noticed() {
    let mut count = 0;
    for (name, vector) in vectors() {
        for case in vector["cases"].as_array().into_iter().flatten() {
            let (vector, log) = one_case(&vector, case);
            count += strict(&format!("{name} {}", case["case"]), &vector, &log);
        }
        if vector["level"] == "moonraker" {
            count += strict(&name, &vector, &play(&vector));
        }
    }
    assert!(count > 3000, "only {count}");
}
