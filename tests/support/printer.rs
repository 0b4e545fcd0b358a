//! A printer in QEMU: the root of `dist/firmware.bin`, and an `/oem` disk that a test has filled.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use octofw::boot::oem::LAVA;
use octofw::boot::{Guest, GuestClock, GuestFiles, Machine, OemDisk, OemTree, Output};
use octofw::debian::Archive;
use octofw::lock::Lock;
use serde_json::Value;

use super::phones::Phones;
use super::ports::free_port;
use super::prusa_connect::{Connect, registered};
use super::telegram::Telegram;
use super::wait;

/// From power-on to the root shell, on a busy host.
const BOOT: Duration = Duration::from_secs(60);

/// Shell command that lists the processes which execute our program, by id.
pub(crate) const LIST_PROCESSES: &str = "ls -l /proc/[0-9]*/exe 2>/dev/null | \
    sed -n 's#.*/proc/\\([0-9]*\\)/exe -> /usr/local/bin/octobridge.*#\\1#p'";

/// The pid file of the supervising process.
pub(crate) const PID_FILE: &str = "/var/run/octoapp.pid";

/// Where the owner's switches lie, below `/oem`.
pub(crate) const EXTENDED: &str = "printer_data/config/extended/extended2.cfg";

/// The bot and the chat of the tests.
pub(crate) const TOKEN: &str = "123456789:test-token-that-nobody-has";
/// A group with topics.
pub(crate) const CHAT: i64 = -1_001_234_567_890;
/// The printer's topic in it.
pub(crate) const THREAD: u64 = 7;

/// Where the printer finds Moonraker.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moonraker {
    /// Nowhere.
    None,
    /// At its usual socket, which the stand-in relays to this port of the host.
    Socket(u16),
    /// At a WebSocket on this port of the host.
    WebSocket(u16),
}

/// The `/oem` of a printer on which nothing was set up.
pub(crate) fn untouched() -> OemTree {
    OemTree::new().folder("printer_data", LAVA, 0o755)
}

/// The `/oem` of a printer whose owner has switched Telegram on.
pub(crate) fn with_telegram(telegram: &Telegram, moonraker: Moonraker) -> OemTree {
    with_bridges(std::slice::from_ref(telegram), moonraker)
}

/// The same with a bridge for each of these chats.
pub(crate) fn with_bridges(chats: &[Telegram], moonraker: Moonraker) -> OemTree {
    with_all(chats, None, moonraker)
}

/// The same with a bridge to these phones and one to Prusa Connect besides.
pub(crate) fn with_all(
    chats: &[Telegram],
    others: Option<(&Phones, &Connect)>,
    moonraker: Moonraker,
) -> OemTree {
    let tree = match moonraker {
        Moonraker::WebSocket(port) => {
            bridges(chats, others, &format!("moonraker_url: ws://10.0.2.2:{port}/websocket\n"))
        }
        Moonraker::None | Moonraker::Socket(_) => bridges(chats, others, ""),
    };
    match moonraker {
        Moonraker::Socket(port) => with_relay(tree, port),
        Moonraker::None | Moonraker::WebSocket(_) => tree,
    }
}

/// The same for a printer that is watched over a realtime feed on this port of the host.
pub(crate) fn with_feed(chats: &[Telegram], port: u16) -> OemTree {
    let source = format!("source: feed\nws_url: ws://10.0.2.2:{port}/ws/printer/{{PRINTER_ID}}\n");
    bridges(chats, None, &source)
}

/// A bridge for each chat, the first without a name of its own, and one for each of the others. `general` are more lines
/// for the whole program.
fn bridges(chats: &[Telegram], others: Option<(&Phones, &Connect)>, general: &str) -> OemTree {
    let phones = others.map(|(phones, _)| phones.ca());
    let authorities: String = chats.iter().map(Telegram::ca).chain(phones).collect();
    let mut settings = format!("[octobridge]\nextra_ca_file: /oem/standin/ca.pem\n{general}");
    let mut tree =
        untouched().folder("printer_data/octoapp", LAVA, 0o700).file("standin/ca.pem", 0, 0o644, authorities);
    for (number, chat) in chats.iter().enumerate() {
        let (section, secret) = match number {
            0 => ("telegram".to_owned(), "telegram".to_owned()),
            more => (format!("telegram chat{more}"), format!("telegram_chat{more}")),
        };
        settings += &format!(
            "\n[{section}]\nenabled: true\nchat_id: {CHAT}\nthread_id: {THREAD}\napi_url: https://10.0.2.2:{}\n",
            chat.port()
        );
        let secret = format!("printer_data/octoapp/{secret}_bot_token");
        tree = tree.file(&secret, LAVA, 0o600, format!("{TOKEN}\n"));
    }
    if let Some((phones, connect)) = others {
        settings += &(phones.section("10.0.2.2") + &connect.register("10.0.2.2"));
        let secret = "printer_data/octoapp/prusa_connect_token";
        tree = tree.file(secret, LAVA, 0o600, format!("{}\n", registered::TOKEN));
    }
    tree.file(EXTENDED, LAVA, 0o644, settings)
}

/// Adds what relays Moonraker's socket to a port of the host.
pub(crate) fn with_relay(tree: OemTree, port: u16) -> OemTree {
    let start = format!(
        "#!/bin/sh\nexec /oem/standin/relay /oem/printer_data/comms/moonraker.sock 10.0.2.2:{port}\n"
    );
    tree.file("standin/moonraker", 0, 0o755, start).file("standin/relay", 0, 0o755, relay())
}

/// A printer that can be switched on, again and again with the same `/oem`.
#[derive(Debug)]
pub(crate) struct Printer {
    machine: Machine,
    folder: tempfile::TempDir,
}

impl Printer {
    /// A printer with the image under test.
    pub(crate) fn new(oem: &OemTree) -> Self {
        let image = image();
        let folder = tempfile::Builder::new().prefix("printer-").tempdir().unwrap();
        let disk = OemDisk::create(&folder.path().join("oem.img"), 256, oem).unwrap();
        let machine = Machine::new(image.kernel.clone(), image.initramfs.clone(), image.root.clone(), disk);
        Self { machine, folder }
    }

    /// The same printer with its clock at a date when it is switched on.
    pub(crate) fn at(mut self, date: &str) -> Self {
        self.machine.clock = GuestClock::Date(date.to_owned());
        self
    }

    /// The same printer with another network card, from the next boot on.
    pub(crate) fn network_address(&mut self, address: &str) {
        self.machine.network_address = Some(address.to_owned());
    }

    /// The port of 127.0.0.1 that leads to the printer's web server, from the next boot on.
    pub(crate) fn web(&mut self) -> u16 {
        let port = free_port();
        self.machine.web = Some(port);
        port
    }

    /// Further disks, read-only, from `/dev/vdc` on, from the next boot on.
    pub(crate) fn disks(&mut self, images: Vec<PathBuf>) {
        self.machine.disks = images;
    }

    /// Where every packet is recorded from the next boot on.
    pub(crate) fn record_packets(&mut self) -> PathBuf {
        let path = self.folder.path().join("packets.pcap");
        self.machine.packet_dump = Some(path.clone());
        path
    }

    /// Switches the printer on and waits until all its scripts have run.
    pub(crate) fn boot(&self) -> Booted {
        Booted { guest: Some(Guest::boot(&self.machine, BOOT).unwrap_or_else(|error| panic!("{error}"))) }
    }
}

/// A printer that is switched on. When a test fails, it tells how the service is.
#[derive(Debug)]
pub(crate) struct Booted {
    guest: Option<Guest>,
}

impl Booted {
    fn guest(&mut self) -> &mut Guest {
        self.guest.as_mut().expect("the printer is on")
    }

    /// Runs a command as root.
    pub(crate) fn run(&mut self, command: &str) -> Output {
        self.guest().run(command).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs a command as root and gives what it printed; panics when it fails.
    pub(crate) fn done(&mut self, command: &str) -> String {
        let Output { status, text } = self.run(command);
        assert_eq!(status, 0, "{command}: {text}");
        text
    }

    /// Calls the init script.
    pub(crate) fn service(&mut self, action: &str) -> Output {
        self.run(&format!("/etc/init.d/S66octoapp {action}"))
    }

    /// The processes that execute our program.
    pub(crate) fn processes(&mut self) -> Vec<u32> {
        let list = self.run(LIST_PROCESSES);
        let mut processes: Vec<u32> = list.text.lines().filter_map(|line| line.trim().parse().ok()).collect();
        processes.sort_unstable();
        processes
    }

    /// What the pid file says, if there is one.
    pub(crate) fn pid_file(&mut self) -> Option<u32> {
        self.run(&format!("cat {PID_FILE}")).text.trim().parse().ok()
    }

    /// Waits until the service runs and answers, and the pid file names one of its processes; gives these.
    pub(crate) fn wait_for_service(&mut self, within: Duration) -> Vec<u32> {
        wait::until("a running service with a true pid file", within, || {
            let answers = self.service("status").status == 0;
            let (processes, named) = (self.processes(), self.pid_file()?);
            (answers && processes.contains(&named)).then_some(processes)
        })
    }

    /// Waits until nothing of ours runs.
    pub(crate) fn wait_for_silence(&mut self, within: Duration) {
        wait::until("the end of all our processes", within, || self.processes().is_empty().then_some(()));
    }

    /// How long the start of an init script took, in seconds.
    pub(crate) fn start_took(&mut self, script: &str) -> f64 {
        let log = self.done("cat /tmp/boot-times.log");
        let at = |what: &str| -> f64 {
            let wanted = format!("{script} {what} ");
            let line = log.lines().find_map(|line| line.strip_prefix(&wanted));
            let line = line.unwrap_or_else(|| panic!("the boot has no `{wanted}`:\n{log}"));
            line.split(' ').next().unwrap().parse().unwrap()
        };
        at("end") - at("start")
    }

    /// What is resident of all our processes after so many idle minutes, in KiB: see [`Self::resident`].
    pub(crate) fn resident_after(&mut self, idle_minutes: u32) -> u64 {
        let seconds = u64::from(idle_minutes) * 60;
        let wait = format!("sleep {seconds}");
        let slept = self.guest().run_within(&wait, Duration::from_secs(seconds + 60));
        assert_eq!(slept.unwrap_or_else(|error| panic!("{error}")).status, 0);
        self.resident()
    }

    /// What is resident of all our processes, in KiB, counted page by page (`Rss` of `/proc/PID/smaps_rollup`). The
    /// kernel's quick figure (`VmRSS`) leaves out what its threads have not reported yet: after some minutes it was seen to
    /// be two megabytes too low.
    pub(crate) fn resident(&mut self) -> u64 {
        let processes = self.processes();
        assert!(!processes.is_empty(), "the service does not run");
        let read = |pid: &u32| kib(&self.done(&format!("cat /proc/{pid}/smaps_rollup")), "Rss");
        processes.iter().map(read).sum()
    }

    /// A line of `/proc/PID/status` (`VmRSS`, `VmHWM`) of each of our processes, in KiB.
    pub(crate) fn memory(&mut self, field: &str) -> Vec<u64> {
        let processes = self.processes();
        assert!(!processes.is_empty(), "the service does not run");
        let read = |pid: &u32| kib(&self.done(&format!("cat /proc/{pid}/status")), field);
        processes.iter().map(read).collect()
    }

    /// Lets `VmHWM` begin anew: what a process had before the other was there adds to nothing.
    pub(crate) fn forget_peaks(&mut self) {
        for pid in self.processes() {
            self.done(&format!("echo 5 > /proc/{pid}/clear_refs"));
        }
    }

    /// What the service says of its bridges: for each the state.
    pub(crate) fn bridge_states(&mut self) -> Vec<String> {
        let report = self.done("/usr/local/bin/octobridge status --json");
        let report: Value = serde_json::from_str(report.trim()).unwrap_or_else(|e| panic!("{e}: {report}"));
        let bridges = report["bridges"].as_array().unwrap().iter();
        let state = |bridge: &Value| bridge["state"].as_str().unwrap().to_owned();
        bridges.map(state).filter(|state| state != "off").collect()
    }

    /// Switches the printer off through init.
    pub(crate) fn power_off(mut self) {
        let guest = self.guest.take().expect("the printer is on");
        guest.power_off().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Cuts the power.
    pub(crate) fn cut_power(mut self) {
        let guest = self.guest.take().expect("the printer is on");
        guest.kill().unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        let Some(guest) = self.guest.as_mut().filter(|_| std::thread::panicking()) else { return };
        for command in [
            "/etc/init.d/S66octoapp status",
            "ps | grep octo[a]pp",
            "cat /var/run/octoapp.pid",
            "tail -n 40 /oem/printer_data/logs/octoapp.log /var/run/octobridge/*.log",
        ] {
            match guest.run(command) {
                Ok(output) => eprintln!("# {command}\n{}", output.text),
                Err(error) => eprintln!("# {command}\n{error}"),
            }
        }
    }
}

/// A field of a `/proc/PID/status`, in KiB.
fn kib(status: &str, field: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let value = line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("no {field} in:\n{status}"))
}

#[derive(Debug)]
struct Image {
    root: PathBuf,
    kernel: PathBuf,
    initramfs: PathBuf,
}

/// The image under test, taken apart once for all tests of the process.
fn image() -> &'static Image {
    static IMAGE: OnceLock<Image> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let firmware = std::env::var_os("FIRMWARE_UNDER_TEST")
            .filter(|path| !path.is_empty())
            .map_or_else(|| project("dist/firmware.bin"), PathBuf::from);
        assert!(firmware.is_file(), "{} is missing: run `make overlay` first", firmware.display());
        let cache = project(".cache/octofw");
        let folder = project("target/boot-test");
        std::fs::create_dir_all(&folder).unwrap();
        let root = octofw::boot::root::take_out(&firmware, &folder.join("rootfs.img")).unwrap();
        let archive = archive();
        let lock = Lock::read_if_any(&project("octofw.lock")).unwrap();
        let (files, _) = GuestFiles::fetch(&archive, &cache.join("guest"), lock.as_ref()).unwrap();
        let initramfs = folder.join("initramfs.cpio");
        std::fs::write(&initramfs, octofw::boot::initramfs::build(&files).unwrap()).unwrap();
        Image { root, kernel: files.kernel, initramfs }
    })
}

/// The relay, built for the printer once for all tests of the process.
fn relay() -> Vec<u8> {
    static RELAY: OnceLock<Vec<u8>> = OnceLock::new();
    let build = || {
        let target = "aarch64-unknown-linux-musl";
        let folder = project("target/relay");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--release", "-p", "standin-relay", "--target", target])
            .arg("--target-dir")
            .arg(&folder)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld")
            .current_dir(project(""))
            .status()
            .unwrap();
        assert!(built.success(), "the relay for the booted printer does not build");
        std::fs::read(folder.join(target).join("release/standin-relay")).unwrap()
    };
    RELAY.get_or_init(build).clone()
}

/// Debian's packages for the printer, of which `OFFLINE` forbids to fetch any.
pub(super) fn archive() -> Archive {
    let offline = std::env::var_os("OFFLINE").is_some_and(|set| !set.is_empty());
    Archive::open(&project(".cache/octofw")).unwrap().offline(offline)
}

pub(super) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
