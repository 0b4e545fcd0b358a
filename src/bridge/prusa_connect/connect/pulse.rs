//! Telemetry: when it is due, and which of its values are news to Connect.

use super::telemetry::Telemetry;
use crate::clock::Moment;
use serde_json::Value;
use std::time::Duration;

/// How often it is sent, in every state: commands come with its answers.
const PERIOD: Duration = Duration::from_secs(1);
/// After how long events wait for it.
const LATE: Duration = Duration::from_secs(3);
/// How often it is sent at most, when the next command is likely to be there already.
const SHORTEST: Duration = Duration::from_millis(250);
/// After how long everything is sent again: servers lose some of it.
const FULL: Duration = Duration::from_secs(5 * 60);
/// By how much a temperature must have moved to be sent, in °C.
const JITTER: f64 = 0.5;
/// How old values are sent without asking for newer ones.
const FRESH: Duration = Duration::from_millis(1500);
/// How long newer ones are waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Telemetry that is on its way.
pub(super) struct Sent {
    /// What of it is told.
    pub(super) told: Telemetry,
    /// When it was so, as time since the Unix epoch.
    pub(super) created: Duration,
    whole: Telemetry,
    full: bool,
}

impl Sent {
    /// Tells none of the values; all of them are told later.
    pub(super) fn withhold(&mut self) {
        (self.told, self.whole, self.full) = (Telemetry::default(), Telemetry::default(), false);
    }
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Send what there is.
    Send,
    /// Have it measured.
    Measure,
    /// Come again then, on the monotonic clock.
    Wait(Duration),
}

/// What Connect knows of the printer's values, and what there is to tell.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    newest: Option<(Telemetry, Moment)>,
    known: Vec<(Box<str>, Value)>,
    /// When everything was sent last; none if that is to be done next.
    full: Option<Duration>,
    /// When the last one was sent.
    last: Option<Duration>,
    due: Duration,
    asked: Option<Duration>,
}

impl Pulse {
    /// The values of this moment. Older ones are forgotten.
    pub(super) fn offer(&mut self, telemetry: Telemetry, now: Moment) {
        self.newest = Some((telemetry, now));
    }

    /// Whether there is something to send.
    pub(super) fn is_waiting(&self) -> bool {
        self.newest.is_some()
    }

    /// Everything is to be sent with the next.
    pub(super) fn renew(&mut self) {
        self.full = None;
    }

    /// The next is due at once.
    pub(super) fn hurry(&mut self) {
        self.due = self.due.min(self.last.unwrap_or_default().saturating_add(SHORTEST));
    }

    /// The next is not due before that.
    pub(super) fn hold(&mut self, until: Duration) {
        self.due = self.due.max(until);
    }

    /// Whether it is so late that it goes before events: the commands that come with its answers are waited for, too.
    pub(super) fn is_late(&self, now: Duration) -> bool {
        self.last.is_some_and(|last| now.saturating_sub(last) >= LATE)
    }

    /// What to do now; it is taken for done.
    pub(super) fn beat(&mut self, now: Duration) -> Beat {
        if now < self.due {
            return Beat::Wait(self.due);
        }
        let age = self.newest.as_ref().map(|(_, at)| now.saturating_sub(at.monotonic));
        if age.is_some_and(|age| age <= FRESH) {
            return Beat::Send;
        }
        match self.asked {
            Some(asked) if now < asked.saturating_add(PATIENCE) => Beat::Wait(asked.saturating_add(PATIENCE)),
            Some(_) if age.is_some() => Beat::Send,
            _ => {
                self.asked = Some(now);
                Beat::Measure
            }
        }
    }

    /// Takes what is to be sent.
    pub(super) fn take(&mut self, now: Duration) -> Option<Sent> {
        let (whole, at) = self.newest.take()?;
        let full = self.full.is_none_or(|full| now.saturating_sub(full) >= FULL);
        let mut told = Telemetry::default();
        for (key, value) in whole.fields() {
            let known = self.known.iter().find(|(known, _)| **known == *key);
            if full || known.is_none_or(|(_, known)| is_news(key, known, value)) {
                told.put(key.to_owned(), value.clone());
            }
        }
        (self.last, self.due, self.asked) = (Some(now), now.saturating_add(PERIOD), None);
        Some(Sent { told, created: at.unix, whole, full })
    }

    /// Connect has got it.
    pub(super) fn delivered(&mut self, sent: Sent, now: Duration) {
        if sent.full {
            self.full = Some(now);
            self.known.clear();
        }
        // What is no longer told is to be told in full when it comes back.
        self.known.retain(|(key, _)| sent.whole.get(key).is_some());
        for (key, value) in sent.told.fields() {
            match self.known.iter_mut().find(|(known, _)| **known == *key) {
                Some((_, known)) => *known = value.clone(),
                None => self.known.push((key.into(), value.clone())),
            }
        }
    }
}

/// Whether a value is to be told to who knows another one.
fn is_news(key: &str, known: &Value, value: &Value) -> bool {
    match (known, value) {
        (Value::Number(known), Value::Number(value)) if key == "temp" || key.starts_with("temp_") => {
            let (known, value) = (known.as_f64().unwrap_or_default(), value.as_f64().unwrap_or_default());
            (known - value).abs() > JITTER
        }
        (Value::Object(known), Value::Object(value)) => {
            let mut fields = value.iter();
            known.len() != value.len()
                || fields.any(|(key, value)| known.get(key).is_none_or(|known| is_news(key, known, value)))
        }
        _ => known != value,
    }
}

#[cfg(test)]
#[path = "pulse_tests.rs"]
mod tests;
