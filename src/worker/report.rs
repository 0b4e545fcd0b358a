//! What the worker tells about itself, for the status.

use super::domain::Shared;
use crate::log_file::Destination;
use crate::printer::{PrintState, Snapshot};
use crate::settings::{Paths, Problem};
use crate::source::{LinkState, SourceStatus};
use crate::status::{ProblemLine, Report, SCHEMA};
use crate::supervisor::supervising_pid;
use std::time::Duration;

/// What a report is made of.
pub(super) struct Facts<'a> {
    pub(super) shared: &'a Shared,
    pub(super) source: &'a SourceStatus,
    pub(super) paths: &'a Paths,
    pub(super) log: &'a Destination,
    pub(super) problems: &'a [Problem],
    pub(super) up: Duration,
    pub(super) restarts: u32,
}

pub(super) fn report(facts: &Facts<'_>) -> Report {
    let bridges = &facts.shared.bridges;
    Report {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: supervising_pid(&facts.paths.pid_file).unwrap_or_else(std::process::id),
        worker_pid: std::process::id(),
        up_seconds: facts.up.as_secs(),
        restarts: facts.restarts,
        source: source_line(facts.source),
        connected: facts.source.link == LinkState::Connected,
        job: facts.shared.present().map(|snapshot| job_line(snapshot)).unwrap_or_default(),
        log: match facts.log {
            Destination::File(path) => path.display().to_string(),
            Destination::Stderr => "standard error".to_owned(),
        },
        bridges: bridges.lines(),
        problems: facts
            .problems
            .iter()
            .map(ProblemLine::from)
            .chain(bridges.problems().map(|p| (&p).into()))
            .collect(),
    }
}

pub(super) fn source_line(source: &SourceStatus) -> String {
    let endpoint = source.endpoint.as_deref().unwrap_or("Moonraker");
    match source.link {
        LinkState::Connecting => format!("connecting to {endpoint}"),
        LinkState::Connected => {
            let klippy =
                source.klippy.as_ref().map(|k| format!(", Klipper {}", k.state.name())).unwrap_or_default();
            format!("printer connected over {endpoint}{klippy}")
        }
        LinkState::Retrying => {
            let why = source.last_error.as_deref().unwrap_or("no answer");
            format!("no connection to the printer ({why})")
        }
    }
}

fn job_line(snapshot: &Snapshot) -> String {
    let Some(print) = &snapshot.print else { return String::new() };
    let word = match print.state {
        PrintState::Printing => "printing",
        PrintState::Paused => "paused",
        _ => return String::new(),
    };
    let file = print.file.as_deref().unwrap_or("a job");
    let percent = print.progress.map(|p| format!(" {:.0}%", p * 100.0)).unwrap_or_default();
    format!("{word} {file}{percent}")
}
