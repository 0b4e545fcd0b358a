//! A container of a real engine, and its end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A container engine that runs something here, with its settings.
pub(crate) struct Engine {
    variables: Vec<(String, String)>,
    program: String,
}

impl Engine {
    pub(crate) fn find() -> Engine {
        let script = r#"a=$(toolchain/container-engine.sh) || exit 1; eval "$a"; echo "$engine"; env | grep ^CONTAINERS_ || true"#;
        let found = Command::new("sh").args(["-c", script]).current_dir(top()).output().unwrap();
        assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
        let text = String::from_utf8(found.stdout).unwrap();
        let program = text.lines().next().unwrap().to_owned();
        let pairs = text.lines().skip(1).filter_map(|line| line.split_once('='));
        let variables = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Engine { variables, program }
    }

    /// Runs one of the project's scripts with this engine.
    pub(crate) fn script(&self, script: &str, arguments: &[&str]) {
        let mut command = Command::new(top().join(script));
        command
            .args(arguments)
            .current_dir(top())
            .env("CONTAINER_ENGINE", &self.program)
            .envs(self.variables.clone());
        let done = command.output().unwrap();
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn call(&self, arguments: &[&str]) -> (bool, String) {
        let done = Command::new(&self.program).args(arguments).envs(self.variables.clone()).output().unwrap();
        let text = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }
}

/// A running container; it goes when this does.
pub(crate) struct Container<'e> {
    engine: &'e Engine,
    name: String,
    home: tempfile::TempDir,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Container<'_> {
    /// Starts one as the workshop does, and waits until its file server answers.
    pub(crate) fn run<'e>(engine: &'e Engine, image: &str) -> Container<'e> {
        let name = format!("octo-inside-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let home = tempfile::tempdir().unwrap();
        // Without root the engine maps this user onto the container's; the directory is given with it.
        let _ = std::os::unix::fs::chown(home.path(), Some(1000), Some(1000));
        let volume = format!("{}:/home/dev", home.path().display());
        let container = Container { engine, name: name.clone(), home };
        let (good, text) = engine.call(&[
            "run",
            "-d",
            "--pull=never",
            "--name",
            &name,
            "--label",
            "octo-inside-test=true",
            "--cap-drop",
            "all",
            "--security-opt",
            "no-new-privileges",
            "-p",
            "127.0.0.1::41820",
            "-p",
            "127.0.0.1::41821",
            "-p",
            "127.0.0.1::41822",
            // So long that a service which has to be killed shows that it would not end.
            "-e",
            "OCTO_STOP_SECONDS=20",
            "-v",
            &volume,
            image,
        ]);
        assert!(good, "{text}");
        let end = Instant::now() + Duration::from_secs(60);
        for port in [41821, 41822] {
            while container.try_get(port, "/").is_none() {
                assert!(Instant::now() < end, "{}", container.logs());
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        container
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// The port of the machine that stands for one of the container.
    pub(crate) fn port(&self, inner: u16) -> u16 {
        let (good, text) = self.engine.call(&["port", &self.name, &format!("{inner}/tcp")]);
        assert!(good, "{text}");
        text.lines().next().unwrap().rsplit(':').next().unwrap().parse().unwrap()
    }

    /// The body of an answer with 200.
    pub(crate) fn get(&self, port: u16, path: &str) -> String {
        String::from_utf8(self.get_bytes(port, path)).unwrap()
    }

    pub(crate) fn get_bytes(&self, port: u16, path: &str) -> Vec<u8> {
        let answer = self.request(port, path).unwrap_or_else(|| panic!("{path}: no answer: {}", self.logs()));
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        answer[end + 4..].to_vec()
    }

    pub(crate) fn try_get(&self, port: u16, path: &str) -> Option<String> {
        self.request(port, path).map(|answer| String::from_utf8_lossy(&answer).into_owned())
    }

    fn request(&self, port: u16, path: &str) -> Option<Vec<u8>> {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port(port))).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // The old version ends with the connection and never comes in pieces.
        write!(socket, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).ok()?;
        (!answer.is_empty()).then_some(answer)
    }

    pub(crate) fn exec(&self, script: &str) -> String {
        let (good, text) = self.engine.call(&["exec", &self.name, "sh", "-c", script]);
        assert!(good, "{script}: {text}");
        text
    }

    pub(crate) fn logs(&self) -> String {
        self.engine.call(&["logs", &self.name]).1
    }

    /// Stops it; its exit code.
    pub(crate) fn stop(&self) -> String {
        // So long that it is not the engine that ends it, were it to go on.
        let (good, text) = self.engine.call(&["stop", "-t", "60", &self.name]);
        assert!(good, "{text}");
        self.engine.call(&["inspect", "--format", "{{.State.ExitCode}}", &self.name]).1
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        self.engine.call(&["rm", "-f", "-t", "0", &self.name]);
    }
}
