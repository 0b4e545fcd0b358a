//! The first process, as a process; here not the first, so that it cannot end the machine's others.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

struct Init {
    process: Child,
    lines: Receiver<String>,
    home: tempfile::TempDir,
}

/// A port that the system gives to nobody who asks for any.
fn free_port() -> u16 {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    // Several test processes may run at one time.
    let first = 30_700 + (std::process::id() % 20) as u16 * 100;
    let mut ports = std::iter::repeat_with(|| first + COUNT.fetch_add(1, Ordering::Relaxed) % 100).take(100);
    ports.find(|port| std::net::TcpListener::bind(("0.0.0.0", *port)).is_ok()).expect("no port is free")
}

impl Init {
    fn start(settings: &[(&str, &str)], command: &[&str]) -> Init {
        Init::start_with("", settings, command)
    }

    /// With a script for the agent, which is `sh ./agent`.
    fn start_with(script: &str, settings: &[(&str, &str)], command: &[&str]) -> Init {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("workspace")).unwrap();
        std::fs::write(home.path().join("workspace/agent"), script).unwrap();
        let programs = std::path::Path::new(env!("CARGO_BIN_EXE_octo-init")).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", programs.display());
        let mut init = Command::new(env!("CARGO_BIN_EXE_octo-init"));
        // Orphans become its children, as they become the first process's.
        // SAFETY: a call of the system and nothing else; it is not in use by anybody.
        unsafe { init.pre_exec(|| Ok(set_child_subreaper(true)?)) };
        let mut process = init
            .args(command)
            .env_clear()
            .env("PATH", path)
            .env("HOME", home.path())
            .env("OPENCODE_PORT", free_port().to_string())
            .env("FILESERVER_PORT", free_port().to_string())
            .env("TTYD_PORT", free_port().to_string())
            .env("OCTO_STOP_SECONDS", "20")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, lines) = channel();
        let output = process.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                let _ = to.send(line.unwrap());
            }
        });
        Init { process, lines, home }
    }

    /// Waits for a line of the log.
    fn said(&self, wanted: &str) -> String {
        let end = Instant::now() + Duration::from_secs(20);
        let mut all = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if line.contains(wanted) {
                return line;
            }
            all.push(line);
        }
        panic!("nobody said `{wanted}`: {all:#?}");
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id() as i32), signal).unwrap();
    }

    fn end(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status.code().or(status.signal().map(|signal| 128 + signal)), start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.process.id() as i32), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

#[test]
fn it_starts_the_services_and_ends_them_when_told() {
    let mut init = Init::start(&[], &[]);
    assert!(init.said("no agent").starts_with("[init] workspace "));
    let mut lines = [init.said(" on 0.0.0.0:"), init.said(" on 0.0.0.0:")];
    lines.sort();
    assert!(lines[0].starts_with("[files] ") && lines[1].starts_with("[terminal] "), "{lines:?}");
    init.signal(Signal::SIGTERM);
    let (code, took) = init.end();
    assert_eq!(code, Some(0));
    // They ended by themselves: to kill them it would have waited for longer.
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_helper_that_dies_is_started_again() {
    let init = Init::start(&[("OCTO_AGENT", "sleep 1000")], &[]);
    init.said("files on");
    // Its process is the child that is called so. The system's list is complete only while nothing else changes.
    let end = Instant::now() + Duration::from_secs(20);
    let mut files = None;
    while files.is_none() && Instant::now() < end {
        let children =
            std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", init.process.id())).unwrap();
        files = children.split_whitespace().map(str::to_owned).find(|id| {
            std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.trim() == "octo-files")
        });
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(files.unwrap().parse().unwrap()), Signal::SIGKILL).unwrap();
    assert_eq!(
        init.said("files has ended"),
        "[init] files has ended with 137; it is started again in 200 ms"
    );
    init.said("files on");
}

#[test]
fn it_ends_with_an_error_when_the_main_service_cannot_be_kept() {
    for (agent, expected) in [("false", 1), ("no-such-program", 127), ("true", 1)] {
        let mut init = Init::start(&[("OCTO_AGENT", agent)], &[]);
        assert_eq!(init.end().0, Some(expected), "{agent}");
    }
}

#[test]
fn what_does_not_end_is_killed_in_time() {
    let script = "trap '' TERM\necho deaf\nwhile :; do sleep 1; done\n";
    let settings = [("OCTO_STOP_SECONDS", "1"), ("OCTO_AGENT", "sh ./agent")];
    let mut stubborn = Init::start_with(script, &settings, &[]);
    stubborn.said("[agent] deaf");
    stubborn.signal(Signal::SIGTERM);
    let (code, took) = stubborn.end();
    assert_eq!(code, Some(0));
    assert!(took > Duration::from_millis(800) && took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn a_command_takes_the_services_place() {
    let mut init = Init::start(&[], &["sh", "-c", "echo done >&2; exit 7"]);
    init.said("done");
    assert_eq!(init.end().0, Some(7));
    let mut waiting =
        Init::start(&[], &["sh", "-c", "trap 'exit 5' TERM; echo up >&2; while :; do sleep 0.1; done"]);
    waiting.said("up");
    waiting.signal(Signal::SIGTERM);
    assert_eq!(waiting.end().0, Some(5));
    let mut missing = Init::start(&[], &["no-such-program"]);
    missing.said("no-such-program");
    assert_eq!(missing.end().0, Some(1));
}

#[test]
fn nothing_that_has_ended_stays_a_zombie() {
    // Its parent is gone before it ends: nobody but the first process can wait for it.
    let script = "(sh -c 'echo orphan $$; until [ -e go ]; do sleep 0.1; done' &)\nexec sleep 1000\n";
    let init = Init::start_with(script, &[("OCTO_AGENT", "sh ./agent")], &[]);
    let said = init.said("[agent] orphan ");
    let orphan: u32 = said.rsplit(' ').next().unwrap().parse().unwrap();
    let wait = |what: &str, there: &dyn Fn(Option<&str>) -> bool| {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{orphan}/stat")).ok();
            if there(stat.as_deref()) {
                return;
            }
            assert!(Instant::now() < end, "{what}: {stat:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    // After its name in brackets: what it does, and its parent.
    let parent = |stat: &str| stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().to_owned();
    let of_init = init.process.id().to_string();
    wait("it becomes a child of the first process", &|stat| parent(stat.unwrap()) == of_init);
    std::fs::write(init.home.path().join("workspace/go"), "").unwrap();
    wait("it ends and is waited for", &|stat| stat.is_none());
}
