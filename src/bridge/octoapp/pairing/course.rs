//! The course of pairing: when the database is looked at, and what is new in it. Does no I/O.

use super::super::app::{App, Device};
use crate::clock::Moment;
use std::time::Duration;

/// How often the database is looked at: somebody holds the phone and waits.
const LOOK: Duration = Duration::from_secs(1);
/// How often the printer is announced meanwhile, and how soon again after a failure.
const ANNOUNCE: Duration = Duration::from_secs(300);
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(10);

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Say in the database that somebody is here.
    Announce,
    /// Read the records.
    Look,
    Wait(Duration),
    /// Nobody came in time.
    Late,
}

/// What is to be known of a look.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// These phones registered, or did so anew.
    Phones(Vec<App>),
    /// A phone registered with an end that is over already.
    Over(App),
    /// The database cannot be read; told once.
    Trouble(String),
    /// It can again.
    Back,
}

/// A record that was seen before.
#[derive(Debug)]
struct Known {
    name: String,
    last_seen: f64,
    over: bool,
}

#[derive(Debug)]
pub(super) struct Course {
    known: Vec<Known>,
    end: Duration,
    look: Duration,
    announce: Duration,
    troubled: bool,
}

impl Course {
    /// A course that begins at `now` with what is registered, and ends after `patience`.
    pub(super) fn new(apps: &[App], now: Moment, patience: Duration) -> Self {
        let (at, end) = (now.monotonic, now.monotonic + patience);
        let mut course = Self { known: Vec::new(), end, look: at, announce: at, troubled: false };
        course.learn(apps, now);
        course
    }

    pub(super) fn left(&self, at: Duration) -> Duration {
        self.end.saturating_sub(at)
    }

    /// The next step at `at`, on the monotonic clock.
    pub(super) fn step(&self, at: Duration) -> Step {
        if at >= self.end {
            Step::Late
        } else if at >= self.announce {
            Step::Announce
        } else if at >= self.look {
            Step::Look
        } else {
            Step::Wait(self.look.min(self.announce).min(self.end) - at)
        }
    }

    pub(super) fn announced(&mut self, done: bool, at: Duration) {
        self.announce = at + if done { ANNOUNCE } else { ANNOUNCE_AGAIN };
    }

    /// What a look has shown.
    pub(super) fn looked(&mut self, apps: Result<Vec<App>, String>, now: Moment) -> Vec<Seen> {
        self.look = now.monotonic + LOOK;
        let apps = match apps {
            Ok(apps) => apps,
            Err(_) if self.troubled => return Vec::new(),
            Err(why) => {
                self.troubled = true;
                return vec![Seen::Trouble(why)];
            }
        };
        let mut seen = Vec::new();
        if std::mem::take(&mut self.troubled) {
            seen.push(Seen::Back);
        }
        let fresh = apps.iter().filter(|app| app.device() != Device::Activity && self.is_news(app, now));
        let (over, fresh): (Vec<App>, Vec<App>) = fresh.cloned().partition(|app| app.is_expired(now.unix));
        seen.extend(over.into_iter().map(Seen::Over));
        if !fresh.is_empty() {
            seen.push(Seen::Phones(fresh));
        }
        self.learn(&apps, now);
        seen
    }

    /// Whether a record is a new one, or one that its app wrote again.
    fn is_news(&self, app: &App, now: Moment) -> bool {
        let known = self.known.iter().find(|known| known.name == app.name);
        known.is_none_or(|known| app.last_seen > known.last_seen || known.over && !app.is_expired(now.unix))
    }

    fn learn(&mut self, apps: &[App], now: Moment) {
        let known = |app: &App| Known {
            name: app.name.clone(),
            last_seen: app.last_seen,
            over: app.is_expired(now.unix),
        };
        self.known = apps.iter().map(known).collect();
    }
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
