//! The two processes of the service: real processes, killed and told to stop.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::telegram::{Behaviour, Outcome, Telegram, Which};
use crate::support::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use octobridge::outbox::{Entry, Importance, Limits, Outbox};

/// The contract: back within five seconds.
const BACK: Duration = Duration::from_secs(5);
/// Far longer than anything else takes.
const SOON: Duration = Duration::from_secs(20);

/// Asserts that something takes less than `limit`: the fastest of three counts, since what a busy test machine adds is
/// not the program's.
fn takes_less_than(limit: Duration, mut once: impl FnMut() -> Duration) {
    let mut best = Duration::MAX;
    for _ in 0..3 {
        best = best.min(once());
        if best < limit {
            return;
        }
    }
    panic!("the fastest of three took {best:?}, not less than {limit:?}");
}

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
        let deadline = Instant::now() + SOON;
        while !test(self.report()) {
            assert!(Instant::now() < deadline, "{what} did not come within {SOON:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Has it read these settings.
    fn reload(&self, settings: &str) {
        std::fs::write(self.settings(), settings).unwrap();
        kill(Pid::from_raw(self.pid_in_file()), Signal::SIGHUP).unwrap();
    }

    /// What it tells of one bridge.
    fn bridge(&self, name: &str) -> Option<serde_json::Value> {
        self.report()?["bridges"].as_array()?.iter().find(|bridge| bridge["name"] == name).cloned()
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
        // Many of them run side by side on this machine.
        .env("PORT", "0")
        .stdin(Stdio::null());
    command
}

/// Whether a bridge runs that reaches nobody.
fn runs(bridge: &serde_json::Value) -> bool {
    bridge["state"] == "starting" || bridge["state"] == "retrying"
}

fn is_gone(pid: i32) -> bool {
    // A zombie of ours is gone too.
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.is_empty() || status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn a_killed_worker_is_back_and_the_pid_file_stays_true() {
    takes_less_than(BACK, || {
        let service = Service::start();
        let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
        let killed = Instant::now();
        kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
        service
            .wait("another worker", |r| r.is_some_and(|r| r["worker_pid"] != worker && r["restarts"] == 1));
        let took = killed.elapsed();
        assert_eq!((service.pid("pid"), service.pid_in_file()), (supervisor, supervisor));
        took
    });
}

#[test]
fn a_killed_supervising_process_is_replaced_and_the_pid_file_is_true_again() {
    takes_less_than(BACK, || {
        let service = Service::start();
        let mut slowest = Duration::ZERO;
        for times in 1..=3 {
            let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
            let killed = Instant::now();
            kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
            // The worker takes the place of the dead one and starts a worker anew.
            service
                .wait("another pair", |r| r.is_some_and(|r| r["pid"] == worker && r["worker_pid"] != worker));
            slowest = slowest.max(killed.elapsed());
            assert_eq!(service.pid_in_file(), worker);
            assert_eq!(service.report().unwrap()["restarts"], times, "the status says so");
        }
        slowest
    });
}

/// The worker waits for a second before it takes the place of the dead one.
#[test]
fn a_request_under_way_when_the_supervising_process_dies_is_not_made_twice() {
    for _ in 0..5 {
        let (calls, released) = made_while_the_supervising_process_dies();
        if calls == 1 {
            return;
        }
        assert!(released > Duration::from_millis(500), "made {calls} times, answered after {released:?}");
    }
    panic!("the answer never came within half a second of the death");
}

/// How often a request was made that was answered only after the death of the supervising process, and how long after.
fn made_while_the_supervising_process_dies() -> (usize, Duration) {
    let telegram = Telegram::plain("1:nobody", 5);
    telegram.once("Completed", Behaviour::Late);
    let dir = tempfile::tempdir().unwrap();
    leave_message(&dir, "telegram", "Completed: cube.gcode");
    let service = Service::start_in(dir, &telegram.url());
    telegram.wait_for("the message", SOON, |calls| calls.first().cloned());
    let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
    let killed = Instant::now();
    kill(Pid::from_raw(supervisor), Signal::SIGKILL).unwrap();
    wait::until("the worker's notice", SOON, || {
        service.log().contains("the supervising process died").then_some(())
    });
    telegram.release();
    let released = killed.elapsed();
    service.wait("another pair", |r| r.is_some_and(|r| r["pid"] == worker && r["worker_pid"] != worker));
    // Had it been left in the outbox, the new worker would send it before that.
    service.wait("a bridge with nothing to send", |_| {
        service.bridge("telegram").is_some_and(|b| b["state"] == "connected" && b["queued"] == 0)
    });
    (telegram.calls().len(), released)
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
    let deadline = Instant::now() + SOON;
    while service.supervisor.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it goes on");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(is_gone(worker));
}

#[test]
fn told_to_stop_both_end_at_once_and_the_pid_file_names_nobody() {
    // Nothing waits to be sent: below the two seconds that would be waited for it.
    takes_less_than(Duration::from_millis(1900), || {
        let mut service = Service::start();
        let (supervisor, worker) = (service.pid("pid"), service.pid("worker_pid"));
        let asked = Instant::now();
        kill(Pid::from_raw(supervisor), Signal::SIGTERM).unwrap();
        assert!(service.supervisor.wait().unwrap().success());
        let took = asked.elapsed();
        assert!(is_gone(worker));
        assert_eq!(std::fs::read(service.pid_file()).unwrap(), b"");
        assert_eq!(command(&service.dir, "status").output().unwrap().status.code(), Some(3));
        took
    });
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
    let reload = |settings: &str| service.reload(settings);
    let line = |report: &serde_json::Value, name: &str| {
        report["bridges"].as_array().unwrap().iter().find(|bridge| bridge["name"] == name).cloned()
    };
    reload(&two(""));
    service.wait("a second bridge without a chat", |report| {
        report.and_then(|r| line(&r, "telegram two")).is_some_and(|two| two["state"] == "needs_pairing")
    });
    reload(&two("chat_id: 6\n"));
    service.wait("a second bridge that runs", |report| {
        report.and_then(|r| line(&r, "telegram two")).is_some_and(|two| runs(&two))
    });
    reload(&two("chat_id: six\n"));
    service.wait("a wrong chat that is named", |report| {
        report.is_some_and(|r| r["problems"].to_string().contains("the settings from before count"))
    });
    let shown = line(&service.report().unwrap(), "telegram two").unwrap();
    assert!(runs(&shown), "{shown}");
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
fn a_slip_in_the_file_changes_nothing_until_it_is_mended() {
    let service = Service::start();
    let worker = service.pid("worker_pid");
    let good = std::fs::read_to_string(service.settings()).unwrap();
    for broken in ["[telegram\nenabled: true\n".to_owned(), format!("{good}enabled: true\n")] {
        service.reload(&broken);
        service.wait("the slip named", |report| {
            report.is_some_and(|r| {
                let problem = r["problems"][0].to_string();
                problem.contains("extended2.cfg line") && problem.contains("the settings from before count")
            })
        });
        assert!(runs(&service.bridge("telegram").unwrap()));
        service.reload(&good);
        service
            .wait("nothing wrong", |report| report.is_some_and(|r| r["problems"] == serde_json::json!([])));
    }
    assert_eq!(service.pid("worker_pid"), worker);
    let started = service.log().lines().filter(|line| line.ends_with("telegram: started")).count();
    assert_eq!(started, 1, "it was not disturbed");
}

#[test]
fn a_secret_that_was_taken_away_ends_its_bridge_and_one_that_cannot_be_read_does_not() {
    let service = Service::start();
    let secret = service.dir.path().join("printer_data/octoapp/telegram_two_bot_token");
    std::fs::write(&secret, "2:nobody").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    let usual = std::fs::read_to_string(service.settings()).unwrap();
    let both = format!("{usual}[telegram two]\nenabled: true\nchat_id: 6\napi_url: https://127.0.0.1:9\n");
    let is = |state: &str| service.bridge("telegram two").is_some_and(|two| two["state"] == state);
    service.reload(&both);
    let is_on = || service.bridge("telegram two").is_some_and(|two| runs(&two));
    service.wait("a second bridge", |_| is_on());
    std::fs::remove_file(&secret).unwrap();
    std::fs::create_dir(&secret).unwrap();
    service.reload(&both);
    service.wait("the unreadable secret named", |report| {
        report.is_some_and(|r| r["problems"].to_string().contains("telegram two: a setting cannot be read"))
    });
    assert!(is_on());
    std::fs::remove_dir(&secret).unwrap();
    service.reload(&both);
    service.wait("the secret missed", |_| is("needs_pairing"));
    let text = service.bridge("telegram two").unwrap()["text"].to_string();
    assert!(text.contains("secret set telegram_two_bot_token"), "{text}");
}

#[test]
fn a_new_name_of_the_printer_reaches_every_bridge() {
    let service = Service::start();
    let settings = std::fs::read_to_string(service.settings()).unwrap();
    let started = || service.log().matches("telegram: started").count();
    for (times, name) in [(2, "Left"), (3, "Right"), (3, "Right")] {
        let readings = service.log().matches("reads the settings again").count();
        service.reload(&format!("{settings}[octobridge]\nprinter_id: {name}\n"));
        service.wait("another reading", |_| {
            service.log().matches("reads the settings again").count() > readings && started() >= times
        });
        assert_eq!(started(), times, "{name}");
    }
}

#[test]
fn a_hangup_exchanges_the_level_of_the_log() {
    let service = Service::start();
    assert!(!service.log().contains("[DEBUG]"));
    let settings = std::fs::read_to_string(service.settings()).unwrap();
    service.reload(&format!("{settings}[octobridge]\nlog: debug\n"));
    service.wait("a line of the new level", |_| service.log().contains("[DEBUG]"));
}

#[test]
fn a_hangup_while_the_worker_starts_does_not_kill_it() {
    let dir = tempfile::tempdir().unwrap();
    let extended = dir.path().join("printer_data/config/extended");
    std::fs::create_dir_all(&extended).unwrap();
    std::fs::create_dir(dir.path().join("printer_data/logs")).unwrap();
    std::fs::write(extended.join("extended2.cfg"), "[telegram]\nenabled: true\nchat_id: 5\n").unwrap();
    let said = std::fs::File::create(dir.path().join("stderr")).unwrap();
    let supervisor = command(&dir, "run").env("TELEGRAM_API_URL", "http://127.0.0.1:9").stderr(said).spawn();
    let service = Service { dir, supervisor: supervisor.unwrap() };
    // Without a pause, so that hangups come in every stage of the start.
    let deadline = Instant::now() + SOON;
    while !service.log().contains("reads the settings again") {
        let written = std::fs::read_to_string(service.pid_file()).unwrap_or_default();
        if let Ok(pid) = written.trim().parse() {
            kill(Pid::from_raw(pid), Signal::SIGHUP).unwrap();
        }
        assert!(Instant::now() < deadline, "{}", service.log());
    }
    service.wait("an answer", |report| report.is_some_and(|r| r["restarts"] == 0));
    assert_eq!(std::fs::read_to_string(service.dir.path().join("stderr")).unwrap(), "");
}

/// Puts a message into the outbox of the bridge `id`, as one of an earlier run.
fn leave_message(dir: &tempfile::TempDir, id: &str, text: &str) {
    let journal = dir.path().join(format!("printer_data/octoapp/outbox/{id}.journal"));
    let (key, at) = ("1/finished".to_owned(), Duration::from_secs(9));
    let body = format!(r#"{{"text":"{text}"}}"#).into_bytes();
    let entry = Entry { key, importance: Importance::Terminal, at, slot: None, body };
    Outbox::open(&journal, Limits::default()).0.push(entry);
}

#[test]
fn what_waits_goes_to_the_new_chat_once() {
    let mut telegram = Telegram::plain("1:nobody", 6);
    telegram.close_port();
    let dir = tempfile::tempdir().unwrap();
    leave_message(&dir, "telegram", "Completed: cube.gcode");
    // Chat 5, and nobody there.
    let service = Service::start_in(dir, &telegram.url());
    service.wait("a try in vain", |_| service.bridge("telegram").is_some_and(|b| b["state"] == "retrying"));
    let settings = std::fs::read_to_string(service.settings()).unwrap();
    service.reload(&settings.replace("chat_id: 5", "chat_id: 6"));
    // Until it has given way, the bridge to chat 5 may try again.
    service.wait("its successor", |_| service.log().matches("telegram: started").count() == 2);
    telegram.open_port();
    service.wait("a delivery", |_| service.bridge("telegram").is_some_and(|b| b["state"] == "connected"));
    let line = service.bridge("telegram").unwrap();
    assert_eq!((&line["queued"], line["last_ok"].is_u64()), (&0.into(), true), "{line}");
    // A reload without a change disturbs nobody and tells nothing again.
    service.reload(&settings.replace("chat_id: 5", "chat_id:  6"));
    service.wait("a second reading", |_| service.log().matches("reads the settings again").count() == 2);
    assert_eq!(telegram.calls().len(), 1);
}

#[test]
fn each_telegram_has_its_own_bot_chat_and_outbox() {
    let stand_ins =
        [Telegram::plain("1:nobody", 5), Telegram::plain("2:nobody", -6), Telegram::plain("3:nobody", 7)];
    let dir = tempfile::tempdir().unwrap();
    let url = stand_ins[0].url();
    let mut further = String::new();
    leave_message(&dir, "telegram", "for telegram");
    for (label, stand_in, token, chat) in
        [("two", &stand_ins[1], "2:nobody", -6), ("Shop-3", &stand_ins[2], "3:nobody", 7)]
    {
        leave_message(&dir, &format!("telegram_{label}"), &format!("for {label}"));
        let secret = dir.path().join(format!("printer_data/octoapp/telegram_{label}_bot_token"));
        std::fs::write(&secret, token).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let url = stand_in.url();
        further += &format!("[telegram {label}]\nenabled: true\nchat_id: {chat}\napi_url: {url}\n");
    }
    let service = Service::start_in(dir, &url);
    let settings = std::fs::read_to_string(service.settings()).unwrap();
    service.reload(&(settings + &further));
    for (stand_in, name) in stand_ins.iter().zip(["telegram", "two", "Shop-3"]) {
        stand_in.wait_for_message(&format!("for {name}"), Outcome::Done, SOON);
        assert_eq!(stand_in.calls().len(), 1);
    }
    let names = ["octoapp", "prusa_connect", "telegram", "telegram Shop-3", "telegram two"];
    let report = service.report().unwrap();
    let shown = report["bridges"].as_array().unwrap().iter().map(|bridge| bridge["name"].as_str().unwrap());
    assert_eq!(shown.collect::<Vec<_>>(), names);
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
    // Two seconds of it are waited for the answer; after 3.5 s the worker would be killed.
    takes_less_than(Duration::from_secs(3), || {
        let telegram = Telegram::plain("1:nobody", 5);
        telegram.usually(Behaviour::Stall);
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("printer_data/octoapp/outbox/telegram.journal");
        leave_message(&dir, "telegram", "Completed: cube.gcode");
        let mut service = Service::start_in(dir, &telegram.url());
        telegram.wait_for("the message", SOON, |calls| calls.first().cloned());
        let supervisor = Pid::from_raw(service.pid("pid"));
        let asked = Instant::now();
        kill(supervisor, Signal::SIGTERM).unwrap();
        assert!(service.supervisor.wait().unwrap().success());
        let took = asked.elapsed();
        telegram.release();
        // It waits for the next start.
        assert_eq!(Outbox::open(&journal, Limits::default()).0.len(), 1);
        took
    });
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

#[test]
fn an_idle_bridge_finds_out_whether_its_token_and_chat_are_good() {
    let is = |service: &Service, state: &str| {
        service.wait(state, |_| service.bridge("telegram").is_some_and(|bridge| bridge["state"] == state));
        service.bridge("telegram").unwrap()
    };
    // What it is looked at with, what becomes of it, and what it says.
    let table = [
        (Which::Method("getMe"), Behaviour::Serve, "connected", "no message sent yet"),
        (Which::Method("getMe"), Behaviour::Refuse(401, "Unauthorized"), "failed", "TELEGRAM_BOT_TOKEN"),
        (
            Which::Method("getChat"),
            Behaviour::Refuse(400, "Bad Request: chat not found"),
            "failed",
            "TELEGRAM_CHAT_ID",
        ),
        (Which::Method("getMe"), Behaviour::Close, "retrying", "cannot reach"),
    ];
    for (which, behaviour, state, text) in table {
        let telegram = Telegram::plain("1:nobody", 5);
        telegram.misbehave(which, 99, behaviour);
        let service = Service::start_in(tempfile::tempdir().unwrap(), &telegram.url());
        let line = is(&service, state);
        assert!(line["text"].as_str().unwrap().contains(text), "{line}");
        if state == "retrying" {
            telegram.behave();
            is(&service, "connected");
        }
        assert_eq!(telegram.calls().len(), 0, "nothing is sent");
    }
    // A message tells as much: then there is nothing to look at.
    let telegram = Telegram::plain("1:nobody", 5);
    let dir = tempfile::tempdir().unwrap();
    leave_message(&dir, "telegram", "Completed: cube.gcode");
    let service = Service::start_in(dir, &telegram.url());
    is(&service, "connected");
    std::thread::park_timeout(Duration::from_secs(3));
    assert_eq!((telegram.calls().len(), telegram.looks().len()), (1, 0));
}

#[test]
fn a_message_does_not_wait_for_a_look_that_hangs_and_neither_does_the_end() {
    takes_less_than(Duration::from_millis(1900), || {
        let telegram = Telegram::plain("1:nobody", 5);
        telegram.misbehave(Which::Method("getMe"), 99, Behaviour::Stall);
        let mut service = Service::start_in(tempfile::tempdir().unwrap(), &telegram.url());
        wait::until("a look", SOON, || (!telegram.looks().is_empty()).then_some(()));
        let settings = std::fs::read_to_string(service.settings()).unwrap();
        let asked = Instant::now();
        // The greeting of the bridge that takes its place, which opens the same outbox.
        service.reload(&format!("{settings}greeting: on\n"));
        telegram.wait_for("the greeting", SOON, |calls| calls.first().cloned());
        let greeted = asked.elapsed();
        service.wait("a delivery", |_| service.bridge("telegram").is_some_and(|b| b["state"] == "connected"));
        let text = service.bridge("telegram").unwrap()["text"].to_string();
        assert!(!text.contains("in memory"), "{text}");
        let supervisor = Pid::from_raw(service.pid("pid"));
        let asked = Instant::now();
        kill(supervisor, Signal::SIGTERM).unwrap();
        assert!(service.supervisor.wait().unwrap().success());
        // Whoever waited for the look would wait for two seconds, or longer.
        greeted.max(asked.elapsed())
    });
}
