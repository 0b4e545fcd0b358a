//! A server of the workshop on a real podman, with images that hold one static program.
//!
//! Podman is called as `toolchain/container-engine.sh` found that it works on this machine; within
//! `toolchain/with-docker.sh` it is docker instead. All of a bed's containers carry a label of their own, and are gone when
//! the bed is.

#[path = "bed/leftovers.rs"]
pub(crate) mod leftovers;
#[path = "bed/ports.rs"]
mod ports;
#[path = "../../../../tests/support/programs.rs"]
pub(crate) mod programs;

use programs::write_program;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};

/// Patience with podman on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A hash that nobody's password has.
const HASH: &str = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

/// Podman, and what it must be told on this machine.
struct Engine {
    program: PathBuf,
    environment: Vec<(String, String)>,
}

/// The repository.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Docker's client, where these tests are to run with docker.
pub(crate) fn docker() -> Option<PathBuf> {
    std::env::var_os("OCTO_TEST_DOCKER").map(PathBuf::from)
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        if let Some(program) = docker() {
            return Engine { program, environment: Vec::new() };
        }
        let script = r#"found=$(toolchain/container-engine.sh) && eval "$found" && echo "$engine" &&
            echo "${CONTAINERS_CONF:-}" && echo "${CONTAINERS_STORAGE_CONF:-}""#;
        let mut shell = Command::new("sh");
        let found = ran(shell.args(["-c", script]).current_dir(top()).env("MAKE_TARGET", "test"));
        let mut lines = found.lines();
        let program = PathBuf::from(lines.next().unwrap());
        assert!(program.ends_with("podman"), "podman works nowhere here, only {}", program.display());
        let names = ["CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"];
        let set = names.into_iter().zip(lines).filter(|(_, value)| !value.is_empty());
        let environment = set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Engine { program, environment }
    })
}

/// Podman's command with these arguments.
pub(crate) fn podman(arguments: &[&str]) -> Command {
    let engine = engine();
    let mut command = Command::new(&engine.program);
    command.args(arguments).envs(engine.environment.clone()).stdin(Stdio::null());
    command
}

/// What podman needs in the environment here.
pub(crate) fn engine_environment() -> Vec<(String, String)> {
    engine().environment.clone()
}

/// What podman prints when it does this well.
pub(crate) fn get(arguments: &[&str]) -> String {
    ran(&mut podman(arguments))
}

/// What makes a removal kill at once. Docker does so anyway, and has no such option.
fn at_once() -> &'static [&'static str] {
    if docker().is_some() { &[] } else { &["-t", "0"] }
}

/// Removes a container, whatever it does.
pub(crate) fn remove(container: &str) {
    get(&[&["rm", "-f"], at_once(), &[container]].concat());
}

/// Takes an image its name; containers of it stay as they are.
pub(crate) fn take_name(image: &str) {
    match docker() {
        // Without the second, it would lose all its names.
        None => get(&["untag", image, image]),
        Some(_) => get(&["rmi", "-f", image]),
    };
}

/// What a command prints that ends well.
pub(crate) fn ran(command: &mut Command) -> String {
    let output: Output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{command:?}: {}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What the first process of a test's container does; it ends at once by SIGTERM.
const SERVICES: &str = r#"
for port in ${OPENCODE_PORT} ${FILESERVER_PORT} ${TTYD_PORT}; do /bin/busybox httpd -p $port -h /www; done
"#;
/// Services that come up late: when [`Bed::lets_come_up`] says so.
pub(crate) const LATE: &str = r#"
until [ -e /home/dev/come-up ]; do sleep 0.1; done
for port in ${FILESERVER_PORT} ${TTYD_PORT}; do /bin/busybox httpd -p $port -h /www; done
"#;
/// None at all.
pub(crate) const SILENT: &str = "\n";

/// Makes an image whose services come so; `version` makes it another one. Its name is in it too: two that were alike would
/// be one, and whoever removed it would remove the other's containers.
pub(crate) fn image(name: &str, services: &str, version: &str) {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    for path in ["bin", "www", "home/dev", "tmp"] {
        fs::create_dir_all(at(path)).unwrap();
    }
    fs::copy("/bin/busybox", at("bin/busybox")).unwrap();
    for applet in ["sh", "cat", "ls", "id", "touch", "sleep", "env", "ip", "printf"] {
        std::os::unix::fs::symlink("busybox", at(&format!("bin/{applet}"))).unwrap();
    }
    for (path, text) in
        [("www/health", "{}"), ("www/index.html", "here"), ("www/session", "[]"), ("version", version)]
    {
        fs::write(at(path), text).unwrap();
    }
    let first =
        format!("trap 'exit 0' TERM\necho it starts\n{services}\nwhile :; do sleep 1000 & wait $!; done\n");
    fs::write(at("first"), first).unwrap();
    let script = r#"tar --owner=0 --group=0 --mtime=@0 --sort=name -C "$1" -c . | "$2" import \
        -c 'CMD ["/bin/sh","/first"]' -c 'ENV PATH=/bin' -c "LABEL octo.test.image=$3" - "$3""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(folder.path()).arg(&engine().program).arg(name);
    ran(shell.envs(engine().environment.clone()));
}

/// The image that most tests use.
pub(crate) fn common_image() -> &'static str {
    static MADE: OnceLock<String> = OnceLock::new();
    MADE.get_or_init(|| {
        let name = "localhost/octo-test/common:latest";
        image(name, SERVICES, "1");
        name.to_owned()
    })
}

/// As [`common_image`], for one test that changes it.
pub(crate) fn own_image(bed: &Bed, version: &str) -> String {
    let name = bed.image_name();
    bed.own_image.store(true, Ordering::Relaxed);
    image(&name, SERVICES, version);
    name
}

/// A server with its data, which may be started again.
pub(crate) struct Bed {
    pub(crate) folder: tempfile::TempDir,
    /// Of its containers alone.
    pub(crate) tag: String,
    /// Of the HTTP server.
    pub(crate) port: u16,
    /// First of the pool of ports.
    pub(crate) base: u16,
    /// Variables of the server, which win over its settings.
    pub(crate) variables: Vec<(&'static str, String)>,
    process: Option<Child>,
    own_image: AtomicBool,
}

impl Bed {
    /// With the common image, and a server that runs.
    pub(crate) fn start() -> Self {
        Self::start_with("", common_image())
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// With further lines of settings: `[container]` is open.
    pub(crate) fn start_with(container: &str, image: &str) -> Self {
        let mut bed = Self::new();
        bed.configure(container, image);
        bed.serve();
        bed
    }

    /// Without a server yet.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        static SWEPT: Once = Once::new();
        SWEPT.call_once(leftovers::sweep);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        let (base, port) = ports::of(count);
        fs::create_dir(folder.path().join("on")).unwrap();
        let bed = Self {
            folder,
            tag: leftovers::tag(count),
            port,
            base,
            variables: Vec::new(),
            process: None,
            own_image: AtomicBool::new(false),
        };
        bed.write_wrapper();
        bed
    }

    /// A podman that does as it is told by files in `on/`, named after its commands: see [`Self::at`].
    fn write_wrapper(&self) {
        let script = format!(
            r#"#!/bin/sh
here=${{0%/*}}
ulimit -S -f unlimited
if [ "$1" = run ] && [ -e "$here/on/record" ]; then
    mv "$here/on/record" "$here/run"
    printf '%s\n' "$@" >"$here/run"
    for word; do
        case $word in --env-file=*) cp "${{word#--env-file=}}" "$here/run-variables" ;; esac
    done
fi
case $1 in container | image | network) verb=$1-$2 ;; *) verb=$1 ;; esac
if [ $verb = network-create ]; then
    shift 2
    set -- network create --label={label}={tag} "$@"
fi
step=$verb
if [ -e "$here/calls" ]; then
    echo "$verb" >>"$here/calls"
    step=$verb.$(grep -cx -e "$verb" "$here/calls")
fi
if [ -e "$here/on/$step" ] && mv "$here/on/$step" "$here/done.$$" 2>/dev/null; then
    read -r what <"$here/done.$$"
    case $what in
    kill-before) kill -9 $PPID; exit 1 ;;
    kill-after) {engine} "$@" >/dev/null 2>&1; kill -9 $PPID; exit 1 ;;
    fail) echo 'Error: write: no space left on device' >&2; exit 125 ;;
    hang) exec sleep 90 ;;
    hold) while [ -e "$here/held" ]; do sleep 0.1; done ;;
    esac
fi
exec {engine} "$@"
"#,
            engine = engine().program.display(),
            label = leftovers::LABEL,
            tag = self.tag,
        );
        write_program(&self.folder.path().join("podman"), &script);
    }

    pub(crate) fn configure(&self, container: &str, image: &str) {
        let folder = self.folder.path().display();
        let users: String = ["alice", "bob", "root"]
            .iter()
            .map(|user| {
                let role = if *user == "root" { "admin" } else { "user" };
                format!(
                    "[[auth.dev_users]]\nid = \"{user}\"\nname = \"{user}\"\nemail = \"{user}@example.com\"\n\
                     password_hash = \"{HASH}\"\nrole = \"{role}\"\n"
                )
            })
            .collect();
        let settings = format!(
            "[paths]\ndata_dir = \"{folder}/data\"\nstate_dir = \"{folder}/state\"\n\
             [server]\nport = {}\nshutdown_grace_seconds = 40\n\
             [sessions]\nmax_concurrent_sessions = 0\n\
             [auth]\ndev_mode = true\n{users}\
             [container]\nbinary = \"{folder}/podman\"\ndefault_image = \"{image}\"\nbase_port = {}\nport_range_end = {}\n\
             user_data_path = \"{folder}/users\"\nrun_args = [\"--label=octo.test={}\"]\nmemory = \"64m\"\ncpus = 1.0\n{container}\n",
            self.port,
            self.base,
            self.base + 29,
            self.tag,
        );
        fs::write(self.folder.path().join("config.toml"), settings).unwrap();
    }

    /// Adds a line to a section of the settings.
    pub(crate) fn set(&self, section: &str, line: &str) {
        let path = self.folder.path().join("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        let head = format!("[{section}]\n");
        let with = if text.contains(&head) {
            text.replace(&head, &format!("{head}{line}\n"))
        } else {
            format!("{head}{line}\n{text}")
        };
        fs::write(path, with).unwrap();
    }

    /// The image that is this bed's alone.
    fn image_name(&self) -> String {
        format!("{}{}:latest", leftovers::IMAGES, self.tag)
    }

    /// Starts the server without waiting for it.
    pub(crate) fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        // A write beyond a limit is to fail as on a full disk, and not to be a signal.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_octo")]);
        command.arg("--config").arg(self.folder.path().join("config.toml")).arg("serve");
        command.envs(engine().environment.clone()).envs(self.variables.clone()).stdin(Stdio::null());
        self.process = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn serve(&mut self) {
        self.spawn();
        wait("the server", || {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
            self.ask("alice", "GET", "/health", None).filter(|(status, _)| *status == 200)
        });
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// What the wrapper does at the next call of a command of podman's.
    pub(crate) fn at(&self, verb: &str, what: &str) {
        fs::write(self.folder.path().join("on").join(verb), format!("{what}\n")).unwrap();
    }

    /// From now on calls are written down and numbered: [`Self::at`] and [`Self::came`] take `run.2` for the second.
    pub(crate) fn number_calls(&self) {
        fs::write(self.folder.path().join("calls"), "").unwrap();
    }

    /// The calls since they are numbered, as `run.1`, in their order; from now on they are not.
    pub(crate) fn numbered_calls(&self) -> Vec<String> {
        let path = self.folder.path().join("calls");
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(path).unwrap();
        let verbs: Vec<&str> = text.lines().collect();
        let number = |at: usize| verbs[..=at].iter().filter(|verb| **verb == verbs[at]).count();
        verbs.iter().enumerate().map(|(at, verb)| format!("{verb}.{}", number(at))).collect()
    }

    /// The next call of a command of podman's waits until [`Self::release`].
    pub(crate) fn hold(&self, verb: &str) {
        fs::write(self.folder.path().join("held"), "").unwrap();
        self.at(verb, "hold");
    }

    /// Lets what is held go on.
    pub(crate) fn release(&self) {
        fs::remove_file(self.folder.path().join("held")).unwrap();
    }

    /// Runs one of the project's scripts with this podman.
    pub(crate) fn script(path: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut script = Command::new(root.join(path));
        let engine = engine();
        script.current_dir(root).env("CONTAINER_ENGINE", &engine.program).envs(engine.environment.clone());
        ran(script.env("MAKE_TARGET", "test"));
    }

    /// Whether a call that was waited for has come.
    pub(crate) fn came(&self, verb: &str) -> bool {
        !self.folder.path().join("on").join(verb).exists()
    }

    /// Takes back an order. Whether nothing had come for it.
    pub(crate) fn forget(&self, verb: &str) -> bool {
        fs::remove_file(self.folder.path().join("on").join(verb)).is_ok()
    }

    /// Lets services that come up late do so, in all containers of this user from now on.
    pub(crate) fn lets_come_up(&self, user: &str) {
        fs::write(self.folder.path().join("users/home").join(user).join("come-up"), "").unwrap();
    }

    /// Whether the server can write to files; what it calls can in any case.
    pub(crate) fn writable(&self, yes: bool) {
        let limit = if yes { "unlimited:" } else { "0:" };
        let process = self.process.as_ref().unwrap().id();
        ran(Command::new("prlimit").args([format!("--pid={process}"), format!("--fsize={limit}")]));
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = i32::try_from(self.process.as_ref().unwrap().id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), signal).unwrap();
    }

    /// Waits until the server has ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut process = self.process.take().unwrap();
        wait("the server's end", || process.try_wait().unwrap())
    }

    pub(crate) fn kill(&mut self) {
        self.signal(nix::sys::signal::Signal::SIGKILL);
        self.ended();
    }

    /// The answer to a request of a user; `None` where the server does not answer.
    pub(crate) fn ask(
        &self,
        user: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE * 2))
            .allow_non_standard_methods(true)
            .build();
        let agent = ureq::Agent::new_with_config(agent);
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let request = http::Request::builder().method(method).uri(url).header("x-dev-user", user);
        let sent = match body {
            Some(body) => {
                agent.run(request.header("content-type", "application/json").body(body.to_string()).unwrap())
            }
            None => agent.run(request.body(()).unwrap()),
        };
        let mut answer = sent.ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some((answer.status().as_u16(), value))
    }

    /// An answer that must have this status.
    pub(crate) fn must(
        &self,
        user: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        expected: u16,
    ) -> Value {
        let (status, answer) = self
            .ask(user, method, path, body.as_ref())
            .unwrap_or_else(|| panic!("{method} {path}: no answer\n{}", self.log()));
        assert_eq!(status, expected, "{method} {path}: {answer}\n{}", self.log());
        answer
    }

    /// A session of a user that runs.
    pub(crate) fn running(&self, user: &str) -> Value {
        let session = self.must(user, "POST", "/api/sessions?wait=60", Some(json!({})), 201);
        assert_eq!(session["status"], "running", "{session}\n{}", self.log());
        session
    }

    /// The session as it is now.
    pub(crate) fn show(&self, id: &str) -> Value {
        self.must("root", "GET", &format!("/api/sessions/{id}"), None, 200)
    }

    /// Runs a command in the container of a session of Alice's.
    pub(crate) fn exec(&self, id: &str, command: &[&str]) -> Value {
        let body = json!({"command": command, "timeout_seconds": 20});
        self.must("root", "POST", &format!("/api/sessions/{id}/exec"), Some(body), 200)
    }

    /// Containers of this bed, `ID STATE` each.
    pub(crate) fn containers(&self) -> Vec<String> {
        let filter = format!("label=octo.test={}", self.tag);
        let list = |format: &str| get(&["ps", "-a", "--no-trunc", "--filter", &filter, "--format", format]);
        if docker().is_some() {
            return list("{{.ID}} {{.State}}").lines().map(str::to_owned).collect();
        }
        // Podman's own word for the state is only in its JSON.
        let all: Value = serde_json::from_str(&list("json")).unwrap();
        let line =
            |one: &Value| format!("{} {}", one["Id"].as_str().unwrap(), one["State"].as_str().unwrap());
        all.as_array().unwrap().iter().map(line).collect()
    }

    /// The id of the installation.
    pub(crate) fn instance(&self) -> String {
        self.instance_if_any().unwrap()
    }

    fn instance_if_any(&self) -> Option<String> {
        let path = self.folder.path().join("data/sessions.db");
        let as_it_is = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
        let database = rusqlite::Connection::open_with_flags(path, as_it_is).ok()?;
        database.query_row("SELECT id FROM instance", [], |row| row.get(0)).ok()
    }

    /// Networks of this installation.
    pub(crate) fn networks(&self) -> Vec<String> {
        let filter = format!("label=octo.instance={}", self.instance());
        let all = get(&["network", "ls", "--filter", &filter, "--format", "{{.Name}}"]);
        all.lines().map(str::to_owned).collect()
    }

    /// Changes the database beside the server.
    pub(crate) fn sql(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.folder.path().join("data/sessions.db")).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database.execute_batch(sql).unwrap();
    }
}

/// What benchmarks need besides.
#[allow(dead_code, reason = "tests do not")]
impl Bed {
    /// The next `run` is written down: its words in the file `run`, a line each, its variables in `run-variables`.
    pub(crate) fn record(&self) {
        fs::write(self.folder.path().join("on/record"), "").unwrap();
    }

    /// Starts the server anew on podman itself.
    pub(crate) fn without_wrapper(&mut self) {
        let path = self.folder.path().join("config.toml");
        let wrapper = self.folder.path().join("podman").display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text.replace(&wrapper, &engine().program.display().to_string())).unwrap();
        self.signal(nix::sys::signal::Signal::SIGTERM);
        self.ended();
        self.serve();
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        // While its test fails too: nothing here may panic.
        leftovers::remove(&format!("{}={}", leftovers::LABEL, self.tag));
        if let Some(instance) = self.instance_if_any() {
            // Those that were made without the wrapper.
            leftovers::remove_networks(&format!("octo.instance={instance}"));
        }
        if self.own_image.load(Ordering::Relaxed) {
            let own = self.image_name();
            let _ = podman(&["rmi", "-f", &own]).output();
            // Those that it was before.
            let filter = format!("label=octo.test.image={own}");
            let _ = podman(&["image", "prune", "-f", "--filter", &filter]).output();
        }
    }
}

/// Waits until something is there.
pub(crate) fn wait<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(20);
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < until, "waited in vain for {what}");
        // Most looks call podman: many of them slow down what they wait for.
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

/// What a port of this host answers to a path; `None` where nothing does.
pub(crate) fn fetch(port: &Value, path: &str) -> Option<String> {
    let url = format!("http://127.0.0.1:{port}{path}");
    ureq::get(url).call().ok()?.body_mut().read_to_string().ok()
}
