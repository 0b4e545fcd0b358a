//! The server killed at each step of what it does with sessions, and podman failing or hanging there: what a server
//! finds when it starts again comes to agree, and nothing is left over.

use serde_json::{Value, json};

use super::bed::{Bed, common_image, wait};

/// What is done with sessions, and the command of podman's that it cannot be without: by that it is seen that calls are
/// written down at all.
const WORKS: [(&str, &str); 5] =
    [("create", "run"), ("stop", "stop"), ("resume", "start"), ("upgrade", "rm"), ("delete", "rm")];
/// Commands that change nothing: before or after them is the same to a server that is killed. Whether one comes may depend
/// on how long something takes; a command that is not named here changes something, and comes each time.
const LOOKS: [&str; 8] =
    ["container-inspect", "image-inspect", "logs", "network-inspect", "network-ls", "ps", "stats", "version"];

/// A session as the work finds it, where it needs one: the one that there is, or a new one.
fn begin(bed: &Bed, work: &str) -> Option<String> {
    if work == "create" {
        return None;
    }
    let all = bed.must("alice", "GET", "/api/sessions", None, 200);
    let id = match all[0]["id"].as_str() {
        Some(id) => id.to_owned(),
        None => bed.running("alice")["id"].as_str().unwrap().to_owned(),
    };
    if work == "resume" {
        bed.must("alice", "POST", &format!("/api/sessions/{id}/stop"), None, 204);
    }
    Some(id)
}

fn work_on(bed: &Bed, work: &str, id: Option<&str>) -> Option<(u16, Value)> {
    let of = |rest: &str| format!("/api/sessions/{}{rest}", id.unwrap_or(""));
    match work {
        "create" => bed.ask("alice", "POST", "/api/sessions?wait=60", Some(&json!({}))),
        "delete" => bed.ask("alice", "DELETE", &of(""), None),
        "stop" => bed.ask("alice", "POST", &of("/stop"), None),
        other => bed.ask("alice", "POST", &of(&format!("/{other}?wait=60")), None),
    }
}

/// Every container is a session's and runs if and only if that does; then every session can run, as they all do in the end.
fn comes_to_rest(bed: &Bed, told: &str) -> Vec<String> {
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
    let networks = bed.networks();
    let needed = usize::from(!sessions.as_array().unwrap().is_empty());
    assert!(networks.len() <= needed, "{told}: a network is left: {networks:?}");
    for session in sessions.as_array().unwrap() {
        if session["status"] != "running" {
            let path = format!("/api/sessions/{}/resume?wait=60", session["id"].as_str().unwrap());
            let up = bed.must("alice", "POST", &path, None, 200);
            assert_eq!(up["status"], "running", "{told}: {up}\n{}", bed.log());
        }
    }
    let ids = sessions.as_array().unwrap().iter().map(|session| session["id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// As [`comes_to_rest`]; then all can be taken away, and nothing is left.
fn comes_to_nothing(bed: &Bed, told: &str) {
    for id in comes_to_rest(bed, told) {
        bed.must("alice", "DELETE", &format!("/api/sessions/{id}"), None, 204);
    }
    assert!(bed.containers().is_empty(), "{told}: a container is left");
    assert!(bed.networks().is_empty(), "{told}: a network is left");
}

/// What comes after a step of a work: one that makes or removes sessions begins anew.
fn after(bed: &Bed, work: &str, told: &str) {
    if matches!(work, "create" | "delete") {
        comes_to_nothing(bed, told);
    } else {
        comes_to_rest(bed, told);
    }
}

/// The calls of podman that a work makes when nothing disturbs it, each with its number among those of its command.
fn steps_of(bed: &Bed, work: &str) -> Vec<String> {
    let id = begin(bed, work);
    bed.number_calls();
    let (status, answer) = work_on(bed, work, id.as_deref()).unwrap();
    assert!((200..300).contains(&status), "{work}: {status} {answer}");
    let steps = bed.numbered_calls();
    after(bed, work, work);
    steps
}

fn killed_at_each_step_of(work: &str) {
    let (_, needed) = WORKS.into_iter().find(|(name, _)| *name == work).unwrap();
    // One bed for all, as an operator has it.
    let mut bed = Bed::start();
    let steps = steps_of(&bed, work);
    assert!(steps.contains(&format!("{needed}.1")), "{work}: {steps:?}");
    eprintln!("{work} calls {}", steps.join(", "));
    for step in &steps {
        let looks = LOOKS.iter().any(|verb| step.split('.').next() == Some(verb));
        let ways: &[&str] = if looks { &["kill-before"] } else { &["kill-before", "kill-after"] };
        for how in ways {
            let told = format!("{work}: {how} {step} of {steps:?}");
            let id = begin(&bed, work);
            bed.at(step, how);
            bed.number_calls();
            // Some of it goes on after the answer.
            let answered = work_on(&bed, work, id.as_deref());
            if looks && answered.is_some() && bed.forget(step) {
                // It was fast enough to do without a second look.
                bed.numbered_calls();
            } else {
                wait(&format!("{told}: the call"), || bed.came(step).then_some(()));
                bed.ended();
                bed.numbered_calls();
                bed.serve();
            }
            after(&bed, work, &told);
        }
    }
    comes_to_nothing(&bed, work);
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

/// The runtime's time-out is shorter here, so that a hang ends soon; longer than podman takes on a busy machine.
fn impatient() -> Bed {
    let mut bed = Bed::new();
    bed.configure("stop_timeout_seconds = 2", common_image());
    bed.set("runtime", "timeout = 25");
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
    comes_to_nothing(bed, &told);
}

#[test]
fn podman_failing_or_hanging_is_told_and_leaves_nothing() {
    std::thread::scope(|scope| {
        // A removal that hangs is no other than a start that does. All at one time: each only waits.
        for (work, verb) in [("create", "run"), ("stop", "stop"), ("resume", "start")] {
            scope.spawn(move || told_and_nothing_left(&impatient(), work, verb, "hang"));
        }
        podman_failing();
    });
}

fn podman_failing() {
    let bed = Bed::start();
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
