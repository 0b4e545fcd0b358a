//! The talk with a feed, without its I/O: what comes in goes out as observations and pictures.
//!
//! A session outlives connections, since what it knows of the job and of the camera does.

#[cfg(test)]
mod jobs;
#[cfg(test)]
mod tests;

use super::heartbeat::{Beat, Heartbeat, SILENCE};
use super::picture;
use super::watchdog::{Watchdog, WatchdogSettings};
use super::wire::{self, Message};
use crate::clock::Moment;
use crate::printer::{Klippy, KlippyState, Observation, Snapshot};
use crate::source::Notice;
use crate::status_object::{Course, Status};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A connection that lasted so long was worth it, whatever came over it.
const LASTING: Duration = Duration::from_secs(10);
/// What is left out is told at most so often.
const TELL: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Clone, PartialEq)]
pub enum Action {
    /// Tell the domain.
    Emit(Observation),
    /// Hand on a picture, a whole JPEG file.
    Picture(Vec<u8>),
    /// Ask whether the other side is there.
    Ping,
    /// Close the connection, with code 1000.
    Close(SessionError),
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emit(observation) => f.debug_tuple("Emit").field(observation).finish(),
            Self::Picture(jpeg) => write!(f, "Picture({} bytes)", jpeg.len()),
            Self::Ping => f.write_str("Ping"),
            Self::Close(error) => f.debug_tuple("Close").field(error).finish(),
        }
    }
}

/// Why a session ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Pictures do not come.
    #[error("no picture came for {} s; if the printer has no camera, set IMAGE_TIMEOUT_SECONDS to 0", .0.as_secs())]
    NoPicture(Duration),
    /// Nothing comes.
    #[error("nothing came for {} s, not even an answer to a ping: the connection is dead", SILENCE.as_secs())]
    Silent,
}

/// A client of a feed.
#[derive(Debug)]
pub struct Session {
    watchdog: Watchdog,
    heartbeat: Heartbeat,
    course: Course,
    /// Since when there is a connection; none while there is not.
    since: Option<Duration>,
    /// When the last picture came over this connection.
    picture_at: Option<Duration>,
    /// A status came over this connection.
    status_came: bool,
    /// The printer counts as seen: it was, and no loss was told since.
    seen: Option<Arc<Snapshot>>,
    /// This side ends the connection only to begin another.
    changing: bool,
    notice: Option<Notice>,
    ignored: u64,
    told_ignored: Option<Duration>,
}

impl Session {
    /// Without a connection.
    pub fn new(watchdog: WatchdogSettings) -> Self {
        Self {
            watchdog: Watchdog::new(watchdog),
            heartbeat: Heartbeat::default(),
            course: Course::default(),
            since: None,
            picture_at: None,
            status_came: false,
            seen: None,
            changing: false,
            notice: None,
            ignored: 0,
            told_ignored: None,
        }
    }

    /// A connection is open. Nothing need be sent; the server begins by itself.
    pub fn on_connected(&mut self, now: Duration) {
        self.since = Some(now);
        self.picture_at = None;
        self.status_came = false;
        self.changing = false;
        self.watchdog.on_connected(now);
        self.heartbeat.on_connected(now);
    }

    /// A text message came: at most [`MAX_MESSAGE`](super::MAX_MESSAGE) bytes of anything. What is no message of a feed
    /// is counted and otherwise ignored. A picture stays in the memory of its message.
    pub fn on_message(&mut self, message: Vec<u8>, now: Moment) -> Vec<Action> {
        let at = now.monotonic;
        if self.since.is_none() || self.changing {
            return Vec::new();
        }
        match wire::read(&message) {
            Ok(Message::Status(object)) => match Status::read(&object) {
                Some(status) => return vec![self.status(&status, &object, at)],
                None => self.ignore(&"a status that is empty, too long or no JSON object", at),
            },
            Ok(Message::Picture(place)) => match picture::decode(message, place) {
                Ok(jpeg) => {
                    self.picture_at = Some(at);
                    self.watchdog.on_picture(at);
                    return vec![Action::Picture(jpeg)];
                }
                Err(bad) => self.ignore(&bad, at),
            },
            Ok(Message::Note { is_error, text }) => {
                self.notice = Some(Notice { is_error, text, at: now.unix });
            }
            Err(what) => self.ignore(&what, at),
        }
        Vec::new()
    }

    /// A binary message came, which no feed sends.
    pub fn on_binary(&mut self, now: Duration) {
        self.ignore(&"a binary message", now);
    }

    /// Something came over the wire at that time, be it a part of a message.
    pub fn on_traffic(&mut self, at: Duration) {
        self.heartbeat.on_traffic(at);
    }

    /// Time passed. To be called at [`Self::next_tick`], after [`Self::on_traffic`].
    pub fn on_tick(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(since) = self.since else { return actions };
        if self.status_came
            && let Some((state, message)) = self.course.on_tick(now)
            && let Some(snapshot) = &mut self.seen
        {
            let print = snapshot.print.clone().map(|print| crate::printer::Print { state, message, ..print });
            let believed = Snapshot { print, ..Snapshot::clone(snapshot) };
            *snapshot = Arc::new(believed);
            actions.push(Action::Emit(Observation::Seen(Arc::clone(snapshot))));
        }
        match self.heartbeat.on_tick(now) {
            Beat::Nothing => {}
            Beat::Ping => actions.push(Action::Ping),
            Beat::Dead => {
                actions.push(Action::Close(SessionError::Silent));
                return actions;
            }
        }
        if self.watchdog.on_tick(now) {
            self.changing = true;
            let base = self.picture_at.unwrap_or(since);
            actions.push(Action::Close(SessionError::NoPicture(now.saturating_sub(base))));
        }
        actions
    }

    /// When [`Self::on_tick`] wants to be called, on the monotonic clock.
    pub fn next_tick(&self) -> Option<Duration> {
        self.since?;
        let held = self.course.next_tick().filter(|_| self.status_came);
        [Some(self.heartbeat.next_tick()), self.watchdog.next_tick(), held].into_iter().flatten().min()
    }

    /// The connection is closed, from whichever side, or none could be opened.
    pub fn on_closed(&mut self, reason: &str) -> Vec<Action> {
        let changing = std::mem::take(&mut self.changing);
        self.since = None;
        // While statuses come, connecting anew for the pictures' sake is no loss of the printer.
        if (changing && self.status_came) || self.seen.take().is_none() {
            return Vec::new();
        }
        vec![Action::Emit(Observation::Lost { reason: reason.to_owned() })]
    }

    /// Whether a status or a picture came over this connection.
    pub fn is_served(&self) -> bool {
        self.status_came || self.picture_at.is_some()
    }

    /// Whether the printer was seen, and no loss was told since.
    pub fn is_in_sight(&self) -> bool {
        self.seen.is_some()
    }

    /// Whether this connection was worth it, so that the next one may come soon.
    pub fn is_useful(&self, now: Duration) -> bool {
        let lasted = self.since.is_some_and(|since| now.saturating_sub(since) > LASTING);
        self.is_served() || self.changing || lasted
    }

    /// What the server said last to people.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// How many messages were ignored.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    fn status(&mut self, status: &Status, object: &str, now: Duration) -> Action {
        self.status_came = true;
        self.watchdog.on_status(now);
        let told = self.course.take(status, now);
        let snapshot = Arc::new(Snapshot {
            klippy: Klippy { state: KlippyState::Ready, message: None },
            print: told.print,
            machine: Arc::new(status.machine.clone()),
            faults: told.fault.into_iter().collect(),
            stage: self.course.stage().map(Arc::from),
            original: Some(Arc::from(object)),
            ..Snapshot::default()
        });
        self.seen = Some(Arc::clone(&snapshot));
        Action::Emit(Observation::Seen(snapshot))
    }

    fn ignore(&mut self, what: &dyn fmt::Display, now: Duration) {
        self.ignored = self.ignored.saturating_add(1);
        if self.told_ignored.is_none_or(|told| now.saturating_sub(told) >= TELL) {
            self.told_ignored = Some(now);
            log::info!("feed: ignored {what} ({} so far)", self.ignored);
        }
    }
}
