//! One connection's talk with Moonraker, without I/O: what came and the time go in, actions come out.
//!
//! All first questions are sent at once, so that the first sight of the printer needs no more time than the
//! slowest answer. A sight is told when it changed, whole: print, Klipper, and history.

mod action;
mod foreign;
mod news;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod sights;
#[cfg(test)]
mod tests;

pub use action::{Action, ApiKey, SessionError, SessionOptions};

use super::MAX_MESSAGE;
use super::any::Any;
use super::console::Gate;
use super::faults::Faults;
use super::head::{self, Head};
use super::history;
use super::lenient::Field;
use super::metadata::PresentFile;
use super::objects::{Known, Layout};
use super::prompt::Prompts;
use super::wire::{self, Call};
use crate::printer::{History, Klippy, KlippyState, Observation, PrintState, Snapshot, Webcam};
use std::sync::Arc;
use std::time::Duration;

/// `server.info` is asked at this step while Klipper is not ready: state `error` comes without a notification.
const POLL: Duration = Duration::from_secs(2);
/// The first such question after a disconnect: restarts take one to three seconds.
const FIRST_POLL: Duration = Duration::from_secs(1);
/// All objects are queried anew at this step, should a change have been missed.
const FULL_QUERY: Duration = Duration::from_secs(60);
/// The history is asked this long after a change of the print's state about which it said nothing, the first
/// sight included. Longer than the observer's patience, which ends with the answer.
const HISTORY_DELAY: Duration = Duration::from_millis(1500);
/// The first sight is told without the answers that take longer than this.
const FIRST_SIGHT: Duration = Duration::from_secs(2);
/// A shutdown without its reason is held back so long.
const REASON_DELAY: Duration = Duration::from_secs(1);
/// After so long a silence Moonraker is asked something. It sends process figures every second.
const SILENCE: Duration = Duration::from_secs(20);
/// Time for an answer of Moonraker itself; beyond it the connection counts as dead.
const ANSWER: Duration = Duration::from_secs(10);
/// Time for an answer that Klipper must give; beyond it the question is asked again.
const KLIPPY_ANSWER: Duration = Duration::from_secs(30);

/// The printer's list of objects is asked for again after this time, when it or the subscription by it failed.
const RELIST: Duration = Duration::from_secs(10);
/// All that is asked at the beginning, in this order: what the first sight needs comes first.
const FIRST: [Call; 7] = [
    Call::Identify,
    Call::ServerInfo,
    Call::Subscribe,
    Call::History,
    Call::ObjectsList,
    Call::Webcams,
    Call::Faults,
];

#[derive(Debug)]
struct Pending {
    id: u64,
    call: Call,
    due: Duration,
}

/// One connection's talk.
#[derive(Debug)]
pub struct Session {
    options: SessionOptions,
    next_id: u64,
    pending: Vec<Pending>,
    foreign: foreign::Foreign,
    /// When the first sight is told with what is known then.
    first_at: Option<Duration>,
    received_at: Duration,
    /// Questions that were refused before the key in `identify` was accepted.
    refused: bool,
    info_known: bool,
    objects_known: bool,
    history_known: bool,
    subscribed: bool,
    /// Whether all that the printer has is subscribed to, and not only what every printer has.
    all_subscribed: bool,
    /// What is to be subscribed to, by the printer's list.
    listed: Option<Layout>,
    klippy: Klippy,
    objects: Known,
    /// State of the print as of the last look at it.
    print_state: Option<PrintState>,
    file: PresentFile,
    history: Arc<History>,
    prompts: Prompts,
    faults: Faults,
    webcams: Arc<[Webcam]>,
    gate: Gate,
    version: Option<String>,
    poll_at: Option<Duration>,
    query_at: Option<Duration>,
    history_at: Option<Duration>,
    list_at: Option<Duration>,
    /// Until when a shutdown waits for its reason.
    hold_until: Option<Duration>,
    told: Option<Arc<Snapshot>>,
    closed: bool,
}

impl Session {
    /// A session for a connection that is not open yet.
    pub fn new(options: SessionOptions) -> Self {
        Self {
            options,
            next_id: 1,
            pending: Vec::new(),
            foreign: foreign::Foreign::default(),
            first_at: None,
            received_at: Duration::ZERO,
            refused: false,
            info_known: false,
            objects_known: false,
            history_known: false,
            subscribed: false,
            all_subscribed: false,
            listed: None,
            klippy: Klippy::default(),
            objects: Known::default(),
            print_state: None,
            file: PresentFile::default(),
            history: Arc::default(),
            prompts: Prompts::default(),
            faults: Faults::default(),
            webcams: Arc::default(),
            gate: Gate::default(),
            version: None,
            poll_at: None,
            query_at: None,
            history_at: None,
            list_at: None,
            hold_until: None,
            told: None,
            closed: false,
        }
    }

    /// The connection is open. All times are monotonic.
    pub fn on_connected(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        self.first_at = Some(now + FIRST_SIGHT);
        self.received_at = now;
        for call in FIRST {
            self.ask(call, now, &mut actions);
        }
        actions
    }

    /// A message came, without its framing.
    pub fn on_message(&mut self, message: &[u8], now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.closed {
            return actions;
        }
        self.received_at = now;
        if message.len() > MAX_MESSAGE {
            self.close(SessionError::TooLong, &mut actions);
            return actions;
        }
        if first_byte(message) == Some(b'[') {
            // A batch: nothing that we asked for.
            return actions;
        }
        let head = match head::head(message, &mut self.objects) {
            Ok(head) => head,
            Err(error) => {
                log::debug!("moonraker: message of {} bytes: {error}", message.len());
                let found = wire::clip(&String::from_utf8_lossy(message.get(..40).unwrap_or(message)), 40);
                self.close(SessionError::Garbage { found }, &mut actions);
                return actions;
            }
        };
        if let Field::Value(method) = &head.method {
            self.on_notification(method, message, now, &mut actions);
        } else if let Field::Value(id) = head.id {
            self.on_reply(id, &head, message, now, &mut actions);
        }
        actions
    }

    /// Time passed. To be called at [`Self::next_tick`].
    pub fn on_tick(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.closed {
            return actions;
        }
        while let Some(index) = self.pending.iter().position(|pending| pending.due <= now) {
            let late = self.pending.swap_remove(index);
            match late.call {
                Call::Identify | Call::ServerInfo => {
                    self.close(SessionError::Stalled { method: late.call.method() }, &mut actions);
                    return actions;
                }
                Call::History => self.no_history(&mut actions),
                Call::Subscribe => self.not_subscribed(now, &mut actions),
                Call::ObjectsList | Call::SubscribeAll => self.list_at = Some(now + RELIST),
                Call::Metadata => self.file.refuse(now),
                Call::PrinterInfo | Call::Query | Call::Webcams | Call::Faults => {}
            }
        }
        if due(&mut self.poll_at, now) {
            self.ask(Call::ServerInfo, now, &mut actions);
            self.poll_at = Some(now + POLL);
        }
        if due(&mut self.query_at, now) && self.subscribed {
            self.ask(Call::Query, now, &mut actions);
            self.query_at = Some(now + FULL_QUERY);
        }
        if due(&mut self.history_at, now) {
            self.ask(Call::History, now, &mut actions);
        }
        if due(&mut self.list_at, now) {
            self.ask(Call::ObjectsList, now, &mut actions);
        }
        if due(&mut self.file.again_at, now) {
            self.ask(Call::Metadata, now, &mut actions);
        }
        self.faults.pass_time(now);
        self.foreign.pass_time(now);
        if self.pending.is_empty() && now.saturating_sub(self.received_at) >= SILENCE {
            self.ask(Call::ServerInfo, now, &mut actions);
        }
        due(&mut self.hold_until, now);
        due(&mut self.first_at, now);
        self.tell(false, &mut actions);
        actions
    }

    /// The connection is closed, from whichever side.
    pub fn on_closed(&mut self, reason: &str) -> Vec<Action> {
        self.closed = true;
        self.pending.clear();
        self.foreign.lose(reason);
        if self.told.take().is_none() {
            return Vec::new();
        }
        vec![Action::Emit(Observation::Lost { reason: reason.to_owned() })]
    }

    /// When [`Self::on_tick`] wants to be called, on the monotonic clock.
    pub fn next_tick(&self) -> Option<Duration> {
        if self.closed {
            return None;
        }
        let silence = self.pending.is_empty().then_some(self.received_at + SILENCE);
        let due = self.pending.iter().map(|pending| pending.due).min();
        let own =
            [self.poll_at, self.query_at, self.history_at, self.list_at, self.hold_until, self.first_at];
        let others = [due, silence, self.file.again_at, self.faults.next_tick(), self.foreign.next_tick()];
        own.into_iter().chain(others).flatten().min()
    }

    /// Whether the printer was seen over this connection.
    pub fn is_useful(&self) -> bool {
        self.told.is_some()
    }

    /// Klipper's state, once known.
    pub fn klippy(&self) -> Option<&Klippy> {
        self.info_known.then_some(&self.klippy)
    }

    /// Moonraker's version, once known.
    pub fn moonraker_version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    fn on_notification(&mut self, method: &str, message: &[u8], now: Duration, actions: &mut Vec<Action>) {
        match method {
            head::STATUS_UPDATE => {
                // Its objects were read with its head.
                if self.look_at_objects(now, actions) {
                    self.tell(false, actions);
                }
            }
            "notify_history_changed" => {
                if let Some(change) = wire::parameter(message)
                    && history::change(&mut self.history, &change)
                {
                    self.history_at = None;
                    self.tell(false, actions);
                }
            }
            "notify_klippy_ready" => {
                self.set_klippy(KlippyState::Ready, None, now);
                // Its objects are new ones, and the old subscription died with the old process.
                self.forget_objects();
                self.ask(Call::Subscribe, now, actions);
                self.ask(Call::ObjectsList, now, actions);
                self.tell(false, actions);
            }
            "notify_klippy_shutdown" => {
                let message = self.klippy.message.take();
                let message = message.filter(|_| self.klippy.state == KlippyState::Shutdown);
                if message.is_none() && self.hold_until.is_none() {
                    self.hold_until = Some(now + REASON_DELAY);
                    self.ask(Call::PrinterInfo, now, actions);
                }
                self.set_klippy(KlippyState::Shutdown, message, now);
                self.tell(false, actions);
            }
            "notify_klippy_disconnected" => {
                self.set_klippy(KlippyState::Disconnected, None, now);
                self.hold_until = None;
                self.forget_objects();
                self.poll_at = Some(now + FIRST_POLL);
                self.tell(false, actions);
            }
            _ => self.on_news(method, message, now, actions),
        }
    }

    fn on_reply(
        &mut self,
        id: u64,
        head: &Head<'_>,
        message: &[u8],
        now: Duration,
        actions: &mut Vec<Action>,
    ) {
        let Some(index) = self.pending.iter().position(|pending| pending.id == id) else {
            return self.foreign.on_reply(id, head, message, self.klippy.state);
        };
        let call = self.pending.swap_remove(index).call;
        if let Field::Value(super::lenient::Object(error)) = &head.error {
            if error.is_unauthorized() {
                return self.on_unauthorized(call, actions);
            }
            log::debug!("moonraker: {}: {}", call.method(), error.in_words());
            return self.on_refusal(call, now, actions);
        }
        match call {
            Call::Identify => {
                if std::mem::take(&mut self.refused) {
                    for call in FIRST.into_iter().filter(|call| *call != Call::Identify) {
                        self.ask(call, now, actions);
                    }
                }
            }
            Call::ServerInfo => {
                self.on_server_info(&wire::result(message), now, actions);
                self.tell(true, actions);
            }
            Call::PrinterInfo => {
                if self.klippy.state != KlippyState::Ready && self.klippy.message.is_none() {
                    let info = wire::result(message);
                    self.klippy.message = info.get("state_message").text().map(|text| wire::clip(text, 4096));
                }
                self.hold_until = None;
                self.tell(false, actions);
            }
            Call::Subscribe | Call::SubscribeAll | Call::Query => {
                self.on_objects(call, message, now, actions);
                self.tell(true, actions);
            }
            Call::ObjectsList => self.on_list(&wire::result(message), now, actions),
            Call::History => {
                history::replace(&mut self.history, &wire::result(message));
                self.history_known = true;
                self.tell(true, actions);
            }
            Call::Metadata => {
                self.file.answer(&wire::result(message), now);
                self.tell(false, actions);
            }
            Call::Webcams => self.on_webcams(&wire::result(message), actions),
            Call::Faults => {
                self.faults.replace(&wire::result(message));
                self.tell(false, actions);
            }
        }
    }

    fn on_unauthorized(&mut self, call: Call, actions: &mut Vec<Action>) {
        let identifying = self.pending.iter().any(|pending| pending.call == Call::Identify);
        if call != Call::Identify && identifying && self.options.api_key.is_some() {
            // The key in `identify` opens the door, and that was sent first but is not answered yet.
            self.refused = true;
        } else {
            self.close(SessionError::Unauthorized, actions);
        }
    }

    fn on_refusal(&mut self, call: Call, now: Duration, actions: &mut Vec<Action>) {
        match call {
            // Older and patched versions may not know it; nothing else depends on it.
            Call::Identify | Call::Query | Call::Webcams | Call::Faults => {}
            Call::ObjectsList | Call::SubscribeAll => self.list_at = Some(now + RELIST),
            Call::Metadata => {
                self.file.refuse(now);
                self.tell(false, actions);
            }
            Call::ServerInfo => self.poll_at = Some(now + POLL),
            Call::PrinterInfo => {
                self.hold_until = None;
                self.tell(false, actions);
            }
            Call::Subscribe => self.not_subscribed(now, actions),
            Call::History => self.no_history(actions),
        }
    }

    fn on_server_info(&mut self, info: &Any<'_>, now: Duration, actions: &mut Vec<Action>) {
        self.info_known = true;
        if let Some(version) = info.get("moonraker_version").text() {
            self.version = Some(wire::clip(version, 64));
        }
        let state = match info.get("klippy_state").text().and_then(KlippyState::from_name) {
            _ if info.get("klippy_connected").flag() == Some(false) => KlippyState::Disconnected,
            Some(state) => state,
            // A word that is not known here: not ready, and nothing worse.
            None => KlippyState::Startup,
        };
        let message = self.klippy.message.take().filter(|_| self.klippy.state == state);
        if state != KlippyState::Ready && state != KlippyState::Disconnected && message.is_none() {
            self.ask(Call::PrinterInfo, now, actions);
            if state != KlippyState::Startup && self.klippy.state != state {
                self.hold_until = Some(now + REASON_DELAY);
            }
        }
        self.set_klippy(state, message, now);
        if state != KlippyState::Disconnected {
            if !self.subscribed {
                self.ask(Call::Subscribe, now, actions);
            }
            if !self.all_subscribed && self.listed.is_none() {
                self.ask(Call::ObjectsList, now, actions);
            }
        }
    }

    fn set_klippy(&mut self, state: KlippyState, message: Option<String>, now: Duration) {
        if state == KlippyState::Ready {
            self.poll_at = None;
            self.hold_until = None;
        } else if self.poll_at.is_none() {
            self.poll_at = Some(now + POLL);
        }
        if self.klippy.state != state {
            log::debug!("moonraker: Klipper is {}", state.name());
            // A job ends with Klipper, and the history knows how.
            if state != KlippyState::Ready {
                self.history_at.get_or_insert(now + HISTORY_DELAY);
            }
        }
        self.klippy = Klippy { state, message };
    }

    fn not_subscribed(&mut self, now: Duration, actions: &mut Vec<Action>) {
        self.objects_known = true;
        self.subscribed = false;
        self.poll_at.get_or_insert(now + POLL);
        self.tell(false, actions);
    }

    fn no_history(&mut self, actions: &mut Vec<Action>) {
        // One that answered before is only late.
        if !self.history_known {
            self.history = Arc::default();
        }
        self.history_known = true;
        self.tell(true, actions);
    }

    /// Tells what is seen, if it changed or if `again`, and if enough is known.
    fn tell(&mut self, again: bool, actions: &mut Vec<Action>) {
        let complete = self.info_known && self.objects_known && self.history_known;
        let waited = self.info_known && self.first_at.is_none();
        if self.closed || !(complete || waited) || self.hold_until.is_some() {
            return;
        }
        let snapshot = Snapshot {
            klippy: self.klippy.clone(),
            print: self.objects.print(&self.history, self.file.metadata()),
            machine: self.objects.machine(),
            message: self.objects.display_message.clone(),
            history: Arc::clone(&self.history),
            prompt: self.prompts.shown(),
            faults: self.faults.all(),
            webcams: Arc::clone(&self.webcams),
            app_message: self.objects.app_message.clone(),
            stage: None,
            original: None,
        };
        if !again && self.told.as_deref() == Some(&snapshot) {
            return;
        }
        let snapshot = Arc::new(snapshot);
        self.told = Some(Arc::clone(&snapshot));
        actions.push(Action::Emit(Observation::Seen(snapshot)));
    }

    fn ask(&mut self, call: Call, now: Duration, actions: &mut Vec<Action>) {
        if self.is_asking(call) {
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        let limit = match call {
            Call::Identify
            | Call::ServerInfo
            | Call::History
            | Call::Metadata
            | Call::Webcams
            | Call::Faults => ANSWER,
            Call::PrinterInfo | Call::Subscribe | Call::ObjectsList | Call::SubscribeAll | Call::Query => {
                KLIPPY_ANSWER
            }
        };
        self.pending.push(Pending { id, call, due: now + limit });
        actions.push(Action::Send(wire::request(call, id, &self.params(call))));
    }

    /// Parameters of a request; empty where there are none.
    fn params(&self, call: Call) -> String {
        match call {
            Call::Identify => {
                wire::identity(self.options.version, self.options.api_key.as_ref().map(ApiKey::reveal))
            }
            Call::Subscribe => wire::of_objects(&Layout::default()),
            Call::SubscribeAll => wire::of_objects(self.listed.as_ref().unwrap_or(&self.objects.layout)),
            Call::Query => wire::of_objects(&self.objects.layout),
            Call::History => wire::newest_jobs(),
            Call::Metadata => self.file.question().unwrap_or_default(),
            Call::ServerInfo | Call::PrinterInfo | Call::ObjectsList | Call::Webcams | Call::Faults => {
                String::new()
            }
        }
    }

    fn is_asking(&self, call: Call) -> bool {
        self.pending.iter().any(|pending| pending.call == call)
    }

    fn close(&mut self, error: SessionError, actions: &mut Vec<Action>) {
        self.closed = true;
        self.pending.clear();
        actions.push(Action::Close(error));
    }
}

fn first_byte(message: &[u8]) -> Option<u8> {
    message.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Whether the time has come; if so it is taken away.
fn due(at: &mut Option<Duration>, now: Duration) -> bool {
    at.take_if(|at| *at <= now).is_some()
}
