//! `octofw boot`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::cache::InUse;
use super::lock::PackageOptions;
use super::{Failure, Status, print, print_json};
use crate::boot::{
    self, Guest, GuestFiles, Machine, OemDisk, Output, demonstration, initramfs, root, session,
};
use crate::build::progress::Progress;
use crate::debian::Archive;

/// Longer than the slowest boot seen on a busy machine.
const LOG_IN: Duration = Duration::from_secs(120);

/// `S66octoapp status`: it should run and does not, or not yet.
const DEAD: i32 = 1;

/// How long the service may take until it answers.
const BEGIN: Duration = Duration::from_secs(10);

/// Size of a new `/oem` disk in MiB; the file is sparse.
const OEM_SIZE: u32 = 1024;

/// Boots the root file system of an image in QEMU and shows what the service says
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw boot dist/firmware.bin --console\n\
                        Without --oem the printer has Telegram switched on: with the bot of TELEGRAM_BOT_TOKEN and\n\
                        TELEGRAM_CHAT_ID, or, without these, with one that looks for the service on this machine only.")]
pub(super) struct Args {
    /// Upgrade file, or a squashfs
    image: PathBuf,
    /// Leave a console on the booted printer; Ctrl-A X ends it
    #[arg(long)]
    console: bool,
    /// Disk image for /oem, made with the demonstration's settings if there is none; it keeps what the printer writes
    #[arg(long, value_name = "FILE")]
    oem: Option<PathBuf>,
    /// Folder with Debian's arm64 kernel package and busybox-static, unpacked, instead of fetching them
    #[arg(long, value_name = "DIR")]
    kernel: Option<PathBuf>,
    #[command(flatten)]
    packages: PackageOptions,
    /// Print JSON ("schema": 1)
    #[arg(long, conflicts_with = "console")]
    json: bool,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    path: String,
    /// From power-on to the log-in.
    seconds: f64,
    /// What the console showed, and when each init script ran.
    messages: Vec<&'a str>,
    service: Service<'a>,
}

/// What the service's init script says.
#[derive(Serialize)]
struct Service<'a> {
    status: i32,
    text: &'a str,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let scratch = tempfile::tempdir()
            .map_err(|error| Failure::new(Status::Findings, format!("cannot create a folder: {error}")))?;
        let progress = Progress::new(super::build::shows_progress(false, false));
        let cache = self.packages.cache.begin(None, self.kernel.is_none())?;
        let start = Instant::now();
        progress.begin("make the machine");
        let machine = self.machine(scratch.path(), &cache)?;
        progress.done("make the machine", start);
        let start = Instant::now();
        progress.begin("boot");
        let mut guest = Guest::switch_on(&machine)?;
        let took = guest.log_in(LOG_IN)?;
        // The kernel is in its memory now.
        cache.end(self.packages.offline);
        progress.done("boot", start);
        let lines = boot_lines(&mut guest)?;
        if !self.json {
            print(&lines)?;
            print(&format!("From power-on to the log-in: {:.1} s\n\n", took.as_secs_f64()))?;
        }
        let Output { status, text } = service_status(&mut guest)?;
        if self.json {
            print_json(&JsonReport {
                schema: 1,
                path: self.image.display().to_string(),
                seconds: took.as_secs_f64(),
                messages: lines.lines().collect(),
                service: Service { status, text: &text },
            })?;
        } else {
            print(&format!("# /etc/init.d/S66octoapp status\n{text}"))?;
        }
        if self.console {
            print("\nThis is the printer's console. Ctrl-A X ends it.\n")?;
            guest.give_shell_back()?;
            session::converse(&guest)
                .map_err(|error| Failure::new(Status::Findings, format!("the console failed: {error}")))?;
        } else {
            guest.power_off()?;
        }
        Ok(if status == 0 { Status::Fine } else { Status::Findings })
    }

    /// Gathers everything that the machine needs; what is only for this boot goes to `scratch`.
    fn machine(&self, scratch: &Path, cache: &InUse) -> Result<Machine, Failure> {
        let root = root::take_out(&self.image, &scratch.join("rootfs.img"))?;
        let files = match &self.kernel {
            Some(folder) => GuestFiles::in_folder(folder)?,
            None => self.fetch(cache.folder())?,
        };
        let first = scratch.join("initramfs.cpio");
        std::fs::write(&first, initramfs::build(&files)?).map_err(|error| {
            Failure::new(Status::Findings, format!("cannot write {}: {error}", first.display()))
        })?;
        Ok(Machine::new(files.kernel, first, root, self.oem_disk(scratch)?))
    }

    fn fetch(&self, cache: &Path) -> Result<GuestFiles, Failure> {
        let lock = self.packages.lock.read()?;
        let archive = Archive::open(cache)?.offline(self.packages.offline);
        let (files, met) = GuestFiles::fetch(&archive, &cache.join("guest"), lock.as_ref())?;
        if let Some(lock) = &lock {
            self.packages.lock.admit(lock, &met)?;
        }
        Ok(files)
    }

    fn oem_disk(&self, scratch: &Path) -> Result<OemDisk, boot::Error> {
        let path = self.oem.clone().unwrap_or_else(|| scratch.join("oem.img"));
        if path.exists() {
            return OemDisk::existing(&path);
        }
        let bot = demonstration::Bot::of_environment();
        OemDisk::create(&path, OEM_SIZE, &demonstration::oem(bot.as_ref()))
    }
}

/// What the service says of itself; it is given a little time to begin, since its start does not wait for it.
fn service_status(guest: &mut Guest) -> Result<Output, boot::Error> {
    let asked = Instant::now();
    loop {
        let output = guest.run("/etc/init.d/S66octoapp status")?;
        if output.status != DEAD || asked.elapsed() > BEGIN {
            return Ok(output);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What the console showed on the way up, and when each init script ran, where the image keeps a record of it.
fn boot_lines(guest: &mut Guest) -> Result<String, boot::Error> {
    let mut lines = String::new();
    for line in guest.boot_messages().lines().filter(|line| !line.trim().is_empty()) {
        lines.push_str(line);
        lines.push('\n');
    }
    let log = guest.run("cat /tmp/boot-times.log 2>/dev/null")?.text;
    lines.push_str(&script_lines(&log));
    Ok(lines)
}

/// One line per init script: when it was called, and how long it took. The log has `NAME start UPTIME` and
/// `NAME end UPTIME STATUS`, in seconds since the kernel began.
fn script_lines(log: &str) -> String {
    let mut lines = String::new();
    let mut begun = ("", 0.0);
    for line in log.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, what, time, rest @ ..] = words.as_slice() else { continue };
        let Ok(time) = time.parse::<f64>() else { continue };
        match *what {
            "start" => begun = (name, time),
            "end" if begun.0 == *name => {
                let (start, took) = (begun.1, time - begun.1);
                let failed = match rest {
                    [status, ..] if *status != "0" => format!("  status {status}"),
                    _ => String::new(),
                };
                // Writing to a String cannot fail.
                let _ = writeln!(lines, "{start:8.2} s  {name:<20} {took:5.2} s{failed}");
            }
            _ => {}
        }
    }
    lines
}

impl From<boot::Error> for Failure {
    fn from(error: boot::Error) -> Self {
        Self::new(super::status_of(error.is_wrong_input()), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_listed_with_their_times() {
        let log = "S01aoverlayfs start 2.28\nS01aoverlayfs end 2.55 0\nearly.sh start 2.55\n\
                   S66octoapp start 3.00\nS66octoapp end 3.12 1\nnonsense\n";
        assert_eq!(
            script_lines(log),
            "    2.28 s  S01aoverlayfs         0.27 s\n    3.00 s  S66octoapp            0.12 s  status 1\n"
        );
    }
}
