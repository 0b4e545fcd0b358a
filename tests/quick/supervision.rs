//! The two processes of the service: real processes, killed and told to stop.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::telegram::{Behaviour, Telegram};
use crate::support::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use octobridge::outbox::{Entry, Importance, Limits, Outbox};

/// The contract: back within five seconds.
const BACK: Duration = Duration::from_secs(5);

struct Service {
    dir: tempfile::TempDir,
    supervisor: Child,
}

impl Service {
    /// Starts it with Telegram on, and nothing to reach: neither a printer nor a Bot API.
    fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), "https://127.0.0.1:9")
    }

    fn start_in(dir: tempfile::TempDir, api_url: &str) -> Self {
        let extended = dir.path().join("printer_data/config/extended");
        std::fs::create_dir_all(&extended).unwrap();
        std::fs::create_dir(dir.path().join("printer_data/logs")).unwrap();
        let settings = format!("[telegram]\nenabled: true\nchat_id: 5\napi_url: {api_url}\n");
        std::fs::write(extended.join("extended2.cfg"), settings).unwrap();
        let said = std::fs::File::create(dir.path().join("stderr")).unwrap();
        let supervisor = command(&dir, "run").stderr(said).spawn().unwrap();
        let service = Self { dir, supervisor };
        service.wait("a first answer", |report| report.is_some());
        service
    }

    fn report(&self) -> Option<serde_json::Value> {
        let output = command(&self.dir, "status").arg("--json").output().unwrap();
        let state: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (state["state"] == "running").then_some(state)
    }

    fn pid(&self, which: &str) -> i32 {
        i32::try_from(self.report().unwrap()[which].as_i64().unwrap()).unwrap()
    }

    fn wait(&self, what: &str, test: impl Fn(Option<serde_json::Value>) -> bool) {
        let deadline = Instant::now() + BACK;
        while !test(self.report()) {
            assert!(Instant::now() < deadline, "{what} did not come within {BACK:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn settings(&self) -> PathBuf {
        self.dir.path().join("printer_data/config/extended/extended2.cfg")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("printer_data/logs/octoapp.log")).unwrap_or_default()
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.path().join("run/octoapp.pid")
    }

    fn pid_in_file(&self) -> i32 {
        std::fs::read_to_string(self.pid_file()).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(report) = self.report() {
            for which in ["pid", "worker_pid"] {
                let pid = report[which].as_i64().and_then(|pid| i32::try_from(pid).ok());
                let _ = pid.map(|pid| kill(Pid::from_raw(pid), Signal::SIGKILL));
            }
        }
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
    }
}

fn command(dir: &tempfile::TempDir, action: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octobridge"));
    command
        .arg(action)
        .env_clear()
        .env("PRINTER_DATA", dir.path().join("printer_data"))
        .env("OCTOBRIDGE_RUN_DIR", dir.path().join("run"))
        .env("TELEGRAM_BOT_TOKEN", "1:nobody")
        .stdin(Stdio::null());
    command
}

fn is_gone(pid: i32) -> bool {
    // A zombie of ours is gone too.
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.is_empty() || status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn a_killed_worker_is_back_and_the_pid_file_stays_true() {
    let service = Service::start();
    let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    service.wait("another worker", |r| r.is_some_and(|r| r["worker_pid"] != worker && r["restarts"] == 1));
    assert_eq!((service.pid("pid"), service.pid_in_file()), (supervisor, supervisor));
}

#[test]
fn a_killed_supervising_process_is_replaced_and_the_pid_file_is_true_again() {
    let service = Service::start();
    for times in 1..=3 {
        let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
        kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
        // The worker takes the place of the dead one and starts a worker anew.
        service.wait("another pair", |r| r.is_some_and(|r| r["pid"] == worker && r["worker_pid"] != worker));
        assert_eq!(service.pid_in_file(), worker);
        assert_eq!(service.report().unwrap()["restarts"], times, "the status says so");
    }
}

#[test]
fn a_request_under_way_when_the_supervising_process_dies_is_not_made_twice() {
    let telegram = Telegram::plain("1:nobody", 5);
    telegram.once("Completed", Behaviour::Late);
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("printer_data/octoapp/outbox/telegram.journal");
    let (key, at) = ("1/finished".to_owned(), Duration::from_secs(9));
    let body = br#"{"text":"Completed: cube.gcode"}"#.to_vec();
    let entry = Entry { key, importance: Importance::Terminal, at, slot: None, body };
    Outbox::open(&journal, Limits::default()).0.push(entry);
    let service = Service::start_in(dir, &telegram.url());
    telegram.wait_for("the message", BACK, |calls| calls.first().cloned());
    let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
    kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
    let log = service.dir.path().join("printer_data/logs/octoapp.log");
    wait::until("the worker's notice", BACK, || {
        std::fs::read_to_string(&log).unwrap().contains("the supervising process died").then_some(())
    });
    telegram.release();
    service.wait("another pair", |r| r.is_some_and(|r| r["pid"] == worker && r["worker_pid"] != worker));
    assert_eq!(telegram.calls().len(), 1);
}

#[test]
fn a_worker_that_cannot_be_started_is_tried_again() {
    let service = Service::start();
    let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
    let open_files = |limit: &str| {
        let arguments = [format!("--nofile={limit}:1024"), format!("--pid={supervisor}")];
        assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
    };
    // No pipe for a new worker's standard input can be made.
    open_files("3");
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    let said = service.dir.path().join("stderr");
    let failed = || std::fs::read_to_string(&said).unwrap().contains("cannot start the worker");
    service.wait("a failed start", |_| failed());
    open_files("1024");
    service.wait("another worker", |r| r.is_some_and(|r| r["worker_pid"] != worker));
    assert_eq!(service.pid("pid"), supervisor);
}

#[test]
fn a_stop_right_after_a_reload_is_not_forgotten() {
    let mut service = Service::start();
    let worker = service.pid("worker_pid");
    for signal in [Signal::SIGHUP, Signal::SIGTERM] {
        kill(Pid::from_raw(service.pid_in_file()), signal).unwrap();
    }
    let deadline = Instant::now() + BACK;
    while service.supervisor.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(is_gone(worker));
}

#[test]
fn told_to_stop_both_end_at_once_and_the_pid_file_names_nobody() {
    let mut service = Service::start();
    let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
    let asked = Instant::now();
    kill(Pid::from_raw(supervisor), Signal::SIGTERM).unwrap();
    assert!(service.supervisor.wait().unwrap().success());
    assert!(is_gone(worker));
    // Nothing waits to be sent: far below the four seconds after which the worker would be killed.
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert_eq!(std::fs::read(service.pid_file()).unwrap(), b"");
    assert_eq!(command(&service.dir, "status").output().unwrap().status.code(), Some(3));
}

#[test]
fn a_hangup_exchanges_what_has_new_settings_and_nothing_else() {
    let service = Service::start();
    let secret = service.dir.path().join("printer_data/octoapp/telegram_two_bot_token");
    std::fs::write(&secret, "2:nobody").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
    let usual = "[telegram]\nenabled: true\nchat_id: 5\napi_url: https://127.0.0.1:9\n";
    let two =
        |rest: &str| format!("{usual}[telegram two]\nenabled: true\napi_url: https://127.0.0.1:9\n{rest}");
    let reload = |settings: &str| {
        std::fs::write(service.settings(), settings).unwrap();
        kill(Pid::from_raw(supervisor), Signal::SIGHUP).unwrap();
    };
    let line = |report: &serde_json::Value, name: &str| {
        report["bridges"].as_array().unwrap().iter().find(|bridge| bridge["name"] == name).cloned()
    };
    reload(&two(""));
    service.wait("a second bridge without a chat", |report| {
        report.and_then(|r| line(&r, "telegram two")).is_some_and(|two| two["state"] == "needs_pairing")
    });
    reload(&two("chat_id: 6\n"));
    service.wait("a second bridge that runs", |report| {
        report.and_then(|r| line(&r, "telegram two")).is_some_and(|two| two["state"] == "starting")
    });
    reload(&two("chat_id: six\n"));
    service.wait("a wrong chat that is named", |report| {
        report.is_some_and(|r| r["problems"].to_string().contains("the settings from before count"))
    });
    let shown = line(&service.report().unwrap(), "telegram two").unwrap();
    assert_eq!((&shown["state"], &shown["health"]), (&"starting".into(), &"warn".into()));
    reload(&two("chat_id: 7\n"));
    let started = || service.log().lines().filter(|line| line.ends_with("telegram two: started")).count();
    service.wait("another chat", |report| {
        report.is_some_and(|r| r["problems"] == serde_json::json!([])) && started() == 2
    });
    reload(usual);
    service.wait("one bridge again", |report| report.is_some_and(|r| line(&r, "telegram two").is_none()));

    assert_eq!((service.pid("pid"), service.pid("worker_pid")), (supervisor, worker));
    let log = service.log();
    let count = |text: &str| log.lines().filter(|line| line.ends_with(text)).count();
    assert_eq!(count("telegram: started"), 1, "{log}");
    assert_eq!(count("telegram two: started"), 2, "{log}");
}

#[test]
fn a_hangup_after_which_nothing_is_on_ends_the_service() {
    let mut service = Service::start();
    std::fs::write(service.settings(), "[telegram]\nenabled: false\n").unwrap();
    kill(Pid::from_raw(service.pid("pid")), Signal::SIGHUP).unwrap();
    assert_eq!(service.supervisor.wait().unwrap().code(), Some(3));
}

#[test]
fn a_service_that_stalls_does_not_hold_up_the_end() {
    let telegram = Telegram::plain("1:nobody", 5);
    telegram.usually(Behaviour::Stall);
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("printer_data/octoapp/outbox/telegram.journal");
    let (key, at) = ("1/finished".to_owned(), Duration::from_secs(9));
    let body = br#"{"text":"Completed: cube.gcode"}"#.to_vec();
    let entry = Entry { key, importance: Importance::Terminal, at, slot: None, body };
    Outbox::open(&journal, Limits::default()).0.push(entry);
    let mut service = Service::start_in(dir, &telegram.url());
    telegram.wait_for("the message", BACK, |calls| calls.first().cloned());
    let asked = Instant::now();
    kill(Pid::from_raw(service.pid("pid")), Signal::SIGTERM).unwrap();
    assert!(service.supervisor.wait().unwrap().success());
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    telegram.release();
    // It waits for the next start.
    assert_eq!(Outbox::open(&journal, Limits::default()).0.len(), 1);
}

#[test]
fn a_second_start_is_told_of_the_first() {
    let service = Service::start();
    let second = command(&service.dir, "run").output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.contains(&format!("already running (pid {})", service.pid("pid"))), "{said}");
}

#[test]
fn both_processes_carry_the_name_that_the_documented_check_looks_for() {
    let service = Service::start();
    for which in ["pid", "worker_pid"] {
        let line = std::fs::read_to_string(format!("/proc/{}/cmdline", service.pid(which))).unwrap();
        assert!(line.contains("moonraker_octoapp"), "{line}");
    }
}
