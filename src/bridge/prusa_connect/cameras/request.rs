//! What Connect is sent of a camera.

use super::trigger::Trigger;
use crate::bridge::prusa_connect::connect::http::{self, Request};
use crate::bridge::prusa_connect::connect::identity::{Identity, camera_fingerprint, camera_id};
use crate::bridge::prusa_connect::connect::token::Token;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest name that Connect is told, in characters.
const MOST_NAME: usize = 64;

/// A camera as Connect knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Card {
    /// Its name, for people.
    pub(crate) name: String,
    /// Its identity: never changes, so that it stays one camera.
    pub(crate) id: String,
    /// What Connect knows it by.
    pub(crate) fingerprint: String,
    /// When its pictures come.
    pub(crate) trigger: Trigger,
    /// What besides the trigger can be told of it: the names and values of the official SDK. Ours tell nothing: there is
    /// nothing of a camera that Connect could set.
    pub(crate) settings: Vec<(&'static str, Value)>,
    /// The resolutions that it could have.
    pub(crate) resolutions: Vec<[u16; 2]>,
}

impl Card {
    /// The camera of that name. `plain` tells it from every other camera.
    pub(crate) fn new(name: &str, plain: &str, trigger: Trigger) -> Self {
        let id = camera_id(plain);
        let name = name.chars().filter(|sign| !sign.is_control()).take(MOST_NAME).collect();
        let fingerprint = camera_fingerprint(&id);
        Self { name, id, fingerprint, trigger, settings: Vec::new(), resolutions: Vec::new() }
    }
}

/// The registration of a camera through its printer. `token` is the camera's, if it has one already.
pub(crate) fn register(
    card: &Card,
    token: Option<&Token>,
    printer: &Identity,
    printer_token: &Token,
    created: Duration,
) -> Request {
    let size = |[width, height]: &[u16; 2]| json!({ "width": width, "height": height });
    let mut config = json!({
        "trigger_scheme": card.trigger.word(),
        "name": card.name,
        "camera_id": card.id,
    });
    let mut capabilities = vec!["trigger_scheme", "imaging"];
    if let Some(config) = config.as_object_mut() {
        for (name, value) in &card.settings {
            config.insert((*name).to_owned(), value.clone());
            capabilities.push(name);
        }
        if let Some(token) = token {
            config.insert("token".to_owned(), token.reveal().into());
        }
    }
    let body = json!({
        "config": config,
        "options": { "available_resolutions": card.resolutions.iter().map(size).collect::<Value>() },
        "capabilities": capabilities,
        "fingerprint": card.fingerprint,
    });
    let request = Request::new("POST", "/p/camera", printer, Some(printer_token), created);
    request.with_json(body.to_string().into())
}

/// A request with a camera's own token. It holds that, so it has no `Debug`.
pub(crate) struct CameraRequest {
    /// `PUT`.
    pub(crate) method: &'static str,
    /// The path.
    pub(crate) path: &'static str,
    /// What Connect wants to see. What is sent comes after the headers, as bytes.
    pub(crate) headers: Vec<(&'static str, String)>,
}

fn of_camera(path: &'static str, card: &Card, token: &Token) -> CameraRequest {
    let headers = vec![("Fingerprint", card.fingerprint.clone()), ("Token", token.reveal().to_owned())];
    CameraRequest { method: "PUT", path, headers }
}

/// A picture, taken at that time since the Unix epoch. Its bytes follow.
pub(crate) fn snapshot(card: &Card, token: &Token, taken: Duration) -> CameraRequest {
    let mut request = of_camera("/c/snapshot", card, token);
    request.headers.push(("Timestamp", http::timestamp(taken)));
    // No such type is registered; it is what Connect's own clients send.
    request.headers.push(("Content-Type", "image/jpg".to_owned()));
    request
}

/// What a camera that was added in Connect itself tells of itself, and its body.
pub(crate) fn info(card: &Card, token: &Token, size: (u16, u16)) -> (CameraRequest, String) {
    let mut request = of_camera("/c/info", card, token);
    request.headers.push(("Content-Type", "application/json".to_owned()));
    let (width, height) = size;
    let config = json!({ "name": card.name, "resolution": { "width": width, "height": height } });
    (request, json!({ "config": config }).to_string())
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
