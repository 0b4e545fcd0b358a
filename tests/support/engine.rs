//! A real container engine, the image of the service, and containers of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{http, wait};

/// The image, by the name that `make container` gives it.
pub(crate) const IMAGE: &str = "printer-bridge:latest";
/// The last word of a program that was not killed.
const STOPPED: &str = "[INFO] stopped";
/// Patience with the engine, which starts containers one after the other.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Podman in settings in which it works on this machine, with images of its own.
pub(crate) struct Engine {
    program: PathBuf,
    environment: Vec<(&'static str, String)>,
    /// What `make container` says.
    pub(crate) said: String,
}

impl Engine {
    /// The engine, with the image built. Every test of this program has the same.
    pub(crate) fn with_image() -> &'static Self {
        static ENGINE: OnceLock<Engine> = OnceLock::new();
        ENGINE.get_or_init(|| {
            let mut engine = Self::find();
            engine.said = engine.build();
            engine
        })
    }

    fn find() -> Self {
        const NAMES: [&str; 2] = ["CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"];
        let script = r#"found=$(toolchain/container-engine.sh) && eval "$found" && echo "$engine" &&
            echo "${CONTAINERS_CONF:-}" && echo "${CONTAINERS_STORAGE_CONF:-}""#;
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(env!("CARGO_MANIFEST_DIR")).env("MAKE_TARGET", "test");
        let found = text(&ran(&mut shell).stdout);
        let mut lines = found.lines();
        let program = PathBuf::from(lines.next().unwrap());
        assert!(program.ends_with("podman"), "podman works nowhere here, only {}", program.display());
        let set = |(name, value): (&'static str, &str)| (!value.is_empty()).then(|| (name, value.to_owned()));
        let environment = NAMES.into_iter().zip(lines).filter_map(set).collect();
        Self { program, environment, said: String::new() }
    }

    /// Builds the image as `make container` does, and gives what that says.
    pub(crate) fn build(&self) -> String {
        let mut script =
            Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("toolchain/build-container.sh"));
        script
            .envs(self.environment.clone())
            .env("CONTAINER_ENGINE", &self.program)
            .env("MAKE_TARGET", "test");
        text(&ran(script.env_remove("ARCH")).stdout)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.envs(self.environment.clone()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Standard output of a command that works.
    pub(crate) fn get(&self, arguments: &[&str]) -> String {
        text(&ran(&mut self.command(arguments)).stdout)
    }

    /// A name that no other test has.
    pub(crate) fn name(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        format!("octobridge-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// A container in the foreground, as the README of the bridge runs it: `run --rm ARGUMENTS IMAGE`.
    pub(crate) fn run(&'static self, arguments: &[&str]) -> Container {
        let name = self.name();
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let to = File::create(&log).unwrap();
        let mut command = self.command(&["run", "--rm", "--name", &name]);
        command.args(arguments).arg(IMAGE).stdout(Stdio::null()).stderr(to);
        Container { engine: self, name, process: command.spawn().unwrap(), log, _folder: folder }
    }
}

/// A running container; dropping it removes it.
pub(crate) struct Container {
    engine: &'static Engine,
    name: String,
    /// The engine's command, which passes signals on.
    process: Child,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Container {
    /// What came on standard error: the log, and what the engine itself says.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line of the log with `part` in it.
    pub(crate) fn wait_for_log(&self, part: &str) {
        let awaited = || self.log().contains(part).then_some(());
        wait_or_tell(&format!("`{part}` in the log"), self, awaited);
    }

    /// Waits until the REST server on that port answers a path, and gives the status and the body.
    pub(crate) fn rest(&self, port: u16, path: &str) -> (u16, serde_json::Value) {
        wait_or_tell(path, self, || http::try_request(port, "GET", path, None))
    }

    /// Runs the program once more in the container.
    pub(crate) fn octobridge(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["exec", &self.name, "octobridge"];
        all.extend(arguments);
        self.engine.command(&all).output().unwrap()
    }

    /// Waits until the health check passes.
    pub(crate) fn wait_until_healthy(&self) {
        let check = ["healthcheck", "run", self.name.as_str()];
        let healthy = || self.engine.command(&check).output().unwrap().status.success().then_some(());
        wait_or_tell("a health check that passes", self, healthy);
    }

    /// How many processes it has, dead ones that nobody asked for included.
    pub(crate) fn processes(&self) -> usize {
        self.engine.get(&["top", &self.name, "pid"]).lines().count() - 1
    }

    /// Ends it by SIGTERM and gives how it ended, after how long the program said that it has stopped, and its whole log.
    /// What the engine then has to clear away is not the program's affair.
    pub(crate) fn stop(mut self) -> (ExitStatus, Duration, String) {
        let started = Instant::now();
        kill(Pid::from_raw(i32::try_from(self.process.id()).unwrap()), Signal::SIGTERM).unwrap();
        self.wait_for_log(STOPPED);
        let after = started.elapsed();
        (self.process.wait().unwrap(), after, self.log())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.engine.command(&["rm", "--force", "--time", "0", "--volumes", &self.name]).output();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn wait_or_tell<T>(awaited: &str, container: &Container, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    wait::until(awaited, PATIENCE + Duration::from_secs(1), || {
        assert!(Instant::now() < deadline, "waited in vain for {awaited}; the log:\n{}", container.log());
        condition()
    })
}

fn ran(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
