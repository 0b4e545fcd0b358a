//! `octoctl` as an operator uses it: every command in every format, against a real server with real containers.

use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use yaml_rust2::YamlLoader;

use super::bed::{Bed, common_image, engine_environment, get, own_image, podman, ran, take_name, wait};

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Run {
    /// What it printed, if it ended well.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// Why it failed, with this code.
    #[track_caller]
    pub(crate) fn badly(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.lines().any(|line| line.starts_with("Error: ")), "{self:?}");
        self.err
    }
}

/// Somebody at a terminal.
pub(crate) struct Operator<'b> {
    bed: &'b Bed,
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) home: tempfile::TempDir,
}

impl<'b> Operator<'b> {
    pub(crate) fn new(bed: &'b Bed, user: &str) -> Self {
        let variables = vec![("OCTO_DEV_USER", user.to_owned())];
        Self { bed, variables, home: tempfile::tempdir().unwrap() }
    }

    /// `octoctl` with the settings of the bed's server, and none of this machine's.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octoctl"));
        command.args(arguments).envs(engine_environment()).current_dir(self.home.path());
        command.env("XDG_CONFIG_HOME", self.home.path()).env("XDG_STATE_HOME", self.home.path());
        command.env("OCTO_SERVER_URL", self.bed.url());
        command.env("OCTO__CONTAINER__BINARY", self.bed.folder.path().join("podman"));
        command.envs(self.variables.clone()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let done = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// For people.
    #[track_caller]
    pub(crate) fn told(&self, arguments: &[&str]) -> String {
        self.run(arguments).well()
    }

    /// For programs: by both spellings the same.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[&["--format", "json"], arguments].concat()).well();
        serde_json::from_str(&run).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {run}"))
    }

    /// What only reads, in all formats, which say the same; gives the JSON.
    #[track_caller]
    pub(crate) fn read(&self, arguments: &[&str]) -> Value {
        let short: Value = serde_json::from_str(&self.told(&[arguments, &["--json"]].concat())).unwrap();
        for format in [&["--yaml"][..], &["--format", "yaml"]] {
            let yaml = self.told(&[arguments, format].concat());
            let read = YamlLoader::load_from_str(&yaml).unwrap_or_else(|error| panic!("{error}: {yaml}"));
            assert_eq!(read.len(), 1, "{yaml}");
            let count = short.as_array().map(Vec::len);
            assert_eq!(read[0].as_vec().map(Vec::len), count, "{arguments:?}: {yaml}");
            let status = short.get("status").and_then(Value::as_str);
            assert_eq!(read[0]["status"].as_str(), status, "{arguments:?}: {yaml}");
        }
        short
    }
}

#[test]
fn an_operator_does_everything_with_octoctl() {
    let mut bed = Bed::new();
    let image = own_image(&bed, "1");
    bed.configure("", &image);
    bed.serve();
    let (alice, root) = (Operator::new(&bed, "alice"), Operator::new(&bed, "root"));
    assert_eq!(alice.told(&["status"]), format!("Server is running at {}\n", bed.url()));
    assert_eq!(alice.read(&["status"]), json!({"status": "ok", "server": bed.url()}));
    assert_eq!(alice.told(&["session", "list"]), "No sessions\n");
    assert_eq!(alice.told(&["container", "list"]), "No containers\n");

    // Made: told to a person, and to a program.
    let block = alice.told(&["session", "create", "--wait", "60", "-e", "A=1 2", "--agent", "build"]);
    let line = |name: &str| {
        let value = block.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}:")));
        value.unwrap_or_else(|| panic!("no {name} in {block}")).trim().to_owned()
    };
    assert_eq!((line("Status"), line("Image")), ("running".into(), image.clone()));
    let (id, name) = (line("ID"), line("Name"));
    let id = id.as_str();
    let second = alice.json(&["session", "create", "--wait", "60"]);
    let other = second["id"].as_str().unwrap();

    // Found by id, the begin of it and name.
    for named in [id, &id[..8], &name] {
        assert_eq!(alice.read(&["session", "get", named])["id"], id);
    }
    let got = alice.told(&["session", "get", &name]);
    for part in [id, "running", &image, "Opencode port:", "File server port:", "Terminal port:", "octo-"] {
        assert!(got.contains(part), "{part}: {got}");
    }
    let listed = alice.told(&["session", "list"]);
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "STATUS", "IMAGE", "NAME"]);
    assert_eq!(lines[2], [&id[..8], "running", &image, &name]);
    assert_eq!(alice.read(&["session", "list"]).as_array().unwrap().len(), 2);
    assert!(root.told(&["session", "list", "--all"]).contains("alice"));
    assert_eq!(root.read(&["session", "list", "--user", "alice"]).as_array().unwrap().len(), 2);
    assert_eq!(root.read(&["session", "list"]), json!([]));
    let containers = alice.told(&["container", "list"]);
    let whole = alice.read(&["container", "list"]);
    let container = whole[1]["container_id"].as_str().unwrap().to_owned();
    assert!(containers.starts_with("CONTAINER") && containers.contains(&container[..12]), "{containers}");
    assert_eq!((&whole[1]["session_id"], &whole[1]["status"]), (&json!(id), &json!("running")));

    // Inside.
    let done = alice.run(&["session", "exec", id, "--", "sh", "-c", "echo $A; echo bad >&2; exit 7"]);
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (Some(7), "1 2\n", "bad\n"));
    assert_eq!(alice.told(&["session", "exec", id, "-w", "/www", "ls"]), "health\nindex.html\nsession\n");
    assert_eq!(alice.json(&["session", "exec", id, "id"])["exit_code"], 0);
    let slow = alice.run(&["session", "exec", id, "--timeout", "1", "sleep", "30"]);
    assert!(slow.badly(1).contains("did not end within 1 s"));
    assert_eq!(alice.told(&["session", "logs", id]), "it starts\n");
    assert_eq!(alice.read(&["session", "logs", id, "-n", "5"])["lines"], json!(["it starts"]));
    assert!(alice.told(&["session", "stats", id]).contains("of 64.0 MiB"));
    assert!(alice.read(&["session", "stats", id])["memory_bytes"].as_u64().unwrap() > 0);
    assert!(alice.told(&["session", "events", id]).contains("its services answer"));
    assert_eq!(alice.read(&["session", "events", id]).as_array().unwrap().len(), 3);

    // The log of one that ends meanwhile.
    let mut follow = alice.command(&["session", "logs", "--follow", id]);
    let follow = follow.stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(alice.told(&["session", "stop", &name]), format!("Session {name} stopped\n"));
    let followed = follow.wait_with_output().unwrap();
    assert!(followed.status.success());
    assert_eq!(String::from_utf8_lossy(&followed.stdout), "it starts\n");
    assert_eq!(alice.json(&["session", "stop", id]), json!({"status": "stopped", "id": id}));
    assert!(alice.run(&["session", "exec", id, "id"]).badly(6).contains("stopped"));
    let resumed = alice.json(&["session", "resume", id, "--wait", "60"]);
    assert_eq!((&resumed["status"], &resumed["container_id"]), (&json!("running"), &json!(container)));
    assert!(alice.run(&["session", "resume", id]).badly(6).contains("running"));

    // The image changes: it is told, and only those are renewed that it concerns.
    assert_eq!(
        alice.read(&["image", "check"]),
        json!({"sessions_checked": 2, "outdated": 0, "sessions": []})
    );
    assert_eq!(alice.told(&["container", "refresh", "--outdated-only"]), "Refreshed 0 container(s)\n");
    own_image(&bed, "2");
    assert_eq!(
        alice.told(&["session", "upgrade", other, "--wait", "60"]),
        format!("Session {other} upgraded to latest image\n")
    );
    let check = alice.told(&["image", "check"]);
    assert!(check.starts_with("2 session(s) checked, 1 outdated\n") && check.contains(id), "{check}");
    assert_eq!(alice.json(&["container", "refresh", "--outdated-only"]), json!({"refreshed": 1}));
    assert_eq!(alice.read(&["image", "check"])["outdated"], 0);
    let up = |id: &str| wait("running", || (bed.show(id)["status"] == "running").then_some(()));
    up(id);
    let refreshed = alice.told(&["container", "refresh"]);
    assert!(refreshed.ends_with("Refreshed 2 container(s)\n") && refreshed.contains(other), "{refreshed}");
    up(id);
    up(other);
    assert_eq!(alice.told(&["session", "exec", id, "cat", "/version"]), "2");
    assert_eq!(alice.told(&["session", "exec", id, "sh", "-c", "echo $A"]), "1 2\n");
    take_name(&image);
    let missing = alice.run(&["session", "create"]).badly(5);
    assert!(missing.contains("octoctl image build"), "{missing}");
    assert!(alice.run(&["session", "upgrade", id]).badly(5).contains(&image));

    // All at once, and what is nobody's.
    let stopped = alice.told(&["container", "stop-all"]);
    assert!(stopped.ends_with("Stopped 2 container(s)\n"), "{stopped}");
    assert_eq!(alice.json(&["container", "stop-all"]), json!({"stopped": 0}));
    let instance = format!("octo.instance={}", bed.instance());
    let label = format!("octo.test={}", bed.tag);
    let labels = ["--label", "octo.managed=true", "--label", &instance, "--label", &label];
    assert!(alice.run(&["container", "cleanup"]).badly(4).contains("administrator"));
    let (orphan, cleaned) = wait("an orphan to remove", || {
        let orphan = get(&[&["create", "--pull=never"][..], &labels, &[common_image()]].concat());
        let cleaned = root.told(&["container", "cleanup"]);
        // The server's own round, once a minute, may be there before the operator, but not again and again.
        (!cleaned.starts_with("Cleanup completed: 0 orphans removed, 0 ")).then_some((orphan, cleaned))
    });
    assert!(cleaned.starts_with("Cleanup completed: 1 orphans removed, 0 "), "{cleaned}");
    assert!(!podman(&["container", "exists", &orphan]).status().unwrap().success());
    let nothing = json!({"orphans_removed": 0, "sessions_marked": 0, "stale_removed": 0});
    assert_eq!(root.json(&["container", "cleanup"]), nothing);

    // Gone.
    assert_eq!(alice.told(&["session", "delete", "-f", id]), format!("Session {id} deleted\n"));
    let deleted = alice.json(&["session", "delete", "--purge", other]);
    assert_eq!(deleted, json!({"status": "deleted", "id": other}));
    for gone in [&["session", "get", id][..], &["session", "stop", &name], &["session", "delete", id]] {
        assert!(alice.run(gone).badly(5).contains("no such session"), "{gone:?}");
    }
    assert!(bed.containers().is_empty() && bed.networks().is_empty());
    assert!(root.told(&["audit", "list", "--resource-id", id]).contains("DELETE"));

    // Who may not, and where nobody answers.
    let mut stranger = Operator::new(&bed, "nobody");
    assert!(stranger.run(&["session", "list"]).badly(4).contains("octoctl login"));
    stranger.variables = vec![("OCTO_AUTH_TOKEN", "nonsense".into())];
    stranger.run(&["--json", "session", "list"]).badly(4);
    stranger.run(&["--server", "http://127.0.0.1:1", "status"]).badly(3);
    for usage in
        [&["session", "get"][..], &["session", "list", "--json", "--yaml"], &["status", "--format", "xml"]]
    {
        assert_eq!(stranger.run(usage).code, Some(2), "{usage:?}");
    }
    assert!(stranger.told(&["completions", "fish"]).contains("stop-all"));
}

#[test]
fn somebody_who_was_invited_comes_in_and_goes() {
    let bed = Bed::start();
    let mut octo = Command::new(env!("CARGO_BIN_EXE_octo"));
    octo.arg("--config").arg(bed.folder.path().join("config.toml"));
    let codes = ran(octo.args(["invite-codes", "generate", "--admin-id", "root", "--json"]));
    let codes: Value = serde_json::from_str(&codes).unwrap();
    let (name, password) = ("carol", "correct horse");
    let order = json!({"username": name, "email": "carol@example.org", "password": password,
        "invite_code": codes[0]["code"]});
    let registered = bed.must("", "POST", "/api/auth/register", Some(order.clone()), 201);
    assert_eq!(registered["user"]["role"], "user", "{registered}");
    bed.must("", "POST", "/api/auth/register", Some(order), 400);

    let mut carol = Operator::new(&bed, "");
    carol.variables.clear();
    carol.run(&["session", "list"]).badly(4);
    let mut login =
        carol.command(&["login", name]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    login.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let said = String::from_utf8(login.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(said, format!("Logged in to {} as {name}\n", bed.url()));
    let made = carol.json(&["session", "create", "--wait", "60"]);
    assert_eq!((&made["status"], &made["user_id"]), (&json!("running"), &registered["user"]["id"]), "{made}");
    assert_eq!(carol.told(&["session", "exec", made["id"].as_str().unwrap(), "printf", "in"]), "in");
    carol.run(&["user", "list"]).badly(4);

    // Kept out at once, by an administrator.
    let root = Operator::new(&bed, "root");
    assert!(root.told(&["user", "list"]).contains("carol@example.org"));
    root.told(&["user", "deactivate", name]);
    carol.run(&["session", "list"]).badly(4);
    root.told(&["user", "activate", name]);
    assert!(carol.run(&["logout"]).well().contains("Logged out"));
    carol.run(&["session", "list"]).badly(4);
    root.told(&["session", "delete", made["id"].as_str().unwrap()]);
}

/// A store of podman's own for one test, so that nothing is pruned that others need; gone with this.
pub(crate) struct OwnStore {
    place: PathBuf,
    /// What podman needs to be told.
    pub(crate) variables: Vec<(&'static str, String)>,
}

impl OwnStore {
    pub(crate) fn new(folder: &std::path::Path) -> Self {
        let place = folder.join("store");
        fs::create_dir_all(place.join("tmp")).unwrap();
        let mut variables = Vec::new();
        for name in ["CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"] {
            let given = engine_environment().into_iter().find(|(set, _)| set == name);
            let Some((_, file)) = given else { continue };
            let file = PathBuf::from(file);
            let (from, to) = (file.parent().unwrap().display().to_string(), place.display().to_string());
            let text = fs::read_to_string(&file).unwrap().replace(&from, &to);
            let own = place.join(file.file_name().unwrap());
            fs::write(&own, text).unwrap();
            variables.push((name, own.display().to_string()));
        }
        Self { place, variables }
    }
}

impl Drop for OwnStore {
    fn drop(&mut self) {
        // Without settings of its own there is no store of its own.
        if self.variables.iter().any(|(name, _)| *name == "CONTAINERS_STORAGE_CONF") {
            let _ = podman(&["rmi", "-a", "-f"]).envs(self.variables.clone()).output();
        }
        if !nix::unistd::geteuid().is_root() {
            // What is left belongs to users that only podman may be.
            let place = self.place.display().to_string();
            let _ = podman(&["unshare", "rm", "-rf", &place]).envs(self.variables.clone()).status();
        }
        let _ = Command::new("umount").arg(self.place.join("store/overlay")).stderr(Stdio::null()).status();
    }
}

#[test]
fn octoctl_builds_lists_and_prunes_images() {
    let bed = Bed::new();
    let mut operator = Operator::new(&bed, "alice");
    let store = OwnStore::new(operator.home.path());
    operator.variables.extend(store.variables.clone());
    let folder = operator.home.path().join("container");
    fs::create_dir(&folder).unwrap();
    fs::copy("/bin/busybox", operator.home.path().join("busybox")).unwrap();
    fs::write(
        folder.join("Dockerfile"),
        "FROM scratch\nARG MARK=none\nLABEL org.opencontainers.image.title=\"Octo workshop\"\nCOPY busybox /bin/\n\
         RUN [\"/bin/busybox\", \"touch\", \"/made\"]\nLABEL mark=$MARK\n",
    )
    .unwrap();
    assert!(operator.told(&["image", "list"]).contains("octoctl image build"));
    let build = operator.run(&["image", "build", "--no-cache", "--build-arg", "MARK=one"]).well();
    assert!(build.ends_with("Built octo-dev:latest\n"), "{build}");
    let listed = operator.told(&["image", "list"]);
    assert!(listed.starts_with("IMAGE") && listed.contains("localhost/octo-dev:latest"), "{listed}");
    let first = operator.read(&["image", "list"])[0]["id"].clone();
    let built = operator.json(&["image", "build", "./container", "--build-arg", "MARK=two"]);
    assert_eq!(built, json!({"status": "built", "image": "octo-dev:latest"}));
    // The former one has no name any more.
    assert!(operator.read(&["image", "list"]).as_array().unwrap().len() > 1);
    let pruned = operator.json(&["image", "prune"]);
    let former = |id: &Value| id.as_str().unwrap().starts_with(first.as_str().unwrap());
    assert!(pruned["removed"].as_array().unwrap().iter().any(former), "{pruned} {first}");
    assert_eq!(operator.told(&["image", "prune"]), "Removed 0 image(s)\n");
    assert_eq!(operator.read(&["image", "list"]).as_array().unwrap().len(), 1);
    // A name without a server fails at once, and a wrong one is none.
    let pulled = operator.run(&["image", "pull", "127.0.0.1:1/octo/nothing:1"]).badly(1);
    assert!(pulled.contains("pull failed"), "{pulled}");
    assert_eq!(operator.run(&["image", "pull", "a b"]).code, Some(2));
    operator.run(&["image", "build", "nowhere"]).badly(1);
}
