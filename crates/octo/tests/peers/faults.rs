//! The server killed at each step of what it does with sessions, and podman failing or hanging there: what a server
//! finds when it starts again comes to agree, and nothing is left over.

use serde_json::{Value, json};

use super::bed::{Bed, common_image, wait};

/// What is done, and the commands of podman at which the server is killed.
const KILLS: [(&str, &[&str]); 5] = [
    ("create", &["image-inspect", "network-create", "run"]),
    ("stop", &["stop", "container-inspect"]),
    ("resume", &["start"]),
    ("upgrade", &["stop", "rm", "run"]),
    ("delete", &["stop", "rm", "network-rm"]),
];

fn begin(bed: &Bed, work: &str) -> Option<String> {
    if work == "create" {
        return None;
    }
    let id = bed.running("alice")["id"].as_str().unwrap().to_owned();
    if work == "resume" {
        bed.must("alice", "POST", &format!("/api/sessions/{id}/stop"), None, 204);
    }
    Some(id)
}

fn work_on(bed: &Bed, work: &str, id: Option<&str>) -> Option<(u16, Value)> {
    let of = |rest: &str| format!("/api/sessions/{}{rest}", id.unwrap_or(""));
    match work {
        "create" => bed.ask("alice", "POST", "/api/sessions?wait=30", Some(&json!({}))),
        "delete" => bed.ask("alice", "DELETE", &of(""), None),
        "stop" => bed.ask("alice", "POST", &of("/stop"), None),
        other => bed.ask("alice", "POST", &of(&format!("/{other}?wait=30")), None),
    }
}

/// Every container is a session's and runs if and only if that does; then all can be taken away.
fn comes_to_rest(bed: &Bed, told: &str) {
    let sessions = wait("rest", || {
        let all = bed.must("root", "GET", "/api/admin/sessions", None, 200);
        let rest = |it: &Value| matches!(it["status"].as_str(), Some("running" | "stopped" | "failed"));
        Some(all).filter(|all| all.as_array().unwrap().iter().all(rest))
    });
    bed.must("root", "POST", "/api/admin/cleanup", None, 200);
    for line in bed.containers() {
        let (container, state) = line.split_once(' ').unwrap();
        let owner = sessions.as_array().unwrap().iter().find(|it| it["container_id"] == container);
        let owner = owner.unwrap_or_else(|| panic!("{told}: {line} is nobody's: {sessions}\n{}", bed.log()));
        assert_eq!(
            state == "running",
            owner["status"] == "running",
            "{told}: {line}: {owner}\n{}",
            bed.log()
        );
    }
    for session in sessions.as_array().unwrap() {
        let path = format!("/api/sessions/{}", session["id"].as_str().unwrap());
        if session["status"] != "running" {
            let up = bed.must("alice", "POST", &format!("{path}/resume?wait=60"), None, 200);
            assert_eq!(up["status"], "running", "{told}: {up}\n{}", bed.log());
        }
        bed.must("alice", "DELETE", &path, None, 204);
    }
    assert!(bed.containers().is_empty(), "{told}: a container is left");
    assert!(bed.networks().is_empty(), "{told}: a network is left");
}

fn killed_at_each_step_of(work: &str) {
    let (_, verbs) = KILLS.into_iter().find(|(name, _)| *name == work).unwrap();
    // One bed for all, as an operator has it.
    let mut bed = Bed::start();
    for verb in verbs {
        for how in ["kill-before", "kill-after"] {
            let told = format!("{work}: {how} {verb}");
            let id = begin(&bed, work);
            bed.at(verb, how);
            // Some of it goes on after the answer.
            work_on(&bed, work, id.as_deref());
            wait(&format!("{told}: the call"), || bed.came(verb).then_some(()));
            bed.ended();
            bed.serve();
            comes_to_rest(&bed, &told);
        }
    }
}

#[test]
fn killed_while_it_creates() {
    killed_at_each_step_of("create");
}

#[test]
fn killed_while_it_stops() {
    killed_at_each_step_of("stop");
}

#[test]
fn killed_while_it_resumes() {
    killed_at_each_step_of("resume");
}

#[test]
fn killed_while_it_upgrades() {
    killed_at_each_step_of("upgrade");
}

#[test]
fn killed_while_it_deletes() {
    killed_at_each_step_of("delete");
}

/// The runtime's time-out is short here, so that a hang ends soon.
fn impatient() -> Bed {
    let mut bed = Bed::new();
    bed.configure("stop_timeout_seconds = 2", common_image());
    bed.set("runtime", "timeout = 10");
    bed.serve();
    bed
}

fn told_and_nothing_left(bed: &Bed, work: &str, verb: &str, how: &str) {
    let told = format!("{work}: {verb} {how}s");
    let id = begin(bed, work);
    bed.at(verb, how);
    let (status, answer) = work_on(bed, work, id.as_deref()).unwrap_or_else(|| panic!("{told}"));
    // What fails before the answer is refused; what fails after it shows in the session.
    let known = status == 503 || answer["status"] == "failed";
    assert!(known && bed.came(verb), "{told}: {status} {answer}\n{}", bed.log());
    let why = answer.to_string();
    let cause = if how == "fail" { "no space left on device" } else { "did not end within" };
    assert!(why.contains(cause), "{told}: {why}");
    comes_to_rest(bed, &told);
}

#[test]
fn podman_failing_is_told_and_leaves_nothing() {
    let bed = impatient();
    for (work, verb) in
        [("create", "run"), ("stop", "stop"), ("resume", "start"), ("delete", "rm"), ("upgrade", "rm")]
    {
        told_and_nothing_left(&bed, work, verb, "fail");
    }
    let session = bed.running("alice");
    bed.at("ps", "fail");
    assert_eq!(bed.must("alice", "GET", "/api/sessions", None, 200)[0]["status"], "running");
    // One that hangs while somebody looks: the answer comes, with what is known.
    bed.at("container-inspect", "hang");
    assert_eq!(bed.show(session["id"].as_str().unwrap())["status"], "running");
}

/// A removal that hangs is no other than a start that does. All at one time: each only waits.
#[test]
fn podman_hanging_is_told_and_leaves_nothing() {
    std::thread::scope(|scope| {
        for (work, verb) in [("create", "run"), ("stop", "stop"), ("resume", "start")] {
            scope.spawn(move || told_and_nothing_left(&impatient(), work, verb, "hang"));
        }
    });
}
