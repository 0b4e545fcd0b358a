//! The bridge without threads: what happens to the printer goes in, and at each step what is due is done.
//!
//! Ends of prints come from the observer, whose events are in the outbox before anything is done about them. All else is
//! read off the sights of the printer, one after the other, since the apps are told by other rules than the domain has:
//! see [`super::follow`].

use super::app::{App, Device};
use super::frontend::Frontend;
use super::letter::{Answer, Errand, Step, answer, letters};
use super::outside::{Outside, Reply};
use super::print::{Followed, PrintFile};
use super::push::{Kind, Push, State};
use super::reckon;
use super::registry::Registry;
use super::remote::Remote;
use super::report::Report;
use super::spacing::{Spacing, Urgency};
use crate::bridge::Health;
use crate::clock::Moment;
use crate::outbox::{Entry, Importance, Pushed, Queue, Store};
use crate::printer::{Event, EventKind, KlippyState, Sight};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often this printer says that somebody is here, how soon again where Moonraker refuses it, and how soon where it
/// did not come to that.
const PRESENCE: Duration = Duration::from_secs(300);
const PRESENCE_REFUSED: Duration = Duration::from_secs(60);
const PRESENCE_FAILED: Duration = Duration::from_secs(30);
/// How often records are looked through.
const MINUTE: Duration = Duration::from_secs(60);
/// How often it is looked whether a phone has registered, as long as there is none.
const FIRST_PHONE: Duration = Duration::from_secs(10);
/// Most errands under way. More than a print has within the time that one is tried.
const MOST_ERRANDS: usize = 64;
/// Most events that wait for the sight that shows them.
const MOST_PENDING: usize = 64;

/// Where the bridge's world is.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    /// Where the remote configuration is.
    pub(super) config: String,
    /// Where pushes go, whatever that says.
    pub(super) send: Option<String>,
}

/// The bridge.
pub(super) struct Core<O, S> {
    pub(super) outside: O,
    pub(super) ends: Queue<S>,
    pub(super) report: Arc<Mutex<Report>>,
    pub(super) registry: Registry,
    pub(super) file: PrintFile,
    pub(super) frontend: Frontend,
    pub(super) addresses: Addresses,
    pub(super) remote: Remote,
    spacing: Spacing,
    errands: Vec<Errand>,
    /// Events that wait for the sight that shows them, and since when.
    pub(super) pending: Vec<(Event, Duration)>,
    pub(super) sight: Option<Sight>,
    pub(super) link: super::follow::Link,
    pub(super) print: Option<Followed>,
    /// The print as it was told last.
    pub(super) last: Option<State>,
    /// When a print that Klipper took with it is given up, and the key of its end in the outbox.
    pub(super) gone: Option<(Duration, String)>,
    /// The error that was told last, and when.
    pub(super) error_told: Option<(String, Duration)>,
    /// Messages of the user's own in this print.
    pub(super) customs: u32,
    pub(super) presence: Option<Duration>,
    minute: Duration,
    /// When it is looked again whether anybody is to be told; none once somebody is.
    recount: Option<Duration>,
    pub(super) remote_at: Duration,
    /// OctoApp's own plugin runs: nothing is told by this bridge.
    pub(super) rival: bool,
}

impl<O: Outside, S: Store> Core<O, S> {
    pub(super) fn new(
        outside: O,
        ends: Queue<S>,
        mut file: PrintFile,
        printer_id: String,
        addresses: Addresses,
        now: Moment,
    ) -> Self {
        let at = now.monotonic;
        let print = file.load().map(Followed::restored);
        // What a process before this one could not tell any more.
        let waiting = ends.peek_row(MOST_PENDING, |_| true).into_iter();
        let pending = waiting.filter_map(|held| Some((serde_json::from_slice(&held.entry.body).ok()?, at)));
        let pending = pending.collect();
        Self {
            outside,
            ends,
            report: Arc::default(),
            registry: Registry::new(printer_id),
            file,
            frontend: Frontend::unread(),
            addresses,
            remote: Remote::default(),
            spacing: Spacing::default(),
            errands: Vec::new(),
            pending,
            sight: None,
            link: super::follow::Link::new(at),
            print,
            last: None,
            gone: None,
            error_told: None,
            customs: 0,
            presence: None,
            minute: at + MINUTE,
            recount: None,
            remote_at: at + super::upkeep::REMOTE,
            rival: false,
        }
    }

    /// Something happened. The end of a print was given to [`keep`] before.
    pub(super) fn on_event(&mut self, event: Event, now: Moment) {
        match event.kind {
            EventKind::SourceLost => self.link.lost(),
            EventKind::JobStarted
            | EventKind::Finished
            | EventKind::Cancelled
            | EventKind::Failed { .. }
            | EventKind::Ended
            | EventKind::Replaced => {
                if self.pending.len() == MOST_PENDING {
                    self.pending.remove(0);
                }
                self.pending.push((event, now.monotonic));
            }
            _ => {}
        }
    }

    /// The printer is seen.
    pub(super) fn on_sight(&mut self, sight: Sight, now: Moment) {
        if self.presence.is_none() {
            self.presence = Some(now.monotonic);
            self.pass(now);
        }
        self.follow(sight, now);
    }

    /// Does what is due; gives the time at which more is.
    pub(super) fn work(&mut self, now: Moment) -> Duration {
        loop {
            self.pass(now);
            let next = self.next_due();
            if next > now.monotonic {
                return next;
            }
        }
    }

    fn next_due(&self) -> Duration {
        let errand = self.errands.iter().map(|errand| errand.due).min();
        let own = [
            self.presence,
            Some(self.minute),
            self.recount,
            Some(self.remote_at),
            errand,
            self.next_of_print(),
        ];
        own.into_iter().flatten().min().unwrap_or(self.minute)
    }

    /// One round over all that may be due.
    fn pass(&mut self, now: Moment) {
        let at = now.monotonic;
        if self.presence.is_some_and(|due| due <= at) {
            self.look_for_plugin(false);
            let told = match self.rival {
                true => Ok(()),
                false => self.registry.announce(&mut self.outside, now.unix),
            };
            let next = match &told {
                Ok(()) => PRESENCE,
                Err(error) if error.refused => PRESENCE_REFUSED,
                Err(_) => PRESENCE_FAILED,
            };
            self.presence = Some(at + next);
            if told.is_ok() {
                self.recount = Some(at);
            }
            let told = told.map_err(|error| error.why);
            let why = told.as_ref().err().cloned();
            let news = self.report().present(told);
            // Once: Moonraker may be away for hours.
            if let Some(why) = why.filter(|_| news) {
                log::warn!("octoapp: the printer cannot be announced to the apps: {why}");
            }
        }
        if self.recount.is_some_and(|due| due <= at) {
            self.recount = self.count_receivers(now).then(|| at + FIRST_PHONE);
        }
        if self.minute <= at {
            self.minute = at + MINUTE;
            if self.presence.is_some() {
                self.look_for_plugin(true);
                self.look_through(now);
            }
        }
        if self.remote_at <= at {
            self.configure(at);
        }
        self.pass_of_print(now);
        while let Some(index) = self.errands.iter().position(|errand| errand.due <= at) {
            let errand = self.errands.remove(index);
            self.run(errand, now);
        }
    }

    /// The print under way as it is now.
    pub(super) fn state(&self, now: Moment) -> State {
        let Some(print) = &self.print else { return State::default() };
        let known = &print.known;
        let snapshot = self.sight.as_ref().map(|sight| &sight.snapshot);
        let ready = snapshot.filter(|snapshot| snapshot.klippy.state == KlippyState::Ready);
        let seen = ready.and_then(|snapshot| snapshot.print.as_ref().zip(Some(snapshot)));
        let seen = seen.filter(|(seen, _)| seen.file.as_deref() == Some(known.path.as_str()));
        let left = seen.map_or(-1, |(seen, snapshot)| {
            reckon::left(seen, &self.frontend, snapshot.machine.motion.speed_factor)
        });
        let duration = print.duration(now).as_secs_f64();
        let reckoned = || match left {
            0.. if duration > 0.0 => reckon::percent(duration / (duration + left as f64)),
            _ => 0,
        };
        State {
            id: known.id.clone(),
            path: known.shown().to_owned(),
            is_name: known.is_name,
            left,
            percent: print.percent.unwrap_or_else(reckoned),
            duration,
        }
    }

    /// Has something told of the print under way.
    pub(super) fn tell(&mut self, kind: Kind, now: Moment) {
        let state = self.state(now);
        self.send(Push::new(kind, state), None, now);
    }

    /// Has a push sent, which settles the entry of that key in the outbox.
    pub(super) fn send(&mut self, push: Push, key: Option<String>, now: Moment) {
        let (at, percent) = (now.monotonic, push.state.percent);
        let urgency = match push.kind {
            Kind::Progress => self.spacing.judge(percent, &self.remote, at),
            Kind::Custom | Kind::Beep => Urgency::Full,
            kind => {
                self.spacing.told(percent, kind == Kind::Started, at);
                Urgency::Full
            }
        };
        if !matches!(push.kind, Kind::Custom | Kind::Beep) {
            self.last = Some(push.state.clone());
        }
        let before = self.errands.len();
        self.errands.retain(|errand| !errand.is_overtaken(&push));
        self.report().dropped += (before - self.errands.len()) as u64;
        if urgency != Urgency::None {
            let step = Step::Address { push, urgent: urgency == Urgency::Full };
            self.run(Errand { key, ..Errand::new(step, at) }, now);
        }
    }

    pub(super) fn run(&mut self, mut errand: Errand, now: Moment) {
        if matches!(errand.step, Step::Address { .. }) {
            // It may have come since the last look.
            self.look_for_plugin(false);
        }
        if self.rival {
            return self.settle(&errand);
        }
        match &mut errand.step {
            Step::Address { push, urgent } => {
                let mut apps = match self.registry.apps(&mut self.outside) {
                    Ok(apps) => apps,
                    Err(why) => {
                        return self.fail(errand, format!("cannot read who is to be told: {why}"), now);
                    }
                };
                let mut over = Vec::new();
                if push.kind.is_end() {
                    // Where it is late, they show the next print; and those that begin later are of that one, too.
                    let next = self.print.as_ref().is_some_and(|print| print.known.id != push.state.id);
                    apps.retain(|app| !next || app.device() != Device::Activity);
                    let running = apps.iter().filter(|app| app.device() == Device::Activity);
                    over.extend(running.map(|app| app.name.clone()));
                }
                let apps: Vec<&App> = apps.iter().filter(|app| !app.is_expired(now.unix)).collect();
                let letters = letters(push, &apps, *urgent, &self.frontend.name, now.unix);
                self.report().receivers = Some(super::upkeep::devices(apps.iter().copied()));
                if letters.is_empty() {
                    return self.settle(&errand);
                }
                let mut key = errand.key;
                for (mut letter, hold) in letters {
                    letter.over.clone_from(&over);
                    let errand =
                        Errand { key: key.take(), ..Errand::new(Step::Send(letter), now.monotonic + hold) };
                    if hold.is_zero() { self.run(errand, now) } else { self.put(errand) }
                }
            }
            Step::Send(letter) => {
                // It may have been held back for hours.
                letter.strike_expired(now.unix);
                if letter.targets.is_empty() {
                    return self.finish(&errand);
                }
                let mut vector = [0; 16];
                let chance = self.outside.chance(&mut vector);
                let wanted = letter.push.is_some() && chance;
                let key = if wanted { self.registry.key(&mut self.outside).cloned() } else { None };
                if letter.has_android() && key.is_none() {
                    return self.fail(errand, "there is no encryption key".to_owned(), now);
                }
                let body = letter.body(key.as_ref(), vector, now.unix);
                let url = self.addresses.send.as_deref().unwrap_or(&self.remote.send_url);
                let reply = match self.outside.post(url, &body) {
                    Reply::Answered { status, body } => answer(status, &body),
                    Reply::Failed(why) => Answer::Later(why),
                };
                match reply {
                    Answer::Taken(dead) => {
                        self.report().taken(now.unix);
                        self.registry.bury(&mut self.outside, &dead);
                        self.forget(&dead);
                        self.finish(&errand);
                    }
                    Answer::Later(why) => self.fail(errand, why, now),
                    Answer::Refused(why) => {
                        log::error!("octoapp: {why}");
                        self.report().trouble(Health::Fail, why);
                        self.report().dropped += 1;
                        self.finish(&errand);
                    }
                }
            }
        }
    }

    fn put(&mut self, errand: Errand) {
        if self.errands.len() == MOST_ERRANDS {
            let least = self.errands.iter().position(|errand| !errand.is_end()).unwrap_or(0);
            let least = self.errands.remove(least);
            self.report().dropped += 1;
            self.settle(&least);
        }
        self.errands.push(errand);
        self.report().waiting = self.errands.len();
    }

    fn fail(&mut self, mut errand: Errand, why: String, now: Moment) {
        log::warn!("octoapp: {why}");
        self.report().trouble(Health::Waiting, why);
        if errand.again(now.monotonic) {
            self.put(errand);
        } else {
            self.report().dropped += 1;
            self.finish(&errand);
        }
    }

    /// Nothing more is done for it.
    fn finish(&mut self, errand: &Errand) {
        if let Step::Send(letter) = &errand.step {
            Registry::delete(&mut self.outside, letter.over.iter());
        }
        self.settle(errand);
        self.report().waiting = self.errands.len();
    }

    /// The end that it tells is done with, and so is the print.
    fn settle(&mut self, errand: &Errand) {
        let Some(key) = errand.key.as_deref() else { return };
        self.done_with(key);
        if let Some(push) = errand.push() {
            self.file.forget(&push.state.id);
        }
    }

    /// An event in the outbox is done with.
    pub(super) fn done_with(&mut self, key: &str) {
        let held = self.ends.peek_row(usize::MAX, |_| true);
        for held in held.iter().filter(|held| held.entry.key == key) {
            self.ends.done(held.id);
        }
    }

    /// Nothing is sent any more to these tokens.
    pub(super) fn forget(&mut self, tokens: &[String]) {
        for errand in &mut self.errands {
            if let Step::Send(letter) = &mut errand.step {
                letter.targets.retain(|target| !target.is_among(tokens));
            }
        }
    }

    pub(super) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings the end of a print into the outbox, before anything is done about it. False if it was there before.
pub(super) fn keep<S: Store>(ends: &Queue<S>, event: &Event) -> bool {
    let is_end = matches!(event.kind, EventKind::Finished | EventKind::Cancelled | EventKind::Failed { .. });
    if !is_end {
        return true;
    }
    let body = serde_json::to_vec(event).unwrap_or_default();
    let (key, at) = (event.key.clone(), event.at);
    ends.push(Entry { key, importance: Importance::Terminal, at, slot: None, body }) != Pushed::Duplicate
}
