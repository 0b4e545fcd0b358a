//! Which of Connect's states the printer is in: judged from the top down, the first that fits.

use super::attention::{self, Pause};
use crate::bridge::prusa_connect::connect::event::Source;
use crate::bridge::prusa_connect::connect::state::State;
use crate::printer::{Activity, KlippyState, Print, PrintState, Snapshot};
use std::time::Duration;

/// How long a job's end is shown at least: Connect takes its last picture and the result meanwhile.
pub(super) const HOLD: Duration = Duration::from_secs(11);
/// How long a printer may be out of sight before that is an error.
pub(super) const AWAY: Duration = Duration::from_secs(30);
/// How long Klipper may be missing behind a connection that is new: Moonraker answers before it has joined Klipper again,
/// while a job goes on.
const REJOIN: Duration = AWAY;
/// Work without a job is told when it has lasted so long, so that short macros do not flicker.
pub(super) const SHORT: Duration = Duration::from_secs(1);
/// Work on a command of Connect's leaves a bed clear that was, up to this time.
pub(super) const OURS: Duration = Duration::from_secs(5);
/// How long a restart may take that was asked for.
pub(super) const RESTART: Duration = Duration::from_secs(60);
/// How long it is waited for how a job ended that is simply gone.
const UNTOLD: Duration = Duration::from_secs(2);
/// How long an end that was told waits for being seen.
const TOLD: Duration = Duration::from_secs(5);
/// Most bytes of a reason.
const MOST_REASON: usize = 300;

/// The state, and what brought it about as far as the printer shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    pub(super) state: State,
    pub(super) source: Source,
    pub(super) reason: Option<Box<str>>,
}

impl Verdict {
    pub(super) fn new(state: State, source: Source) -> Self {
        Self { state, source, reason: None }
    }

    /// The same with the first words of that text.
    pub(super) fn because(self, reason: impl AsRef<str>) -> Self {
        let mut text = String::new();
        for line in reason.as_ref().lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.extend(line.chars().filter(|c| !c.is_control()));
            if text.len() > MOST_REASON {
                break;
            }
        }
        let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MOST_REASON);
        text.truncate(end.last().unwrap_or(0));
        Self { reason: (!text.is_empty()).then(|| text.into()), ..self }
    }
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum How {
    Finished,
    Stopped,
    /// With the printer's words.
    Failed(Option<Box<str>>),
}

#[derive(Debug)]
struct End {
    how: How,
    since: Duration,
    /// Somebody has said that it is done with.
    dismissed: bool,
}

/// The state of the printer, and the little that must be remembered to judge it. Times are monotonic.
#[derive(Debug)]
pub(super) struct Rules {
    /// An idle printer counts as ready.
    idle_is_ready: bool,
    /// A person has said that the bed is clear.
    ready: bool,
    /// The connection to the printer is lost.
    pub(super) lost: bool,
    away_since: Option<Duration>,
    /// Klipper was seen to work over the present connection.
    joined: bool,
    /// Since when the present connection shows something, as long as that is not Klipper at work.
    joins_since: Option<Duration>,
    restart: Option<Restart>,
    /// A job is under way.
    active: bool,
    /// Where the printer shows the end of a job when it is first seen, that is news.
    pub(super) ends: bool,
    /// Since when a job is gone of which nobody told how it ended.
    gone_since: Option<Duration>,
    told: Option<(How, Duration)>,
    end: Option<End>,
    pub(super) pause: Option<Pause>,
    was_paused: bool,
    busy_since: Option<Duration>,
    last: Verdict,
}

#[derive(Debug, Clone, Copy)]
struct Restart {
    until: Duration,
    /// Klipper was seen to be gone since it was asked for.
    down: bool,
}

impl Rules {
    /// For a printer that was not seen yet; `active` says that a job was under way when it was seen last.
    pub(super) fn new(idle_is_ready: bool, active: bool) -> Self {
        Self {
            idle_is_ready,
            ready: false,
            lost: false,
            away_since: None,
            joined: false,
            joins_since: None,
            restart: None,
            active,
            ends: false,
            gone_since: None,
            told: None,
            end: None,
            pause: None,
            was_paused: false,
            busy_since: None,
            last: Verdict::new(State::Busy, Source::Firmware),
        }
    }

    /// Somebody says that the bed is clear, or takes it back.
    pub(super) fn set_ready(&mut self, ready: bool) {
        self.ready = ready;
        if !ready {
            self.dismiss();
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Somebody says that he has seen how the job ended.
    pub(super) fn dismiss(&mut self) {
        if let Some(end) = &mut self.end {
            end.dismissed = true;
        }
    }

    /// A restart is asked for.
    pub(super) fn restart(&mut self, now: Duration) {
        self.restart = Some(Restart { until: now + RESTART, down: false });
    }

    /// A job is told to have begun.
    pub(super) fn job_began(&mut self) {
        (self.active, self.ready, self.end, self.told, self.pause) = (true, false, None, None, None);
        self.gone_since = None;
    }

    /// A job is told to have ended.
    pub(super) fn job_ended(&mut self, how: How, now: Duration) {
        self.told = Some((how, now));
        self.pause = None;
    }

    /// Whether a job is under way, also while it cannot be seen.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// Judges what is seen. `ours` says that a command of Connect's is being worked on.
    pub(super) fn judge(&mut self, seen: Option<&Snapshot>, ours: bool, now: Duration) -> Verdict {
        let verdict = self.see(seen, ours, now).unwrap_or_else(|| self.last.clone());
        if verdict.state != State::Ready {
            self.ready = false;
        }
        // Klipper does not come back to a job, nor to what it showed of the last one. Without a connection nothing is known.
        if self.is_down(seen, now) && matches!(verdict.state, State::Busy | State::Error) {
            (self.active, self.end, self.pause, self.gone_since) = (false, None, None, None);
        }
        self.last = verdict.clone();
        verdict
    }

    /// Whether Klipper is known not to work, and not only Moonraker not to know of it yet.
    fn is_down(&mut self, seen: Option<&Snapshot>, now: Duration) -> bool {
        let Some(snapshot) = seen.filter(|_| !self.lost) else {
            (self.joined, self.joins_since) = (false, None);
            return false;
        };
        match snapshot.klippy.state {
            KlippyState::Ready => self.joined = true,
            KlippyState::Shutdown | KlippyState::Error => return true,
            KlippyState::Startup | KlippyState::Disconnected => {
                let since = *self.joins_since.get_or_insert(now);
                return self.joined || now.saturating_sub(since) >= REJOIN;
            }
        }
        false
    }

    /// None as long as the last verdict stands.
    fn see(&mut self, seen: Option<&Snapshot>, ours: bool, now: Duration) -> Option<Verdict> {
        let klippy = seen.map(|snapshot| &snapshot.klippy).filter(|_| !self.lost);
        let state = klippy.map(|klippy| klippy.state);
        let away = matches!(state, None | Some(KlippyState::Disconnected));
        self.away_since = if away { Some(self.away_since.unwrap_or(now)) } else { None };
        let restarts = self.restarts(state, now);
        if let Some(since) = self.away_since {
            if !restarts && now.saturating_sub(since) >= AWAY {
                return Some(Verdict::new(State::Error, Source::Hw).because(LOST));
            }
            return self.busy(since, SHORT, now);
        }
        match state {
            Some(KlippyState::Shutdown | KlippyState::Error) if !restarts => {
                let message = klippy.and_then(|klippy| klippy.message.as_deref()).unwrap_or(STOPPED);
                Some(Verdict::new(State::Error, Source::Firmware).because(message))
            }
            Some(KlippyState::Ready) => self.works(seen?, ours, now),
            _ => {
                let since = *self.busy_since.get_or_insert(now);
                self.busy(since, if restarts { Duration::ZERO } else { SHORT }, now)
            }
        }
    }

    fn restarts(&mut self, state: Option<KlippyState>, now: Duration) -> bool {
        if let Some(restart) = &mut self.restart {
            match state {
                Some(KlippyState::Ready) if restart.down => self.restart = None,
                Some(KlippyState::Ready) => {}
                _ => restart.down = true,
            }
        }
        self.restart.take_if(|restart| now >= restart.until);
        self.restart.is_some()
    }

    /// Busy, once that lasts. No printer of Connect's goes from a pause to work: one that is out of sight stays paused.
    fn busy(&self, since: Duration, short: Duration, now: Duration) -> Option<Verdict> {
        if self.last.state == State::Paused {
            return None;
        }
        let lasts = self.last.state == State::Busy || now.saturating_sub(since) >= short;
        lasts.then(|| Verdict::new(State::Busy, Source::Firmware))
    }

    /// Klipper works.
    fn works(&mut self, snapshot: &Snapshot, ours: bool, now: Duration) -> Option<Verdict> {
        let Some(print) = &snapshot.print else {
            let since = *self.busy_since.get_or_insert(now);
            // What a person says of the bed counts also while the printer's values are asked for anew.
            let said = self.ready.then(|| Verdict::new(State::Ready, Source::Firmware));
            return self.busy(since, SHORT, now).or(said);
        };
        let ends = std::mem::take(&mut self.ends);
        if print.state.is_active() {
            return Some(self.job(snapshot, print));
        }
        // Klipper shows how its last job ended until the next one.
        let ended = matches!(print.state, PrintState::Complete | PrintState::Cancelled | PrintState::Error);
        self.active |= ends && ended;
        if self.active && self.over(print, now).is_none() {
            self.busy_since = None;
            return None;
        }
        if let Some(verdict) = self.ended(print, now) {
            self.busy_since = None;
            return Some(verdict);
        }
        if let Some(verdict) = attention::idle(snapshot) {
            self.busy_since = None;
            return Some(verdict);
        }
        let ready = self.ready || self.idle_is_ready;
        if snapshot.machine.activity == Some(Activity::Busy) {
            let since = *self.busy_since.get_or_insert(now);
            let short = if self.last.state == State::Ready && ours { OURS } else { SHORT };
            if let Some(busy) = self.busy(since, short, now) {
                return Some(busy);
            }
        } else {
            self.busy_since = None;
        }
        let state = if ready { State::Ready } else { State::Idle };
        Some(Verdict::new(state, Source::Firmware))
    }

    fn job(&mut self, snapshot: &Snapshot, print: &Print) -> Verdict {
        (self.active, self.ready, self.end) = (true, false, None);
        (self.gone_since, self.busy_since) = (None, None);
        let paused = print.state == PrintState::Paused;
        if self.was_paused && !paused {
            self.pause = None;
        }
        self.was_paused = paused;
        let (needed, state) = match paused {
            true => (attention::in_pause(snapshot, self.pause.as_ref()), State::Paused),
            false => (attention::in_print(snapshot), State::Printing),
        };
        needed.unwrap_or_else(|| {
            let verdict = Verdict::new(state, Source::Firmware);
            match self.pause.as_ref().and_then(|pause| pause.reason.as_deref()).filter(|_| paused) {
                Some(reason) => verdict.because(reason),
                None => verdict,
            }
        })
    }

    /// The job is over, once it is known how.
    fn over(&mut self, print: &Print, now: Duration) -> Option<()> {
        self.told.take_if(|(_, at)| now.saturating_sub(*at) > TOLD);
        let how = match print.state {
            PrintState::Complete => How::Finished,
            PrintState::Cancelled => How::Stopped,
            PrintState::Error => How::Failed(print.message.as_deref().map(Box::from)),
            _ => match self.told.take() {
                Some((how, _)) => how,
                None => {
                    let since = *self.gone_since.get_or_insert(now);
                    if now.saturating_sub(since) < UNTOLD {
                        return None;
                    }
                    How::Stopped
                }
            },
        };
        (self.active, self.was_paused) = (false, false);
        (self.told, self.pause, self.gone_since) = (None, None, None);
        self.end = Some(End { how, since: now, dismissed: false });
        Some(())
    }

    /// What is shown of a job that ended.
    fn ended(&mut self, print: &Print, now: Duration) -> Option<Verdict> {
        let end = self.end.as_mut()?;
        let held = now.saturating_sub(end.since) < HOLD;
        if let How::Failed(reason) = &end.how {
            if held {
                let verdict = Verdict::new(State::Error, Source::Firmware);
                return Some(verdict.because(reason.as_deref().unwrap_or(FAILED)));
            }
            // The printer can be used again, and what there is of the print lies on the bed.
            *end = End { how: How::Stopped, since: now, dismissed: false };
            return Some(Verdict::new(State::Stopped, Source::Firmware));
        }
        if self.ready {
            self.end = None;
            return Some(Verdict::new(State::Ready, Source::Firmware));
        }
        if !held && (end.dismissed || self.idle_is_ready || print.state == PrintState::Standby) {
            self.end = None;
            return None;
        }
        let state = if end.how == How::Finished { State::Finished } else { State::Stopped };
        Some(Verdict::new(state, Source::Firmware))
    }
}

/// Why the printer is out of sight.
const LOST: &str = "Lost connection to the printer controller";
const STOPPED: &str = "The printer's firmware stopped; restart it";
const FAILED: &str = "The print failed";
