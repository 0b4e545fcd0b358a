//! What podman and docker print as JSON, read leniently: fields that are missing or of another kind are left out, and
//! what makes no sense is passed over. Podman prints one array, docker one object a line.

use serde_json::Value;
use std::collections::BTreeMap;

use super::units;
use super::{Condition, Container, Image, Kind, Stats};

/// All objects in the text, whether in an array or one after the other.
fn objects(text: &[u8]) -> Vec<Value> {
    let mut found = Vec::new();
    for value in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
        match value {
            Ok(Value::Array(values)) => found.extend(values.into_iter().filter(Value::is_object)),
            Ok(value) if value.is_object() => found.push(value),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    found
}

/// The first of these fields that holds a text that is not empty.
fn text<'a>(object: &'a Value, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| object.get(name)?.as_str()).filter(|text| !text.is_empty())
}

/// An id without its kind of sum: docker writes `sha256:` before it and podman does not.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// Labels as an object, or as docker's `ps` joins them.
fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    match value {
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect(),
        Some(Value::String(joined)) => joined
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// What a state's name means.
fn condition(state: &str, code: i32, out_of_memory: bool) -> Condition {
    match state.to_ascii_lowercase().as_str() {
        "created" | "configured" | "initialized" | "restarting" => Condition::Starting,
        // While it is asked to end it still runs.
        "running" | "stopping" => Condition::Running,
        "paused" => Condition::Paused,
        "exited" | "stopped" | "dead" => Condition::Exited { code, out_of_memory },
        _ => Condition::Other(state.chars().take(40).collect()),
    }
}

/// The code of docker's `Exited (137) 2 minutes ago`.
fn code_in(status: &str) -> Option<i32> {
    let (_, rest) = status.split_once('(')?;
    rest.split_once(')')?.0.parse().ok()
}

fn small(value: &Value) -> i32 {
    value.as_i64().and_then(|number| i32::try_from(number).ok()).unwrap_or(-1)
}

/// The containers of `ps --format json`.
pub(super) fn listed(out: &[u8]) -> Vec<Container> {
    let of = |object: &Value| {
        let id = text(object, &["Id", "ID"])?;
        let name = match object.get("Names") {
            Some(Value::Array(names)) => names.first().and_then(Value::as_str).unwrap_or(""),
            Some(Value::String(names)) => names.split(',').next().unwrap_or(""),
            _ => "",
        };
        let labels = labels(object.get("Labels"));
        let image = text(object, &["ImageID"]).or_else(|| labels.get(super::labels::IMAGE).map(String::as_str));
        let code = match object.get("ExitCode") {
            Some(code) => small(code),
            None => code_in(text(object, &["Status"]).unwrap_or("")).unwrap_or(-1),
        };
        Some(Container {
            id: id.to_owned(),
            name: name.trim_start_matches('/').to_owned(),
            image_id: bare(image.unwrap_or("")).to_owned(),
            condition: condition(text(object, &["State"]).unwrap_or("unknown"), code, false),
            labels,
        })
    };
    objects(out).iter().filter_map(of).collect()
}

/// The container of `container inspect`; both runtimes print the same.
pub(super) fn inspected(out: &[u8]) -> Option<Container> {
    let objects = objects(out);
    let object = objects.first()?;
    let state = object.get("State");
    let field = |name: &str| state.and_then(|state| state.get(name));
    let code = field("ExitCode").map_or(-1, small);
    let out_of_memory = field("OOMKilled").and_then(Value::as_bool).unwrap_or(false);
    let status = field("Status").and_then(Value::as_str).unwrap_or("unknown");
    Some(Container {
        id: text(object, &["Id", "ID"])?.to_owned(),
        name: text(object, &["Name"]).unwrap_or("").trim_start_matches('/').to_owned(),
        image_id: bare(text(object, &["Image"]).unwrap_or("")).to_owned(),
        condition: condition(status, code, out_of_memory),
        labels: labels(object.get("Config").and_then(|config| config.get("Labels"))),
    })
}

/// The image of `image inspect`.
pub(super) fn image(out: &[u8]) -> Option<Image> {
    let objects = objects(out);
    let object = objects.first()?;
    let config = object.get("Config").and_then(|config| config.get("Labels"));
    Some(Image {
        id: bare(text(object, &["Id", "ID"])?).to_owned(),
        labels: labels(object.get("Labels").filter(|labels| labels.is_object()).or(config)),
    })
}

/// The samples of `stats --format json`.
pub(super) fn stats(out: &[u8]) -> Vec<Stats> {
    let of = |object: &Value| {
        let get = |names: &[&str]| text(object, names);
        let pair = |names: &[&str]| get(names).map_or((None, None), units::pair);
        let (memory_bytes, memory_limit_bytes) = pair(&["mem_usage", "MemUsage"]);
        let (received_bytes, sent_bytes) = pair(&["net_io", "NetIO"]);
        let (read_bytes, written_bytes) = pair(&["block_io", "BlockIO"]);
        Some(Stats {
            id: get(&["id", "ID", "Container"])?.to_owned(),
            cpu_percent: get(&["cpu_percent", "CPUPerc"]).and_then(units::percent),
            cpu_seconds: get(&["cpu_time"]).and_then(units::seconds),
            memory_bytes,
            memory_limit_bytes,
            received_bytes,
            sent_bytes,
            read_bytes,
            written_bytes,
            processes: get(&["pids", "PIDs"]).and_then(|number| number.parse().ok()),
        })
    };
    objects(out).iter().filter_map(of).collect()
}

/// The version of `version --format json`; `None` where nothing but a client answers.
pub(super) fn version(kind: Kind, out: &[u8]) -> Option<String> {
    let objects = objects(out);
    let object = objects.first()?;
    let part = |name: &str| text(object.get(name)?, &["Version"]).map(str::to_owned);
    match kind {
        // Podman needs no server, and names one only where it is asked over a socket.
        Kind::Podman => part("Server").or_else(|| part("Client")),
        Kind::Docker => part("Server"),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
