//! A printer on the host: the real Moonraker and a real Klipper host (Kalico) with a simulated micro-controller.
//!
//! `tests/vectors/moonraker/bed/` brings them up; the Python environments are those of `toolchain/install.sh`.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) use super::ports::free_port;
use super::{http, wait};

/// A bed that runs. It is taken down when it is dropped.
#[derive(Debug)]
pub(crate) struct Bed {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
    /// The process of each part as it runs now, and those that were started anew here.
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    ids: HashMap<Part, i32>,
    own: Vec<Child>,
}

/// A part of the bed that can be killed and started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// Moonraker.
    Moonraker,
    /// Klipper's host.
    Klippy,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Moonraker => "moonraker",
            Self::Klippy => "klippy",
        }
    }
}

/// What a bed is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// Number of toolheads.
    pub(crate) tools: u32,
    /// Whether Moonraker trusts nobody by his address and forces logins.
    pub(crate) logins: bool,
    /// More lines of `moonraker.conf`.
    pub(crate) moonraker_conf: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self { tools: 1, logins: false, moonraker_conf: "" }
    }
}

/// What a job looks like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    /// Number of layers.
    pub(crate) layers: u32,
    /// Edge of the printed squares in millimetres.
    pub(crate) size: u32,
    /// Speed in mm/s; a layer is about `12 * size` millimetres of movement.
    pub(crate) speed: u32,
    /// Whether it has a line near its end that Klipper refuses.
    pub(crate) spoiled: bool,
}

impl Job {
    /// About ten seconds of movement.
    pub(crate) const SHORT: Self = Self { layers: 4, size: 20, speed: 100, spoiled: false };
    /// More than a minute: for what happens in the middle of a print.
    pub(crate) const LONG: Self = Self { layers: 25, size: 25, speed: 100, spoiled: false };
}

impl Bed {
    /// Brings the bed up and waits until Klippy is ready.
    pub(crate) fn up() -> Self {
        Self::up_with(Setup::default())
    }

    /// The same with this number of toolheads.
    pub(crate) fn with_tools(tools: u32) -> Self {
        Self::up_with(Setup { tools, ..Setup::default() })
    }

    /// Brings a bed up and waits until Klippy is ready; where logins are forced, only until Moonraker answers.
    pub(crate) fn up_with(setup: Setup) -> Self {
        let folder = tempfile::Builder::new().prefix("bed-").tempdir_in("/tmp").unwrap();
        let port = free_port();
        let extra = folder.path().join("moonraker-extra.conf");
        std::fs::write(&extra, setup.moonraker_conf).unwrap();
        let mut process = Command::new("python3")
            .arg(source("bed.py"))
            .arg(folder.path())
            .arg("--klippy")
            .arg(patient(folder.path()))
            .arg("--moonraker")
            .arg(environment("MOONRAKER", ".cache/python/moonraker/bin/moonraker"))
            .args(["--tools", &setup.tools.to_string(), "--port", &port.to_string()])
            .args(["--auth", if setup.logins { "closed" } else { "trusted" }])
            .arg("--moonraker-extra")
            .arg(extra)
            // Moonraker names what it receives by the second: two of them must not share a folder for it.
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let output = process.stdout.take().unwrap();
        let bed = Self { process, folder, port, parts: Mutex::default() };
        let mut ready = String::new();
        BufReader::new(output).read_line(&mut ready).unwrap();
        let said: Value = serde_json::from_str(&ready).unwrap_or_default();
        let expected = if setup.logins { "?" } else { "ready" };
        assert_eq!(said["state"], expected, "the bed did not come up: {ready}\n{}", bed.logs());
        let id = |part: Part| (part, i32::try_from(said["pids"][part.name()].as_i64().unwrap()).unwrap());
        bed.parts.lock().unwrap().ids = [id(Part::Moonraker), id(Part::Klippy)].into();
        bed
    }

    /// Moonraker's port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Moonraker's Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("comms/moonraker.sock")
    }

    /// A folder of the printer: `gcodes`, `config`.
    pub(crate) fn root(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Slices a job, uploads it under `name`, starts it hot, and waits for its first layer.
    pub(crate) fn start_print(&self, name: &str, job: Job) {
        self.prepare_print(name, job);
        let (status, answer) = self.post(&format!("/printer/print/start?filename={}", encoded(name)));
        assert_eq!(status, 200, "{answer}");
        wait::until("the first layer", Duration::from_secs(30), || {
            let shown = self.query("print_stats");
            assert_ne!(shown["state"], "error", "{shown}");
            (shown["info"]["current_layer"].as_u64() >= Some(1)).then_some(())
        });
    }

    /// Slices a job, uploads it under `name`, and makes the nozzle hot.
    pub(crate) fn prepare_print(&self, name: &str, job: Job) {
        // Moonraker 0.11 keeps no record of a job that begins within about a second of Klippy's readiness.
        std::thread::sleep(Duration::from_secs(2));
        // The real START_PRINT waits until the controllers of the heaters have settled, which takes twenty seconds.
        let text = self.slice(&[
            &format!("--layers={}", job.layers),
            &format!("--size={}", job.size),
            &format!("--speed={}", job.speed),
        ]);
        let (before, after) =
            text.split_once("START_PRINT BED=60 NOZZLE=200").expect("the job's first command");
        let mut text = format!("{before}M140 S60\nM104 S200\nG28{after}");
        if job.spoiled {
            text = text.replace("\nEND_PRINT", "\nG1 X9999 F6000\nEND_PRINT");
            assert!(text.contains("X9999"), "no end to spoil");
        }
        self.upload(name, text.as_bytes());
        // A job before may have been hurried, which Klipper does not forget with it.
        self.gcode("M220 S100");
        self.gcode("M140 S60");
        self.gcode("M104 S200");
        wait::until("a hot nozzle", Duration::from_secs(20), || {
            self.heat();
            (self.query("extruder")["temperature"].as_f64() >= Some(190.0)).then_some(())
        });
    }

    /// A job as the slicer writes it; arguments are those of `make_gcode.py`.
    pub(crate) fn slice(&self, arguments: &[&str]) -> String {
        let file = self.folder.path().join("job.gcode");
        let made = Command::new("python3").arg(source("make_gcode.py")).arg(&file).args(arguments).status();
        assert!(made.unwrap().success(), "make_gcode.py failed");
        std::fs::read_to_string(file).unwrap()
    }

    /// Ends a part without warning.
    pub(crate) fn kill(&self, part: Part) {
        let mut parts = self.parts.lock().unwrap();
        let id = Pid::from_raw(parts.ids.remove(&part).expect("it runs"));
        kill(id, Signal::SIGKILL).unwrap();
        if let Some(index) = parts.own.iter().position(|child| child.id().cast_signed() == id.as_raw()) {
            parts.own.swap_remove(index).wait().unwrap();
        }
    }

    /// Starts a part again that was killed.
    pub(crate) fn start(&self, part: Part) {
        let root = self.folder.path();
        let log = std::fs::File::options()
            .append(true)
            .create(true)
            .open(root.join("logs").join(format!("{}.out", part.name())))
            .unwrap();
        let mut command = match part {
            Part::Moonraker => {
                let mut command =
                    Command::new(environment("MOONRAKER", ".cache/python/moonraker/bin/moonraker"));
                command.arg("-d").arg(root).env("TMPDIR", root);
                command
            }
            Part::Klippy => {
                let mut command = Command::new(environment("KALICO", ".cache/python/kalico/bin/kalico"));
                command.arg(root.join("config/printer.cfg")).arg("-a").arg(root.join("comms/klippy.sock"));
                command.arg("-l").arg(root.join("logs/klippy.log")).arg("-I").arg(root.join("comms/tty"));
                command
            }
        };
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut parts = self.parts.lock().unwrap();
        assert!(parts.ids.insert(part, child.id().cast_signed()).is_none(), "{part:?} runs already");
        parts.own.push(child);
    }

    /// Waits until Moonraker says that Klippy is in this state.
    pub(crate) fn wait_for_klippy(&self, state: &str) {
        wait::until(&format!("Klippy `{state}`"), Duration::from_secs(60), || {
            let answer = http::try_request(self.port, "GET", "/server/info", None)?;
            (answer.1["result"]["klippy_state"] == state).then_some(())
        });
    }

    /// Takes the power from the nozzle's heater, and waits until Klipper has seen it: soon, since it is kept just
    /// warm enough to print.
    pub(crate) fn nozzle_without_power(&self) {
        self.control("dead extruder 1");
        wait::until("Klippy `shutdown`", Duration::from_secs(60), || {
            self.control("temp extruder 178");
            let answer = http::try_request(self.port, "GET", "/server/info", None)?;
            (answer.1["result"]["klippy_state"] == "shutdown").then_some(())
        });
    }

    /// Presses the emergency stop.
    pub(crate) fn emergency_stop(&self) {
        assert_eq!(self.post("/printer/emergency_stop").0, 200);
    }

    /// Restarts Klippy with its micro-controller, and waits until it is gone and ready again, twice if need be: after the
    /// controller fell silent the first restart ends in `error`.
    pub(crate) fn firmware_restart(&self) {
        wait::until("Klippy ready", Duration::from_secs(90), || {
            self.post("/printer/firmware_restart");
            let begun = std::time::Instant::now();
            let mut gone = false;
            while begun.elapsed() < Duration::from_secs(15) {
                let answer = http::try_request(self.port, "GET", "/server/info", None)?;
                let state = answer.1["result"]["klippy_state"].as_str();
                gone |= state != Some("ready");
                match state {
                    // One that was not seen to go has been quick.
                    Some("ready") if gone || begun.elapsed() > Duration::from_secs(5) => return Some(()),
                    Some("error") => return None,
                    _ => std::thread::sleep(Duration::from_millis(200)),
                }
            }
            None
        });
    }

    /// Pauses the running print.
    pub(crate) fn pause_print(&self) {
        assert_eq!(self.post("/printer/print/pause").0, 200);
        self.wait_for("paused", Duration::from_secs(30));
    }

    /// Goes on with the paused print.
    pub(crate) fn resume_print(&self) {
        assert_eq!(self.post("/printer/print/resume").0, 200);
        self.wait_for("printing", Duration::from_secs(30));
    }

    /// Cancels the running print.
    pub(crate) fn cancel_print(&self) {
        let (status, answer) = self.post("/printer/print/cancel");
        assert_eq!(status, 200, "{answer}");
    }

    /// Makes the rest of the running print several times as fast.
    pub(crate) fn hurry(&self) {
        self.gcode("M220 S600");
    }

    /// Waits until Klippy's `print_stats.state` is `state`.
    pub(crate) fn wait_for(&self, state: &str, within: Duration) {
        let awaited = format!("print_stats.state `{state}`");
        wait::until(&awaited, within, || (self.query("print_stats")["state"] == state).then_some(()));
    }

    /// The same without Moonraker, over Klippy's own socket.
    pub(crate) fn wait_for_unseen(&self, state: &str, within: Duration) {
        let mut stream =
            BufReader::new(UnixStream::connect(self.folder.path().join("comms/klippy.sock")).unwrap());
        let asked = json!({"id": 1, "method": "objects/query", "params": {"objects": {"print_stats": null}}});
        wait::until(&format!("print_stats.state `{state}` unseen"), within, || {
            stream.get_mut().write_all(format!("{asked}\u{3}").as_bytes()).unwrap();
            let mut answer = Vec::new();
            stream.read_until(3, &mut answer).unwrap();
            let answer: Value = serde_json::from_slice(answer.strip_suffix(b"\x03").unwrap()).unwrap();
            (answer["result"]["status"]["print_stats"]["state"] == state).then_some(())
        });
    }

    /// One object of Klippy, as it is now.
    pub(crate) fn query(&self, object: &str) -> Value {
        let (status, answer) =
            http::request(self.port, "GET", &format!("/printer/objects/query?{object}"), None);
        assert_eq!(status, 200, "{answer}");
        answer["result"]["status"][object].clone()
    }

    /// The newest record of Moonraker's history.
    pub(crate) fn history_of_newest(&self) -> Value {
        let (status, answer) =
            http::request(self.port, "GET", "/server/history/list?limit=1&order=desc", None);
        assert_eq!(status, 200, "{answer}");
        answer["result"]["jobs"][0].clone()
    }

    /// Sends one line to the simulated micro-controller and gives its answer.
    pub(crate) fn control(&self, line: &str) -> Value {
        let mut stream = UnixStream::connect(self.folder.path().join("ctl")).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    pub(crate) fn gcode(&self, line: &str) {
        let (status, answer) = self.post(&format!("/printer/gcode/script?script={}", encoded(line)));
        assert_eq!(status, 200, "{line}: {answer}");
    }

    fn heat(&self) {
        for line in ["temp extruder 200", "temp heater_bed 60"] {
            let answer = self.control(line);
            assert_eq!(answer["error"], Value::Null, "{line}: {answer}");
        }
    }

    fn upload(&self, name: &str, content: &[u8]) {
        let boundary = "a-line-that-no-g-code-has";
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        let body = [head.as_bytes(), content, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        let kind = format!("multipart/form-data; boundary={boundary}");
        let (status, answer) = http::request(self.port, "POST", "/server/files/upload", Some((&kind, &body)));
        assert_eq!(status, 201, "{answer}");
    }

    fn post(&self, path: &str) -> (u16, Value) {
        http::request(self.port, "POST", path, None)
    }

    fn logs(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join("logs").join(name));
        ["sim.out", "klippy.out", "moonraker.out"]
            .iter()
            .filter_map(|name| read(name).ok().map(|text| format!("== {name}\n{text}")))
            .collect()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let parts = self.parts.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        for child in &mut parts.own {
            let _ = child.kill();
            let _ = child.wait();
        }
        // bed.py ends its three processes on SIGTERM.
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.process.id()).unwrap());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

/// A program that runs Klipper's host with more patience: on a busy machine it may hear from its controller later than it
/// wants to while it homes, which would fail a print that nobody means to fail.
fn patient(folder: &Path) -> PathBuf {
    let host = environment("KALICO", ".cache/python/kalico/bin/kalico");
    let path = folder.join("klippy.sh");
    let script = format!(
        "#!/bin/sh\nprintf '\\n[danger_options]\\nsingle_mcu_trsync_timeout: 5\\n' >>\"$1\"\nexec '{}' \"$@\"\n",
        host.display()
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    path
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/moonraker/bed").join(name)
}

/// A program of the environments, or the one that a variable of this name says.
pub(crate) fn environment(variable: &str, path: &str) -> PathBuf {
    let program = std::env::var_os(variable)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(path), PathBuf::from);
    assert!(program.is_file(), "{} is missing: run `make test` once, which installs it", program.display());
    program
}

/// A file name for a query: everything but letters, digits and `._-` as %XX.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
