//! A printer's tree in a temporary folder, with the shipped scripts, a stand-in for the program, and the tools of
//! BusyBox only. Every process that a test starts below it is ended, by its id, when the test ends.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The shells that every script has to run under.
pub(super) const SHELLS: [Shell; 2] = [Shell::BusyBox, Shell::Dash];

/// How long a test waits for something that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shell {
    BusyBox,
    Dash,
}

/// What a script said and how it ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

pub(super) struct Rig {
    pub(super) shell: Shell,
    tree: TempDir,
    /// Environment of every script, on top of an otherwise empty one.
    environment: Vec<(String, String)>,
}

impl Rig {
    pub(super) fn new(shell: Shell) -> Self {
        // Beside the compiled stand-in, so that it can be linked: a copy could be busy while another test forks.
        let tree = tempfile::Builder::new().prefix("rig").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut rig = Self { shell, tree, environment: Vec::new() };
        for folder in ["usr/local/bin", "home/lava/bin", "home/lava/printer_data", "var/run", "tools"] {
            fs::create_dir_all(rig.path(folder)).unwrap();
        }
        fs::hard_link(stand_in(), rig.path("usr/local/bin/octobridge")).unwrap();
        symlink(shipped("home/lava/bin/octoapp.sh"), rig.path("home/lava/bin/octoapp.sh")).unwrap();
        symlink(shipped("usr/local/share/octobridge"), rig.path("usr/local/share_octobridge")).unwrap();
        for applet in applets() {
            symlink(busybox(), rig.path("tools").join(applet)).unwrap();
        }
        rig.set("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        for (name, place) in [
            ("OCTOBRIDGE_PATH", "tools"),
            ("OCTOBRIDGE_PROGRAM", "usr/local/bin/octobridge"),
            ("OCTOBRIDGE_LAUNCHER", "home/lava/bin/octoapp.sh"),
            ("OCTOBRIDGE_PID_FILE", "var/run/octoapp.pid"),
            ("OCTOBRIDGE_RUN_DIR", "var/run/octobridge"),
            ("OCTOBRIDGE_PRINTER_DATA", "home/lava/printer_data"),
            ("OCTOBRIDGE_SHARE", "usr/local/share_octobridge"),
            ("STAND_IN_NOTES", "notes"),
        ] {
            let place = rig.path(place);
            rig.set(name, place.to_str().unwrap());
        }
        rig.set("OCTOBRIDGE_USER", "");
        rig
    }

    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.tree.path().join(inside)
    }

    /// Sets an environment variable for the scripts.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.environment.push((name.into(), value.into()));
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// Takes tools away, as a BusyBox that was built without them.
    pub(super) fn without(&self, tools: &[&str]) {
        for tool in tools {
            fs::remove_file(self.path("tools").join(tool)).unwrap();
        }
    }

    /// Replaces a tool by a shell script with this body.
    pub(super) fn replace_tool(&self, tool: &str, body: &str) {
        self.without(&[tool]);
        // Read by a shell each time rather than executed, so never busy: the file is a wrapper's argument.
        let script = self.path(&format!("tools/{tool}"));
        write_script(&script, body);
    }

    /// Runs `S66octoapp ACTION` under this rig's shell.
    pub(super) fn service(&self, action: &str) -> Outcome {
        self.script(&shipped("etc/init.d/S66octoapp"), &[action])
    }

    /// Runs a script under this rig's shell with this rig's environment.
    pub(super) fn script(&self, script: &Path, words: &[&str]) -> Outcome {
        let mut command = match self.shell {
            Shell::BusyBox => {
                let mut command = Command::new(busybox());
                command.arg("ash");
                command
            }
            Shell::Dash => Command::new("/usr/bin/dash"),
        };
        command.arg(script).args(words).env_clear().envs(self.environment.iter().cloned());
        finish(command)
    }

    /// The environment, for a command that sets up its own.
    pub(super) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The lines that the stand-in noted so far.
    pub(super) fn notes(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("notes")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How often the stand-in noted this line.
    pub(super) fn noted(&self, line: &str) -> usize {
        self.notes().iter().filter(|noted| *noted == line).count()
    }

    pub(super) fn wait_for_note(&self, line: &str, times: usize) {
        self.wait_until(&format!("{times} times the note {line:?}"), || self.noted(line) >= times);
    }

    pub(super) fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "{what} did not come; notes: {:?}", self.notes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts the service and waits until both processes are there; the supervisor's process id.
    pub(super) fn start_and_settle(&self) -> i32 {
        let ready = self.noted("ready");
        let outcome = self.service("start");
        assert_eq!(outcome.code, 0, "{outcome:?}");
        self.wait_for_note("ready", ready + 1);
        self.pid_file().expect("the stand-in wrote its process id")
    }

    pub(super) fn pid_file(&self) -> Option<i32> {
        fs::read_to_string(self.path("var/run/octoapp.pid")).ok()?.trim().parse().ok()
    }

    /// Writes what the service's user could write into the files that the script reads.
    pub(super) fn write_pid_files(&self, content: impl AsRef<[u8]>) {
        for file in ["var/run/octoapp.pid", "var/run/octobridge.launch"] {
            fs::write(self.path(file), content.as_ref()).unwrap();
        }
    }

    /// Every living process that executes something of this rig's, by process id.
    pub(super) fn processes(&self) -> Vec<i32> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            let exe = fs::read_link(entry.path().join("exe")).unwrap_or_default();
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let launcher = self.path("home/lava/bin/octoapp.sh");
            let launches =
                command.split(|byte| *byte == 0).any(|word| word == launcher.as_os_str().as_encoded_bytes());
            if exe.starts_with(self.tree.path()) || launches {
                found.push(pid);
            }
        }
        found
    }

    pub(super) fn assert_nothing_left(&self) {
        let left = self.processes();
        assert!(left.is_empty(), "still there: {left:?}; notes: {:?}", self.notes());
    }

    /// Runs the stand-in directly, as a person in a terminal would.
    pub(super) fn program(&self, name: &str, words: &[&str]) -> Foreign {
        use std::os::unix::process::CommandExt as _;
        let mut command = Command::new(self.path("usr/local/bin/octobridge"));
        command.arg0(name).args(words).env_clear().envs(self.environment.iter().cloned());
        Foreign::spawn(command)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        // They may restart each other, so until none is left.
        for _ in 0..100 {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A child of the test that the scripts have to leave alone.
pub(super) struct Foreign(std::process::Child);

impl Foreign {
    pub(super) fn spawn(mut command: Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// A process that has nothing to do with us.
    pub(super) fn sleeper() -> Self {
        let mut command = Command::new(busybox());
        command.args(["sleep", "1000"]);
        Self::spawn(command)
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }

    pub(super) fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asserts that a script succeeded, said this, and complained of nothing.
pub(super) fn assert_done(outcome: &Outcome, says: &str) {
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains(says), "{says:?} is missing in {outcome:?}");
    assert_eq!(outcome.stderr, "", "{outcome:?}");
}

/// Asserts that a script fails, at once, with this complaint.
pub(super) fn assert_fails(run: impl Fn() -> Outcome, says: &str) {
    at_once(|| {
        let outcome = run();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.stderr.contains(says), "{says:?} is missing in {outcome:?}");
        outcome
    });
}

/// Asserts that a script needs less than a second. The promise is the script's; what a busy test machine adds is not,
/// hence up to three runs of which one must be so fast.
pub(super) fn at_once(mut run: impl FnMut() -> Outcome) {
    let mut took = Vec::new();
    let is_fast = (0..3).any(|_| {
        took.push(run().took);
        took.last() < Some(&Duration::from_secs(1))
    });
    assert!(is_fast, "{took:?}");
}

/// Runs `test` with a fresh rig under each shell.
pub(super) fn under_each_shell(test: impl Fn(Rig)) {
    for shell in SHELLS {
        println!("under {shell:?}");
        test(Rig::new(shell));
    }
}

/// Runs a command to its end, bounded: one whose output stays open, because something that it started holds it,
/// fails the test instead of hanging it.
pub(super) fn finish(mut command: Command) -> Outcome {
    let began = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    std::thread::spawn(move || {
        let mut error = String::new();
        let errors = std::thread::spawn(move || {
            let _ = stderr.read_to_string(&mut error);
            error
        });
        let mut output = String::new();
        let _ = stdout.read_to_string(&mut output);
        let _ = sender.send((output, errors.join().unwrap()));
    });
    let Ok((stdout, stderr)) = receiver.recv_timeout(PATIENCE) else {
        let _ = child.kill();
        panic!("{command:?} did not end, or left its output open to something it started");
    };
    let status = child.wait().unwrap();
    Outcome { code: status.code().unwrap_or(-1), stdout, stderr, took: began.elapsed() }
}

/// A file of the tree that is baked in.
pub(super) fn shipped(inside: &str) -> PathBuf {
    repository("overlay").join(inside)
}

/// A file of the repository.
pub(super) fn repository(inside: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(inside)
}

/// Writes an executable shell script. Through `cp` of another process, so that no descriptor of ours, inherited by
/// a child of another test, makes it busy.
pub(super) fn write_script(path: &Path, body: &str) {
    let draft = path.with_extension("draft");
    fs::write(&draft, format!("#!/bin/sh\n{body}\n")).unwrap();
    for words in [
        vec!["cp", draft.to_str().unwrap(), path.to_str().unwrap()],
        vec!["chmod", "755", path.to_str().unwrap()],
    ] {
        assert!(Command::new(busybox()).args(words).status().unwrap().success());
    }
    fs::remove_file(draft).unwrap();
}

/// The path of BusyBox.
pub(super) fn busybox() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        ["/usr/bin/busybox", "/bin/busybox"]
            .map(PathBuf::from)
            .into_iter()
            .find(|path| path.exists())
            .expect("busybox is missing: apt install busybox-static")
    })
}

fn applets() -> &'static [String] {
    static APPLETS: OnceLock<Vec<String>> = OnceLock::new();
    APPLETS.get_or_init(|| {
        let output = Command::new(busybox()).arg("--list").output().unwrap();
        let list = String::from_utf8(output.stdout).unwrap();
        list.lines().filter(|applet| !applet.contains('[')).map(str::to_owned).collect()
    })
}

/// The stand-in for the program, compiled once per run of the tests.
fn stand_in() -> &'static Path {
    static COMPILED: OnceLock<PathBuf> = OnceLock::new();
    COMPILED.get_or_init(|| {
        let source = repository("tests/quick/init/stand_in.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("octobridge-stand-in");
        let fresh = program.with_extension(std::process::id().to_string());
        let status =
            Command::new("cc").args(["-O1", "-Wall", "-Werror", "-o"]).arg(&fresh).arg(source).status();
        assert!(status.unwrap().success(), "cc cannot compile the stand-in");
        fs::rename(fresh, &program).unwrap();
        program
    })
}
