//! The course of a pairing: what to ask next, and what an answer means. Pure; time comes from outside.

use super::super::api::{Class, Outcome, classify};
use super::super::config::Chat;
use super::super::text;
use serde_json::Value;
use std::time::Duration;

/// How long the server may hold an answer back: the time that is left is told as often.
const HOLD: Duration = Duration::from_secs(5);
/// The wait after trouble, and after a conflict.
const PAUSE: Duration = Duration::from_secs(2);
/// So many conflicts are no remains of an earlier request.
const MOST_CONFLICTS: u32 = 3;
/// So many strangers are told of.
const MOST_STRANGERS: usize = 5;
/// What groups' anonymous administrators write as: nobody.
const NOBODY: i64 = 1_087_968_824;

/// A chat that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub chat: i64,
    /// The topic in it.
    pub thread: Option<i64>,
    /// What it is, for people.
    pub title: String,
    /// Who sent the code; nobody in a channel or by an anonymous administrator.
    pub person: Option<Person>,
}

impl Candidate {
    pub(super) fn place(&self) -> Chat {
        Chat::Id(self.chat)
    }
}

/// Somebody who wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their number.
    pub id: i64,
    /// Their name, for people.
    pub name: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask for updates from this number on; the server may hold the answer back as long.
    Ask { offset: i64, hold: Duration },
    /// Do nothing for so long.
    Wait(Duration),
    /// It is over.
    Done(End),
}

/// How it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The code came.
    Found(Candidate),
    /// It did not come in time.
    Late,
    /// Updates go elsewhere.
    Webhook,
    /// Another program fetches them.
    Poller,
    /// The token does not count any more.
    Refused,
}

/// What the owner should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remark {
    /// Somebody wrote without the code.
    Stranger(String),
    /// The last request failed; it is tried again.
    Trouble,
    /// It works again.
    Back,
}

/// What the service says when somebody else gets the updates.
pub(super) fn conflict(outcome: &Outcome) -> Option<End> {
    if classify(outcome) != Class::Conflict {
        return None;
    }
    let Outcome::Answered(answer) = outcome else { return None };
    let said = answer.envelope.as_ref().and_then(|envelope| envelope.description.as_deref());
    let is_webhook = said.unwrap_or_default().to_ascii_lowercase().contains("webhook");
    Some(if is_webhook { End::Webhook } else { End::Poller })
}

/// A pairing under way.
#[derive(Debug)]
pub(super) struct Talk {
    code: String,
    username: String,
    deadline: Duration,
    offset: i64,
    conflicts: u32,
    quiet_until: Duration,
    in_trouble: bool,
    strangers: Vec<i64>,
    end: Option<End>,
}

impl Talk {
    /// Waits for `code`, sent to the bot of this name, until `deadline` on the monotonic clock.
    pub(super) fn new(code: &str, username: &str, deadline: Duration) -> Self {
        Self {
            code: code.to_owned(),
            username: username.to_owned(),
            deadline,
            offset: 0,
            conflicts: 0,
            quiet_until: Duration::ZERO,
            in_trouble: false,
            strangers: Vec::new(),
            end: None,
        }
    }

    /// Goes on behind what was looked at before.
    pub(super) fn behind(self, offset: i64) -> Self {
        Self { offset, ..self }
    }

    /// The number from which on updates were not looked at.
    pub(super) fn offset(&self) -> i64 {
        self.offset
    }

    /// What to do at `now`, on the monotonic clock.
    pub(super) fn step(&self, now: Duration) -> Step {
        if let Some(end) = &self.end {
            return Step::Done(end.clone());
        }
        let left = self.deadline.saturating_sub(now);
        let quiet = self.quiet_until.saturating_sub(now);
        if left.is_zero() || quiet >= left {
            return Step::Done(End::Late);
        }
        match quiet.is_zero() {
            // The service counts whole seconds.
            true => Step::Ask { offset: self.offset, hold: HOLD.min(Duration::from_secs(left.as_secs())) },
            false => Step::Wait(quiet),
        }
    }

    /// Takes what came of the last request.
    pub(super) fn heard(&mut self, outcome: &Outcome, now: Duration) -> Vec<Remark> {
        let mut remarks = Vec::new();
        match classify(outcome) {
            Class::Done => {
                if std::mem::take(&mut self.in_trouble) {
                    remarks.push(Remark::Back);
                }
                for update in outcome.result().as_array().into_iter().flatten() {
                    if self.end.is_none() {
                        remarks.extend(self.look_at(update));
                    }
                }
            }
            Class::Conflict => {
                self.conflicts += 1;
                self.quiet_until = now + PAUSE;
                self.end =
                    conflict(outcome).filter(|end| *end == End::Webhook || self.conflicts >= MOST_CONFLICTS);
            }
            Class::TokenRefused => self.end = Some(End::Refused),
            class => {
                self.quiet_until = now + if let Class::Flood(time) = class { time } else { PAUSE };
                if !std::mem::replace(&mut self.in_trouble, true) {
                    remarks.push(Remark::Trouble);
                }
            }
        }
        remarks
    }

    fn look_at(&mut self, update: &Value) -> Option<Remark> {
        let number = update.get("update_id").and_then(Value::as_i64)?;
        self.offset = self.offset.max(number.saturating_add(1));
        let message = ["message", "channel_post"].iter().find_map(|kind| update.get(kind))?;
        let (chat, from) = (message.get("chat")?, message.get("from"));
        let said = message.get("text").and_then(Value::as_str).unwrap_or_default();
        let id = chat.get("id").and_then(Value::as_i64)?;
        let is_private = text_of(chat, "type") == "private";
        let person = from.filter(|from| from.get("is_bot").and_then(Value::as_bool) != Some(true));
        let person = person.and_then(|from| Some((from.get("id").and_then(Value::as_i64)?, from)));
        let person = person.filter(|(id, _)| *id != NOBODY);
        let person = person.map(|(id, from)| Person { id, name: full_name(from) });
        if self.is_code(said) {
            let is_topic = message.get("is_topic_message").and_then(Value::as_bool) == Some(true);
            let thread = message.get("message_thread_id").and_then(Value::as_i64).filter(|_| is_topic);
            let title = match text_of(chat, "title") {
                "" if is_private => format!("the private chat with {}", full_name(chat)),
                title => format!("the {} \"{}\"", kind(chat), shown(title)),
            };
            self.end = Some(End::Found(Candidate { chat: id, thread, title, person }));
            return None;
        }
        // The talk of a group that the bot happens to hear is no attempt.
        let is_attempt = is_private || said.starts_with("/start");
        let stranger = person.filter(|_| is_attempt)?;
        if self.strangers.contains(&stranger.id) || self.strangers.len() >= MOST_STRANGERS {
            return None;
        }
        self.strangers.push(stranger.id);
        Some(Remark::Stranger(stranger.name))
    }

    /// Whether a text is the code, alone or behind `/start`, as the button in the link sends it.
    fn is_code(&self, said: &str) -> bool {
        let mut words = said.split_whitespace();
        let first = words.next().unwrap_or_default();
        let (word, addressee) = first.split_once('@').unwrap_or((first, &self.username));
        let is_start = word.eq_ignore_ascii_case("/start") && addressee.eq_ignore_ascii_case(&self.username);
        let code = if is_start { words.next() } else { Some(first) };
        code.is_some_and(|code| code.eq_ignore_ascii_case(&self.code)) && words.next().is_none()
    }
}

fn kind(chat: &Value) -> &'static str {
    match text_of(chat, "type") {
        "channel" => "channel",
        _ => "group",
    }
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A person's names, as Telegram's programs show them.
fn full_name(person: &Value) -> String {
    let name = format!("{} {}", text_of(person, "first_name"), text_of(person, "last_name"));
    match text_of(person, "username") {
        "" => shown(&name),
        username => format!("{} (@{})", shown(&name), shown(username)),
    }
}

fn shown(foreign: &str) -> String {
    text::shorten(&text::name(foreign), 60)
}

#[cfg(test)]
mod tests;
