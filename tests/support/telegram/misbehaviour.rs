//! What the stand-in does instead of what it should, and with which calls.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, Outcome};

/// What the stand-in does with a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Behaviour {
    /// Does what the service does.
    Serve,
    /// Takes the call and never answers; [`Telegram::release`](super::Telegram::release) closes the connection.
    Stall,
    /// Takes the call, and does what the service does after [`Telegram::release`](super::Telegram::release).
    Late,
    /// Carries the call out, sends half of the answer, and closes.
    Half,
    /// Closes the connection instead of answering; the call is not carried out.
    Close,
    /// Carries the call out and closes the connection without an answer.
    Lost,
    /// Carries the call out, and announces so many bytes more (or fewer) than it sends; closes.
    Length(i64),
    /// Carries the call out, and sends the answer byte by byte, this long apart.
    Drip(Duration),
    /// Refuses with this code and description.
    Refuse(u16, &'static str),
    /// Refuses with this status and this body.
    Answer(u16, Value),
    /// Refuses with 429 and this `retry_after` in seconds.
    Flood(u64),
    /// Refuses because the group has become the supergroup of this number.
    Migrated(i64),
    /// Answers as a proxy in between would: this status, and HTML.
    Html(u16),
    /// Sends these bytes, whatever they are, and closes.
    Bytes(Vec<u8>),
}

impl Behaviour {
    /// Reads an item of a plan: `{}` for the usual, `{"status": 429, "body": {...}}` for that answer, and `"drop"`
    /// or `{"drop": true}` for a connection that is closed without one.
    pub(crate) fn planned(item: &Value) -> Self {
        let drop = item == "drop" || item.get("drop").is_some_and(|drop| *drop == true);
        match item.as_object() {
            _ if drop => Self::Close,
            Some(nothing) if nothing.is_empty() => Self::Serve,
            Some(answer) => {
                let status = answer["status"].as_u64().unwrap();
                Self::Answer(u16::try_from(status).unwrap(), answer.get("body").cloned().unwrap_or(json!({})))
            }
            None => panic!("no plan: {item}"),
        }
    }

    /// Whether the call is carried out.
    pub(super) fn carries_out(&self) -> bool {
        matches!(self, Self::Serve | Self::Late | Self::Half | Self::Lost | Self::Length(_) | Self::Drip(_))
    }

    /// The status and the body of a refusal; none for what is no refusal in the service's form.
    pub(super) fn refusal(&self) -> Option<(u16, Value)> {
        match self {
            Self::Refuse(status, description) => Some((*status, failure(*status, description))),
            Self::Answer(status, body) => Some((*status, body.clone())),
            Self::Flood(seconds) => {
                let mut body = failure(429, &format!("Too Many Requests: retry after {seconds}"));
                body["parameters"] = json!({"retry_after": seconds});
                Some((429, body))
            }
            Self::Migrated(to) => {
                let mut body = failure(400, "Bad Request: group chat was upgraded to a supergroup chat");
                body["parameters"] = json!({"migrate_to_chat_id": to});
                Some((400, body))
            }
            _ => None,
        }
    }
}

/// A failed answer as the service writes it.
pub(super) fn failure(status: u16, description: &str) -> Value {
    json!({"ok": false, "error_code": status, "description": description})
}

/// Which calls are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// Every one.
    Any,
    /// Those of this method.
    Method(&'static str),
    /// Those that send or change a message: their methods begin with `send`, `edit`, `copy` or `forward`.
    Sending,
    /// Those of them with this in their text or caption.
    Text(String),
}

impl Which {
    fn takes(&self, method: &str, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Method(wanted) => wanted.eq_ignore_ascii_case(method),
            Self::Sending => sends(method),
            Self::Text(part) => sends(method) && text.contains(part.as_str()),
        }
    }
}

fn sends(method: &str) -> bool {
    let method = method.to_ascii_lowercase();
    // That a bot is typing is no message.
    method != "sendchataction"
        && ["send", "edit", "copy", "forward"].iter().any(|start| method.starts_with(start))
}

/// What to do with which calls: the first that fits is used up, and the usual is for all else that sends.
#[derive(Debug)]
pub(super) struct Plan {
    next: Vec<(Which, usize, Behaviour)>,
    usual: Behaviour,
    /// How many messages a chat takes within which time.
    limit: Option<(usize, Duration)>,
}

impl Plan {
    pub(super) fn new() -> Self {
        Self { next: Vec::new(), usual: Behaviour::Serve, limit: None }
    }

    pub(super) fn add(&mut self, which: Which, times: usize, behaviour: Behaviour) {
        self.next.push((which, times, behaviour));
    }

    pub(super) fn usual(&mut self, behaviour: Behaviour) {
        self.usual = behaviour;
    }

    pub(super) fn limit(&mut self, limit: Option<(usize, Duration)>) {
        self.limit = limit;
    }

    /// How many seconds a call comes too early, if its chat has had as many messages as it takes.
    pub(super) fn too_many(&self, call: &Call, before: &[Call]) -> Option<u64> {
        let (most, within) = self.limit.filter(|_| sends(&call.method))?;
        let chat = &call.arguments["chat_id"];
        let counts = |other: &&Call| {
            let recent = call.at.saturating_duration_since(other.at) < within;
            recent
                && other.outcome == Outcome::Done
                && sends(&other.method)
                && other.arguments["chat_id"] == *chat
        };
        let mut recent = before.iter().rev().filter(counts);
        // The one that must be past before there is room for another.
        let oldest = recent.nth(most.checked_sub(1)?)?;
        let wait = within.saturating_sub(call.at.saturating_duration_since(oldest.at));
        Some(wait.as_secs() + 1)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(super) fn take(&mut self, method: &str, text: &str) -> Behaviour {
        let place = self.next.iter().position(|(which, times, _)| *times > 0 && which.takes(method, text));
        match place {
            Some(place) => {
                let (_, times, behaviour) = &mut self.next[place];
                *times -= 1;
                let behaviour = behaviour.clone();
                self.next.retain(|(_, times, _)| *times > 0);
                behaviour
            }
            None if sends(method) => self.usual.clone(),
            None => Behaviour::Serve,
        }
    }
}
