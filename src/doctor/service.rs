//! The running service, by what it tells of itself.

use super::Finding;
use crate::settings::Settings;
use crate::status::{Health, Report, State, ask};

/// So many restarts of the worker are no accident any more.
const MANY_RESTARTS: u32 = 3;

pub(super) fn examine(settings: &Settings) -> Vec<Finding> {
    match ask(settings) {
        State::Running(report) => judge(&report),
        State::Dead(stopped) => {
            let log = settings.paths.logs.join("octoapp.log");
            vec![Finding::fail(
                format!("the service should run and does not answer: {}", stopped.reason),
                format!("run `/etc/init.d/S66octoapp restart`; if it stays so, {} says why", log.display()),
            )]
        }
        State::Stopped(_) => vec![Finding::fail(
            "the service does not run although a bridge is switched on",
            "run `/etc/init.d/S66octoapp start`",
        )],
        State::NothingEnabled(_) => vec![Finding::ok("the service does not run: there is nothing to run")],
    }
}

fn judge(report: &Report) -> Vec<Finding> {
    let mut findings = Vec::new();
    let runs = format!("octobridge {} runs (process {})", report.version, report.pid);
    findings.push(if report.restarts >= MANY_RESTARTS {
        Finding::warn(
            format!("{runs}, but had to be started again {} times", report.restarts),
            format!("report the log: {}", report.log),
        )
    } else {
        Finding::ok(runs)
    });
    if report.version != env!("CARGO_PKG_VERSION") {
        findings.push(Finding::warn(
            format!("the program is version {}, and an older one runs", env!("CARGO_PKG_VERSION")),
            "run `/etc/init.d/S66octoapp restart`",
        ));
    }
    for bridge in &report.bridges {
        let text = format!("{}: {}", bridge.name, bridge.text);
        match bridge.health {
            Health::Off => {}
            Health::Ok => findings.push(Finding::ok(text)),
            Health::Waiting => {
                findings.push(Finding::warn(text, "it goes on by itself; the lines below may tell why"))
            }
            Health::Warn | Health::Fail => {
                let mut finding = Finding::fail_with_remedy_inside(&text);
                finding.text = text;
                finding.remedy = Some(format!("the log tells more: {}", report.log));
                if bridge.health == Health::Warn {
                    finding.level = super::Level::Warn;
                }
                findings.push(finding);
            }
        }
    }
    findings
}
