//! What a request to Prusa Connect has to be.

use super::super::http::Message;
use serde_json::Value;

/// What is wrong with a request.
#[derive(Debug)]
pub(super) struct Fault(String);

impl Fault {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What HTTP itself needs, on any request.
const PLAIN: [&str; 7] =
    ["host", "accept", "accept-encoding", "connection", "content-length", "user-agent", "transfer-encoding"];

pub(super) fn header<'m>(request: &'m Message, name: &str) -> Result<&'m str, Fault> {
    let mut all = request.headers.iter().filter(|(known, _)| known == name);
    match (all.next(), all.next()) {
        (Some((_, value)), None) if !value.is_empty() => Ok(value),
        (Some(_), None) => Err(Fault::new(format!("{name} is empty"))),
        (Some(_), Some(_)) => Err(Fault::new(format!("{name} is there twice"))),
        (None, _) => Err(Fault::new(format!("{name} is missing"))),
    }
}

/// Exactly these headers, besides those that HTTP needs.
fn exactly(request: &Message, names: &[&str]) -> Result<(), Fault> {
    for name in names {
        header(request, name)?;
    }
    let more = |name: &&String| !names.contains(&name.as_str()) && !PLAIN.contains(&name.as_str());
    match request.headers.iter().map(|(name, _)| name).find(more) {
        Some(name) => Err(Fault::new(format!("{name} does not belong there"))),
        None => Ok(()),
    }
}

/// What every request of a printer has.
const PRINTER: [&str; 4] = ["fingerprint", "timestamp", "user-agent-printer", "user-agent-version"];

fn of_printer(request: &Message, more: &[&str]) -> Result<(), Fault> {
    exactly(request, &[&PRINTER[..], more].concat())?;
    header(request, "user-agent")?;
    fingerprint(header(request, "fingerprint")?)?;
    timestamp(request)
}

fn fingerprint(text: &str) -> Result<(), Fault> {
    let sound = (16..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    sound.then_some(()).ok_or_else(|| Fault::new(format!("{text} is no fingerprint")))
}

/// Seconds in whole tenths, after the protocol was made. The official SDK multiplies, and sends 0.30000000000000004.
fn timestamp(request: &Message) -> Result<(), Fault> {
    let text = header(request, "timestamp")?;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 1.5e9 && (seconds * 10.0 - (seconds * 10.0).round()).abs() < 1e-4 => Ok(()),
        _ => Err(Fault::new(format!("{text} is no timestamp"))),
    }
}

/// Seconds, as a request that was found sound tells them.
pub(super) fn seconds(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

fn json(request: &Message) -> Result<Value, Fault> {
    if header(request, "content-type")? != "application/json" {
        return Err(Fault::new("the body is not said to be JSON"));
    }
    let body: Value =
        serde_json::from_slice(&request.body).map_err(|error| Fault::new(format!("the body: {error}")))?;
    no_null(&body)?;
    Ok(body)
}

fn no_null(value: &Value) -> Result<(), Fault> {
    match value {
        Value::Null => Err(Fault::new("the body has a null in it")),
        Value::Array(list) => list.iter().try_for_each(no_null),
        Value::Object(fields) => fields.values().try_for_each(no_null),
        _ => Ok(()),
    }
}

/// The body of what a registered printer tells.
pub(super) fn work(request: &Message) -> Result<Value, Fault> {
    let mut names = vec!["content-type", "token"];
    // Once after each step of the printer's clock.
    match request.header("clock-adjusted") {
        None => {}
        Some("1") => names.push("clock-adjusted"),
        Some(other) => return Err(Fault::new(format!("the clock is adjusted by {other:?}"))),
    }
    of_printer(request, &names)?;
    json(request)
}

/// A question of a registered printer without a body.
pub(super) fn question(request: &Message) -> Result<(), Fault> {
    of_printer(request, &["token"])?;
    match request.body.is_empty() {
        true => Ok(()),
        false => Err(Fault::new("it has a body")),
    }
}

/// A question of nobody in particular: it must not give anything away.
pub(super) fn probe(request: &Message) -> Result<(), Fault> {
    exactly(request, &[])
}

/// Exactly these keys, of which those in `may` may be missing.
pub(super) fn keys(value: &Value, must: &[&str], may: &[&str]) -> Result<(), Fault> {
    let fields = value.as_object().ok_or_else(|| Fault::new(format!("{value} is no object")))?;
    let missing = must.iter().find(|key| !fields.contains_key(**key));
    let more = fields.keys().find(|key| !must.contains(&key.as_str()) && !may.contains(&key.as_str()));
    match (missing, more) {
        (Some(key), _) => Err(Fault::new(format!("{key} is missing in {value}"))),
        (None, Some(key)) => Err(Fault::new(format!("{key} does not belong into {value}"))),
        (None, None) => Ok(()),
    }
}

/// The body of a registration.
pub(super) fn registration(request: &Message) -> Result<Value, Fault> {
    of_printer(request, &["content-type"])?;
    let body = json(request)?;
    let fields = ["sn", "fingerprint", "printer_type", "firmware"];
    keys(&body, &fields, &[])?;
    if let Some(field) = fields.iter().find(|field| body[**field].as_str().is_none_or(str::is_empty)) {
        return Err(Fault::new(format!("{field} is no text")));
    }
    same_printer(request, &body)?;
    if body["printer_type"] != header(request, "user-agent-printer")? {
        return Err(Fault::new("the type is another one in the header"));
    }
    let numbers: Vec<_> = body["printer_type"].as_str().unwrap_or_default().split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u32>().is_err()) {
        return Err(Fault::new("the type is no three numbers"));
    }
    Ok(body)
}

/// The same fingerprint in the header as the printer was registered with.
pub(super) fn same_printer(request: &Message, registered: &Value) -> Result<(), Fault> {
    match registered["fingerprint"] == header(request, "fingerprint")? {
        true => Ok(()),
        false => Err(Fault::new("the fingerprint is another printer's")),
    }
}

/// The code of a poll.
pub(super) fn poll(request: &Message) -> Result<&str, Fault> {
    of_printer(request, &["code"])?;
    match request.body.is_empty() {
        true => header(request, "code"),
        false => Err(Fault::new("it has a body")),
    }
}

/// The body of a camera's registration.
pub(super) fn camera(request: &Message) -> Result<Value, Fault> {
    of_printer(request, &["content-type", "token"])?;
    let body = json(request)?;
    keys(&body, &["config", "options", "capabilities", "fingerprint"], &[])?;
    let settings = ["resolution", "rotation", "exposure", "focus"];
    let config = &body["config"];
    keys(config, &["trigger_scheme", "name", "camera_id"], &[&settings[..], &["token"]].concat())?;
    let capabilities: Vec<&str> =
        body["capabilities"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (setting, name) in settings.iter().map(|name| (config.get(*name), name)) {
        if setting.is_some() != capabilities.contains(name) {
            return Err(Fault::new(format!(
                "{name} is a setting without a capability, or the other way round"
            )));
        }
    }
    let schemes = ["TEN_SEC", "THIRTY_SEC", "SIXTY_SEC", "EACH_LAYER", "FIFTH_LAYER", "MANUAL"];
    if !capabilities.contains(&"trigger_scheme")
        || !schemes.iter().any(|scheme| config["trigger_scheme"] == *scheme)
    {
        return Err(Fault::new("there is no trigger"));
    }
    if config["name"].as_str().is_none_or(str::is_empty) {
        return Err(Fault::new("the camera has no name"));
    }
    let expected = octobridge::bridge::prusa_connect::rehearsal::camera_fingerprint(
        config["camera_id"].as_str().unwrap_or_default(),
    );
    if body["fingerprint"] != expected {
        return Err(Fault::new("the camera's fingerprint does not follow from its id"));
    }
    keys(&body["options"], &["available_resolutions"], &[])?;
    Ok(body)
}

/// A picture.
pub(super) fn picture(request: &Message) -> Result<(), Fault> {
    exactly(request, &["fingerprint", "timestamp", "token", "content-type"])?;
    timestamp(request)?;
    fingerprint(header(request, "fingerprint")?)?;
    if header(request, "content-type")? != "image/jpg" {
        return Err(Fault::new("it is not said to be a picture"));
    }
    if header(request, "content-length")?.parse() != Ok(request.body.len()) {
        return Err(Fault::new("its length is not told"));
    }
    match request.body.starts_with(b"\xff\xd8") && request.body.ends_with(b"\xff\xd9") {
        true => Ok(()),
        false => Err(Fault::new("it is no picture")),
    }
}

/// What a camera that was added in the web page tells of itself.
pub(super) fn camera_info(request: &Message) -> Result<Value, Fault> {
    exactly(request, &["fingerprint", "token", "content-type"])?;
    let body = json(request)?;
    keys(&body, &["config"], &[])?;
    keys(&body["config"], &["name"], &["resolution", "network_info"])?;
    Ok(body["config"].clone())
}
