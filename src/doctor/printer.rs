//! The printer: whether it can be reached, and what state it is in.

use super::Finding;
use crate::printer::{Klippy, KlippyState, Snapshot};
use crate::settings::{Settings, SourceName};
use crate::source::SourceStatus;
use crate::worker::Seen;

pub(super) fn examine(settings: &Settings, seen: &Seen) -> Vec<Finding> {
    let Some(snapshot) = &seen.snapshot else {
        return vec![unreachable(settings, &seen.status)];
    };
    match settings.general.source {
        SourceName::Moonraker => judge(&seen.status, snapshot),
        SourceName::Feed => judge_feed(&seen.status),
    }
}

fn unreachable(settings: &Settings, status: &SourceStatus) -> Finding {
    let place = status.endpoint.as_deref().unwrap_or("the printer");
    let Some(error) = &status.last_error else {
        let remedy = match settings.general.source {
            SourceName::Moonraker => "restart Moonraker, or the printer",
            SourceName::Feed => "check PRINTER_ID, and that the printer is on",
        };
        return Finding::fail(format!("{place} takes a connection but tells nothing"), remedy);
    };
    let mut finding = Finding::fail_with_remedy_inside(error, "restart Moonraker, or the printer");
    let socket = settings.paths.moonraker_socket();
    // The address is one too many where the printer's own socket is there, which asks nobody for a key.
    if settings.text("MOONRAKER_URL").is_some_and(|url| !url.starts_with("unix:")) && socket.exists() {
        finding.remedy = Some(format!(
            "delete MOONRAKER_URL (moonraker_url of [octobridge]): {} is there, and asks for no key",
            socket.display()
        ));
    }
    finding
}

fn judge_feed(status: &SourceStatus) -> Vec<Finding> {
    let place = status.endpoint.as_deref().unwrap_or("the feed");
    let mut findings = vec![Finding::ok(format!("{place} tells of the printer"))];
    if let Some(notice) = status.notice.as_ref().filter(|notice| notice.is_error) {
        findings.push(Finding::warn(
            format!("the feed says: {}", notice.text),
            "ask whoever runs the feed, if it stays so",
        ));
    }
    findings
}

fn judge(status: &SourceStatus, snapshot: &Snapshot) -> Vec<Finding> {
    let place = status.endpoint.as_deref().unwrap_or("Moonraker");
    let version = status.moonraker_version.as_deref().map(|v| format!(" {v}")).unwrap_or_default();
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
    use crate::settings::Environment;
    use crate::source::Notice;
    use crate::worker::NoShot;
    use std::sync::Arc;
    use std::time::Duration;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let environment: Environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::load(None, &environment)
    }

    fn found(settings: &Settings, status: SourceStatus, snapshot: Option<Snapshot>) -> Vec<Finding> {
        let picture = Err(NoShot::NoPrinter);
        examine(settings, &Seen { status, snapshot: snapshot.map(Arc::new), picture })
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
            let klippy = Klippy { state, message: message.map(str::to_owned) };
            let history = Arc::new(History { available: history, jobs: Vec::new() });
            let snapshot = Snapshot { klippy, history, ..Snapshot::default() };
            let settings = settings(&[("SOURCE", "moonraker")]);
            let findings = found(&settings, SourceStatus::default(), Some(snapshot));
            let worst = findings.iter().max_by_key(|finding| finding.level).unwrap();
            let all = format!("{findings:?}");
            assert_eq!(worst.level, level, "{all}");
            assert!(all.contains(part) && !all.contains("more"), "{all}");
        }
    }

    #[test]
    fn an_unreachable_printer_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().display().to_string();
        let far = settings(&[("PRINTER_DATA", &data), ("MOONRAKER_URL", "ws://192.0.2.1/websocket")]);
        let feed = settings(&[("SOURCE", "feed")]);
        let refused = "Moonraker refuses this program without a valid key: set MOONRAKER_API_KEY";
        let remedy = |settings: &Settings, error: Option<&str>| {
            let status = SourceStatus { last_error: error.map(str::to_owned), ..SourceStatus::default() };
            let findings = found(settings, status, None);
            assert!(findings.len() == 1 && findings[0].level == Level::Fail, "{findings:?}");
            findings[0].remedy.clone().unwrap()
        };
        assert_eq!(remedy(&far, Some(refused)), "set MOONRAKER_API_KEY");
        assert_eq!(
            remedy(&far, Some("the connection to Moonraker broke: reset")),
            "restart Moonraker, or the printer"
        );
        assert!(remedy(&far, None).contains("restart"));
        assert!(remedy(&feed, None).contains("PRINTER_ID"));
        // Where logins are forced, the printer's own socket is the way round them.
        std::fs::create_dir(dir.path().join("comms")).unwrap();
        std::fs::write(dir.path().join("comms/moonraker.sock"), "").unwrap();
        let way_round = remedy(&far, Some(refused));
        assert!(
            way_round.contains("delete MOONRAKER_URL") && way_round.contains("moonraker.sock"),
            "{way_round}"
        );
    }

    #[test]
    fn a_feed_is_judged_by_what_it_says() {
        let notice = Notice { is_error: true, text: "printer offline".into(), at: Duration::ZERO };
        let status = SourceStatus { notice: Some(notice), ..SourceStatus::default() };
        let feed = settings(&[("SOURCE", "feed")]);
        let levels = |status| -> Vec<Level> {
            found(&feed, status, Some(Snapshot::default())).iter().map(|finding| finding.level).collect()
        };
        assert_eq!(levels(status), [Level::Ok, Level::Warn]);
        assert_eq!(levels(SourceStatus::default()), [Level::Ok]);
    }
}
