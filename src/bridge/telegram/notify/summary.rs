//! The line of facts below a headline: state, progress, layer, time left.

use super::super::text;
use crate::printer::{Estimates, Job, Snapshot, whole_percent};
use std::time::Duration;

/// What is known of a job at one moment; parts that are not known are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::bridge::telegram) struct Summary {
    /// The word for the state, or two with an arrow between them.
    pub(in crate::bridge::telegram) state: Option<String>,
    /// Whole per cent.
    pub(in crate::bridge::telegram) percent: Option<u8>,
    /// The layer, and how many there are.
    pub(in crate::bridge::telegram) layer: Option<(u32, u32)>,
    /// The time left.
    pub(in crate::bridge::telegram) left: Option<Duration>,
}

impl Summary {
    /// What an event says of its job.
    pub(in crate::bridge::telegram) fn of_job(job: &Job) -> Self {
        Self {
            state: job.stage.as_deref().map(text::name),
            percent: job.percent(),
            layer: layer(job.layer, job.layers),
            left: job.left.filter(|left| !left.is_zero()),
        }
    }

    /// What is seen of the printer.
    pub(in crate::bridge::telegram) fn of(snapshot: &Snapshot) -> Self {
        let layer = snapshot.layer().and_then(|found| layer(Some(found.number), found.of));
        let print = snapshot.print.as_ref();
        Self {
            state: snapshot.stage.as_deref().map(text::name),
            percent: percent(snapshot),
            layer,
            left: print.and_then(Estimates::best_guess).filter(|left| !left.is_zero()),
        }
    }

    /// The line; none when there is nothing to say.
    pub(in crate::bridge::telegram) fn line(&self) -> Option<String> {
        let parts = [
            self.state.clone(),
            self.percent.map(|percent| format!("{percent}%")),
            self.layer.map(|(number, of)| format!("layer {number}/{of}")),
            self.left.map(|left| format!("{} left", text::span(left))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" - "))
    }
}

/// The progress of the job under way, in whole per cent.
pub(in crate::bridge::telegram) fn percent(snapshot: &Snapshot) -> Option<u8> {
    snapshot.print.as_ref()?.best_progress().and_then(whole_percent)
}

fn layer(number: Option<u32>, of: Option<u32>) -> Option<(u32, u32)> {
    Some((number?, of?)).filter(|(number, of)| *number > 0 && *of > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_parts_are_left_out() {
        let job = Job {
            stage: Some("RUNNING".to_owned()),
            progress: Some(0.1),
            layer: Some(12),
            layers: Some(120),
            left: Some(Duration::from_secs(5400)),
            ..Job::default()
        };
        let line = |job: Job| Summary::of_job(&job).line();
        assert_eq!(line(job.clone()).unwrap(), "RUNNING - 10% - layer 12/120 - 1h 30m left");
        assert_eq!(line(Job { stage: None, layers: None, ..job.clone() }).unwrap(), "10% - 1h 30m left");
        assert_eq!(
            line(Job { progress: None, left: Some(Duration::ZERO), ..job }).unwrap(),
            "RUNNING - layer 12/120"
        );
        assert_eq!(line(Job::default()), None);
    }
}
