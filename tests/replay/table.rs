//! The events that a transcript must give, and how they are compared.

use super::player::Told;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Events may come this much earlier or later than the table says, in seconds.
const TOLERANCE: f64 = 3.0;
/// Events whose times in the table differ by at most this may swap.
const SWAP: f64 = 0.5;
/// The events that tables speak of. All others may come as they like.
const COMPARED: [&str; 10] = [
    "job_started",
    "paused",
    "resumed",
    "finished",
    "cancelled",
    "failed",
    "klippy_down",
    "klippy_ready",
    "source_lost",
    "source_back",
];

#[derive(Debug, Deserialize, Serialize)]
struct Expected {
    t: f64,
    event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A table `X.events.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Table {
    #[serde(default)]
    events: Vec<Expected>,
    #[serde(default)]
    optional: Vec<Expected>,
    /// Why the transcript is not played.
    pub(crate) skip: Option<String>,
}

impl Expected {
    fn is(&self, told: &Told) -> bool {
        let job = told.event.job.as_ref().map(|job| job.file.as_str());
        let reason = told.reason().unwrap_or_default().to_lowercase();
        told.name() == self.event
            && (told.t - self.t).abs() <= TOLERANCE
            && (self.job.is_none() || self.job.as_deref() == job)
            && self.reason.as_ref().is_none_or(|part| reason.contains(&part.to_lowercase()))
    }
}

impl Table {
    /// The table beside a transcript, where there is one.
    pub(crate) fn beside(transcript: &Path) -> Option<Self> {
        let path = transcript.with_extension("events.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("{}: {error}", path.display()),
        };
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// The table that `told` fulfils.
    pub(crate) fn of(told: &[Told]) -> Self {
        let events = compared(told).map(|told| Expected {
            t: (told.t * 1000.0).round() / 1000.0,
            event: told.name().to_owned(),
            job: told.event.job.as_ref().map(|job| job.file.clone()),
            reason: told.reason().map(str::to_owned),
        });
        Self { events: events.collect(), optional: Vec::new(), skip: None }
    }

    /// The first difference, in words.
    pub(crate) fn compare(&self, told: &[Told]) -> Result<(), String> {
        let mut open: Vec<&Expected> = self.events.iter().collect();
        let mut optional: Vec<&Expected> = self.optional.iter().collect();
        for told in compared(told) {
            let first = open.first().map_or(f64::INFINITY, |expected| expected.t);
            let found = open.iter().position(|expected| expected.t - first <= SWAP && expected.is(told));
            if let Some(index) = found {
                open.remove(index);
            } else if let Some(index) = optional.iter().position(|expected| expected.is(told)) {
                optional.remove(index);
            } else {
                let next = open.first().map_or("nothing more".to_owned(), |next| next.line());
                return Err(format!(
                    "{} where {next} was expected",
                    Self::of(std::slice::from_ref(told)).lines()
                ));
            }
        }
        match open.first() {
            Some(missing) => Err(format!("missing: {}", missing.line())),
            None => Ok(()),
        }
    }

    /// The table in the form of its file.
    pub(crate) fn text(&self) -> String {
        format!("{{\n  \"events\": [\n    {}\n  ],\n  \"optional\": []\n}}", self.lines())
    }

    fn lines(&self) -> String {
        let lines: Vec<String> = self.events.iter().map(Expected::line).collect();
        lines.join(",\n    ")
    }
}

impl Expected {
    fn line(&self) -> String {
        serde_json::to_string(self).unwrap()
    }
}

fn compared(told: &[Told]) -> impl Iterator<Item = &Told> {
    told.iter().filter(|told| COMPARED.contains(&told.name()))
}
