//! The process that does the work: wires the source, the observer, the bridges and the status together. Knows who
//! is wired to whom, and no protocol.

mod bridges;
mod desk;
mod domain;
mod folders;
mod hint;
mod inbox;
mod look;
mod memory_file;
mod panics;
mod picture;
mod report;
mod rest;
mod runner;
mod service;
mod signals;
mod source;
mod way;

use crate::settings::{Environment, Settings, SourceName};
use crate::source::feed;
use crate::source::moonraker::Endpoint;
use crate::supervisor::{RestartPolicy, take_over};
use crate::{log_file, tls};
pub(crate) use bridges::check_off;
use folders::Folders;
pub(crate) use look::{NoShot, Seen, Shot, Wanted, look};
use service::{Ended, Ground, Service};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
pub(crate) use way::Way;

/// What the worker is started with.
#[derive(Debug)]
pub struct Options<'a> {
    /// Bootstrap JSON: a path, or base64.
    pub bootstrap: Option<String>,
    /// How often the worker was restarted.
    pub restarts: u32,
    /// How often a worker had to take over before, in a row.
    pub takeovers: u32,
    /// The process's environment.
    pub environment: &'a Environment,
}

/// How the worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was told to stop.
    Stopped,
    /// No bridge is switched on.
    NothingToRun,
    /// The system refused something; the log says what.
    Failed,
    /// A bridge failed by an error of this program; the worker is to be started again at once.
    Again,
}

/// Runs until the service is told to stop. Never returns when the supervising process dies: this one takes its
/// place then.
pub fn run(options: Options<'_>) -> Outcome {
    let started = Instant::now();
    tls::install_provider();
    let settings = Settings::load(options.bootstrap.as_deref(), options.environment);
    if !settings.anything_to_run() {
        return nothing_to_run(&settings);
    }
    let folders = Folders::prepare(&settings.paths);
    // Elsewhere it is whoever runs the program that keeps the log: a container engine, say.
    let logs = folders.logs.iter().filter(|_| settings.on_a_printer);
    let logs: Vec<&Path> = logs.map(AsRef::as_ref).collect();
    let (log, recent) = log_file::start(&logs, settings.log_level.value);
    log::info!("octobridge {} starts (restarts: {})", env!("CARGO_PKG_VERSION"), options.restarts);
    for problem in settings.problems.iter().chain(folders.problem()) {
        log::warn!("{problem}");
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log::error!("cannot start: {error}");
            return Outcome::Failed;
        }
    };
    let (bootstrap, environment) = (options.bootstrap.clone(), options.environment.clone());
    let ground = Arc::new(Ground { bootstrap, environment });
    let service = Service::new(settings, ground, folders, (log, recent), options.restarts);
    let ended = runtime.block_on(service.run());
    // Without waiting: a name that is being looked up where no name server answers takes many seconds.
    runtime.shutdown_background();
    match ended {
        Ended::Asked => {
            log::info!("stopped");
            Outcome::Stopped
        }
        Ended::Failed(thread) => {
            log::warn!("ends because of thread {thread}, to go on without it");
            Outcome::Again
        }
        Ended::NothingToRun => {
            log::info!("ends: by the new settings there is nothing to run");
            Outcome::NothingToRun
        }
        Ended::SupervisorDied => {
            let restart = RestartPolicy::resume(options.takeovers, options.restarts).died(started.elapsed());
            let mut arguments: Vec<OsString> = vec!["run".into()];
            arguments.extend(options.bootstrap.map(OsString::from));
            arguments.extend(["--takeovers".into(), restart.in_a_row.to_string().into()]);
            arguments.extend(["--restarts".into(), restart.total.to_string().into()]);
            // The first time at once; only a supervising process that keeps dying is waited for.
            if restart.in_a_row > 1 {
                arguments.extend(["--delay".into(), restart.after.as_millis().to_string().into()]);
            }
            let error = take_over(arguments);
            log::error!("cannot take the supervising process's place: {error}");
            Outcome::Failed
        }
    }
}

fn nothing_to_run(settings: &Settings) -> Outcome {
    let mut err = std::io::stderr().lock();
    let _ = writeln!(err, "octobridge: nothing to run, because no bridge is switched on");
    for problem in &settings.problems {
        let _ = writeln!(err, "octobridge: {problem}");
    }
    Outcome::NothingToRun
}

/// What is wrong with the settings of the bridges that are switched on, and of the connection to the printer.
pub fn check(settings: &Settings) -> Vec<String> {
    let mut problems = bridges::check(settings);
    problems.extend(match settings.general.source {
        SourceName::Moonraker => endpoints(settings).err(),
        SourceName::Feed => feed_address(settings).err(),
    });
    problems
}

/// Where the feed is.
fn feed_address(settings: &Settings) -> Result<feed::Address, String> {
    let general = &settings.general;
    feed::Address::new(&general.feed.url, &general.printer_id).map_err(|error| {
        let origin = settings.origin("WS_URL").map(|origin| format!(" ({origin})")).unwrap_or_default();
        format!("{error}{origin}")
    })
}

/// Where Moonraker may be: the address that is set, else its usual places.
pub(crate) fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, String> {
    const NAME: &str = "MOONRAKER_URL";
    if let Some(url) = settings.text(NAME) {
        let origin = settings.origin(NAME).map(|origin| format!(" ({origin})")).unwrap_or_default();
        return url.parse().map(|endpoint| vec![endpoint]).map_err(|error| format!("{error}{origin}"));
    }
    let websocket = "ws://127.0.0.1:7125/websocket".parse().ok();
    let socket = Endpoint::Unix(settings.paths.moonraker_socket());
    Ok([Some(socket), websocket].into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use crate::settings::BridgeName;

    #[test]
    fn the_settings_and_the_program_know_the_same_bridges() {
        let built: Vec<_> = crate::bridge::BRIDGES.iter().map(|kind| kind.name).collect();
        assert_eq!(built, BridgeName::ALL.map(BridgeName::section));
    }
}
