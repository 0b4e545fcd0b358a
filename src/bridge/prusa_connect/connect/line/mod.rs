//! The whole line to Connect: what is sent next, and what an answer means.
//!
//! Whoever has the line asks it what to do ([`Line::next`]), does that, and asks again. One request is under way at a
//! time; its answer comes back through [`Line::answered`]. The order of what is sent:
//!
//! 1. Without a token: the question for one, if somebody wants to register the printer. All else is forgotten.
//! 2. After a start, after a gap of 10 s, and where Connect seems to have lost its picture: the introduction.
//! 3. The events in their order.
//! 4. Telemetry, when no event waits. Should events be stuck for 10 s, it goes ahead of them, and shows the state
//!    that was told last.

mod account;
mod answers;
mod report;
mod turn;

pub(crate) use report::REFUSED;

use super::clock_step::ClockStep;
use super::event::{Event, EventKind, Source};
use super::http::Request;
use super::identity::Identity;
use super::json::{self, Present};
use super::kept::Kept;
use super::ledger::{End, Ledger, Past, Step};
use super::order::{Order, Outcome};
use super::pulse::{Pulse, Sent};
use super::queue::{Queue, Waiting};
use super::registration::{Code, Registration};
use super::state::State;
use super::telemetry::Telemetry;
use super::token::Token;
use crate::backoff::Backoff;
use crate::clock::Moment;
use std::collections::VecDeque;
use std::time::Duration;

/// Delays after a failure.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Delays while the token is refused.
const FIRST_REFUSED: Duration = Duration::from_secs(60);
const LONGEST_REFUSED: Duration = Duration::from_secs(10 * 60);

/// What to do now.
pub(crate) enum Next {
    /// Send this, and give the answer to [`Line::answered`].
    Send(Box<Request>),
    /// Something arrived, or is wanted. What [`Line::take_unsaved`] gives is to be saved before anything is done about
    /// it.
    Do(Arrival),
    /// Come again at that time of the monotonic clock, or when there is something to tell.
    Wait(Duration),
}

/// What arrived, or is wanted.
#[derive(Debug, PartialEq)]
pub(crate) enum Arrival {
    /// Run this, and tell its end with [`Line::conclude`].
    Run(Order),
    /// Stop the command of that number, which is running; it has a second to end.
    Stop(u32),
    /// Introduce the printer with [`Line::greet`]; nothing is sent for up to 5 s until then.
    Greet,
    /// Give the printer's values with [`Line::offer`].
    Measure,
    /// Have a person enter this code.
    Code(Code),
    /// The printer is registered.
    Registered,
    /// The registration is over without a token, for that reason.
    Ended(String),
    /// Connect refuses the token; the line goes on, slowly. What Connect says about it.
    Refused(String),
}

/// What is under way.
enum Flight {
    Question,
    Event(Waiting),
    Telemetry(Sent),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Greeting {
    Done,
    Due,
    /// Since then it is waited for.
    Asked(Duration),
}

/// The line to Connect.
pub(crate) struct Line {
    identity: Identity,
    token: Option<Token>,
    /// What is used once all that waits is told.
    next_token: Option<Token>,
    present: Present,
    registration: Registration,
    ledger: Ledger,
    queue: Queue,
    pulse: Pulse,
    clock: ClockStep,
    chance: u32,

    arrivals: VecDeque<Arrival>,
    flight: Option<Flight>,
    /// The moment of the clock's step that is told with what is under way.
    stepping: Option<Moment>,
    /// The state that Connect was told last.
    told: State,
    greeting: Greeting,

    /// Nothing is sent before that, on the monotonic clock.
    pause: Duration,
    /// No event is sent before that.
    events_pause: Duration,
    backoff: Backoff,
    events_backoff: Backoff,
    pulse_backoff: Backoff,
    refused_backoff: Backoff,
    /// Refusals of the token in a row.
    refusals: u32,
    /// When it was last tried again at once.
    retried: Option<Duration>,
    /// Since when nothing succeeds.
    trouble: Option<Duration>,
    /// The printer introduced itself since then.
    greeted: bool,
    /// The last event was taken.
    events_pass: bool,
    /// Events that were taken one after the other since the last telemetry.
    in_a_row: u8,
    /// When the printer introduced itself last.
    introduced: Option<Duration>,

    /// Connect has taken an `INFO` under the token in use,
    described: bool,
    /// and telemetry after that.
    introduced_with: bool,
    unsaved: bool,
    last_ok: Option<Duration>,
    last_error: Option<String>,
    ended: Option<String>,
}

impl Line {
    /// A line that begins at `now`, with what was kept of an earlier run. `chance` spreads its delays.
    pub(crate) fn new(identity: Identity, kept: Kept, chance: u32, now: Moment) -> Self {
        let code = kept.code.filter(|_| kept.token.is_none());
        let registered = kept.token.is_some();
        let mut line = Self {
            identity,
            token: kept.token,
            next_token: None,
            present: Present::default(),
            registration: Registration::new(code, now),
            ledger: Ledger::new(&kept.past),
            queue: Queue::default(),
            pulse: Pulse::default(),
            clock: ClockStep::new(now),
            chance: chance | 1,
            arrivals: VecDeque::new(),
            flight: None,
            stepping: None,
            told: State::default(),
            greeting: if registered { Greeting::Due } else { Greeting::Done },
            pause: Duration::ZERO,
            events_pause: Duration::ZERO,
            backoff: Backoff::patient(FIRST_DELAY, LONGEST_DELAY),
            events_backoff: Backoff::patient(FIRST_DELAY, LONGEST_DELAY),
            pulse_backoff: Backoff::patient(FIRST_DELAY, LONGEST_DELAY),
            refused_backoff: Backoff::patient(FIRST_REFUSED, LONGEST_REFUSED),
            refusals: 0,
            retried: None,
            trouble: None,
            greeted: false,
            events_pass: false,
            in_a_row: 0,
            introduced: None,
            described: false,
            introduced_with: false,
            unsaved: false,
            last_ok: None,
            last_error: None,
            ended: None,
        };
        line.resume(kept.running, now);
        line
    }

    /// What an earlier run left open: a command that was cut off has failed, and the ends that Connect may not have got
    /// are told once more.
    fn resume(&mut self, running: Option<u32>, now: Moment) {
        if let Some(id) = running {
            let reason = "Interrupted by a restart of the printer's Connect client";
            let mut past: Vec<Past> = self.ledger.past().cloned().collect();
            past.push(Past { id, end: End::Failed, reason: reason.into(), untold: true });
            self.ledger = Ledger::new(&past);
            self.unsaved = true;
        }
        let untold: Vec<Event> = self.ledger.past().filter(|past| past.untold).map(Past::event).collect();
        untold.iter().for_each(|event| self.enqueue(event, true, now));
    }

    /// A restart is refused here, so that none overtakes what runs.
    pub(crate) fn refuse_resets(&mut self) {
        self.ledger.refuses_resets = true;
    }

    /// What must be saved, if it is other than when this was asked last.
    pub(crate) fn take_unsaved(&mut self) -> Option<Kept> {
        std::mem::take(&mut self.unsaved).then(|| Kept {
            token: self.next_token.as_ref().or(self.token.as_ref()).cloned(),
            code: self.registration.code().cloned(),
            past: self.ledger.past().cloned().collect(),
            running: self.ledger.running(),
            state: self.told,
        })
    }

    /// Who the printer is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The printer's token, for the requests that others make with it.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// The same, once Connect knows under it who the printer is: it takes no cameras before.
    pub(crate) fn introduced(&self) -> Option<&Token> {
        self.token().filter(|_| self.introduced_with)
    }

    /// The code that a person is to enter, while there is one.
    pub(crate) fn code(&self) -> Option<&Code> {
        self.registration.code()
    }

    /// What the printer does, as it was set last.
    pub(crate) fn state(&self) -> State {
        self.present.state
    }

    /// The command that runs.
    pub(crate) fn running(&self) -> Option<u32> {
        self.ledger.running()
    }

    /// The printer's state. A new one is told with `how`, an event of the kind `STATE_CHANGED`.
    pub(crate) fn set_state(&mut self, state: State, how: &Event, now: Moment) {
        if self.present.state != state {
            self.present.state = state;
            self.tell(how, now);
        }
    }

    /// The number of the job that there is; it is told with all that follows.
    pub(crate) fn set_job(&mut self, job: Option<u32>) {
        self.present.job = job;
    }

    /// The number of the transfer that runs; it is told with all that follows.
    pub(crate) fn set_transfer(&mut self, transfer: Option<u32>) {
        self.present.transfer = transfer;
    }

    /// The number of the dialog that is open; it is told with all that follows.
    pub(crate) fn set_dialog(&mut self, dialog: Option<u32>) {
        self.present.dialog = dialog;
    }

    /// Tells an event. Without a token it is forgotten.
    pub(crate) fn tell(&mut self, event: &Event, now: Moment) {
        self.enqueue(event, false, now);
    }

    /// Introduces the printer, as [`Arrival::Greet`] wants it: with an `INFO`, and `MEDIUM_INSERTED` for each storage
    /// where it just started. The state follows by itself. Without any event nothing is told.
    pub(crate) fn greet(&mut self, events: &[Event], now: Moment) {
        self.greeting = Greeting::Done;
        self.introduced = Some(now.monotonic);
        self.pulse.renew();
        if events.is_empty() || self.token.is_none() {
            return;
        }
        let kinds = events.iter().map(|event| event.kind).chain([EventKind::StateChanged]);
        self.queue.make_room(&kinds.collect::<Vec<_>>());
        let mut these: Vec<Waiting> = events.iter().map(|event| self.waiting(event, false, now)).collect();
        // One that waits tells it anyway.
        if !self.queue.has_change() {
            these.push(self.waiting(&Event::new(EventKind::StateChanged, Source::Firmware), false, now));
        }
        these.iter_mut().for_each(|waiting| waiting.greets = true);
        self.queue.push_first(these);
    }

    /// The printer's values at `now`. They are sent when that is due; newer ones replace them.
    pub(crate) fn offer(&mut self, telemetry: Telemetry, now: Moment) {
        if self.token.is_some() {
            self.pulse.offer(telemetry, now);
        }
    }

    /// Has the next telemetry tell all values, not only those that changed.
    pub(crate) fn renew(&mut self) {
        self.pulse.renew();
    }

    /// The command of that number ended. Without effect where its end is told already.
    pub(crate) fn conclude(&mut self, id: u32, outcome: Outcome, now: Moment) {
        let steps = self.ledger.conclude(id, outcome);
        self.unsaved |= !steps.is_empty();
        self.follow(steps, now);
    }

    /// How many events wait, and whether telemetry does.
    pub(crate) fn waits(&self) -> (usize, bool) {
        let under_way = matches!(self.flight, Some(Flight::Event(_)));
        (self.queue.len().saturating_add(under_way.into()), self.pulse.is_waiting())
    }

    /// Whether the end of a transfer waits to be told.
    pub(crate) fn ends_transfer(&self) -> bool {
        let under_way = matches!(&self.flight, Some(Flight::Event(waiting)) if waiting.ends_transfer());
        under_way || self.queue.ends_transfer()
    }

    fn waiting(&self, event: &Event, terminal: bool, now: Moment) -> Waiting {
        Waiting {
            kind: event.kind,
            command: event.command,
            terminal,
            greets: false,
            state: self.present.state,
            body: json::event(event, &self.present).into(),
            created: now.unix,
            since: now.monotonic,
            tries: 0,
        }
    }

    fn enqueue(&mut self, event: &Event, terminal: bool, now: Moment) {
        if self.token.is_some() {
            self.queue.push(self.waiting(event, terminal, now));
        }
    }

    /// Does what the life of a command asks for.
    fn follow(&mut self, steps: Vec<Step>, now: Moment) {
        for step in steps {
            match step {
                Step::Tell(event, terminal) => self.enqueue(&event, terminal, now),
                Step::Run(order) => {
                    self.unsaved = true;
                    self.arrivals.push_back(Arrival::Run(order));
                }
                Step::Stop(id) => self.arrivals.push_back(Arrival::Stop(id)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
