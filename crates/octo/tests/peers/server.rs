//! The server's start and end, and what it finds between.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::bed::{Bed, common_image, get, podman, wait};

fn container(session: &Value) -> &str {
    session["container_id"].as_str().unwrap()
}

#[test]
fn it_does_not_start_without_image_or_runtime() {
    let mut bed = Bed::new();
    bed.configure("", "localhost/octo-test/nowhere:1");
    bed.spawn();
    assert_ne!(bed.ended().code(), Some(0));
    let log = bed.log();
    assert!(log.contains("podman build -f container/Dockerfile -t localhost/octo-test/nowhere:1 ."), "{log}");
    assert!(log.contains("`octoctl image build --tag localhost/octo-test/nowhere:1`"), "{log}");
    bed.configure("check_image = false", "localhost/octo-test/nowhere:1");
    bed.serve();
    bed.must("alice", "POST", "/api/sessions", None, 404);
    bed.kill();
    // A runtime that is there and does not work.
    bed.at("version", "fail");
    bed.spawn();
    assert_ne!(bed.ended().code(), Some(0));
    assert!(bed.log().contains("no container runtime answers"), "{}", bed.log());
}

#[test]
fn it_stops_all_sessions_when_it_ends() {
    let mut bed = Bed::start();
    let made: Vec<Value> = (0..3).map(|_| bed.running("alice")).collect();
    // One that hangs in its start is cancelled, and leaves nothing.
    bed.at("run", "hang");
    bed.must("bob", "POST", "/api/sessions", None, 201);
    wait("podman run", || bed.came("run").then_some(()));
    let started = Instant::now();
    bed.signal(Signal::SIGTERM);
    assert_eq!(bed.ended().code(), Some(0), "{}", bed.log());
    assert!(started.elapsed() < Duration::from_secs(40));
    let left = bed.containers();
    assert!(left.len() == 3 && left.iter().all(|it| it.ends_with(" exited")), "{left:?}");
    bed.serve();
    let all = bed.must("root", "GET", "/api/admin/sessions", None, 200);
    assert!(
        all.as_array().unwrap().len() == 4
            && all.as_array().unwrap().iter().all(|it| it["status"] == "stopped")
    );
    let path = format!("/api/sessions/{}", made[0]["id"].as_str().unwrap());
    let events = bed.must("alice", "GET", &format!("{path}/events"), None, 200);
    assert!(events.to_string().contains("the server ended"), "{events}");
    assert_eq!(bed.must("alice", "POST", &format!("{path}/resume?wait=60"), None, 200)["status"], "running");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let mut bed = Bed::start();
        let session = bed.running("alice");
        bed.at("stop", "hang");
        bed.signal(signal);
        wait("podman stop", || bed.came("stop").then_some(()));
        bed.signal(signal);
        assert_eq!(bed.ended().code(), Some(code));
        // What it could not stop is found at the next start.
        bed.serve();
        let status = bed.show(session["id"].as_str().unwrap())["status"].clone();
        assert!(status == "stopped" || status == "stopping", "{status}");
        wait("stopped", || bed.containers()[0].ends_with(" exited").then_some(()));
    }
}

#[test]
fn after_a_kill_it_takes_up_what_runs_and_removes_what_is_nobodys() {
    let mut bed = Bed::start();
    let (kept, ended, stopped) = (bed.running("alice"), bed.running("alice"), bed.running("bob"));
    bed.kill();
    get(&["kill", container(&ended)]);
    get(&["stop", "-t", "5", container(&stopped)]);
    let (label, instance) = (format!("octo.test={}", bed.tag), format!("octo.instance={}", bed.instance()));
    let run = |name: &str, labels: &[&str]| {
        let mut all = vec!["run", "-d", "--pull=never", "--label", &label, "--name", name];
        labels.iter().for_each(|label| all.extend(["--label", label]));
        all.extend([common_image(), "/bin/sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"]);
        get(&all)
    };
    let (mine, foreign) = (format!("octo-{}a", bed.tag), format!("octo-{}b", bed.tag));
    let orphan = run(&mine, &["octo.managed=true", &instance]);
    let unlabelled = run(&foreign, &[]);
    bed.serve();
    let there = |id: &str| podman(&["container", "exists", id]).status().unwrap().success();
    assert!(!there(&orphan), "an orphan is left");
    assert!(there(&unlabelled), "a container without our labels was removed");
    for (session, state) in [(&kept, "running"), (&ended, "failed"), (&stopped, "stopped")] {
        let now = bed.show(session["id"].as_str().unwrap());
        assert_eq!(now["status"], state, "{now}");
    }
    assert!(bed.exec(kept["id"].as_str().unwrap(), &["id"])["exit_code"] == 0);
    let cleaned = bed.must("root", "POST", "/api/admin/cleanup", None, 200);
    assert_eq!(cleaned, json!({"orphans_removed": 0, "sessions_marked": 0, "stale_removed": 0}));
}

#[test]
fn an_idle_session_is_stopped() {
    let mut bed = Bed::new();
    bed.configure("", common_image());
    bed.set("sessions", "idle_check_interval_seconds = 1\nidle_timeout_minutes = 1\nidle_cpu_percent = 0.5");
    bed.serve();
    let (idle, used, computes) = (bed.running("alice"), bed.running("alice"), bed.running("alice"));
    // As a build does that somebody left alone.
    get(&["exec", "-d", container(&computes), "/bin/sh", "-c", "while :; do :; done"]);
    let old = "2026-01-01T00:00:00.000Z";
    std::thread::sleep(Duration::from_secs(1));
    let [id, other, used] = [&idle, &computes, &used].map(|session| session["id"].as_str().unwrap());
    // What is not written down yet is newer: until it is, the row is put back again.
    wait("stopped", || {
        bed.must("alice", "POST", &format!("/api/sessions/{used}/activity"), None, 204);
        bed.sql(&format!(
            "UPDATE sessions SET last_activity_at = '{old}', started_at = '{old}' WHERE id IN ('{id}', '{other}')"
        ));
        (bed.show(id)["status"] == "stopped").then_some(())
    });
    assert_eq!(bed.show(used)["status"], "running");
    assert_eq!(bed.show(other)["status"], "running", "what computes was stopped\n{}", bed.log());
}
