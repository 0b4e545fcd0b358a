//! Settings that show in containers, given as variables.

use serde_json::{Value, json};
use std::fs;

use super::bed::leftovers::LABEL;
use super::bed::{Bed, common_image, get, remove, wait};

fn text<'v>(session: &'v Value, name: &str) -> &'v str {
    session[name].as_str().unwrap()
}

/// The address of a session's container.
fn address(session: &Value) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    get(&["inspect", "--format", format, text(session, "container_id")])
}

#[test]
fn containers_are_as_the_settings_say() {
    let mut bed = Bed::new();
    bed.configure("", common_image());
    let (skeleton, projects) = (bed.folder.path().join("skeleton"), bed.folder.path().join("projects"));
    fs::create_dir_all(skeleton.join("workspace")).unwrap();
    fs::write(skeleton.join("workspace/first"), "from the skeleton").unwrap();
    fs::create_dir_all(projects.join("one")).unwrap();
    fs::write(projects.join("one/there"), "on the host").unwrap();
    bed.variables = vec![
        ("OCTO__CONTAINER__NETWORK", "per-session".into()),
        ("OCTO__CONTAINER__NOFILE", "512:512".into()),
        // Limits of a command line take the place of all that podman's own settings have.
        ("OCTO__CONTAINER__RUN_ARGS", format!("--label=octo.test={},--ulimit=nproc=1024:4096", bed.tag)),
        ("OCTO__CONTAINER__PIDS_LIMIT", "40".into()),
        ("OCTO__CONTAINER__SKEL_PATH", skeleton.display().to_string()),
        ("OCTO__CONTAINER__WORKSPACE_ROOT", projects.display().to_string()),
        // Room for two.
        ("OCTO__CONTAINER__PORT_RANGE_END", (bed.base + 6).to_string()),
        ("OCTO__SESSIONS__MAX_CONCURRENT_SESSIONS", "2".into()),
    ];
    bed.serve();
    let first = bed.running("alice");
    let id = text(&first, "id");
    assert_eq!(bed.exec(id, &["cat", "/home/dev/workspace/first"])["stdout"], "from the skeleton");
    assert_eq!(bed.exec(id, &["sh", "-c", "ulimit -n"])["stdout"], "512\n");
    assert_eq!(
        get(&["inspect", "--format", "{{.HostConfig.PidsLimit}}", text(&first, "container_id")]),
        "40"
    );

    // A workspace of one's own choice; and no other folder of the host.
    let path = projects.join("one");
    let order = json!({"workspace_path": path});
    let second = bed.must("alice", "POST", "/api/sessions?wait=60", Some(order.clone()), 201);
    assert_eq!(second["status"], "running", "{second}");
    assert_eq!(bed.exec(text(&second, "id"), &["cat", "/home/dev/workspace/there"])["stdout"], "on the host");
    let again = bed.must("alice", "POST", "/api/sessions/get-or-create-for-workspace", Some(order), 200);
    assert_eq!(again["id"], second["id"]);
    for outside in ["/etc", "/", "relative", "/nowhere"] {
        let order = json!({"workspace_path": outside});
        bed.must("bob", "POST", "/api/sessions", Some(order), 400);
    }

    // Sessions of one user are apart too.
    assert_eq!(bed.networks().len(), 2);
    let script =
        format!("printf 'GET /health HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 {} 41821", address(&second));
    let reached = |from: &Value| {
        bed.exec(text(from, "id"), &["sh", "-c", &script])["stdout"].as_str().unwrap().contains("200 OK")
    };
    assert!(reached(&second), "itself is in reach, so this test can fail");
    assert!(!reached(&first), "a network for each session does not separate them");

    // As many as one may have; and as there are ports for.
    let third = bed.must("alice", "POST", "/api/sessions", None, 409);
    assert_eq!((&third["code"], &third["details"]["limit"]), (&json!("QUOTA_EXCEEDED"), &json!(2)));
    let none = bed.must("bob", "POST", "/api/sessions", None, 503);
    assert_eq!(none["details"]["reason"], "no_ports", "{none}");
    bed.must("alice", "DELETE", &format!("/api/sessions/{}", text(&second, "id")), None, 204);
    assert_eq!(bed.networks().len(), 1);
    assert!(path.join("there").exists(), "a workspace outlives its session");
    bed.running("bob");
}

#[test]
fn what_happens_by_itself() {
    let mut bed = Bed::new();
    bed.configure("", common_image());
    bed.variables = vec![
        ("OCTO__SESSIONS__AUTO_RESUME", "true".into()),
        ("OCTO__SESSIONS__RETENTION_HOURS", "1".into()),
        ("OCTO__CONTAINER__RESTART_FAILED", "true".into()),
    ];
    bed.serve();
    let session = bed.running("alice");
    let (id, container) = (text(&session, "id"), text(&session, "container_id"));
    let of = |path: &str| format!("/api/sessions/{id}{path}");

    // Held: it is told, and taken back.
    get(&["pause", container]);
    let held =
        wait("what holds it", || Some(bed.show(id)).filter(|session| session["error_message"].is_string()));
    assert!(held["status"] == "running" && text(&held, "error_message").contains("paused"), "{held}");
    get(&["unpause", container]);
    wait("that it goes on", || bed.show(id)["error_message"].is_null().then_some(()));

    // Ended after it had run for long: it is started again.
    bed.sql(&format!("UPDATE sessions SET started_at = '2026-01-01T00:00:00.000Z' WHERE id = '{id}'"));
    get(&["kill", container]);
    let restarted = wait("the restart", || {
        let now = bed.show(id);
        (now["status"] == "running" && now["started_at"] != "2026-01-01T00:00:00.000Z").then_some(now)
    });
    assert_eq!(restarted["container_id"], container);
    let events = bed.must("alice", "GET", &of("/events"), None, 200).to_string();
    assert!(events.contains("exit code 137"), "{events}");

    // Stopped and used: it is resumed.
    bed.must("alice", "POST", &of("/stop"), None, 204);
    bed.must("alice", "GET", &format!("/sessions/{id}/files/health"), None, 200);
    // The file server may answer before all have.
    wait("the resumption", || (bed.show(id)["status"] == "running").then_some(()));

    // Stopped long ago: its container goes, its files stay.
    assert_eq!(bed.exec(id, &["touch", "/home/dev/workspace/kept"])["exit_code"], 0);
    bed.must("alice", "POST", &of("/stop"), None, 204);
    let cleaned = bed.must("root", "POST", "/api/admin/cleanup", None, 200);
    assert_eq!(cleaned["stale_removed"], 0);
    bed.sql(&format!("UPDATE sessions SET stopped_at = '2026-01-01T00:00:00.000Z' WHERE id = '{id}'"));
    let cleaned = bed.must("root", "POST", "/api/admin/cleanup", None, 200);
    // The server's own round, once a minute, may be there first.
    assert!(cleaned["stale_removed"].as_u64().unwrap() <= 1, "{cleaned}");
    wait("the container's end", || bed.containers().is_empty().then_some(()));
    let back = bed.must("alice", "POST", &of("/resume?wait=60"), None, 200);
    assert_eq!(back["status"], "running", "{back}");
    assert_eq!(bed.exec(id, &["ls", "/home/dev/workspace/kept"])["exit_code"], 0);

    // With its workspace, at last.
    remove(text(&back, "container_id"));
    bed.must("alice", "DELETE", &of("?purge=true"), None, 204);
    assert!(!bed.folder.path().join("users/home/alice/workspace/kept").exists());
}

#[test]
fn a_session_is_in_the_network_that_the_settings_name() {
    let mut bed = Bed::new();
    bed.configure("", common_image());
    let own = format!("octo-test-{}", bed.tag);
    get(&["network", "create", "--label", &format!("{LABEL}={}", bed.tag), &own]);
    for (network, published) in [("", true), ("host", false), (own.as_str(), true)] {
        bed.variables = vec![("OCTO__CONTAINER__NETWORK", network.into())];
        bed.serve();
        let session = bed.running("alice");
        let id = text(&session, "id");
        bed.must("alice", "GET", &format!("/sessions/{id}/files/health"), None, 200);
        let port = format!(
            "{}/tcp",
            if published { "41821".into() } else { session["fileserver_port"].to_string() }
        );
        let format = "{{json .HostConfig.PortBindings}}";
        let bindings = get(&["inspect", "--format", format, text(&session, "container_id")]);
        assert_eq!(bindings.contains(&port), published, "{network}: {bindings}");
        let format = "{{json .NetworkSettings.Networks}} {{.HostConfig.NetworkMode}}";
        let networks = get(&["inspect", "--format", format, text(&session, "container_id")]);
        assert!(networks.contains(network), "{network}: {networks}");
        assert!(bed.networks().is_empty(), "one of ours was made beside {network}");
        bed.must("alice", "DELETE", &format!("/api/sessions/{id}"), None, 204);
        bed.kill();
    }
    get(&["network", "rm", &own]);
}
