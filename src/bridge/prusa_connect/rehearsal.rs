//! The line to Connect on somebody else's clock and without network, for tests and benchmarks: what the printer does goes
//! in, requests come out. Everything between is what runs on a printer.

use super::connect::event::{Event, EventKind, Source};
use super::connect::http::{Reply, Request};
use super::connect::identity::{Identity, SDK_PRODUCT};
use super::connect::json::prune;
use super::connect::kept::Kept;
use super::connect::line::{Arrival, Line, Next};
use super::connect::order::Outcome;
use super::connect::state::State;
use super::connect::telemetry::Telemetry;
use super::connect::token::Token;
use super::machine::{self, Machine};
use crate::bridge::BridgeStatus;
use crate::clock::Moment;
use serde_json::{Map, Value};
use std::time::Duration;

/// What the official SDK makes of a serial number.
pub use identity_of::{camera_fingerprint, camera_id, fingerprint};

mod identity_of {
    use crate::bridge::prusa_connect::connect::identity;

    /// The fingerprint of a printer with that serial number.
    pub fn fingerprint(serial: &str) -> String {
        identity::fingerprint(serial)
    }

    /// The id of a camera with that plain id.
    pub fn camera_id(plain: &str) -> String {
        identity::camera_id(plain)
    }

    /// The fingerprint of a camera with that id.
    pub fn camera_fingerprint(camera_id: &str) -> String {
        identity::camera_fingerprint(camera_id)
    }
}

/// A request that came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Its method.
    pub method: &'static str,
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Option<Vec<u8>>,
}

/// An answer: status, headers and body; an error where there is none.
pub type Answer = Result<(u16, Vec<(String, String)>, Vec<u8>), String>;

/// What the line does.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// It sends this.
    Sends(Made),
    /// It has a command of that name run.
    Runs {
        /// The number.
        id: u32,
        /// The name.
        name: String,
        /// The values by position.
        args: Vec<Value>,
        /// The values by name.
        kwargs: Map<String, Value>,
        /// Whether the printer may be at work.
        force: bool,
    },
    /// It has the command of that number stopped.
    Stops(u32),
    /// It wants the printer to introduce itself.
    Greets,
    /// It wants values.
    Measures,
    /// It has something for people: a code, that the printer is registered, that it is not.
    Says(String),
    /// It waits until then, on the monotonic clock.
    Waits(Duration),
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// Well, by that source.
    Well(String),
    /// By an answer: event, source and details.
    Answer(String, String, Value),
    /// It was refused.
    Refused(String),
    /// It failed.
    Failed(String),
    /// Nobody serves a command of that name.
    Unserved(String),
}

impl Ended {
    /// How a command ended; none where its answer is none.
    pub(super) fn of(outcome: Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Finished(source) => Self::Well(source.word().to_owned()),
            Outcome::Answered(event) => {
                let data = serde_json::from_str(&event.data).ok()?;
                Self::Answer(event.kind.word().to_owned(), event.source.word().to_owned(), data)
            }
            Outcome::Refused(why) => Self::Refused(why.into()),
            Outcome::Failed(why) => Self::Failed(why.into()),
        })
    }
}

/// A line without network.
pub struct Rehearsal {
    line: Line,
}

impl Rehearsal {
    /// A line of a printer that has the fields `sn`, `fingerprint`, `printer_type_string`, `firmware`, `software` and
    /// `token`, which may be null.
    pub fn new(printer: &Value, now: Moment) -> Self {
        let token = printer.get("token").and_then(Value::as_str).and_then(Token::new);
        let kept = Kept { token, ..Kept::default() };
        Self { line: Line::new(identity(printer), kept, 1, now) }
    }

    /// The same line after a restart of the program, with what it had saved.
    #[must_use]
    pub fn restarted(mut self, saved: &mut String, now: Moment) -> Self {
        self.save(saved);
        let kept = Kept::from_text(saved).unwrap_or_default();
        Self { line: Line::new(self.line.identity().clone(), kept, 1, now) }
    }

    /// Saves what is to be saved, if it changed.
    pub fn save(&mut self, saved: &mut String) {
        if let Some(kept) = self.line.take_unsaved() {
            *saved = kept.to_text();
        }
    }

    /// What it does now.
    pub fn next(&mut self, now: Moment) -> Does {
        match self.line.next(now) {
            Next::Send(request) => Does::Sends(Made {
                method: request.method,
                path: request.path.into_owned(),
                headers: request.headers,
                body: request.body.map(|body| body.as_bytes().to_vec()),
            }),
            Next::Wait(until) => Does::Waits(until),
            Next::Do(arrival) => match arrival {
                Arrival::Run(order) => Does::Runs {
                    id: order.id,
                    name: order.name,
                    args: order.args,
                    kwargs: order.kwargs,
                    force: order.force,
                },
                Arrival::Stop(id) => Does::Stops(id),
                Arrival::Greet => Does::Greets,
                Arrival::Measure => Does::Measures,
                Arrival::Code(code) => Does::Says(code.text),
                Arrival::Registered => Does::Says("registered".to_owned()),
                Arrival::Ended(why) | Arrival::Refused(why) => Does::Says(why),
            },
        }
    }

    /// The answer to what it sent.
    pub fn answered(&mut self, answer: Answer, now: Moment) {
        let reply = answer.map(|(status, headers, body)| Reply { status, headers, body });
        self.line.answered(reply.as_ref().map_err(String::as_str), now);
    }

    /// Begins a registration whose code is asked after for so long at most.
    pub fn register(&mut self, patience: Duration, now: Moment) {
        self.line.set_patience(patience);
        self.line.register(now);
    }

    /// Offers values, all of which are to be told. Null is none.
    pub fn telemetry(&mut self, fields: &Value, now: Moment) {
        self.line.renew();
        self.offer(fields, now);
    }

    /// Offers values, of which those are told that are news. Null is none.
    pub fn offer(&mut self, fields: &Value, now: Moment) {
        let mut telemetry = Telemetry::default();
        for (key, value) in fields.as_object().into_iter().flatten() {
            let mut value = value.clone();
            prune(&mut value);
            telemetry.put(key.clone(), value);
        }
        self.line.offer(telemetry, now);
    }

    /// Tells an event of that name from that source; of the fields those that are not details are put where they belong.
    /// None for a name or a source that there is not.
    pub fn event(&mut self, name: &str, source: &str, fields: &Value, now: Moment) -> Option<()> {
        let event = event(name, source, fields)?;
        self.line.tell(&event, now);
        Some(())
    }

    /// Introduces the printer with events as [`Self::event`] has them.
    pub fn greet(&mut self, events: &[(&str, &str, Value)], now: Moment) {
        let events: Vec<Event> =
            events.iter().filter_map(|(name, source, fields)| event(name, source, fields)).collect();
        self.line.greet(&events, now);
    }

    /// Sets the state. A change is told, with the fields that [`Self::event`] takes. None for a state or a source that
    /// there is not.
    pub fn set_state(&mut self, state: &str, source: &str, fields: &Value, now: Moment) -> Option<()> {
        let how = event(EventKind::StateChanged.word(), source, fields)?;
        self.line.set_state(State::from_word(state)?, &how, now);
        Some(())
    }

    /// The state.
    pub fn state(&self) -> &'static str {
        self.line.state().word()
    }

    /// Sets the number of the job; 0 is none.
    pub fn set_job(&mut self, job: u32) {
        self.line.set_job(Some(job));
    }

    /// Sets the number of the transfer; 0 is none.
    pub fn set_transfer(&mut self, transfer: u32) {
        self.line.set_transfer(Some(transfer));
    }

    /// Ends a command. None for an event or a source that there is not.
    pub fn conclude(&mut self, id: u32, end: Ended, now: Moment) -> Option<()> {
        let outcome = match end {
            Ended::Well(source) => Outcome::Finished(Source::from_word(&source)?),
            Ended::Answer(name, source, fields) => {
                Outcome::Answered(Box::new(event(&name, &source, &fields)?))
            }
            Ended::Refused(reason) => Outcome::Refused(reason.into()),
            Ended::Failed(reason) => Outcome::Failed(reason.into()),
            Ended::Unserved(name) => Outcome::unserved(&name),
        };
        self.line.conclude(id, outcome, now);
        Some(())
    }

    /// What an `INFO` says of a printer that was not seen yet. `files` is the text of the tree.
    pub fn info(&self, network: Value, files: Option<&str>) -> Value {
        let mut machine = Machine::new(machine::Options::default(), &Value::Null);
        let data = machine.info(self.line.identity(), network, files);
        serde_json::from_str(&data).unwrap_or_default()
    }

    /// The headers of a request to Connect that is made past the line.
    pub fn headers(&self, now: Moment) -> Vec<(&'static str, String)> {
        Request::new("GET", "", self.line.identity(), self.line.token(), now.unix).headers
    }

    /// How many events wait, and whether telemetry does.
    pub fn waits(&self) -> (usize, bool) {
        self.line.waits()
    }

    /// The code that waits to be entered.
    pub fn code(&self) -> Option<&str> {
        self.line.code().map(|code| code.text.as_str())
    }

    /// The token.
    pub fn token(&self) -> Option<&str> {
        self.line.token().map(Token::reveal)
    }

    /// The command that runs.
    pub fn running(&self) -> Option<u32> {
        self.line.running()
    }

    /// How it goes.
    pub fn report(&self) -> BridgeStatus {
        self.line.report()
    }
}

/// An event with those fields; ids and reason are taken out of its details.
/// Who a printer with those fields is.
pub(super) fn identity(printer: &Value) -> Identity {
    let text = |key: &str| printer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Identity {
        serial: text("sn"),
        fingerprint: text("fingerprint"),
        printer_type: text("printer_type_string"),
        firmware: text("firmware"),
        software: text("software"),
        product: SDK_PRODUCT.to_owned(),
    }
}

/// What a `prusa_printer_settings.ini` says: the server's address, and the token, which may be empty.
///
/// # Errors
///
/// If it is none.
pub fn settings_file(text: &str) -> Result<(String, String), String> {
    let file = super::settings_file::read(text).map_err(|error| error.to_string())?;
    let token = file.token.map(|token| token.reveal().to_owned());
    Ok((file.server, token.unwrap_or_default()))
}

fn event(name: &str, source: &str, fields: &Value) -> Option<Event> {
    let mut data = fields.clone();
    prune(&mut data);
    let mut data = data.as_object().cloned().unwrap_or_default();
    let mut id = |key: &str| data.remove(key).and_then(|id| u32::try_from(id.as_u64()?).ok());
    let (command, transfer, dialog) = (id("command_id"), id("transfer_id"), id("dialog_id"));
    let reason = data.remove("reason").and_then(|reason| reason.as_str().map(Into::into));
    let mut event = Event::new(EventKind::from_word(name)?, Source::from_word(source)?);
    (event.command, event.transfer, event.dialog, event.reason) = (command, transfer, dialog, reason);
    Some(event.with(Value::Object(data).to_string()))
}
