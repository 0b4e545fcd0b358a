//! Takes messages out of the outbox one after the other and sends each. One step sends at most one request and never
//! waits: it says until when to wait.
//!
//! [`compose`] makes the call, [`carry_out`] does what the answer asks for.

mod carry_out;
mod compose;
#[cfg(test)]
mod tests;

use super::super::api::{Api, Call, Class, classify};
use super::super::config::{Chat, Config};
use super::super::markup::Format;
use super::super::report::Report;
use super::stored::Stored;
use super::{Attempt, Darkroom, Decision, MovedChat, Paces, Shape, decide};
use crate::clock::Clock;
use crate::outbox::{Queue, Store};
use compose::{shape_of, waits};
use std::mem::Discriminant;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a connection is kept for what follows: an idle one costs memory, and dies unnoticed behind a firewall.
const KEPT: Duration = Duration::from_secs(10);
/// After so many failures in a row of a picture, and again after as many, a small request tells whether it is the line.
const DOUBTED_EACH: u32 = 3;

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
}
