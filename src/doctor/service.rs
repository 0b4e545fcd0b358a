//! The running service, by what it tells of itself.

use super::Finding;
use crate::settings::Settings;
use crate::status::{Health, Report, State};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// So many restarts of the worker are no accident any more.
const MANY_RESTARTS: u32 = 3;

pub(super) fn examine(settings: &Settings, state: &State) -> Vec<Finding> {
    match state {
        State::Running(report) => {
            let mut findings = judge(report);
            findings.extend(judge_user(settings, report.pid));
            findings.extend(problems(settings, report));
            findings
        }
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
                let mut finding = Finding::fail(text, format!("the log tells more: {}", report.log));
                if bridge.health == Health::Warn {
                    finding.level = super::Level::Warn;
                }
                findings.push(finding);
            }
        }
    }
    findings
}

/// Run as root, it leaves files behind that it cannot read when it runs as it should.
fn judge_user(settings: &Settings, pid: u32) -> Option<Finding> {
    let owner = |path: &Path| std::fs::metadata(path).map(|found| found.uid()).ok();
    let (wanted, runs) = (owner(&settings.paths.printer_data)?, owner(Path::new(&format!("/proc/{pid}")))?);
    (runs != wanted).then(|| {
        Finding::warn(
            format!("the service runs as user {runs}, and the printer's files belong to user {wanted}"),
            "run `/etc/init.d/S66octoapp restart`, which starts it as it should be",
        )
    })
}

/// What the service tells of besides what the settings say.
fn problems(settings: &Settings, report: &Report) -> Vec<Finding> {
    let told = |what: &str| settings.problems.iter().any(|problem| problem.what == what);
    let new = report.problems.iter().filter(|problem| !told(&problem.what));
    new.map(|problem| Finding::fail(&problem.what, &problem.remedy)).collect()
}
