//! What an answer means for the line.

use super::super::event::EventKind;
use super::super::http::{self, Reply};
use super::super::ledger::Step;
use super::super::pulse::Sent;
use super::super::queue::Waiting;
use super::super::registration::News;
use super::{Arrival, Flight, Greeting, Line, Source};
use crate::clock::Moment;
use std::time::Duration;

/// How long Connect may ask to be left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// How often Connect is reminded of the printer when it takes its events, but not its telemetry.
const REMINDER: Duration = Duration::from_secs(60);

/// What becomes of what was sent.
enum Fate {
    Taken,
    /// It is no use to send it again.
    Lost,
    /// It may be taken later. The flag: nothing else will be taken now, either.
    Later(bool),
    /// Connect does not know the token.
    Refused,
}

fn fate(reply: Result<&Reply, &str>) -> Fate {
    match reply {
        Err(_) => Fate::Later(true),
        Ok(reply) => match reply.status {
            200..=299 => Fate::Taken,
            // What comes after the printer was removed in the web is not known for sure.
            401 | 403 | 404 => Fate::Refused,
            429 => Fate::Later(true),
            408 | 500..=599 => Fate::Later(reply.header("Retry-After").is_some()),
            _ => Fate::Lost,
        },
    }
}

impl Line {
    /// The answer to what [`Line::next`] had sent; an error says in words for people why there is none.
    pub(crate) fn answered(&mut self, reply: Result<&Reply, &str>, now: Moment) {
        if reply.is_ok() {
            // Connect has seen the headers.
            if let Some(at) = self.stepping {
                self.clock.told(at);
            }
        }
        self.stepping = None;
        match self.flight.take() {
            None => {}
            Some(Flight::Question) => self.question_answered(reply, now),
            // The registration was given up meanwhile.
            Some(_) if self.token.is_none() => {}
            Some(Flight::Event(waiting)) => self.event_answered(waiting, reply, now),
            Some(Flight::Telemetry(sent)) => self.telemetry_answered(sent, reply, now),
        }
    }

    fn question_answered(&mut self, reply: Result<&Reply, &str>, now: Moment) {
        let random = self.random();
        let news = self.registration.answered(reply, now, random);
        match news {
            None => self.last_error = None,
            Some(News::Code(code)) => {
                self.last_error = None;
                self.unsaved = true;
                self.arrivals.push_back(Arrival::Code(code));
            }
            Some(News::Token(token)) => {
                self.set_token(token);
                self.arrivals.push_back(Arrival::Registered);
            }
            Some(News::Trouble(words)) => self.last_error = Some(words),
            Some(News::Ended(words)) => {
                self.unsaved = true;
                self.last_error = Some(words.clone());
                self.ended = Some(words.clone());
                self.arrivals.push_back(Arrival::Ended(words));
            }
        }
    }

    fn event_answered(&mut self, waiting: Waiting, reply: Result<&Reply, &str>, now: Moment) {
        let fate = fate(reply);
        self.events_pass = matches!(fate, Fate::Taken);
        self.in_a_row = if self.events_pass { self.in_a_row.saturating_add(1) } else { 0 };
        match fate {
            Fate::Taken => {
                self.taken(now);
                self.events_backoff.reset();
                let whole = waiting.greets || waiting.command.is_some();
                self.described |= whole && waiting.kind == EventKind::Info;
                self.event_over(&waiting);
                if waiting.terminal {
                    // The next command may be there.
                    self.pulse.hurry();
                }
            }
            Fate::Lost => {
                self.note(reply);
                self.queue.give_up();
                self.event_over(&waiting);
            }
            Fate::Refused => {
                if !self.queue.put_back(waiting.clone(), now.monotonic) {
                    self.event_over(&waiting);
                }
                self.refused(reply, now);
            }
            Fate::Later(all) => {
                let given_up = !self.queue.put_back(waiting.clone(), now.monotonic);
                if given_up {
                    self.event_over(&waiting);
                }
                self.failed(reply, now);
                if all {
                    self.rest(reply, now);
                } else {
                    let random = self.random();
                    self.events_pause = now.monotonic.saturating_add(self.events_backoff.next_delay(random));
                }
            }
        }
    }

    /// The event leaves the line, whether Connect took it or not.
    fn event_over(&mut self, waiting: &Waiting) {
        if waiting.kind == EventKind::StateChanged {
            self.unsaved |= self.told != waiting.state;
            self.told = waiting.state;
        }
        if let Some(id) = waiting.command.filter(|_| waiting.terminal) {
            self.unsaved |= self.ledger.told(id);
        }
    }

    fn telemetry_answered(&mut self, sent: Sent, reply: Result<&Reply, &str>, now: Moment) {
        match fate(reply) {
            Fate::Taken => {
                self.taken(now);
                self.pulse_backoff.reset();
                self.introduced_with |= self.described;
                self.pulse.delivered(sent, now.monotonic);
                if let Ok(reply) = reply
                    && reply.status == 200
                {
                    self.command_arrived(reply, now);
                }
            }
            Fate::Lost => self.note(reply),
            Fate::Refused => {
                self.pulse.renew();
                self.refused(reply, now);
            }
            Fate::Later(all) => {
                self.pulse.renew();
                self.failed(reply, now);
                if all {
                    self.rest(reply, now);
                } else {
                    let random = self.random();
                    self.pulse.hold(now.monotonic.saturating_add(self.pulse_backoff.next_delay(random)));
                }
                let unknown = reply.is_ok_and(|reply| reply.status == 503) && self.events_pass;
                let late = |at: Duration| now.monotonic >= at.saturating_add(REMINDER);
                if unknown && self.introduced.is_none_or(late) {
                    self.greeting = Greeting::Due;
                }
            }
        }
    }

    fn command_arrived(&mut self, reply: &Reply, now: Moment) {
        let steps = match http::command(reply) {
            Ok(order) if self.identity.is_complete() => self.ledger.arrived(order, now.monotonic),
            Ok(order) => {
                let reason = "Printer has not been initialized properly".to_owned();
                self.ledger.unreadable(Some(order.id), Source::Wui, reason)
            }
            Err(error) => self.ledger.unreadable(error.id, Source::Connect, error.reason),
        };
        self.unsaved |= steps.iter().any(|step| matches!(step, Step::Tell(_, true)));
        self.follow(steps, now);
    }

    fn taken(&mut self, now: Moment) {
        self.backoff.reset();
        self.refused_backoff.reset();
        self.refusals = 0;
        self.trouble = None;
        self.greeted = false;
        self.last_error = None;
        self.last_ok = Some(now.unix);
    }

    /// Connect could not be reached, or did not take it.
    fn failed(&mut self, reply: Result<&Reply, &str>, now: Moment) {
        self.note(reply);
        self.trouble.get_or_insert(now.monotonic);
        // Its introduction may have been given up.
        self.greeted &= self.queue.has_greeting();
    }

    /// Leaves Connect alone for a while.
    fn rest(&mut self, reply: Result<&Reply, &str>, now: Moment) {
        let asked = reply.ok().and_then(|reply| reply.retry_after(now.unix)).unwrap_or_default();
        let random = self.random();
        let delay = self.backoff.next_delay(random).max(asked.min(LONGEST_PAUSE));
        self.pause = now.monotonic.saturating_add(delay);
    }

    fn refused(&mut self, reply: Result<&Reply, &str>, now: Moment) {
        self.note(reply);
        // The old one is dead already: nothing more can be told under it.
        if let Some(token) = self.next_token.take() {
            return self.set_token(token);
        }
        self.trouble.get_or_insert(now.monotonic);
        self.refusals = self.refusals.saturating_add(1);
        if !self.queue.has_greeting() {
            self.greeting = Greeting::Due;
        }
        // Once it is tried again at once: Connect may only have to be reminded who this is. But not for each refusal of a
        // server that refuses some and takes others.
        let lately = |at: Duration| now.monotonic.saturating_sub(at) < super::FIRST_REFUSED;
        if self.refusals < 2 && !self.retried.is_some_and(lately) {
            self.retried = Some(now.monotonic);
            return;
        }
        if self.refusals == 2 {
            let words = self.last_error.clone().unwrap_or_default();
            self.arrivals.push_back(Arrival::Refused(words));
        }
        let random = self.random();
        self.pause = now.monotonic.saturating_add(self.refused_backoff.next_delay(random));
    }

    /// Remembers what went wrong, and logs it unless it is the same as before.
    fn note(&mut self, reply: Result<&Reply, &str>) {
        let words = match reply {
            Ok(reply) => format!("Connect answers {}: {}", reply.status, reply.words(self.token.as_ref())),
            Err(error) => error.to_owned(),
        };
        if self.last_error.as_deref() != Some(words.as_str()) {
            log::warn!("prusa-connect: {words}");
            self.last_error = Some(words);
        }
    }

    fn random(&mut self) -> u32 {
        // Xorshift: any spread will do.
        let mut next = self.chance;
        next ^= next << 13;
        next ^= next >> 17;
        next ^= next << 5;
        self.chance = next;
        next
    }
}
