//! What the line does next.

use super::super::http::{EVENTS, REGISTER, Request, TELEMETRY};
use super::super::json::{self, Present};
use super::super::pulse::{Beat, Sent};
use super::super::registration::Question;
use super::super::telemetry::Telemetry;
use super::{Arrival, Flight, Greeting, Line, Next};
use crate::clock::Moment;
use std::time::Duration;

/// After how long without success the printer introduces itself again.
const GAP: Duration = Duration::from_secs(10);
/// How long telemetry waits for events.
const STUCK: Duration = Duration::from_secs(10);
/// How many events go in a row where telemetry is late.
const MOST_IN_A_ROW: u8 = 5;
/// How long an introduction is waited for.
const GREETING: Duration = Duration::from_secs(5);

impl Line {
    /// What to do now.
    pub(crate) fn next(&mut self, now: Moment) -> Next {
        if self.ledger.due().is_some_and(|due| now.monotonic >= due) {
            let steps = self.ledger.tick(now.monotonic);
            self.unsaved |= !steps.is_empty();
            self.follow(steps, now);
        }
        if let Some(arrival) = self.arrivals.pop_front() {
            return Next::Do(arrival);
        }
        let ledger = self.ledger.due().unwrap_or(Duration::MAX);
        if self.flight.is_some() {
            return Next::Wait(ledger);
        }
        match self.choose(now) {
            Next::Wait(until) => Next::Wait(until.min(ledger)),
            other => other,
        }
    }

    fn choose(&mut self, now: Moment) -> Next {
        let at = now.monotonic;
        if self.queue.is_empty()
            && let Some(token) = self.next_token.take()
        {
            self.set_token(token);
        }
        let Some(token) = &self.token else { return self.ask(now) };
        if at < self.pause {
            return Next::Wait(self.pause);
        }
        let introduced = self.queue.has_greeting();
        for id in self.queue.expire(at) {
            // Nobody waits for it any more.
            self.unsaved |= self.ledger.told(id);
        }
        // An introduction that was too old is made anew.
        self.greeted &= !introduced || self.queue.has_greeting();
        let gap = self.trouble.is_some_and(|since| at.saturating_sub(since) >= GAP);
        if self.greeting == Greeting::Due || (gap && !self.greeted) {
            self.greeted = true;
            self.greeting = Greeting::Asked(at);
            return Next::Do(Arrival::Greet);
        }
        if let Greeting::Asked(since) = self.greeting {
            if at < since.saturating_add(GREETING) {
                return Next::Wait(since.saturating_add(GREETING));
            }
            self.greeting = Greeting::Done;
        }
        // However many events wait, Connect must be able to pause and to stop the printer.
        let well = self.trouble.is_none() && !self.queue.has_greeting();
        let overtakes = well && self.in_a_row >= MOST_IN_A_ROW && self.pulse.is_late(at);
        if !overtakes && at >= self.events_pause {
            if let Some(waiting) = self.queue.take() {
                let request = Request::new("POST", EVENTS, &self.identity, Some(token), waiting.created);
                let request = request.with_json(waiting.body.clone());
                return self.send(request, Flight::Event(waiting), now);
            }
        } else if !overtakes && let Some(oldest) = self.queue.oldest() {
            let stuck = oldest.saturating_add(STUCK);
            if at < stuck {
                return Next::Wait(self.events_pause.min(stuck));
            }
        }
        let events = if self.queue.is_empty() { Duration::MAX } else { self.events_pause };
        match self.pulse.beat(at) {
            Beat::Wait(until) => Next::Wait(until.min(events)),
            Beat::Measure => Next::Do(Arrival::Measure),
            Beat::Send => match self.pulse.take(at) {
                Some(sent) => self.send_telemetry(sent, now),
                None => Next::Wait(events),
            },
        }
    }

    fn ask(&mut self, now: Moment) -> Next {
        let due = self.registration.due().unwrap_or(Duration::MAX);
        if now.monotonic < due {
            return Next::Wait(due);
        }
        let request = match self.registration.question() {
            None => return Next::Wait(Duration::MAX),
            Some(Question::Code(since)) => Request::new("POST", REGISTER, &self.identity, None, since)
                .with_json(json::registration(&self.identity).into()),
            Some(Question::Token(code)) => Request::new("GET", REGISTER, &self.identity, None, code.asked)
                .with_header("Code", &code.text),
        };
        self.send(request, Flight::Question, now)
    }

    fn send_telemetry(&mut self, mut sent: Sent, now: Moment) -> Next {
        self.in_a_row = 0;
        let known = self.identity.is_complete();
        let nothing = Telemetry::default();
        // The state must not be shown before its change is told.
        let state = if self.queue.has_change() { self.told } else { self.present.state };
        if state != self.present.state {
            // Nor values that do not go with the one that is.
            sent.withhold();
        }
        let body = if known {
            let present = Present { state, ..self.present };
            json::telemetry(sent.told.fields(), &present, self.ledger.running())
        } else {
            json::telemetry(nothing.fields(), &Present { state, ..Present::default() }, None)
        };
        let request = Request::new("POST", TELEMETRY, &self.identity, self.token.as_ref(), sent.created);
        self.send(request.with_json(body.into()), Flight::Telemetry(sent), now)
    }

    fn send(&mut self, mut request: Request, flight: Flight, now: Moment) -> Next {
        if self.clock.is_new(now) {
            request = request.with_header("Clock-Adjusted", "1");
            self.stepping = Some(now);
        }
        self.flight = Some(flight);
        Next::Send(Box::new(request))
    }
}
