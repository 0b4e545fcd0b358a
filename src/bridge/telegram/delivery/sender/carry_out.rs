//! Does what the rules decide after an answer, and puts it into the report.

use super::super::super::api::{Class, Outcome, explain};
use super::super::super::config::Chat;
use super::super::super::report::{Report, Trouble};
use super::super::Decision;
use super::{Next, Sender};
use crate::bridge::Health;
use crate::outbox::{Importance, Store};
use std::mem::discriminant;
use std::sync::PoisonError;
use std::time::Duration;

/// How long a lost topic is left alone before it is tried again.
const THREAD_AGAIN: Duration = Duration::from_secs(3600);

impl<A, S: Store> Sender<A, S> {
    /// Does what was decided on the message `id` after `outcome`.
    pub(super) fn carry_out(
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
    pub(super) fn is_news(&mut self, class: Class, outcome: &Outcome) -> bool {
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
