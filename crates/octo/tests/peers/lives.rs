//! Sessions in real containers.

use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

use super::bed::{self, Bed, LATE, SILENT, docker, fetch, get, own_image, wait};

fn id(session: &Value) -> &str {
    session["id"].as_str().unwrap()
}

fn container(session: &Value) -> &str {
    session["container_id"].as_str().unwrap()
}

#[test]
fn a_session_lives_and_keeps_its_files() {
    let bed = Bed::new();
    let image = own_image(&bed, "1");
    let mut bed = bed;
    bed.configure("", &image);
    bed.serve();
    let order = json!({"env": {"TOKEN": "not-for-ps", "ODD": "a b#c=\"d\""}, "agent": "build"});
    let made = bed.must("alice", "POST", "/api/sessions?wait=60", Some(order), 201);
    assert_eq!(made["status"], "running", "{made}");
    let (id, of) =
        (id(&made), |path: &str| format!("/api/sessions/{}{path}", made["readable_id"].as_str().unwrap()));
    assert_eq!(fetch(&made["fileserver_port"], "/health").as_deref(), Some("{}"));
    assert_eq!(fetch(&made["ttyd_port"], "/").as_deref(), Some("here"));

    // The same through the server, for its owner alone.
    let proxied = format!("/sessions/{id}/files/health");
    assert_eq!(bed.must("alice", "GET", &proxied, None, 200), json!({}));
    bed.must("bob", "GET", &proxied, None, 404);

    // What it was made with.
    let env = bed.exec(id, &["env"]);
    for line in
        ["TOKEN=not-for-ps", "ODD=a b#c=\"d\"", "OCTO_AGENT_PROFILE=build", "WORKSPACE=/home/dev/workspace"]
    {
        assert!(env["stdout"].as_str().unwrap().lines().any(|it| it == line), "{line}: {env}");
    }
    let inspected: Value = serde_json::from_str(&get(&["inspect", container(&made)])).unwrap();
    let (config, host) = (&inspected[0]["Config"], &inspected[0]["HostConfig"]);
    assert_eq!((&host["Memory"], &host["MemorySwap"]), (&json!(64 << 20), &json!(64 << 20)), "{host}");
    assert_eq!(host["PidsLimit"], 2048);
    assert_eq!(config["Labels"]["octo.session"], id);
    let bindings = host["PortBindings"].to_string();
    assert!(
        bindings.contains("127.0.0.1") && !bindings.contains("0.0.0.0") && !bindings.contains("\"\""),
        "{bindings}"
    );
    assert!(!config["CreateCommand"].to_string().contains("not-for-ps"), "{config}");
    let left = std::fs::read_dir(bed.folder.path().join("state/variables")).unwrap().count();
    assert_eq!(left, 0, "a file with variables is left");

    // A file in a home makes nobody another, whatever its mode says.
    let status = bed.exec(id, &["cat", "/proc/self/status"]);
    let line = |name: &str| {
        let value = status["stdout"].as_str().unwrap().lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
    };
    assert_eq!((line("NoNewPrivs:"), line("CapEff:")), ("1".into(), "0".repeat(16)));
    let mounts = bed.exec(id, &["cat", "/proc/self/mounts"])["stdout"].as_str().unwrap().to_owned();
    let home = mounts.lines().find(|line| line.split(' ').nth(1) == Some("/home/dev")).unwrap();
    let options: Vec<&str> = home.split(' ').nth(3).unwrap().split(',').collect();
    // Docker has no such options for a folder of the host.
    assert!(docker().is_some() || ["nosuid", "nodev"].iter().all(|it| options.contains(it)), "{home}");

    // It is the terminal's user who runs commands, and nothing of them is an option or a shell's.
    assert!(bed.exec(id, &["id"])["stdout"].as_str().unwrap().starts_with("uid=1000 gid=1000"));
    let odd = bed.exec(id, &["printf", "%s|", "-x", "; id", "$HOME"]);
    assert_eq!((&odd["stdout"], &odd["exit_code"]), (&json!("-x|; id|$HOME|"), &json!(0)));
    assert_eq!(bed.exec(id, &["sh", "-c", "echo bad >&2; exit 7"])["exit_code"], 7);
    let slow = json!({"command": ["sleep", "30"], "timeout_seconds": 1});
    bed.must("alice", "POST", &of("/exec"), Some(slow), 504);
    assert_eq!(bed.must("alice", "GET", &of("/logs"), None, 200), json!("it starts\n"));
    let stats = bed.must("alice", "GET", &of("/stats"), None, 200);
    assert!(
        stats["memory_bytes"].as_u64().unwrap() > 0 && stats["processes"].as_u64().unwrap() > 0,
        "{stats}"
    );

    // Stop and resume keep the workspace and what is in the container besides.
    assert_eq!(bed.exec(id, &["touch", "/home/dev/workspace/kept"])["exit_code"], 0);
    get(&["exec", container(&made), "touch", "/layer"]);
    bed.must("alice", "POST", &of("/stop"), None, 204);
    assert_eq!(bed.containers(), [format!("{} exited", container(&made))]);
    assert_eq!(fetch(&made["fileserver_port"], "/health"), None);
    let resumed = bed.must("alice", "POST", &of("/resume?wait=60"), None, 200);
    assert_eq!((&resumed["status"], &resumed["container_id"]), (&json!("running"), &made["container_id"]));
    assert_eq!(bed.exec(id, &["ls", "/layer", "/home/dev/workspace/kept"])["exit_code"], 0);

    // Another image: an upgrade keeps the workspace and the variables.
    assert_eq!(bed.must("alice", "GET", &of("/update"), None, 200)["update_available"], false);
    own_image(&bed, "2");
    assert_eq!(bed.must("alice", "GET", &of("/update"), None, 200)["update_available"], true);
    let upgraded = bed.must("alice", "POST", &of("/upgrade?wait=60"), None, 200);
    assert_eq!(upgraded["status"], "running", "{upgraded}");
    assert_ne!(
        (&upgraded["image_digest"], &upgraded["container_id"]),
        (&made["image_digest"], &made["container_id"])
    );
    assert_eq!(bed.exec(id, &["cat", "/version"])["stdout"], "2");
    assert_eq!(bed.exec(id, &["ls", "/home/dev/workspace/kept"])["exit_code"], 0);
    assert_ne!(bed.exec(id, &["ls", "/layer"])["exit_code"], 0);
    assert!(bed.exec(id, &["env"])["stdout"].as_str().unwrap().contains("TOKEN=not-for-ps"));

    bed.must("alice", "DELETE", &of(""), None, 204);
    assert!(bed.containers().is_empty() && bed.networks().is_empty());
    assert!(bed.folder.path().join("users/home/alice/workspace/kept").exists());
    assert!(!bed.log().contains("not-for-ps"));
}

#[test]
fn a_start_is_waited_for_interrupted_and_explained() {
    bed::image("localhost/octo-test/late:latest", LATE, "");
    bed::image("localhost/octo-test/silent:latest", SILENT, "");
    let mut bed = Bed::new();
    bed.configure("", "localhost/octo-test/late:latest");
    bed.variables = vec![("OCTO__PROXY__STARTUP_RETRY_SECONDS", "60".into())];
    bed.serve();
    let made = bed.must("alice", "POST", "/api/sessions", Some(json!({})), 201);
    assert_eq!(made["status"], "pending");
    wait("starting", || (bed.show(id(&made))["status"] == "starting").then_some(()));
    // A request meanwhile waits for the service that is not there yet.
    std::thread::scope(|scope| {
        let health = format!("/sessions/{}/files/health", id(&made));
        let asked = scope.spawn(|| bed.must("alice", "GET", &{ health }, None, 200));
        // So long that one that did not wait would have been answered.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(bed.show(id(&made))["status"], "starting");
        bed.lets_come_up("alice");
        assert_eq!(asked.join().unwrap(), json!({}));
    });
    wait("running", || (bed.show(id(&made))["status"] == "running").then_some(()));
    // One that never answers is stopped while it starts; what was half made is gone.
    let silent = json!({"image": "localhost/octo-test/silent:latest"});
    let second = bed.must("alice", "POST", "/api/sessions", Some(silent.clone()), 201);
    wait("starting", || (bed.show(id(&second))["status"] == "starting").then_some(()));
    bed.must("alice", "POST", &format!("/api/sessions/{}/stop", id(&second)), None, 204);
    assert_eq!(bed.show(id(&second))["status"], "stopped");
    assert_eq!(bed.containers().len(), 1);
    // And one that is left alone fails, with what it printed.
    bed.kill();
    bed.variables = vec![("OCTO__CONTAINER__START_TIMEOUT_SECONDS", "8".into())];
    bed.serve();
    let third = bed.must("alice", "POST", "/api/sessions?wait=60", Some(silent), 201);
    let why = third["error_message"].as_str().unwrap();
    assert!(
        third["status"] == "failed" && why.contains("no answer within 8s") && why.contains("it starts"),
        "{why}"
    );
    assert_eq!(bed.containers().len(), 1);
    // An image that is not here.
    let missing = json!({"image": "localhost/octo-test/nowhere:1"});
    bed.must("alice", "POST", "/api/sessions", Some(missing), 404);
}

#[test]
fn what_happens_to_containers_from_outside_is_seen() {
    let bed = Bed::start();
    let session = bed.running("alice");
    get(&["kill", container(&session)]);
    let failed = wait("failed", || Some(bed.show(id(&session))).filter(|it| it["status"] == "failed"));
    assert!(failed["error_message"].as_str().unwrap().contains("137"), "{failed}");
    let resumed =
        bed.must("alice", "POST", &format!("/api/sessions/{}/resume?wait=60", id(&session)), None, 200);
    assert_eq!(resumed["status"], "running");
    bed::remove(container(&resumed));
    // A list does not wait for a runtime that takes long.
    let lost = wait("failed", || {
        let mut listed = bed.must("alice", "GET", "/api/sessions", None, 200);
        Some(listed[0].take()).filter(|it| it["status"] != "running")
    });
    assert_eq!((&lost["status"], &lost["error_message"]), (&json!("failed"), &json!("container not found")));
    // It comes back, on the same workspace; and elsewhere, where something has taken its port.
    let path = format!("/api/sessions/{}/resume?wait=60", id(&session));
    assert_eq!(bed.must("alice", "POST", &path, None, 200)["status"], "running");
    bed.must("alice", "POST", &format!("/api/sessions/{}/stop", id(&session)), None, 204);
    let port = u16::try_from(session["ttyd_port"].as_u64().unwrap()).unwrap();
    // What stood for its container may keep it for a moment.
    let foreign = wait("the port", || TcpListener::bind(("127.0.0.1", port)).ok());
    let moved = bed.must("alice", "POST", &path, None, 200);
    assert_eq!(moved["status"], "running", "{moved}");
    assert_ne!(moved["ttyd_port"], session["ttyd_port"]);
    let second = bed.running("bob");
    assert_ne!(second["ttyd_port"], session["ttyd_port"]);
    drop(foreign);
    assert_eq!(bed.containers().len(), 2, "nothing half made is left");
}

#[test]
fn users_cannot_reach_each_other() {
    let bed = Bed::start();
    let (first, second) = (bed.running("alice"), bed.running("bob"));
    let third = bed.running("alice");
    bed.must("bob", "GET", &format!("/api/sessions/{}", id(&first)), None, 404);
    let address = |session: &Value| {
        get(&[
            "inspect",
            "--format",
            "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
            container(session),
        ])
    };
    let reach = |from: &Value, to: &Value| {
        let script =
            format!("printf 'GET /health HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 {} 41821", address(to));
        bed.exec(id(from), &["sh", "-c", &script])["stdout"].as_str().unwrap().contains("200 OK")
    };
    assert!(reach(&first, &third), "one's own sessions are in reach, so this test can fail");
    assert!(!reach(&first, &second) && !reach(&second, &first));
    assert_eq!(bed.networks().len(), 2);
    for session in [&first, &second, &third] {
        assert!(fetch(&session["fileserver_port"], "/health").is_some(), "published all the same");
    }
}

#[test]
fn many_at_one_time_get_ports_of_their_own() {
    let bed = Bed::start();
    let made: Vec<Value> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| bed.running("alice"))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let ports = made
        .iter()
        .flat_map(|one| ["opencode_port", "fileserver_port", "ttyd_port"].map(|port| one[port].as_u64()));
    assert_eq!(ports.collect::<std::collections::BTreeSet<_>>().len(), 24);
    assert_eq!(bed.containers().len(), 8);
}
