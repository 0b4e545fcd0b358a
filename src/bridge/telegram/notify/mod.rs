//! Which changes are told to the chat. Pure: an event or a state of the printer and the time in, messages out.
//!
//! Starts, pauses and ends are the domain's events, each under its key, so that a crash neither loses nor doubles one.
//! Beside them stand the steps of the progress, and, where the source has words for the printer's state, each change of
//! these that no event tells.

mod console;
mod progress;
mod summary;
mod wording;

pub(super) use console::Said;
pub(super) use summary::{Summary, percent};
pub(super) use wording::{dated, is_late};

use super::config::{Config, Kind, Kinds};
use super::live::Mute;
use super::text;
use crate::clock::Moment;
use crate::outbox::Importance;
use crate::printer::{Event, EventKind, Job, Sight};
use progress::{Step, Steps};
use std::time::Duration;

/// Words for the state in which a printer rests after a job.
const AT_REST: [&str; 9] =
    ["FINISH", "FINISHED", "IDLE", "DONE", "COMPLETED", "CANCELED", "CANCELLED", "FAIL", "FAILED"];

/// One message for the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    /// The same for the same fact.
    pub(super) key: String,
    /// What it is about.
    pub(super) kind: Kind,
    /// How much it matters that it arrives.
    pub(super) importance: Importance,
    /// When it happened, as time since the Unix epoch.
    pub(super) at: Duration,
    /// What to say.
    pub(super) text: String,
    /// What it is the newest word on.
    pub(super) slot: Option<&'static str>,
    /// It is not sent before so much time has passed, by which it may have been taken back.
    pub(super) held: Duration,
    /// A message that this one makes worthless, if it is not on its way yet; and whether this one is worthless with it.
    pub(super) takes_back: Option<(String, bool)>,
}

/// Watches one printer for one chat.
#[derive(Debug)]
pub(super) struct Notifier {
    events: Kinds,
    step: Option<u8>,
    short_pause: Duration,
    printer: String,
    /// The source's last word for the state.
    stage: Option<String>,
    /// A job was under way, and its start was told, when the printer was seen last.
    in_job: bool,
    steps: Steps,
    /// How often macros asked for something: two may do so within a millisecond.
    asked: u64,
    /// Key of the pause that is not over, and when it began, as time since the Unix epoch.
    pause: Option<(String, Duration)>,
}

impl Notifier {
    /// Has seen nothing yet.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            events: config.events,
            step: config.step,
            short_pause: config.short_pause,
            printer: config.printer.clone(),
            stage: None,
            in_job: false,
            steps: Steps::default(),
            asked: 0,
            pause: None,
        }
    }

    /// What to tell of an event.
    pub(super) fn on_event(&mut self, event: &Event, mute: &Mute, now: Moment) -> Option<Note> {
        let job = event.job.as_ref();
        // A feed's job without a name is not told, and then nor is its end: its states are.
        if job.is_some_and(|job| job.stage.is_some() && job.file.is_empty()) {
            return None;
        }
        let (kind, importance) = rank(&event.kind)?;
        let text = wording::event(event, self.stage.as_deref())?;
        if !matches!(event.kind, EventKind::NeedsAttention(_))
            && let Some(stage) = job.and_then(|job| job.stage.as_ref())
        {
            self.stage = Some(stage.clone());
        }
        let mut note = self.note(event.key.clone(), kind, importance, event.at, text);
        match event.kind {
            EventKind::JobStarted => {
                if let (Some(begun), Some(step)) = (event.key.strip_suffix("/job_started"), self.step) {
                    self.steps.begin(begun, job.and_then(Job::percent), step);
                }
            }
            // A source that has words for its states tells only pauses that people see.
            EventKind::Paused { .. } if job.is_some_and(|job| job.stage.is_none()) => {
                note.held = self.short_pause;
                self.pause = Some((event.key.clone(), event.at));
            }
            EventKind::Resumed => note.takes_back = self.short_pause(event.at).map(|pause| (pause, true)),
            EventKind::Finished | EventKind::Cancelled | EventKind::Ended | EventKind::Failed { .. } => {
                note.takes_back = self.short_pause(event.at).map(|pause| (pause, false));
            }
            _ => {}
        }
        self.is_told(&note, mute, now).then_some(note)
    }

    /// The key of the pause that is over at `end`, if it was too short to be told. One that was not is told even if it
    /// could not be sent before it was over.
    fn short_pause(&mut self, end: Duration) -> Option<String> {
        let (key, begin) = self.pause.take()?;
        end.checked_sub(begin).is_some_and(|lasted| lasted < self.short_pause).then_some(key)
    }

    /// What to tell of the printer's state, besides the events. `is_known` says of a key whether a message has had it.
    pub(super) fn on_sight(
        &mut self,
        sight: &Sight,
        mute: &Mute,
        is_known: &dyn Fn(&str) -> bool,
    ) -> Vec<Note> {
        let mut notes = Vec::new();
        notes.extend(self.stage_changed(sight));
        notes.extend(self.progressed(sight, is_known));
        self.in_job = sight.job.is_some();
        notes.retain(|note| self.is_told(note, mute, sight.at));
        notes
    }

    /// What a macro asks to be told, and how.
    pub(super) fn on_console(&mut self, line: &str, mute: &Mute, now: Moment) -> Option<(Note, Said)> {
        let said = console::read(line)?;
        self.asked += 1;
        let key = format!("macro/{}/{}", now.unix.as_millis(), self.asked);
        let kind = if said.alarm { Kind::Alert } else { Kind::Macro };
        let note = self.note(key, kind, Importance::Normal, now.unix, said.text.clone());
        let wanted = self.events.has(Kind::Macro) && self.is_told(&note, mute, now);
        wanted.then_some((note, said))
    }

    /// That the service runs.
    pub(super) fn greeting(&self, printer: &str, now: Moment) -> Note {
        let key = format!("greeting/{}", now.unix.as_millis());
        let what = format!("Octobridge runs on {}", text::name(printer));
        let note = self.note(key, Kind::Ready, Importance::Normal, now.unix, what);
        Note { slot: Some("greeting"), ..note }
    }

    fn stage_changed(&mut self, sight: &Sight) -> Option<Note> {
        let stage = sight.snapshot.stage.as_deref()?;
        if self.stage.as_deref() == Some(stage) {
            return None;
        }
        let before = self.stage.replace(stage.to_owned())?;
        let rests = |stage: &str| AT_REST.contains(&stage);
        // The end of a job is told as such; it may come a moment later, when it is certain.
        if rests(stage) && (rests(&before) || self.in_job) {
            return None;
        }
        let text = wording::state(&before, Summary::of(&sight.snapshot));
        let key = format!("state/{}", sight.at.unix.as_millis());
        Some(self.note(key, Kind::State, Importance::Normal, sight.at.unix, text))
    }

    fn progressed(&mut self, sight: &Sight, is_known: &dyn Fn(&str) -> bool) -> Option<Note> {
        let (job, step) = (sight.job.as_ref()?, self.step?);
        let print = sight.snapshot.print.as_ref().filter(|print| print.state.is_active())?;
        // Nobody was told of a job without a name.
        print.file.as_ref()?;
        let key = |step: Step| format!("{job}/step/{}/{}", step.falls, step.percent);
        let told = |step| is_known(&key(step));
        let step = self.steps.reach(job, percent(&sight.snapshot)?, step, &told)?;
        let text = wording::progress(step.percent, Summary::of(&sight.snapshot));
        let note = self.note(key(step), Kind::Progress, Importance::Passing, sight.at.unix, text);
        Some(Note { slot: Some("progress"), ..note })
    }

    fn is_told(&self, note: &Note, mute: &Mute, now: Moment) -> bool {
        let heard = mute.lets(&note.key, note.kind, now.monotonic);
        self.events.has(note.kind) && heard
    }

    fn note(&self, key: String, kind: Kind, importance: Importance, at: Duration, what: String) -> Note {
        let text = match self.printer.as_str() {
            "" => what,
            printer => format!("[{}] {what}", text::name(printer)),
        };
        let text = text::shorten(&text, text::MOST_MESSAGE);
        Note { key, kind, importance, at, text, slot: None, held: Duration::ZERO, takes_back: None }
    }
}

/// What an event is about, and how much it matters; none for what is told in another way, or not at all.
fn rank(kind: &EventKind) -> Option<(Kind, Importance)> {
    Some(match kind {
        EventKind::JobStarted => (Kind::Start, Importance::Important),
        EventKind::FirstLayerDone => (Kind::FirstLayer, Importance::Normal),
        EventKind::Paused { .. } | EventKind::Resumed => (Kind::Pause, Importance::Normal),
        EventKind::Finished | EventKind::Cancelled | EventKind::Failed { .. } | EventKind::Ended => {
            (Kind::End, Importance::Terminal)
        }
        EventKind::NeedsAttention(_) => (Kind::Attention, Importance::Important),
        EventKind::PrinterReady => (Kind::Ready, Importance::Normal),
        EventKind::KlippyDown { .. } | EventKind::KlippyReady => (Kind::Klipper, Importance::Normal),
        EventKind::SourceLost | EventKind::SourceBack => (Kind::Feed, Importance::Normal),
        EventKind::Progress { .. } | EventKind::Layer { .. } | EventKind::Replaced => return None,
    })
}

#[cfg(test)]
mod tests;
