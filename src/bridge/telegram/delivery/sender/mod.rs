//! Takes messages out of the outbox one after the other, sends each, and does what the answer asks for.
//!
//! One step sends at most one request and never waits: it says until when to wait. The thread around it waits.

use super::super::api::{Api, Call, Class, Outcome, classify, explain, keyboard};
use super::super::config::{Chat, Config};
use super::super::markup::Format;
use super::super::report::{Report, Trouble};
use super::super::{notify, text};
use super::stored::Stored;
use super::{Attempt, Darkroom, Decision, MovedChat, Paces, Shape, decide};
use crate::bridge::Health;
use crate::camera::Frame;
use crate::clock::Clock;
use crate::outbox::{Held, Importance, Queue, Store};
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a lost topic is left alone before it is tried again.
const THREAD_AGAIN: Duration = Duration::from_secs(3600);
/// Length of a text that was too long for the server, in UTF-16 units.
const SHORT: usize = 1000;
/// Most messages that are told in one after a long silence.
const MOST_JOINED: usize = 20;
/// Largest picture that goes as one, in bytes.
const MOST_PHOTO: usize = 10_000_000;
/// How long a connection is kept for what follows: an idle one costs memory, and dies unnoticed behind a firewall.
const KEPT: Duration = Duration::from_secs(10);
/// After so many failures in a row of a picture, and again after as many, a small request tells whether it is the line.
const DOUBTED_EACH: u32 = 3;
/// Longest time for which a message is held back.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

/// What to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Next {
    /// Go on at once.
    Again,
    /// Wait until this moment of the monotonic clock.
    At(Duration),
    /// Wait for a message.
    Idle,
}

/// Sends what waits in an outbox.
pub(in crate::bridge::telegram) struct Sender<A, S> {
    pub(in crate::bridge::telegram) api: A,
    pub(in crate::bridge::telegram) queue: Queue<S>,
    pub(in crate::bridge::telegram) clock: Box<dyn Clock>,
    /// Chance, from 0 to 1.
    pub(in crate::bridge::telegram) spread: Box<dyn FnMut() -> f64 + Send>,
    pub(in crate::bridge::telegram) report: Arc<Mutex<Report>>,
    darkroom: Darkroom,
    format: Format,
    chat: Chat,
    thread: Option<i64>,
    moved: MovedChat,
    /// Of all who send.
    pub(in crate::bridge::telegram) paces: Paces,
    not_before: Duration,
    thread_again: Option<Duration>,
    failures: u32,
    /// When the last call ended, as long as its connection is kept.
    spoke: Option<Duration>,
    /// The message that the attempt belongs to.
    current: Option<u64>,
    attempt: Attempt,
    /// The trouble that the log tells of, by its class and the status of the answer.
    told: Option<(Discriminant<Class>, Option<u16>)>,
}

impl<A: Api, S: Store> Sender<A, S> {
    pub(in crate::bridge::telegram) fn new(
        config: &Config,
        moved: MovedChat,
        api: A,
        queue: Queue<S>,
        clock: Box<dyn Clock>,
        spread: Box<dyn FnMut() -> f64 + Send>,
    ) -> Self {
        let moved_to = moved.load();
        let chat = moved_to.map_or_else(|| config.chat.clone(), Chat::Id);
        let report = Report { moved_to, ..Report::default() };
        Self {
            api,
            queue,
            clock,
            spread,
            report: Arc::new(Mutex::new(report)),
            darkroom: Darkroom::default(),
            format: config.format,
            paces: Paces::default(),
            chat,
            thread: config.thread,
            moved,
            not_before: Duration::ZERO,
            thread_again: None,
            failures: 0,
            spoke: None,
            current: None,
            attempt: Attempt::default(),
            told: None,
        }
    }

    /// The pictures that messages speak of.
    pub(in crate::bridge::telegram) fn darkroom(&self) -> Darkroom {
        self.darkroom.clone()
    }

    /// Sends at most one request.
    pub(in crate::bridge::telegram) fn step(&mut self) -> Next {
        let now = self.clock.now();
        self.queue.expire(now);
        self.darkroom.clear(None, now);
        if self.spoke.is_some_and(|spoke| spoke + KEPT <= now.monotonic) {
            self.api.rest();
            self.spoke = None;
        }
        if now.monotonic < self.not_before {
            return Next::At(self.not_before);
        }
        let Some(held) = self.queue.peek() else { return Next::Idle };
        let stored = match serde_json::from_slice::<Stored>(&held.entry.body) {
            Ok(stored) => stored,
            Err(error) => {
                self.queue.discard(held.id, &format!("it is not a message of this version: {error}"));
                return Next::Again;
            }
        };
        if let Some(wait) = waits(&stored, now.unix) {
            return Next::At(now.monotonic + wait);
        }
        let frame = stored.picture.and_then(|number| self.darkroom.get(number));
        if stored.picture.is_some() && frame.is_none() {
            self.queue.discard(held.id, "its picture is gone");
            return Next::Again;
        }
        if self.current == Some(held.id) && std::mem::take(&mut self.attempt.doubted) {
            return self.try_the_line(held.id, now.unix);
        }
        if let Err(later) = self.paces.take(&self.chat, now.monotonic) {
            return Next::At(later);
        }
        if self.current != Some(held.id) {
            let shape = frame.as_deref().map_or(Shape::Text, shape_of);
            (self.current, self.attempt) = (Some(held.id), Attempt { shape, ..Attempt::default() });
        }
        let thread = self.thread.filter(|_| self.thread_again.is_none_or(|again| now.monotonic >= again));
        let (words, joined, silent) = self.words(&held, &stored, now.unix);
        if !self.queue.begin(std::iter::once(held.id).chain(joined.iter().copied()).collect()) {
            return Next::Again;
        }
        let stored = Stored { silent, ..stored };
        let call = self.compose(&words, &stored, frame.as_deref(), thread);
        let outcome = self.api.call(&call, now.unix);
        self.spoke = Some(self.clock.now().monotonic);
        let class = classify(&outcome);
        let attempt = Attempt { failures: self.failures, with_thread: thread.is_some(), ..self.attempt };
        let decision = decide(class, attempt, (self.spread)());
        self.failures = match (decision, class) {
            (Decision::Retry(_), Class::Flood(_) | Class::Conflict) => 0,
            (Decision::Retry(_), _) => self.failures.saturating_add(1),
            _ => 0,
        };
        let failed = class == Class::Transient && attempt.shape != Shape::Text;
        if failed && self.failures.is_multiple_of(DOUBTED_EACH) {
            self.attempt.doubted = true;
            return Next::Again;
        }
        if matches!(decision, Decision::Delivered | Decision::GiveUp) {
            self.darkroom.clear(stored.picture, now);
        }
        if !joined.is_empty() {
            match decision {
                Decision::Delivered => joined.iter().for_each(|id| {
                    self.queue.done(*id);
                }),
                // One of them is to blame: each for itself.
                Decision::GiveUp | Decision::Shorten => {
                    self.attempt.alone = true;
                    return Next::Again;
                }
                _ => {}
            }
        }
        self.carry_out(decision, held.id, class, &outcome, thread.is_some())
    }

    /// Asks something small after the picture of the message `id` failed: where that gets through, the picture never
    /// will, and must not hold up the words behind it.
    fn try_the_line(&mut self, id: u64, now: Duration) -> Next {
        let outcome = self.api.call(&Call::new("getMe"), now);
        self.spoke = Some(self.clock.now().monotonic);
        let class = classify(&outcome);
        if class == Class::Done {
            log::warn!("telegram: a picture does not get through, and all else does: its caption goes alone");
            (self.attempt.shape, self.failures) = (Shape::Text, 0);
            return Next::Again;
        }
        let attempt = Attempt { failures: self.failures, ..self.attempt };
        let decision = decide(Class::Transient, attempt, (self.spread)());
        self.carry_out(decision, id, class, &outcome, false)
    }

    /// How long the connection is still kept while nothing is said; none where there is none.
    pub(in crate::bridge::telegram) fn rests_in(&self) -> Option<Duration> {
        Some((self.spoke? + KEPT).saturating_sub(self.clock.now().monotonic))
    }

    /// What to say of `held`, which messages behind it are said with it, and whether that makes no sound: after a long
    /// silence one message tells what happened, instead of a row of them.
    fn words(&self, held: &Held, stored: &Stored, now: Duration) -> (String, Vec<u64>, bool) {
        let mut words = notify::dated(&stored.text, held.entry.at, now);
        let (mut joined, mut silent) = (Vec::new(), stored.silent);
        if self.attempt.alone || !is_plain(stored) || !notify::is_late(held.entry.at, now) {
            return (words, joined, silent);
        }
        let row = self.queue.peek_row(MOST_JOINED, |_| true);
        for other in row.iter().skip(1) {
            let read = serde_json::from_slice::<Stored>(&other.entry.body).ok();
            let Some(next) = read.filter(|next| is_plain(next) && waits(next, now).is_none()) else { break };
            let more = format!("{words}\n\n{}", notify::dated(&next.text, other.entry.at, now));
            if more.encode_utf16().count() > text::MOST_MESSAGE {
                break;
            }
            words = more;
            joined.push(other.id);
            // Whatever is to wake people does so in company as well.
            silent &= next.silent;
        }
        (words, joined, silent)
    }

    fn compose<'f>(
        &self,
        words: &str,
        stored: &Stored,
        frame: Option<&'f Frame>,
        thread: Option<i64>,
    ) -> Call<'f> {
        let format = if self.attempt.undressed { Format::Plain } else { self.format };
        let most = match self.attempt.shape {
            Shape::Text => text::MOST_MESSAGE,
            Shape::Photo | Shape::Document => text::MOST_CAPTION,
        };
        let most = if self.attempt.shortened { SHORT.min(most) } else { most };
        let words = format.dress(&text::shorten(words, most));
        let jpeg = frame.map(|frame| frame.jpeg.as_slice()).unwrap_or_default();
        let mut call = match self.attempt.shape {
            Shape::Text => Call::message(&self.chat, thread, &words),
            Shape::Photo => Call::photo(&self.chat, thread, &words, jpeg),
            Shape::Document => Call::document(&self.chat, thread, &words, jpeg),
        };
        if let Some(mode) = format.parse_mode() {
            call = call.with("parse_mode", mode);
        }
        if stored.silent {
            call = call.with("disable_notification", true);
        }
        if !stored.buttons.is_empty() {
            call = call.with("reply_markup", keyboard(&stored.buttons));
        }
        call
    }

    fn carry_out(
        &mut self,
        decision: Decision,
        id: u64,
        class: Class,
        outcome: &Outcome,
        threaded: bool,
    ) -> Next {
        let after = self.clock.now();
        match decision {
            Decision::Delivered => {
                self.queue.done(id);
                if threaded {
                    self.thread_again = None;
                }
                self.told = None;
                let thread_lost = self.thread_again.is_some();
                self.report(|report| {
                    (report.last_ok, report.trouble, report.retry_at) = (Some(after.unix), None, None);
                    report.thread_lost = thread_lost;
                });
                Next::Again
            }
            Decision::Retry(wait) => self.wait(after.monotonic + wait, Health::Waiting, class, outcome),
            Decision::ProbeToken(wait) => self.wait(after.monotonic + wait, Health::Fail, class, outcome),
            Decision::ProbeChat(wait) => {
                // What must arrive stays, in its order, for the day the chat is back; of the rest the newest.
                let newest = self.queue.newest();
                self.queue.discard_where("the chat cannot be reached", |held| {
                    held.entry.importance < Importance::Terminal && Some(held.id) != newest
                });
                self.wait(after.monotonic + wait, Health::Fail, class, outcome)
            }
            Decision::WithoutThread => {
                log::warn!(
                    "the topic {} is gone or closed: sending without it",
                    self.thread.unwrap_or_default()
                );
                self.thread_again = Some(after.monotonic + THREAD_AGAIN);
                Next::Again
            }
            Decision::Shorten => {
                self.attempt.shortened = true;
                Next::Again
            }
            Decision::Undress => {
                self.attempt.undressed = true;
                Next::Again
            }
            Decision::Reshape(shape) => {
                if class == Class::WordsOnly {
                    log::warn!("telegram: {}", explain(class, outcome));
                }
                self.attempt.shape = shape;
                Next::Again
            }
            Decision::MoveTo(chat_id) => {
                log::warn!("the chat {} is now {chat_id}: change TELEGRAM_CHAT_ID", self.chat);
                self.attempt.moves += 1;
                self.chat = Chat::Id(chat_id);
                self.moved.save(chat_id);
                self.report(|report| report.moved_to = Some(chat_id));
                Next::Again
            }
            Decision::GiveUp => {
                let reason = explain(class, outcome);
                self.queue.discard(id, &reason);
                let trouble = Trouble { health: Health::Warn, text: reason };
                self.report(|report| (report.trouble, report.retry_at) = (Some(trouble), None));
                Next::Again
            }
        }
    }

    fn wait(&mut self, until: Duration, health: Health, class: Class, outcome: &Outcome) -> Next {
        let text = explain(class, outcome);
        if self.is_news(class, outcome) {
            log::warn!("telegram: {text}");
        }
        self.not_before = until;
        self.report(|report| {
            report.trouble = Some(Trouble { health, text });
            report.retry_at = Some(until);
        });
        Next::At(until)
    }

    /// Whether the log is to tell of a trouble: once for each, not for each try, whatever times are in its words.
    pub(in crate::bridge::telegram) fn is_news(&mut self, class: Class, outcome: &Outcome) -> bool {
        let status = match outcome {
            Outcome::Answered(answer) => Some(answer.status),
            Outcome::Failed(_) => None,
        };
        let trouble = Some((discriminant(&class), status));
        std::mem::replace(&mut self.told, trouble) != trouble
    }

    fn report(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.lock_report());
    }

    fn lock_report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a message is nothing but text, so that it can be joined to others.
fn is_plain(stored: &Stored) -> bool {
    stored.picture.is_none() && stored.buttons.is_empty()
}

/// How much longer a message must wait for what may make it not worth sending. A clock that was set meanwhile does not
/// make that long.
fn waits(stored: &Stored, now: Duration) -> Option<Duration> {
    let until = Duration::from_millis(stored.not_before_ms?);
    let wait = until.checked_sub(now)?;
    (!wait.is_zero() && wait <= LONGEST_HOLD).then_some(wait)
}

/// As what a picture goes at first (Bot API, `sendPhoto`: 10 MB, sides of 10,000 together and no more than 20 to 1).
fn shape_of(frame: &Frame) -> Shape {
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    let slim = width.max(height) > 20 * width.min(height);
    if frame.jpeg.len() > MOST_PHOTO || width + height > 10_000 || slim {
        return Shape::Document;
    }
    Shape::Photo
}

#[cfg(test)]
mod tests;
