//! The report itself, and its lines for a person.

use crate::bridge::BridgeState;
use crate::settings::Problem;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::time::Duration;

/// Version of the report's form.
pub const SCHEMA: u32 = 1;

/// How a bridge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not switched on.
    #[default]
    Off,
    /// Works.
    Ok,
    /// Waits for something that comes by itself: the network, the clock.
    Waiting,
    /// Works, and something deserves a look.
    Warn,
    /// Does not work until somebody acts.
    Fail,
}

impl From<crate::bridge::Health> for Health {
    fn from(health: crate::bridge::Health) -> Self {
        match health {
            crate::bridge::Health::Ok => Self::Ok,
            crate::bridge::Health::Waiting => Self::Waiting,
            crate::bridge::Health::Warn => Self::Warn,
            crate::bridge::Health::Fail => Self::Fail,
        }
    }
}

/// One bridge in the report.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BridgeLine {
    /// Its section in extended.cfg.
    pub name: String,
    /// How it is.
    pub health: Health,
    /// Its state.
    pub state: BridgeState,
    /// For how long it is in that state, in seconds.
    pub state_seconds: u64,
    /// Why, in one line; empty when it is off.
    pub text: String,
    /// Messages that wait.
    pub queued: usize,
    /// Messages given up since the service started.
    pub dropped: u64,
    /// When the last message was delivered, in seconds since the Unix epoch.
    pub last_ok: Option<u64>,
    /// What keeps messages from being delivered now.
    pub last_error: Option<String>,
}

impl BridgeLine {
    /// A bridge that is not switched on.
    pub fn off(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// A bridge that is switched on and does not work until somebody acts.
    pub fn broken(name: &str, why: &str) -> Self {
        let (health, state) = (Health::Fail, BridgeState::Failed);
        Self { name: name.to_owned(), health, state, text: why.to_owned(), ..Self::default() }
    }
}

/// A problem in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemLine {
    /// What is wrong, and where.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl From<&Problem> for ProblemLine {
    fn from(problem: &Problem) -> Self {
        Self { what: problem.what.clone(), remedy: problem.remedy.clone() }
    }
}

/// What the service tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of the program.
    pub version: String,
    /// Id of the supervising process.
    pub pid: u32,
    /// Id of the process that answers.
    pub worker_pid: u32,
    /// Seconds since the worker started.
    pub up_seconds: u64,
    /// How often the worker had to be started again.
    pub restarts: u32,
    /// The connection to the printer, in one line.
    pub source: String,
    /// Whether the printer is connected.
    pub connected: bool,
    /// The job, in one line; empty when there is none.
    pub job: String,
    /// Where the log is.
    pub log: String,
    /// One entry per bridge.
    pub bridges: Vec<BridgeLine>,
    /// What is wrong with the settings and folders.
    pub problems: Vec<ProblemLine>,
}

/// The report as lines: one for the service, one per bridge, one per problem.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let up = duration(Duration::from_secs(report.up_seconds));
    let restarts = match report.restarts {
        0 => String::new(),
        1 => ", restarted once".to_owned(),
        n => format!(", restarted {n} times"),
    };
    let job = if report.job.is_empty() { String::new() } else { format!(", {}", report.job) };
    let _ = writeln!(
        out,
        "octobridge {}: running (pid {}) for {up}{restarts}; {}{job}",
        report.version, report.pid, report.source
    );
    out.push_str(&bridge_lines(&report.bridges));
    out.push_str(&problem_lines(&report.problems));
    out
}

pub(super) fn bridge_lines(bridges: &[BridgeLine]) -> String {
    let mut out = String::new();
    for bridge in bridges {
        let dash = if bridge.text.is_empty() { "" } else { " - " };
        let word = match bridge.state {
            BridgeState::Retrying => {
                format!("retrying for {}", duration(Duration::from_secs(bridge.state_seconds)))
            }
            state => state.word().to_owned(),
        };
        let _ = writeln!(out, "{}: {word}{dash}{}", bridge.name, bridge.text);
    }
    out
}

pub(super) fn problem_lines(problems: &[ProblemLine]) -> String {
    let mut out = String::new();
    for problem in problems {
        let _ = writeln!(out, "problem: {}; {}", problem.what, problem.remedy);
    }
    out
}

/// A duration for a person: its two largest units.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, m) => format!("{m} min {} s", seconds % 60),
        (0, h, m) => format!("{h} h {m} min"),
        (d, h, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_one_line_each() {
        let report = Report {
            schema: SCHEMA,
            version: "0.1.0".into(),
            pid: 812,
            worker_pid: 813,
            up_seconds: 192,
            restarts: 1,
            source: "printer connected over /p/comms/moonraker.sock".into(),
            connected: true,
            job: "printing cube.gcode".into(),
            log: "/p/logs/octoapp.log".into(),
            bridges: vec![
                BridgeLine::off("octoapp"),
                BridgeLine {
                    name: "telegram".into(),
                    health: Health::Ok,
                    state: BridgeState::Connected,
                    text: "none waiting".into(),
                    ..BridgeLine::default()
                },
            ],
            problems: vec![ProblemLine { what: "a is wrong".into(), remedy: "mend a".into() }],
        };
        let expected = "octobridge 0.1.0: running (pid 812) for 3 min 12 s, restarted once; \
                        printer connected over /p/comms/moonraker.sock, printing cube.gcode\n\
                        octoapp: off\n\
                        telegram: connected - none waiting\n\
                        problem: a is wrong; mend a\n";
        assert_eq!(render(&report), expected);
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }

    #[test]
    fn durations_have_two_units() {
        let table = [(0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3661, "1 h 1 min"), (90_000, "1 d 1 h")];
        for (seconds, text) in table {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }
}
