//! What the printer is for Connect: its state, job, values and description. Pure: it sees the printer's domain, and
//! time is an argument.

mod attention;
mod cause;
mod describe;
mod dialog;
mod fans;
mod info;
mod job;
mod rules;
mod situation;
mod telemetry;
mod tell;
#[cfg(test)]
mod tests;

pub(crate) use cause::Effect;
pub(crate) use info::network;
pub(crate) use situation::Situation;

use super::connect::event::{Event, Source};
use super::connect::state::State;
use crate::clock::Moment;
use crate::printer::{self, Objects, PausedBy, Sight};
use attention::Pause;
use cause::Causes;
use dialog::Dialogs;
use info::{Tool, Tools};
use job::Jobs;
use rules::{How, Rules, Verdict};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use telemetry::JobValues;
use tell::Details;

/// How long the number of a job is waited for; the history tells it a moment after the job began.
const NUMBER: Duration = Duration::from_secs(3);
/// A job of which nobody told how it ended, this far or farther, was completed.
const COMPLETE: f64 = 0.995;

/// In whose name the printer is asked: what comes of it is Connect's doing, and no person's.
pub(crate) const NAME: &str = "Prusa Connect";

/// How the printer is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// An idle printer counts as ready, whether or not somebody looked at the bed.
    pub(crate) idle_is_ready: bool,
    /// Each toolhead is told of, where there are several.
    pub(crate) slots: bool,
    /// What the storage is called, without slashes.
    pub(crate) storage: Box<str>,
}

impl Default for Options {
    fn default() -> Self {
        Self { idle_is_ready: false, slots: false, storage: "local".into() }
    }
}

/// One thing to tell, with what the printer was at that moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct News {
    /// What.
    pub(crate) event: Event,
    /// The state that goes with it.
    pub(crate) state: State,
    /// The job that goes with it.
    pub(crate) job: Option<u32>,
}

/// The printer, as Connect sees it.
#[derive(Debug)]
pub(crate) struct Machine {
    options: Options,
    rules: Rules,
    causes: Causes,
    jobs: Jobs,
    sight: Option<Sight>,
    /// The connection was lost then.
    lost_at: Option<Duration>,
    /// The state that was told.
    state: State,
    reason: Option<Box<str>>,
    dialogs: Dialogs,
    values: JobValues,
    /// What is known of the file of the job under way.
    details: Option<Details>,
    /// A job runs whose number is not known, since then.
    numberless: Option<Duration>,
    /// The command that is being worked on.
    command: Option<u32>,
    objects: Objects,
    tools: Tools,
    /// What was told of the tools; none before they were seen.
    told_tools: Map<String, Value>,
    /// The mesh of the bed that was told; none before one was seen.
    told_mesh: Option<Arc<[Box<[f64]>]>>,
    unsaved: bool,
}

impl Machine {
    /// A printer that was not seen yet. `kept` is what [`Self::kept`] gave before the restart, or anything else for a
    /// printer that is new.
    pub(crate) fn new(options: Options, kept: &Value) -> Self {
        let jobs = kept.get("job").and_then(Value::as_object).map(Jobs::from_json).unwrap_or_default();
        let tools = kept.get("tools").map(Tools::from_json).unwrap_or_default();
        Self {
            rules: Rules::new(options.idle_is_ready, jobs.current.is_some()),
            options,
            causes: Causes::default(),
            jobs,
            sight: None,
            lost_at: None,
            state: State::Busy,
            reason: None,
            dialogs: Dialogs::default(),
            values: JobValues::default(),
            details: None,
            numberless: None,
            command: None,
            objects: Objects::default(),
            tools,
            told_tools: Map::new(),
            told_mesh: None,
            unsaved: false,
        }
    }

    /// What must be kept over a restart: a small object. The bed's being clear is not kept, since nobody looked.
    pub(crate) fn kept(&self) -> Value {
        json!({ "job": self.jobs.to_json(), "tools": self.tools.to_json() })
    }

    /// What Connect was told last before a restart: the end of a job that it knew to be under way, or was shown, is shown.
    pub(crate) fn was_told(&mut self, state: State) {
        use State::{Attention, Finished, Paused, Printing, Stopped};
        self.rules.ends = matches!(state, Printing | Paused | Attention | Finished | Stopped);
    }

    /// The number of the job that was under way when it was kept.
    pub(crate) fn kept_job(&self) -> Option<u32> {
        self.jobs.id()
    }

    /// Whether [`Self::kept`] is another since this was asked last.
    pub(crate) fn take_unsaved(&mut self) -> bool {
        std::mem::take(&mut self.unsaved)
    }

    /// Takes notice of the printer's newest state. What it means is told by [`Self::tick`].
    pub(crate) fn on_sight(&mut self, sight: &Sight) {
        if self.lost_at.is_some_and(|lost| sight.at.monotonic > lost) {
            self.rules.lost = false;
            self.lost_at = None;
        }
        self.sight = Some(sight.clone());
    }

    /// Takes notice of what happened on the printer, before the state that shows it.
    pub(crate) fn on_event(&mut self, event: &printer::Event, now: Moment) {
        use printer::EventKind as Kind;
        let now = now.monotonic;
        let by = event.job.as_ref().and_then(|job| job.by.as_deref());
        let person = by.is_some_and(|by| by != NAME);
        match &event.kind {
            Kind::SourceLost => {
                self.rules.lost = true;
                self.lost_at = Some(now);
            }
            Kind::JobStarted => self.rules.job_began(),
            Kind::Paused { by, reason } => {
                if matches!(by, PausedBy::Bridge { name } if name != NAME) {
                    self.causes.person(State::Paused, Source::User, now);
                }
                self.rules.pause = Some(Pause { by: by.clone(), reason: reason.as_deref().map(Box::from) });
            }
            Kind::Resumed => {
                if person {
                    self.causes.person(State::Printing, Source::User, now);
                }
                self.rules.pause = None;
            }
            Kind::Finished => self.rules.job_ended(How::Finished, now),
            Kind::Cancelled => {
                if person {
                    self.causes.person(State::Stopped, Source::User, now);
                }
                self.rules.job_ended(How::Stopped, now);
            }
            Kind::Failed { reason } => {
                self.rules.job_ended(How::Failed(reason.as_deref().map(Box::from)), now);
            }
            Kind::Ended => {
                let progress = event.job.as_ref().and_then(|job| job.progress);
                let complete = progress.is_some_and(|progress| progress >= COMPLETE);
                self.rules.job_ended(if complete { How::Finished } else { How::Stopped }, now);
            }
            // The other job is seen by its number.
            Kind::Replaced => {}
            // The sight that follows shows it; the one before the loss says nothing of what is.
            Kind::SourceBack
            | Kind::Progress { .. }
            | Kind::FirstLayerDone
            | Kind::Layer { .. }
            | Kind::NeedsAttention(_)
            | Kind::PrinterReady
            | Kind::KlippyDown { .. }
            | Kind::KlippyReady => {}
        }
    }

    /// Judges the present, and gives what is to be told of it, in order. To be called after each sight, and about
    /// once a second.
    pub(crate) fn tick(&mut self, now: Moment) -> Vec<News> {
        let now = now.monotonic;
        let sight = self.sight.clone();
        let snapshot = sight.as_ref().map(|sight| &*sight.snapshot);
        let mut news = Vec::new();
        let dialog = self.dialogs.see(snapshot.and_then(|snapshot| snapshot.prompt.as_ref()));
        let verdict = self.rules.judge(snapshot, self.command.is_some(), now);
        let active = self.under_way(&verdict);
        let key = sight.as_ref().and_then(|sight| sight.job.as_ref()).filter(|_| active);
        if active && self.waits_for_number(key, now) {
            return news;
        }
        self.numberless = None;
        if active {
            self.follow_job(key, snapshot, now, &mut news);
        }
        let told = matches!(verdict.state, State::Error | State::Attention);
        let ends = verdict.state;
        if ends != self.state || dialog || (told && verdict.reason != self.reason) {
            self.change(verdict, active, snapshot, now, &mut news);
        }
        // A job ends with the event that says so, or at once when there is none to come.
        if !active && !self.rules.is_active() && self.jobs.current.take().is_some() {
            self.values.end(ends == State::Finished);
            self.unsaved = true;
        }
        if let Some(snapshot) = snapshot {
            self.parts(snapshot, &mut news);
        }
        news
    }

    /// Whether the verdict is about a job.
    fn under_way(&self, verdict: &Verdict) -> bool {
        match verdict.state {
            State::Printing | State::Paused => true,
            State::Attention => self.rules.is_active(),
            _ => false,
        }
    }

    /// Whether a job that began is not told yet, since its number may still come.
    fn waits_for_number(&mut self, key: Option<&Arc<str>>, now: Duration) -> bool {
        if key.is_some() || self.jobs.current.is_some() {
            return false;
        }
        let since = *self.numberless.get_or_insert(now);
        now.saturating_sub(since) < NUMBER
    }

    /// An event that goes with the present state and job.
    pub(crate) fn now(&self, event: Event) -> News {
        News { event, state: self.state, job: self.job() }
    }

    /// The state that was told last.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The number of the job under way.
    pub(crate) fn job(&self) -> Option<u32> {
        let told = matches!(self.state, State::Printing | State::Paused | State::Attention);
        self.jobs.id().filter(|_| told && self.rules.is_active())
    }

    /// The number of the dialog that is open.
    pub(crate) fn dialog(&self) -> Option<u32> {
        self.dialogs.open().map(|(id, _)| id)
    }

    /// What the answer to a command depends on.
    pub(crate) fn situation(&self) -> Situation<'_> {
        let snapshot = self.sight.as_ref().map(|sight| &*sight.snapshot);
        let machine = snapshot.map(|snapshot| &*snapshot.machine);
        let is_chamber = |name: &str| {
            let name = name.to_ascii_lowercase();
            ["chamber", "cavity", "enclosure"].iter().any(|word| name.contains(word))
        };
        let heaters = machine.map(|machine| machine.heaters.as_slice()).unwrap_or_default();
        Situation {
            state: self.state,
            active: self.rules.is_active(),
            ready: self.rules.is_ready() || (self.options.idle_is_ready && self.state == State::Ready),
            job: self.job(),
            works: !self.rules.lost
                && snapshot.is_some_and(|seen| seen.klippy.state == printer::KlippyState::Ready),
            dialog: self.dialogs.open(),
            objects: machine.map(|machine| &machine.objects),
            chamber: heaters.iter().map(|heater| &*heater.name).find(|name| is_chamber(name)),
            toolheads: machine.map_or(0, |machine| machine.toolheads.len()),
        }
    }

    /// A command begins to be carried out, which is to bring something about within `limit`.
    pub(crate) fn command_begins(&mut self, command: u32, effect: Option<(Effect, Duration)>, now: Moment) {
        self.command = Some(command);
        if let Some((effect, limit)) = effect {
            self.expect(command, effect, limit, now);
        }
    }

    /// Something is to come of a command within `limit`, though that may be done with: a print after a transfer.
    pub(crate) fn expect(&mut self, command: u32, effect: Effect, limit: Duration, now: Moment) {
        if effect == Effect::Restarted {
            self.rules.restart(now.monotonic);
        }
        self.causes.expect(command, effect, limit, now.monotonic);
    }

    /// No command is carried out any more.
    pub(crate) fn command_ends(&mut self) {
        self.command = None;
    }

    /// Somebody says that the bed is clear, or takes it back, which also does away with the result of the last job.
    /// Returns whether it can be said in the present state.
    pub(crate) fn set_ready(&mut self, ready: bool, by: Source, now: Moment) -> bool {
        let idle = matches!(self.state, State::Idle | State::Ready | State::Finished | State::Stopped);
        if idle {
            self.rules.set_ready(ready);
            self.causes.person(if ready { State::Ready } else { State::Idle }, by, now.monotonic);
        }
        idle
    }

    /// Somebody has seen how the last job ended. It is shown for 11 s all the same.
    pub(crate) fn dismiss(&mut self, by: Source, now: Moment) {
        self.rules.dismiss();
        self.causes.person(State::Idle, by, now.monotonic);
    }

    /// Klipper's settings say which diameters the toolheads' nozzles have: numbers from 0, and mm.
    pub(crate) fn set_nozzles(&mut self, nozzles: Vec<(u8, f64)>) {
        self.tools.configured = nozzles;
    }

    /// Somebody tells what a tool is.
    pub(crate) fn set_tool(&mut self, toolhead: u8, change: impl FnOnce(&mut Tool)) {
        self.tools.change(toolhead, change);
        self.unsaved = true;
    }
}
