//! A running guest: one QEMU, its console, and a root shell on it.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::console::{Console, Position, find};
use super::{Error, OemDisk, QEMU};

/// How long a command in the guest may take unless said otherwise.
const COMMAND: Duration = Duration::from_secs(30);

/// How long the way down may take: the scripts of `rcK`, each of which may wait for its service to end.
const POWER_OFF: Duration = Duration::from_secs(40);

/// What the guest's clock shows when it is switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestClock {
    /// The host's time.
    Host,
    /// A date such as `1970-01-01T00:00:00`, in UTC, from where it runs on.
    Date(String),
}

/// The emulated machine, to be switched on.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The kernel image.
    pub kernel: PathBuf,
    /// The first file system, from [`super::initramfs::build`].
    pub initramfs: PathBuf,
    /// The squashfs that becomes the root.
    pub root: PathBuf,
    /// The disk for `/oem`; what the guest writes stays on it.
    pub oem: OemDisk,
    /// Images that become further disks, read-only, from `/dev/vdc` on.
    pub disks: Vec<PathBuf>,
    /// Memory in MiB.
    pub memory: u32,
    /// Number of processors.
    pub processors: u32,
    /// The clock at power-on.
    pub clock: GuestClock,
    /// A file that gets every packet of the network card (pcap format).
    pub packet_dump: Option<PathBuf>,
    /// The network card's address, such as `00:00:5e:00:53:01`; without one it has QEMU's, which all its guests have.
    pub network_address: Option<String>,
    /// A port of the host's 127.0.0.1 that leads to the guest's web server, its port 80.
    pub web: Option<u16>,
}

impl Machine {
    /// A machine with 512 MiB, two processors, the right time, and no packet dump.
    pub fn new(kernel: PathBuf, initramfs: PathBuf, root: PathBuf, oem: OemDisk) -> Self {
        Self {
            kernel,
            initramfs,
            root,
            oem,
            disks: Vec::new(),
            memory: 512,
            processors: 2,
            clock: GuestClock::Host,
            packet_dump: None,
            network_address: None,
            web: None,
        }
    }

    /// The arguments of `qemu-system-aarch64`.
    ///
    /// No device sits on PCI: QEMU's own network card there wants a boot ROM that Debian packs separately.
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        add("-M", "virt".to_owned());
        add("-cpu", "cortex-a57".to_owned());
        add("-accel", "tcg,thread=multi".to_owned());
        add("-smp", self.processors.to_string());
        add("-m", self.memory.to_string());
        add("-display", "none".to_owned());
        add("-monitor", "none".to_owned());
        add("-serial", "stdio".to_owned());
        add("-kernel", self.kernel.display().to_string());
        add("-initrd", self.initramfs.display().to_string());
        add("-append", "console=ttyAMA0 quiet panic=-1".to_owned());
        // Linux finds the lower-numbered virtio-mmio bus first: the root is /dev/vda, the other disk /dev/vdb.
        // A comma in a path would end the option's value; QEMU takes a doubled one for it.
        let file = |path: &Path| path.display().to_string().replace(',', ",,");
        add("-drive", format!("file={},format=raw,if=none,id=root,readonly=on", file(&self.root)));
        add("-device", "virtio-blk-device,drive=root,bus=virtio-mmio-bus.0".to_owned());
        add("-drive", format!("file={},format=raw,if=none,id=oem", file(self.oem.path())));
        add("-device", "virtio-blk-device,drive=oem,bus=virtio-mmio-bus.1".to_owned());
        for (number, disk) in self.disks.iter().enumerate() {
            add("-drive", format!("file={},format=raw,if=none,id=disk{number},readonly=on", file(disk)));
            let bus = number.saturating_add(2);
            add("-device", format!("virtio-blk-device,drive=disk{number},bus=virtio-mmio-bus.{bus}"));
        }
        let web = self.web.iter().map(|port| format!(",hostfwd=tcp:127.0.0.1:{port}-:80"));
        add("-netdev", "user,id=n0,restrict=off".to_owned() + &web.collect::<String>());
        let address = self.network_address.iter().map(|address| format!(",mac={address}"));
        add("-device", "virtio-net-device,netdev=n0".to_owned() + &address.collect::<String>());
        if let Some(dump) = &self.packet_dump {
            add("-object", format!("filter-dump,id=dump,netdev=n0,file={}", file(dump)));
        }
        if let GuestClock::Date(date) = &self.clock {
            add("-rtc", format!("base={date}"));
        }
        arguments.push("-no-reboot".to_owned());
        arguments
    }
}

/// What a command in the guest did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Output {
    /// Its exit status.
    pub status: i32,
    /// What it printed, on standard output and standard error.
    pub text: String,
}

/// A guest that is switched on. It is killed when it is dropped.
#[derive(Debug)]
pub struct Guest {
    qemu: Child,
    input: ChildStdin,
    console: Console,
    complaints: Console,
    started: Instant,
    /// Behind what has been waited for so far.
    seen: Position,
    commands: u32,
    shell: bool,
}

impl Guest {
    /// Switches the machine on and returns at once.
    pub fn switch_on(machine: &Machine) -> Result<Self, Error> {
        let mut qemu = Command::new(QEMU)
            .args(machine.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::Qemu)?;
        let started = Instant::now();
        let (Some(input), Some(output), Some(errors)) =
            (qemu.stdin.take(), qemu.stdout.take(), qemu.stderr.take())
        else {
            return Err(Error::Qemu(std::io::Error::other("its standard streams are not there")));
        };
        Ok(Self {
            qemu,
            input,
            console: Console::collect(output),
            complaints: Console::collect(errors),
            started,
            seen: Position::default(),
            commands: 0,
            shell: false,
        })
    }

    /// Switches the machine on and waits until its root shell takes commands.
    pub fn boot(machine: &Machine, within: Duration) -> Result<Self, Error> {
        let mut guest = Self::switch_on(machine)?;
        guest.log_in(within)?;
        Ok(guest)
    }

    /// Waits for the shell that init starts on the console once its scripts have run, and gives the time that this
    /// took since the power came on.
    pub fn log_in(&mut self, within: Duration) -> Result<Duration, Error> {
        let prompt = |output: &[u8]| {
            let last = output.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            // BusyBox asks the terminal for the place of its cursor behind the prompt.
            let last = last.strip_suffix(b"\x1b[6n").unwrap_or(last);
            last.ends_with(b"# ").then_some(output.len())
        };
        self.seen = self.await_console("the prompt of its root shell", self.seen, within, prompt)?;
        let took = self.started.elapsed();
        // From here on commands come from a pipe: no echo, no prompt, no line editing, no limit on a command but
        // the terminal's line. Kernel messages would otherwise fall between a command's lines.
        self.send(
            "stty -echo; dmesg -n 1; while IFS= read -r line; do printf '%s\\n' \"$line\"; done | sh\n",
        )?;
        self.shell = true;
        let Output { status: 0, .. } = self.run("true")? else {
            return Err(Error::Ended {
                awaited: "a shell that runs `true`".to_owned(),
                tail: self.console.tail(),
            });
        };
        Ok(took)
    }

    /// What the console showed before the prompt of the shell.
    pub fn boot_messages(&self) -> String {
        let transcript = self.transcript();
        let end = transcript.find("\nBusyBox v").unwrap_or(transcript.len());
        transcript.get(..end).unwrap_or_default().to_owned()
    }

    /// Everything that the console has shown so far.
    pub fn transcript(&self) -> String {
        self.console.since(Position::default())
    }

    /// Runs a command in the guest's root shell, each in a fresh subshell, and waits for its end.
    ///
    /// Its lines may be at most 4000 bytes long, which is what a terminal takes.
    pub fn run(&mut self, command: &str) -> Result<Output, Error> {
        self.run_within(command, COMMAND)
    }

    /// As [`Guest::run`], waiting at most so long.
    pub fn run_within(&mut self, command: &str, within: Duration) -> Result<Output, Error> {
        if !self.shell {
            self.log_in(within)?;
        }
        self.commands += 1;
        let number = self.commands;
        let from = self.console.end();
        // The marks are put together in the guest, so that an echo of this line is not taken for them.
        self.send(&format!(
            "printf '\\n<%s>\\n' begin-{number}; ( {command}\n) </dev/null 2>&1; printf '\\n<%s:%d>\\n' end-{number} $?\n"
        ))?;
        let first_line = command.lines().next().unwrap_or_default();
        let end = format!("\n<end-{number}:");
        let awaited = format!("the end of `{first_line}`");
        self.seen = self.await_console(&awaited, from, within, |output| {
            let at = find(output, end.as_bytes())? + end.len();
            find(output.get(at..)?, b">").map(|length| at + length + 1)
        })?;
        Ok(output_of(number, &self.console.since(from)))
    }

    /// Switches the guest off in the proper way, through init, and waits for QEMU's end.
    pub fn power_off(mut self) -> Result<(), Error> {
        self.send("poweroff\n")?;
        self.wait_end(POWER_OFF)
    }

    /// Cuts the power: QEMU is killed, nothing is written back.
    pub fn kill(mut self) -> Result<(), Error> {
        self.end()
    }

    /// Waits until the guest switches itself off.
    pub fn wait_end(&mut self, within: Duration) -> Result<(), Error> {
        let ended = self.await_console("its end", self.console.end(), within, |_| None);
        match ended {
            Err(Error::Ended { .. }) | Ok(_) => self.qemu.wait().map(drop).or(Ok(())),
            Err(error) => Err(error),
        }
    }

    /// Types bytes on the console, as they are.
    pub fn type_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.input.write_all(bytes)?;
        self.input.flush()
    }

    /// What somebody types on the console, as a stream of its own.
    pub fn keyboard(&self) -> std::io::Result<impl std::io::Write + Send + use<>> {
        Ok(std::fs::File::from(self.input.as_fd().try_clone_to_owned()?))
    }

    /// The console's output, for somebody who watches it.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// Leaves the command pipe that [`Guest::log_in`] set up and gives a person the plain shell back.
    pub fn give_shell_back(&mut self) -> Result<(), Error> {
        self.shell = false;
        // The end of the terminal's input ends the loop and with it the pipe; the shell below goes on.
        self.send("\x04stty sane\n")
    }

    fn send(&mut self, text: &str) -> Result<(), Error> {
        self.type_bytes(text.as_bytes()).map_err(|error| Error::Ended {
            awaited: format!("that it takes input ({error})"),
            tail: self.with_complaints(self.console.tail()),
        })
    }

    fn await_console(
        &self,
        awaited: &str,
        from: Position,
        within: Duration,
        pattern: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<Position, Error> {
        self.console.wait_until(awaited, from, within, pattern).map_err(|error| match error {
            Error::Ended { awaited, tail } => Error::Ended { awaited, tail: self.with_complaints(tail) },
            other => other,
        })
    }

    fn with_complaints(&self, tail: String) -> String {
        format!("{tail}{}", self.complaints.tail())
    }

    fn end(&mut self) -> Result<(), Error> {
        let killed = self.qemu.kill().and_then(|()| self.qemu.wait());
        killed.map(drop).map_err(Error::Qemu)
    }
}

/// What the command of this number did, by what the console showed between its marks.
pub(crate) fn output_of(number: u32, shown: &str) -> Output {
    let (_, shown) = shown.split_once(&format!("\n<begin-{number}>\n")).unwrap_or_default();
    let (text, rest) = shown.split_once(&format!("\n<end-{number}:")).unwrap_or((shown, ""));
    let status = rest.split('>').next().and_then(|status| status.parse().ok()).unwrap_or(-1);
    Output { status, text: text.to_owned() }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Nothing is left to do about a QEMU that is gone already.
        let _ = self.end();
    }
}
