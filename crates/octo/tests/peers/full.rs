//! The server's disk takes nothing any more, at whatever moment: it says so, tells the truth, loses no container, and goes on
//! once there is room. Podman has a disk of its own here, which goes on.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::bed::{Bed, LATE, common_image, image, wait};

fn path(session: &Value) -> String {
    format!("/api/sessions/{}", session["id"].as_str().unwrap())
}

/// An administrator with a password, besides the users of the development mode.
fn make_user(bed: &Bed) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_octo"));
    command.arg("--config").arg(bed.folder.path().join("config.toml"));
    command.args(["user", "create", "carol", "--admin", "--email", "carol@example.com"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"long enough\n").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_disk_that_takes_nothing_is_told_and_all_comes_to_rest_afterwards() {
    let mut bed = Bed::start();
    make_user(&bed);
    let late = "localhost/octo-test/late-full:latest";
    image(late, LATE, "1");
    let session = bed.running("alice");
    let told = |answer: &Value| {
        let reason = &answer["details"]["reason"];
        assert!(reason == "database" || reason == "disk_full", "{answer}\n{}", bed.log());
    };
    let status =
        |status: u16, expected: [u16; 2]| assert!(expected.contains(&status), "{status}\n{}", bed.log());

    // Whatever would have to be written is refused, and is not half done.
    bed.writable(false);
    let of = |rest: &str| format!("{}{rest}", path(&session));
    for (method, at, body) in [
        ("POST", "/api/sessions".to_owned(), Some(json!({}))),
        ("POST", of("/stop"), None),
        ("POST", of("/upgrade"), None),
        ("DELETE", of(""), None),
    ] {
        let (code, answer) = bed.ask("alice", method, &at, body.as_ref()).unwrap();
        status(code, [503, 507]);
        told(&answer);
        let containers = bed.containers();
        assert!(
            containers.len() == 1 && containers[0].ends_with(" running"),
            "{method} {at}: {containers:?}"
        );
    }
    // What needs no writing goes on.
    let listed = bed.must("alice", "GET", "/api/sessions", None, 200);
    assert!(listed.as_array().unwrap().len() == 1 && listed[0]["status"] == "running", "{listed}");
    let served = format!("/sessions/{}/files/health", session["id"].as_str().unwrap());
    assert_eq!(bed.must("alice", "GET", &served, None, 200), json!({}));
    let log_in = json!({"username": "carol", "password": "long enough"});
    bed.must("nobody", "POST", "/api/auth/login", Some(log_in), 200);
    bed.writable(true);

    // In the middle of a start: what was made is taken away, and the row tells it as soon as it can be written.
    let starting = bed.must("alice", "POST", "/api/sessions", Some(json!({"image": late})), 201);
    wait("starting", || (bed.show(starting["id"].as_str().unwrap())["status"] == "starting").then_some(()));
    bed.writable(false);
    bed.lets_come_up("alice");
    wait("its container to go", || (bed.containers().len() == 1).then_some(()));
    assert_eq!(bed.must("alice", "GET", &path(&starting), None, 200)["status"], "starting");
    bed.writable(true);
    wait("the row to tell it", || {
        let now = bed.must("alice", "GET", &path(&starting), None, 200);
        assert!(now["status"] == "starting" || now["status"] == "failed", "{now}\n{}", bed.log());
        (now["status"] == "failed").then_some(())
    });
    let up = bed.must("alice", "POST", &format!("{}/resume?wait=60", path(&starting)), None, 200);
    assert_eq!(up["status"], "running", "{up}");

    // And when the server ends: no container stays, and the next start knows what they came to.
    bed.writable(false);
    bed.signal(Signal::SIGTERM);
    assert_eq!(bed.ended().code(), Some(0), "{}", bed.log());
    let containers = bed.containers();
    assert!(containers.len() == 2 && containers.iter().all(|it| it.ends_with(" exited")), "{containers:?}");
    bed.configure("", common_image());
    bed.serve();
    for one in [&session, &starting] {
        let now = bed.show(one["id"].as_str().unwrap());
        assert_eq!(now["status"], "stopped", "{now}\n{}", bed.log());
        bed.must("alice", "DELETE", &path(one), None, 204);
    }
    assert!(bed.containers().is_empty() && bed.networks().is_empty());
    let left = std::fs::read_dir(bed.folder.path().join("state/variables")).unwrap().count();
    assert_eq!(left, 0, "a file with variables is left");
}
