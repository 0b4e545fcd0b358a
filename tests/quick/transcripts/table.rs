//! The events that a transcript must give, and how they are compared.

use super::player::Told;
use serde::Deserialize;
use std::fmt::Write;
use std::path::Path;

/// Events may come this much earlier or later than the table says, in seconds.
const TOLERANCE: f64 = 3.0;
/// Events whose times in the table differ by at most this may swap.
const SWAP: f64 = 0.5;

/// The events that tables speak of. Others may come between them.
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

#[derive(Debug, Deserialize)]
struct Expected {
    t: f64,
    event: String,
    job: Option<String>,
    reason: Option<String>,
}

/// A table `X.events.json`.
#[derive(Debug, Deserialize)]
pub(super) struct Table {
    events: Vec<Expected>,
    #[serde(default)]
    optional: Vec<Expected>,
    pub(super) skip: Option<String>,
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
    /// The table beside a transcript.
    pub(super) fn beside(transcript: &Path) -> Self {
        let path = transcript.with_extension("events.json");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The first difference, in words.
    pub(super) fn compare(&self, told: &[Told]) -> Result<(), String> {
        let mut open: Vec<&Expected> = self.events.iter().collect();
        let mut optional: Vec<&Expected> = self.optional.iter().collect();
        for told in told.iter().filter(|told| COMPARED.contains(&told.name())) {
            let first = open.first().map_or(f64::INFINITY, |expected| expected.t);
            let found = open.iter().position(|expected| expected.t - first <= SWAP && expected.is(told));
            if let Some(index) = found {
                open.remove(index);
            } else if let Some(index) = optional.iter().position(|expected| expected.is(told)) {
                optional.remove(index);
            } else {
                let next = open.first().map_or("nothing more".to_owned(), |next| format!("{next:?}"));
                return Err(format!("{} at {:.3} where {next} was expected", told.name(), told.t));
            }
        }
        match open.first() {
            Some(missing) => Err(format!("missing: {missing:?}")),
            None => Ok(()),
        }
    }
}

/// Events, a line each.
pub(super) fn show(told: &[Told]) -> String {
    let mut text = String::new();
    for told in told {
        let job = told.event.job.as_ref().map(|job| job.file.as_str());
        let _ = writeln!(
            text,
            "  {:8.3} {} {job:?} {:?} key {}",
            told.t,
            told.name(),
            told.reason(),
            told.event.key
        );
    }
    text
}
