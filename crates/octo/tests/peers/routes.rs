//! The rest of the API over real containers: what no life of a session needs.

use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader};

use super::bed::programs::write_program;
use super::bed::{Bed, common_image, get, own_image, wait};

fn text<'v>(session: &'v Value, name: &str) -> &'v str {
    session[name].as_str().unwrap()
}

/// The answer to a request of Alice's, with its head.
fn head(bed: &Bed, path: &str) -> http::Response<ureq::Body> {
    ureq::get(format!("{}{path}", bed.url())).header("x-dev-user", "alice").call().unwrap()
}

#[test]
fn sessions_are_listed_found_followed_and_told_about() {
    let mut bed = Bed::new();
    let image = own_image(&bed, "1");
    bed.configure("", &image);
    bed.serve();
    let ready = bed.must("alice", "GET", "/ready", None, 200);
    assert_eq!(ready["status"], "ok", "{ready}");
    let (first, second, third) = (bed.running("alice"), bed.running("alice"), bed.running("bob"));
    let of = |session: &Value, path: &str| format!("/api/sessions/{}{path}", text(session, "id"));
    let ids = |listed: &Value| -> Vec<String> {
        listed.as_array().unwrap().iter().map(|one| text(one, "id").to_owned()).collect()
    };

    // As it is shown, with where its services are.
    for path in ["opencode", "files", "terminal"] {
        let name = if path == "files" { "fileserver" } else { path };
        let expected = format!("/sessions/{}/{path}", text(&first, "id"));
        assert_eq!(first["urls"][name], *expected);
        assert_eq!(bed.show(text(&first, "id"))["urls"][name], *expected);
    }
    for key in
        ["user_id", "workspace_path", "image", "image_digest", "container_id", "started_at", "created_at"]
    {
        assert!(first[key].is_string(), "{key}: {first}");
    }
    assert!(first.get("env").is_none());

    // Newest first, page by page, by state; of others only for administrators.
    let mine = bed.must("alice", "GET", "/api/sessions", None, 200);
    assert_eq!(ids(&mine), [text(&second, "id"), text(&first, "id")]);
    let page = head(&bed, "/api/sessions?limit=1");
    let cursor = page.headers()["x-next-cursor"].to_str().unwrap().to_owned();
    let rest = bed.must("alice", "GET", &format!("/api/sessions?limit=5&cursor={cursor}"), None, 200);
    assert_eq!(ids(&rest), [text(&first, "id")]);
    bed.must("alice", "POST", &of(&second, "/stop"), None, 204);
    let stopped = bed.must("alice", "GET", "/api/sessions?status=stopped", None, 200);
    assert_eq!(ids(&stopped), [text(&second, "id")]);
    bed.must("alice", "GET", "/api/sessions?all=true", None, 403);
    bed.must("alice", "GET", "/api/sessions?user=bob", None, 403);
    assert_eq!(ids(&bed.must("root", "GET", "/api/sessions?all=true", None, 200)).len(), 3);
    assert_eq!(ids(&bed.must("root", "GET", "/api/sessions?user=bob", None, 200)), [text(&third, "id")]);

    // By its name, and by the begin of its id; not by less.
    let id = text(&first, "id");
    for name in [text(&first, "readable_id"), &id[..6]] {
        assert_eq!(bed.must("alice", "GET", &format!("/api/sessions/{name}"), None, 200)["id"], id);
    }
    bed.must("alice", "GET", &format!("/api/sessions/{}", &id[..3]), None, 404);
    bed.must("bob", "GET", &format!("/api/sessions/{}", text(&first, "readable_id")), None, 404);

    // What cannot be now.
    let refused = bed.must("alice", "POST", &of(&first, "/resume"), None, 409);
    assert_eq!((&refused["code"], &refused["details"]["state"]), (&json!("CONFLICT"), &json!("running")));
    bed.must("alice", "POST", &of(&second, "/exec"), Some(json!({"command": ["id"]})), 409);
    bed.must("alice", "GET", &of(&second, "/stats"), None, 409);
    bed.must("alice", "POST", &of(&second, "/stop"), None, 204);

    // Its log line by line, until it ends; its history says how it came to be where it is.
    let log = head(&bed, &of(&first, "/logs?follow=true"));
    assert_eq!(log.headers()["content-type"], "text/event-stream");
    let mut lines = BufReader::new(log.into_body().into_reader()).lines().map(Result::unwrap);
    assert_eq!(lines.find(|line| !line.is_empty()).unwrap(), "data: it starts");
    let before = bed.show(id)["last_activity_at"].clone();
    bed.must("alice", "POST", &of(&first, "/activity"), None, 204);
    assert_ne!(bed.show(id)["last_activity_at"], before);
    bed.must("alice", "POST", &of(&first, "/stop"), None, 204);
    let rest: Vec<String> = lines.filter(|line| line.starts_with("data:")).collect();
    assert!(rest.is_empty(), "{rest:?}");
    let events = bed.must("alice", "GET", &of(&first, "/events"), None, 200);
    let states: Vec<&str> = events.as_array().unwrap().iter().map(|event| text(event, "to")).collect();
    assert_eq!(states, ["pending", "starting", "running", "stopping", "stopped"], "{events}");

    // The one to work in: stopped last and so resumed, running, outdated and so upgraded.
    let got = |body: Value| bed.must("alice", "POST", "/api/sessions/get-or-create?wait=60", Some(body), 200);
    let session = got(json!({}));
    assert_eq!((&session["id"], &session["status"]), (&first["id"], &json!("running")), "{session}");
    assert_eq!(got(json!({}))["container_id"], session["container_id"]);
    own_image(&bed, "2");
    let outdated = bed.must("alice", "GET", "/api/sessions/updates", None, 200);
    assert_eq!(outdated.as_array().unwrap().len(), 2, "{outdated}");
    let upgraded = got(json!({}));
    assert_eq!((&upgraded["id"], &upgraded["status"]), (&first["id"], &json!("running")), "{upgraded}");
    assert_ne!(upgraded["image_digest"], session["image_digest"]);
    let update = bed.must("alice", "GET", &of(&second, "/update"), None, 200);
    assert_eq!(
        (&update["session_id"], &update["update_available"], &update["new_digest"]),
        (&second["id"], &json!(true), &upgraded["image_digest"])
    );
    // A resume of what is outdated is an upgrade.
    let resumed = bed.must("alice", "POST", &of(&second, "/resume?wait=60"), None, 200);
    assert_eq!(resumed["image_digest"], upgraded["image_digest"]);

    // Administrators count, and stop anybody's.
    bed.must("alice", "DELETE", &format!("/api/admin/sessions/{}", text(&third, "id")), None, 403);
    bed.must("root", "DELETE", &format!("/api/admin/sessions/{}", text(&third, "id")), None, 204);
    assert_eq!(bed.show(text(&third, "id"))["status"], "stopped");
    let counts = bed.must("root", "GET", "/api/admin/stats", None, 200);
    assert_eq!((&counts["total_sessions"], &counts["running_sessions"]), (&json!(3), &json!(2)), "{counts}");
    let audit = bed.must("root", "GET", "/api/admin/audit?resource_type=sessions", None, 200).to_string();
    assert!(audit.contains(id) && audit.contains("/stop"), "{audit}");
}

/// The API's own description names them, so that none is forgotten: each answers, with real sessions behind it.
#[test]
fn every_route_that_only_reads_answers() {
    let mut bed = Bed::new();
    bed.configure("", common_image());
    let bin = bed.folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    write_program(&bin.join("codexbar"), "#!/bin/sh\necho '[{\"provider\": \"claude\"}]'\n");
    let path = std::env::var("PATH").unwrap();
    bed.variables = vec![("PATH", format!("{}:{path}", bin.display()))];
    bed.serve();
    let session = bed.running("alice");
    let invite = bed.must("root", "POST", "/api/admin/invite-codes", Some(json!({"max_uses": 2})), 201);
    let document = bed.must("root", "GET", "/api/openapi.json", None, 200);
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(operation) = item.get("get") else { continue };
        let content = operation["responses"]["200"]["content"].as_object();
        if content.is_some_and(|kinds| kinds.keys().all(|kind| kind == "text/event-stream")) {
            continue;
        }
        let id = match path.as_str() {
            path if path.starts_with("/api/admin/users") => "alice",
            path if path.starts_with("/api/admin/invite-codes") => text(&invite, "id"),
            _ => text(&session, "id"),
        };
        let answer = bed.must("root", "GET", &path.replace("{id}", id), None, 200);
        assert!(!answer.is_null(), "{path}");
        asked += 1;
    }
    assert!(asked > 20, "the description names only {asked}");
    let usage = bed.must("alice", "GET", "/api/codexbar/usage", None, 200);
    assert_eq!(usage, json!([{"provider": "claude"}]));
    // The one that does not end: what the session's container uses.
    let metrics = ureq::get(format!("{}/api/admin/metrics", bed.url())).header("x-dev-user", "root").call();
    let lines = BufReader::new(metrics.unwrap().into_body().into_reader()).lines().map(Result::unwrap);
    let mut samples = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let sample: Value = serde_json::from_str(&samples.next().unwrap()).unwrap();
    let container = &sample["containers"][0];
    assert_eq!((&container["session_id"], &sample["error"]), (&session["id"], &Value::Null), "{sample}");
    assert!(container["stats"]["memory_bytes"].as_u64().unwrap() > 0, "{sample}");
    assert!(sample["host"]["mem_total_bytes"].as_u64().unwrap() > 0, "{sample}");
}

#[test]
fn a_runtime_that_hangs_or_fails_is_told_and_holds_nobody_up() {
    let mut bed = Bed::start();
    let session = bed.running("alice");
    bed.kill();
    // Longer than podman takes on a busy machine for the new start.
    bed.set("runtime", "timeout = 10");
    bed.serve();
    let path = format!("/api/sessions/{}", text(&session, "id"));
    // Each hang takes its time, so all at one time.
    let told = |method: &str, path: String, verb: &str, expected: u16| {
        bed.at(verb, "hang");
        let answer = bed.must("root", method, &path, Some(json!({"command": ["id"]})), expected);
        assert!(bed.came(verb), "{path} did not ask podman to {verb}");
        answer
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            bed.at("version", "hang");
            let ready = bed.must("alice", "GET", "/ready", None, 503);
            assert!(ready["details"].to_string().contains("container runtime"), "{ready}");
        });
        scope.spawn(|| {
            let looked = told("GET", format!("{path}/update"), "image-inspect", 503);
            assert!(text(&looked, "error").contains("did not end within"), "{looked}");
        });
        scope.spawn(|| {
            let stats = told("GET", format!("{path}/stats"), "stats", 503);
            assert_eq!(stats["details"]["reason"], "runtime");
        });
        scope.spawn(|| told("GET", format!("{path}/logs"), "logs", 503));
        scope.spawn(|| {
            // The server cleans up by itself now and then, and then it is that which hangs.
            for _ in 0..3 {
                bed.at("ps", "hang");
                let (status, answer) = bed.ask("root", "POST", "/api/admin/cleanup", None).unwrap();
                assert!(bed.came("ps"), "it did not ask podman: {status} {answer}");
                if status != 200 {
                    assert!(
                        status == 503 && text(&answer, "error").contains("did not end within"),
                        "{answer}"
                    );
                    return;
                }
            }
            panic!("podman hangs, and nobody is told");
        });
        // Who asks for nothing of it waits for nothing.
        assert_eq!(bed.must("alice", "GET", "/health", None, 200)["status"], "ok");
    });
    assert_eq!(bed.show(text(&session, "id"))["status"], "running");
    bed.at("exec", "fail");
    let failed = bed.must("alice", "POST", &format!("{path}/exec"), Some(json!({"command": ["id"]})), 503);
    assert!(text(&failed, "error").contains("no space left"), "{failed}");
    bed.must("alice", "GET", "/ready", None, 200);
    // It goes on where it was.
    assert_eq!(bed.exec(text(&session, "id"), &["id"])["exit_code"], 0);
    get(&["kill", text(&session, "container_id")]);
    wait("failed", || (bed.show(text(&session, "id"))["status"] == "failed").then_some(()));
}
