//! Speaks in the chats on the spot: answers to commands are worth nothing an hour later, so that they do not go through
//! the outbox. A few tries within a bounded time, at the pace that all messages share.

use super::super::api::{Api, Call, Class, File, Outcome, classify, explain, keyboard};
use super::super::config::Chat;
use super::super::delivery::{Attempt, Decision, Paces, Shape, chance, decide};
use super::super::markup::Format;
use super::super::text;
use super::errand::Reply;
use super::update::Shown;
use crate::clock::{Clock, Moment};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Most UTF-16 units of what pops up after a press (Bot API, `answerCallbackQuery`).
const MOST_POPUP: usize = 200;
/// Length of a text that was too long for the server, in UTF-16 units.
const SHORT: usize = 1000;

/// Waits so long; false when the service is being stopped.
pub(super) type Nap = Arc<dyn Fn(Duration) -> bool + Send + Sync>;

/// What a message shows besides words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture<'a> {
    /// The file.
    pub(super) bytes: &'a [u8],
    /// Whether it is a PNG, and else a JPEG.
    pub(super) png: bool,
}

impl<'a> Picture<'a> {
    fn file(self, field: &'static str) -> File<'a> {
        let (name, kind) = if self.png { ("part.png", "image/png") } else { ("frame.jpg", "image/jpeg") };
        File { field, name, kind, bytes: self.bytes }
    }
}

/// Says things.
pub(super) struct Voice<A> {
    pub(super) api: A,
    pub(super) clock: Box<dyn Clock>,
    pub(super) nap: Nap,
    pub(super) format: Format,
    pub(super) paces: Paces,
    /// How long it is tried to say one thing.
    pub(super) patience: Duration,
}

impl<A: Api> Voice<A> {
    /// The present moment.
    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Makes a call on the side, and gives its result; a failure is logged as `what` and why.
    pub(super) fn tell(&mut self, call: &Call<'_>, what: &str) -> Option<Value> {
        let outcome = self.api.call(call, self.now().unix);
        let class = classify(&outcome);
        match (class, &outcome) {
            (Class::Done, Outcome::Answered(answer)) => Some(answer.envelope.as_ref()?.result.clone()),
            _ => {
                log::info!("telegram: {what}: {}", explain(class, &outcome));
                None
            }
        }
    }

    /// Answers a press; a late or lost answer harms nobody.
    pub(super) fn answer(&mut self, press: &str, text: &str) {
        let mut call = Call::new("answerCallbackQuery").with("callback_query_id", press);
        if !text.is_empty() {
            call = call.with("text", text::shorten(text, MOST_POPUP));
        }
        self.tell(&call, "a press was not answered");
    }

    /// Says something; the message where it is said now, if it is.
    pub(super) fn say(&mut self, reply: &Reply) -> Option<Shown> {
        self.utter(reply, None)
    }

    /// Says something below a picture.
    pub(super) fn show(&mut self, reply: &Reply, picture: Picture<'_>) -> Option<Shown> {
        self.utter(reply, Some(picture))
    }

    fn utter(&mut self, reply: &Reply, picture: Option<Picture<'_>>) -> Option<Shown> {
        let deadline = self.now().monotonic + self.patience;
        let mut chat = Chat::Id(reply.place.chat);
        let mut thread = reply.place.thread;
        let mut picture = picture;
        let mut over = reply.over.filter(|over| over.message.is_some());
        if over.is_some_and(|over| !over.captioned) {
            // A text stays a text.
            picture = None;
        }
        let shape = if picture.is_some() { Shape::Photo } else { Shape::Text };
        let mut attempt = Attempt { shape, ..Attempt::default() };
        loop {
            let now = self.now();
            if let Err(later) = self.paces.take(&chat, now.monotonic) {
                self.wait(later, deadline)?;
                continue;
            }
            attempt.with_thread = thread.is_some() && over.is_none();
            let call = self.compose(reply, picture, &chat, thread, over, attempt);
            let outcome = self.api.call(&call, now.unix);
            let class = classify(&outcome);
            match decide(class, attempt, chance()) {
                Decision::Delivered => {
                    let captioned = attempt.shape != Shape::Text;
                    return over.or_else(|| shown(&outcome, reply, thread, captioned));
                }
                Decision::Retry(wait) => {
                    attempt.failures = attempt.failures.saturating_add(1);
                    self.wait(self.now().monotonic + wait, deadline)?;
                }
                Decision::WithoutThread => thread = None,
                Decision::Shorten => attempt.shortened = true,
                Decision::Undress => attempt.undressed = true,
                // The picture that is there stays.
                Decision::Reshape(_) if over.is_some() => (picture, attempt.shape) = (None, Shape::Text),
                Decision::Reshape(shape) => attempt.shape = shape,
                Decision::MoveTo(id) => {
                    attempt.moves += 1;
                    chat = Chat::Id(id);
                }
                Decision::GiveUp if class == Class::EditGone && over.is_some() => over = None,
                Decision::GiveUp | Decision::ProbeChat(_) | Decision::ProbeToken(_) => {
                    log::warn!("telegram: an answer was not sent: {}", explain(class, &outcome));
                    return None;
                }
            }
        }
    }

    /// Waits until then, unless that is later than `deadline`: none then.
    fn wait(&self, until: Duration, deadline: Duration) -> Option<()> {
        let wait = until.saturating_sub(self.now().monotonic);
        if until > deadline {
            log::info!("telegram: an answer was not sent in time");
            return None;
        }
        (self.nap)(wait).then_some(())
    }

    fn compose<'p>(
        &self,
        reply: &Reply,
        picture: Option<Picture<'p>>,
        chat: &Chat,
        thread: Option<i64>,
        over: Option<Shown>,
        attempt: Attempt,
    ) -> Call<'p> {
        let captioned = over.map_or(attempt.shape != Shape::Text, |over| over.captioned);
        let most = if captioned { text::MOST_CAPTION } else { text::MOST_MESSAGE };
        let most = if attempt.shortened { SHORT.min(most) } else { most };
        let (words, mode) = self.dressed(reply, most, attempt.undressed);
        let mut call = match (over, picture) {
            (Some(over), Some(picture)) => {
                let mut media = json!({"type": "photo", "media": "attach://frame", "caption": words});
                if let (Some(mode), Some(media)) = (mode, media.as_object_mut()) {
                    media.insert("parse_mode".to_owned(), mode.into());
                }
                let call = Call::new("editMessageMedia").to(chat, None).with("message_id", over.message);
                return Call { file: Some(picture.file("frame")), ..call.with("media", media) };
            }
            (Some(over), None) => {
                let (method, field) =
                    if captioned { ("editMessageCaption", "caption") } else { ("editMessageText", "text") };
                let call = Call::new(method).to(chat, None).with("message_id", over.message);
                call.with(field, words)
            }
            (None, Some(picture)) if attempt.shape == Shape::Photo => {
                let call = Call::new("sendPhoto").to(chat, thread).with("caption", words);
                Call { file: Some(picture.file("photo")), ..call }
            }
            (None, Some(picture)) if attempt.shape == Shape::Document => {
                let call = Call::new("sendDocument").to(chat, thread).with("caption", words);
                Call { file: Some(picture.file("document")), ..call }
            }
            (None, _) => Call::message(chat, thread, &words),
        };
        if let Some(mode) = mode {
            call = call.with("parse_mode", mode);
        }
        if reply.silent && over.is_none() {
            call = call.with("disable_notification", true);
        }
        if !reply.buttons.is_empty() {
            call = call.with("reply_markup", keyboard(&reply.buttons));
        }
        call
    }

    /// The words as they go over the wire, and their `parse_mode`.
    fn dressed(&self, reply: &Reply, most: usize, undressed: bool) -> (String, Option<&'static str>) {
        let words = text::shorten(&reply.text, most);
        let words = if words.trim().is_empty() { "-".to_owned() } else { words };
        // Code is code whatever the settings say of other texts.
        let format = match (undressed, reply.code) {
            (true, _) => Format::Plain,
            (false, true) => Format::Html,
            (false, false) => self.format,
        };
        let dressed = match words.split_once('\n').filter(|_| reply.code) {
            Some((head, rest)) => format!("{}\n{}", format.dress(head), format.code(rest)),
            None => format.dress(&words),
        };
        (dressed, format.parse_mode())
    }
}

/// The message that an answer of the server speaks of.
fn shown(outcome: &Outcome, reply: &Reply, thread: Option<i64>, captioned: bool) -> Option<Shown> {
    let Outcome::Answered(answer) = outcome else { return None };
    let result = &answer.envelope.as_ref()?.result;
    let message = result.get("message_id").and_then(serde_json::Value::as_i64);
    let chat = result.get("chat").and_then(|chat| chat.get("id")).and_then(serde_json::Value::as_i64);
    let place = super::update::Place { chat: chat.unwrap_or(reply.place.chat), thread };
    Some(Shown { place, message, captioned })
}
