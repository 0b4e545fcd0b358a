//! The printer's software: whether it can be reached, and what state it is in.

use super::Finding;
use crate::clock::SystemClock;
use crate::printer::{Klippy, KlippyState, Observation, Snapshot};
use crate::settings::Settings;
use crate::source::moonraker::{self, ApiKey};
use crate::source::{LinkState, SourceStatus, control};
use crate::worker;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// The printer is watched for so long at most.
const PATIENCE: Duration = Duration::from_secs(8);

/// What was seen of the printer.
#[derive(Debug, Default)]
struct Seen {
    status: SourceStatus,
    snapshot: Option<Arc<Snapshot>>,
}

pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    let endpoints = match worker::endpoints(settings) {
        Ok(endpoints) => endpoints,
        // The settings tell that already.
        Err(_) => return Vec::new(),
    };
    let config = moonraker::Config {
        endpoints,
        api_key: settings.text("MOONRAKER_API_KEY").map(ApiKey::new),
        version: env!("CARGO_PKG_VERSION"),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => judge(&runtime.block_on(look(config))),
        Err(error) => {
            vec![Finding::fail(format!("cannot look at the printer: {error}"), "restart the printer")]
        }
    }
}

/// Looks at the printer as the service does, until it was seen or could not be reached.
async fn look(config: moonraker::Config) -> Seen {
    let (observations, mut inbox) = mpsc::channel(16);
    let (status, mut told) = watch::channel(SourceStatus::default());
    let (stop, stopped) = watch::channel(false);
    // Nothing is asked of it.
    let (_, requests) = control::channel();
    let source = moonraker::run(config, SystemClock::new(), observations, status, requests, stopped);
    let first = async {
        loop {
            tokio::select! {
                seen = inbox.recv() => match seen.map(|timed| timed.what) {
                    Some(Observation::Seen(snapshot)) => break Some(snapshot),
                    Some(_) => {}
                    None => break None,
                },
                failed = told.wait_for(|status| status.link == LinkState::Retrying) => {
                    drop(failed);
                    break None;
                }
            }
        }
    };
    let snapshot = tokio::select! {
        _ = source => None,
        seen = timeout(PATIENCE, first) => seen.unwrap_or_default(),
    };
    let _ = stop.send(true);
    let status = told.borrow().clone();
    Seen { status, snapshot }
}

fn judge(seen: &Seen) -> Vec<Finding> {
    let place = seen.status.endpoint.as_deref().unwrap_or("Moonraker");
    let Some(snapshot) = &seen.snapshot else {
        return vec![match &seen.status.last_error {
            Some(error) => Finding::fail_with_remedy_inside(error),
            None => Finding::fail(
                format!("{place} takes a connection but tells nothing"),
                "restart Moonraker, or the printer",
            ),
        }];
    };
    let version = seen.status.moonraker_version.as_deref().map(|v| format!(" {v}")).unwrap_or_default();
    let mut findings = vec![Finding::ok(format!("Moonraker{version} answers at {place}"))];
    findings.push(judge_klippy(&snapshot.klippy));
    if !snapshot.history.available {
        findings.push(Finding::warn(
            "Moonraker keeps no history of jobs",
            "add a line `[history]` to moonraker.conf; without it, what ends while this service is off stays unknown",
        ));
    }
    findings
}

fn judge_klippy(klippy: &Klippy) -> Finding {
    let why = klippy.message.as_deref().unwrap_or_default();
    let why = why
        .lines()
        .next()
        .filter(|line| !line.is_empty())
        .map(|line| format!(": {line}"))
        .unwrap_or_default();
    match klippy.state {
        KlippyState::Ready => Finding::ok("Klipper is ready"),
        KlippyState::Startup => Finding::warn("Klipper starts", "wait some seconds and ask again"),
        KlippyState::Shutdown => Finding::fail(
            format!("Klipper has shut down{why}"),
            "mend the cause, then restart the firmware (FIRMWARE_RESTART in the console of the web interface)",
        ),
        KlippyState::Error => Finding::fail(
            format!("Klipper could not start{why}"),
            "mend printer.cfg, then restart it (RESTART in the console of the web interface)",
        ),
        KlippyState::Disconnected => Finding::fail(
            "Moonraker runs, but Klipper does not",
            "restart Klipper in the web interface, or the printer; klippy.log tells why it ended",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use crate::printer::History;

    fn seen(state: KlippyState, message: Option<&str>, history: bool) -> Seen {
        let klippy = Klippy { state, message: message.map(str::to_owned) };
        let history = Arc::new(History { available: history, jobs: Vec::new() });
        let snapshot = Some(Arc::new(Snapshot { klippy, history, ..Snapshot::default() }));
        let status =
            SourceStatus { endpoint: Some("unix:/p/comms/moonraker.sock".into()), ..SourceStatus::default() };
        Seen { status, snapshot }
    }

    #[test]
    fn each_state_of_the_printer_has_its_finding() {
        use KlippyState::{Disconnected, Error, Ready, Shutdown, Startup};
        for (state, message, history, level, part) in [
            (Ready, None, true, Level::Ok, "ready"),
            (Ready, None, false, Level::Warn, "history"),
            (Startup, None, true, Level::Warn, "starts"),
            (
                Shutdown,
                Some("MCU 'mcu' shutdown: Timer too close\nmore"),
                true,
                Level::Fail,
                "Timer too close",
            ),
            (Error, Some("Option 'x' is not valid"), true, Level::Fail, "Option 'x'"),
            (Disconnected, None, true, Level::Fail, "Klipper does not"),
        ] {
            let findings = judge(&seen(state, message, history));
            let worst = findings.iter().max_by_key(|finding| finding.level).unwrap();
            let all = format!("{findings:?}");
            assert_eq!(worst.level, level, "{all}");
            assert!(all.contains(part) && !all.contains("more"), "{all}");
        }
    }

    #[test]
    fn an_unreachable_printer_says_what_to_do() {
        let status = SourceStatus {
            link: LinkState::Retrying,
            last_error: Some(
                "Moonraker refuses this program without a valid key: set MOONRAKER_API_KEY".into(),
            ),
            ..SourceStatus::default()
        };
        let findings = judge(&Seen { status, snapshot: None });
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].level, Level::Fail);
        assert_eq!(findings[0].remedy.as_deref(), Some("set MOONRAKER_API_KEY"));
    }
}
