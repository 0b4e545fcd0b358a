//! The asking side: the answer of the running service, or what can be said without it.

use super::report::{BridgeLine, ProblemLine, Report, SCHEMA, bridge_lines, problem_lines};
use crate::settings::{Instance, Settings};
use crate::supervisor::{Lock, supervising_pid};
use serde::Serialize;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The service answers at once or not at all.
const PATIENCE: Duration = Duration::from_secs(2);
/// No report is larger.
const LIMIT: u64 = 256 * 1024;

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It answered.
    Running(Report),
    /// It should run and does not, or does not answer.
    Dead(Stopped),
    /// It was stopped, or never started.
    Stopped(Stopped),
    /// There is nothing to run.
    NothingEnabled(Stopped),
}

/// What can be said of a service that does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// Version of the report's form.
    pub schema: u32,
    /// Version of the program.
    pub version: String,
    /// Why it does not answer.
    pub reason: String,
    /// One entry per bridge.
    pub bridges: Vec<BridgeLine>,
    /// What is wrong with the settings.
    pub problems: Vec<ProblemLine>,
}

/// Asks the service; without it, looks at what it left behind and at the settings.
pub fn ask(settings: &Settings) -> State {
    match read_report(&settings.paths.status_socket()) {
        Ok(report) => State::Running(report),
        Err(error) => without_answer(settings, &error),
    }
}

fn without_answer(settings: &Settings, error: &io::Error) -> State {
    let paths = &settings.paths;
    let stopped = |reason: String| Stopped {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        reason,
        bridges: settings.instances.iter().map(not_running).collect(),
        problems: settings.problems.iter().map(ProblemLine::from).collect(),
    };
    if Lock::is_held(&paths.run) {
        return State::Dead(stopped(format!(
            "it runs but does not answer ({error}): it is starting, or its worker ended and is started again soon"
        )));
    }
    if error.kind() == io::ErrorKind::PermissionDenied {
        return State::Dead(stopped("its status may be read only by root and by the service's user".into()));
    }
    if !settings.anything_to_run() {
        return State::NothingEnabled(stopped("nothing to run, because no bridge is switched on".into()));
    }
    if let Some(pid) = supervising_pid(&paths.pid_file) {
        return State::Dead(stopped(format!(
            "process {pid} of {} is gone; start it with `/etc/init.d/S66octoapp start`",
            paths.pid_file.display()
        )));
    }
    State::Stopped(stopped("it was stopped; start it with `/etc/init.d/S66octoapp start`".into()))
}

fn not_running(instance: &Instance) -> BridgeLine {
    match instance.enabled.value {
        true => BridgeLine::broken(&instance.name(), "switched on, but the service does not run"),
        false => BridgeLine::off(&instance.name()),
    }
}

fn read_report(socket: &Path) -> io::Result<Report> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = Vec::new();
    stream.take(LIMIT).read_to_end(&mut line)?;
    serde_json::from_slice(&line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

impl State {
    /// The lines for a person.
    pub fn render(&self) -> String {
        let (word, stopped) = match self {
            Self::Running(report) => return super::render(report),
            Self::Dead(stopped) => ("dead", stopped),
            Self::Stopped(stopped) => ("stopped", stopped),
            Self::NothingEnabled(stopped) => ("off", stopped),
        };
        format!(
            "octobridge {}: {word} - {}\n{}{}",
            stopped.version,
            stopped.reason,
            bridge_lines(&stopped.bridges),
            problem_lines(&stopped.problems)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Health;
    use super::*;
    use crate::settings::Environment;

    fn settings(dir: &Path, telegram: &str) -> Settings {
        let extended = dir.join("config/extended");
        std::fs::create_dir_all(&extended).unwrap();
        std::fs::write(extended.join("extended2.cfg"), format!("[telegram]\nenabled: {telegram}\n")).unwrap();
        let mut environment = Environment::new();
        environment.insert("PRINTER_DATA".into(), dir.display().to_string());
        environment.insert("OCTOBRIDGE_RUN_DIR".into(), dir.join("run").display().to_string());
        Settings::load(None, &environment)
    }

    #[test]
    fn tells_off_stopped_dead_and_silent_apart() {
        let dir = tempfile::tempdir().unwrap();
        let off = settings(dir.path(), "false");
        assert!(matches!(ask(&off), State::NothingEnabled(_)));
        let on = settings(dir.path(), "true");
        let State::Stopped(stopped) = ask(&on) else { panic!("not stopped") };
        assert_eq!(stopped.bridges.iter().filter(|b| b.health == Health::Fail).count(), 1);

        let lock = Lock::take(&on.paths.run, &on.paths.pid_file).unwrap();
        assert!(matches!(ask(&on), State::Dead(s) if s.reason.contains("does not answer")));
        drop(lock);
        std::fs::write(&on.paths.pid_file, "812\n").unwrap();
        assert!(matches!(ask(&on), State::Dead(s) if s.reason.contains("process 812")));
        // It died, and was switched off since: it should not run.
        assert!(matches!(ask(&settings(dir.path(), "false")), State::NothingEnabled(_)));
    }

    #[test]
    fn a_damaged_extended_cfg_is_named_although_nothing_runs() {
        let dir = tempfile::tempdir().unwrap();
        let text = ask(&settings(dir.path(), "true\nenabled: true")).render();
        assert!(text.starts_with("octobridge 0.1.0: off"), "{text}");
        assert!(text.contains("problem: ") && text.contains("extended2.cfg line 3"), "{text}");
    }
}
