//! The real program in a folder of its own, told to Telegram's stand-ins, with its REST server on loopback.

use super::ending::end;
use super::leap::Leap;
use super::telegram::Telegram;
use super::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// The bot and the chat that stand-ins are to serve. A person's chat: a group would take too few messages a minute.
pub(crate) const TOKEN: &str = "1:program";
pub(crate) const CHAT: i64 = 5;
/// The printer's name in the paths.
pub(crate) const PRINTER: &str = "A1M-1";

/// Most files that the program may have open: a quarter of what systems usually allow.
const FILES: u32 = 256;

/// A service that runs. It is ended when it is dropped.
pub(crate) struct Program {
    child: Child,
    folder: tempfile::TempDir,
    /// Where its REST server listens.
    pub(crate) address: SocketAddr,
    worker: i32,
    leap: Option<Leap>,
}

impl Program {
    /// Starts it with these lines of `[octobridge]`, which name its source, and a bridge to each chat that tells each
    /// turn of a job at once and nothing else; waits until its REST server answers.
    pub(crate) fn start(source: &str, chats: &[Telegram]) -> Self {
        Self::prepared(source, chats, |_| ())
    }

    /// The same, with something done to the printer's data folder before.
    pub(crate) fn prepared(source: &str, chats: &[Telegram], prepare: impl FnOnce(&Path)) -> Self {
        Self::set_up(source, chats, false, prepare)
    }

    /// The same with a clock that can leap.
    pub(crate) fn leaping(source: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::set_up(source, &[], true, prepare)
    }

    fn set_up(source: &str, chats: &[Telegram], leaps: bool, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("printer_data");
        for place in ["config/extended", "logs", "octoapp"] {
            std::fs::create_dir_all(data.join(place)).unwrap();
        }
        let authorities: String = chats.iter().map(Telegram::ca).collect();
        std::fs::write(data.join("ca.pem"), authorities).unwrap();
        let address = free_address();
        let mut settings = format!(
            "[octobridge]\n{source}\nprinter_id: {PRINTER}\nbind: {}\nport: {}\n",
            address.ip(),
            address.port(),
        );
        if !chats.is_empty() {
            settings += &format!("extra_ca_file: {}\n", data.join("ca.pem").display());
        }
        for (number, chat) in chats.iter().enumerate() {
            let name = if number == 0 { "telegram".to_owned() } else { format!("telegram n{number}") };
            settings += &format!(
                "[{name}]\nenabled: true\nchat_id: {CHAT}\napi_url: {}\nevents: start,state,pause,end\n\
                 short_pause_seconds: 0\n",
                chat.url()
            );
            let secret = data.join("octoapp").join(format!("{}_bot_token", name.replace(' ', "_")));
            std::fs::write(&secret, TOKEN).unwrap();
            private(&secret);
        }
        std::fs::write(data.join("config/extended/extended2.cfg"), settings).unwrap();
        prepare(&data);
        let leap = leaps.then(|| Leap::new(folder.path()));
        let child = spawn(folder.path(), leap.as_ref());
        let mut program = Self { child, folder, address, worker: 0, leap };
        program.wait_until_up();
        program
    }

    fn wait_until_up(&mut self) {
        self.worker = wait::until("the program's report", Duration::from_secs(20), || self.worker_now());
        wait::until("the REST server", Duration::from_secs(20), || {
            std::net::TcpStream::connect(self.address).is_ok().then_some(())
        });
    }

    /// Ends it and starts it again, all processes of it, as `/etc/init.d/S66octoapp restart` does.
    pub(crate) fn restart(&mut self) {
        end(&mut self.child);
        self.child = spawn(self.folder.path(), self.leap.as_ref());
        self.wait_until_up();
    }

    /// Lets it read its settings again.
    pub(crate) fn reload(&self) {
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGHUP).unwrap();
    }

    /// Lets so much time pass at once for it.
    pub(crate) fn leap(&self, time: Duration) {
        self.leap.as_ref().expect("a clock that leaps").by(time);
    }

    /// The worker of this moment, where one runs.
    pub(crate) fn worker_now(&self) -> Option<i32> {
        i32::try_from(self.report()["worker_pid"].as_i64()?).ok()
    }

    /// What `status --json` tells.
    pub(crate) fn report(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_octobridge"))
            .args(["status", "--json"])
            .env_clear()
            .envs(surroundings(self.folder.path()))
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The printer's data folder.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("printer_data")
    }

    /// Tells it to stop. Gives how long that took, and by how many kB the worker's memory grew meanwhile.
    pub(crate) fn stop(&mut self) -> (Duration, u64) {
        let resident = |name: &str| -> Option<u64> {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.worker)).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        self.forget_most_memory();
        let before = resident("VmRSS:").unwrap();
        let asked = std::time::Instant::now();
        kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM).unwrap();
        let (mut most, mut ended) = (before, None);
        while ended.is_none() {
            most = most.max(resident("VmHWM:").unwrap_or_default());
            ended = self.child.try_wait().unwrap();
            assert!(asked.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::park_timeout(Duration::from_millis(2));
        }
        let took = asked.elapsed();
        assert!(ended.unwrap().success() && resident("VmRSS:").is_none(), "{ended:?}");
        (took, most - before)
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        let path = self.folder.path().join("printer_data/logs/octoapp.log");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    /// The process that serves; panics if it is another one than at first.
    pub(crate) fn worker(&self) -> i32 {
        assert_eq!(self.report()["worker_pid"], self.worker, "another worker\n{}", self.log());
        self.worker
    }

    /// How many files the worker has open.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.worker)).unwrap().count()
    }

    /// The processor's time that the worker has taken so far.
    pub(crate) fn processor(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.worker)).unwrap();
        // Behind the name, which may hold blanks: state, parent, …, and as 12th and 13th the times.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        // Ten milliseconds each, on every system that we know.
        Duration::from_millis(ticks * 10)
    }

    /// Forgets the most memory that the worker has had.
    pub(crate) fn forget_most_memory(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.worker), "5").unwrap();
    }

    /// The most memory that the worker has had since then (`VmHWM`), in kB.
    pub(crate) fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.worker)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.report(), self.log());
        }
        end(&mut self.child);
    }
}

fn surroundings(folder: &Path) -> [(&'static str, std::path::PathBuf); 2] {
    [("PRINTER_DATA", folder.join("printer_data")), ("OCTOBRIDGE_RUN_DIR", folder.join("run"))]
}

fn spawn(folder: &Path, leap: Option<&Leap>) -> Child {
    Command::new("/bin/sh")
        .args(["-c", &format!("ulimit -n {FILES}; exec \"$0\" run"), env!("CARGO_BIN_EXE_octobridge")])
        .env_clear()
        .envs(surroundings(folder))
        .envs(leap.into_iter().flat_map(Leap::surroundings))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A port on an address of loopback that nobody else uses: ports of 127.0.0.1 are taken by every client that runs at
/// the same time.
fn free_address() -> SocketAddr {
    static NUMBER: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, high, low, NUMBER.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((IpAddr::V4(address), 0)).unwrap().local_addr().unwrap()
}
