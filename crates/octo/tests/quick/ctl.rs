//! `octoctl` against a stand-in that knows what the API's description allows, and against the real server.

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

use crate::support::program::Run;
use crate::support::programs::write_program;

/// What the stand-in expects, and what it answers.
struct Exchange {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    status: u16,
    answer: Value,
    /// Where the next page begins.
    next: Option<&'static str>,
}

fn expect(method: &'static str, path: &'static str, status: u16, answer: Value) -> Exchange {
    Exchange { method, path, body: None, status, answer, next: None }
}

fn expect_body(
    method: &'static str,
    path: &'static str,
    body: Value,
    status: u16,
    answer: Value,
) -> Exchange {
    Exchange { method, path, body: Some(body), status, answer, next: None }
}

/// Answers the expected requests in their order, and nothing else.
struct StandIn {
    url: String,
    left: Arc<Mutex<std::collections::VecDeque<Exchange>>>,
    _runtime: tokio::runtime::Runtime,
}

impl StandIn {
    fn new(exchanges: Vec<Exchange>) -> Self {
        let left = Arc::new(Mutex::new(std::collections::VecDeque::from(exchanges)));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let all = left.clone();
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
            let all = all.clone();
            async move { answer(&all, request).await }
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, left, _runtime: runtime }
    }

    /// Every expected request came.
    fn done(&self) {
        let left = self.left.lock().unwrap();
        let left: Vec<_> = left.iter().map(|exchange| (exchange.method, exchange.path)).collect();
        assert!(left.is_empty(), "these requests never came: {left:?}");
    }
}

async fn answer(
    left: &Mutex<std::collections::VecDeque<Exchange>>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let came = format!("{} {}", parts.method, parts.uri);
    let refuse = |why: String| {
        let body = json!({"error": why, "code": "STAND_IN"}).to_string();
        axum::response::Response::builder().status(418).body(body.into()).unwrap()
    };
    let Some(exchange) = left.lock().unwrap().pop_front() else {
        return refuse(format!("{came} was not expected"));
    };
    let expected = format!("{} {}", exchange.method, exchange.path);
    if came != expected {
        return refuse(format!("{came} came in place of {expected}"));
    }
    if parts.uri.path() != "/health"
        && parts.headers.get("authorization").is_none_or(|token| token != "Bearer T0KEN")
    {
        return refuse(format!("{came} had no token"));
    }
    let sent: Option<Value> = (!body.is_empty()).then(|| serde_json::from_slice(&body).unwrap());
    if sent != exchange.body {
        return refuse(format!("{came} had the body {sent:?}"));
    }
    let (kind, text) = match &exchange.answer {
        Value::Null => ("application/json", String::new()),
        Value::String(text) if text.starts_with("data:") || text.starts_with(':') => {
            ("text/event-stream", text.clone())
        }
        Value::String(text) => ("text/plain", text.clone()),
        json => ("application/json", json.to_string()),
    };
    let mut response =
        axum::response::Response::builder().status(exchange.status).header("content-type", kind);
    if let Some(next) = exchange.next {
        response = response.header("x-next-cursor", next);
    }
    response.body(text.into()).unwrap()
}

/// A home for `octoctl`.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, server: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octoctl"));
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("OCTO_SERVER_URL", server)
            .current_dir(self.folder.path());
        command
    }

    fn run(&self, mut command: Command, input: &str) -> Run {
        use std::io::Write as _;
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Runs `octoctl` with the stand-in's token.
fn octoctl(stand_in: &StandIn, args: &[&str]) -> Run {
    let home = Home::new();
    let mut command = home.command(&stand_in.url, args);
    command.env("OCTO_AUTH_TOKEN", "T0KEN");
    home.run(command, "")
}

fn session(status: &str) -> Value {
    json!({"id": "0123abcd-0000-4000-8000-000000000000", "readable_id": "cold-lamp", "status": status,
        "image": "octo-dev:latest", "container_id": "f00dfeedf00dfeed", "container_name": "octo-0123abcd",
        "opencode_port": 41820, "fileserver_port": 41821, "ttyd_port": 41822, "error_message": null, "user_id": "usr_1"})
}

const ID: &str = "0123abcd-0000-4000-8000-000000000000";
const PATH: &str = "/api/sessions/0123abcd%2D0000%2D4000%2D8000%2D000000000000";

/// Arguments, what they make of requests, and what is printed for people and as JSON.
type Case = (Vec<&'static str>, Vec<Exchange>, String, Option<Value>);

#[test]
fn every_command_asks_what_the_api_has_and_prints_what_came() {
    let other = json!({"id": "9", "readable_id": "a-b", "status": "stopped", "image": "i", "container_id": null,
        "container_name": "octo-9"});
    let list = json!([session("running"), other]);
    let human = |rows: &[&str]| rows.join("\n") + "\n";
    let cases: Vec<Case> = vec![
        (
            vec!["session", "list"],
            vec![expect("GET", "/api/sessions", 200, list.clone())],
            human(&[
                "ID        STATUS   IMAGE            NAME",
                "0123abcd  running  octo-dev:latest  cold-lamp",
                "9         stopped  i                a-b",
            ]),
            Some(list.clone()),
        ),
        (
            vec!["session", "stop", "cold-lamp"],
            vec![expect("POST", "/api/sessions/cold%2Dlamp/stop", 204, Value::Null)],
            human(&["Session cold-lamp stopped"]),
            Some(json!({"status": "stopped", "id": "cold-lamp"})),
        ),
        (
            vec!["session", "resume", "0123"],
            vec![expect("POST", "/api/sessions/0123/resume", 200, session("starting"))],
            human(&["Session 0123 resumed"]),
            Some(session("starting")),
        ),
        (
            vec!["session", "upgrade", "0123", "--wait", "9"],
            vec![expect("POST", "/api/sessions/0123/upgrade?wait=9", 200, session("running"))],
            human(&["Session 0123 upgraded to latest image"]),
            Some(session("running")),
        ),
        (
            vec!["session", "delete", "0123"],
            vec![expect("DELETE", "/api/sessions/0123", 204, Value::Null)],
            human(&["Session 0123 deleted"]),
            Some(json!({"status": "deleted", "id": "0123"})),
        ),
        (
            vec!["session", "delete", "-f", "--purge", "0123"],
            vec![
                expect("POST", "/api/sessions/0123/stop", 204, Value::Null),
                expect("DELETE", "/api/sessions/0123?purge=true", 204, Value::Null),
            ],
            human(&["Session 0123 deleted"]),
            Some(json!({"status": "deleted", "id": "0123"})),
        ),
        (
            vec!["session", "logs", "0123", "-n", "2"],
            vec![expect("GET", "/api/sessions/0123/logs?tail=2", 200, json!("one\ntwo\n"))],
            human(&["one", "two"]),
            Some(json!({"id": "0123", "lines": ["one", "two"]})),
        ),
        (
            vec!["session", "exec", "0123", "--workdir", "/w", "--", "ls", "-l"],
            vec![expect_body(
                "POST",
                "/api/sessions/0123/exec",
                json!({"command": ["ls", "-l"], "workdir": "/w"}),
                200,
                json!({"exit_code": 0, "stdout": "listed\n", "stderr": "", "truncated": false}),
            )],
            human(&["listed"]),
            Some(json!({"exit_code": 0, "stdout": "listed\n", "stderr": "", "truncated": false})),
        ),
        (
            vec!["container", "list"],
            vec![expect("GET", "/api/sessions", 200, list.clone())],
            human(&[
                "CONTAINER     NAME           SESSION   STATUS",
                "f00dfeedf00d  octo-0123abcd  0123abcd  running",
            ]),
            Some(
                json!([{"container_id": "f00dfeedf00dfeed", "container_name": "octo-0123abcd", "session_id": ID,
                "status": "running"}]),
            ),
        ),
        (
            vec!["container", "refresh"],
            vec![
                expect("GET", "/api/sessions", 200, list.clone()),
                expect("POST", concat_path("/upgrade"), 200, session("starting")),
                expect("POST", "/api/sessions/9/upgrade", 200, session("starting")),
            ],
            human(&[&format!("Session {ID} refreshed"), "Session 9 refreshed", "Refreshed 2 container(s)"]),
            Some(json!({"refreshed": 2})),
        ),
        (
            vec!["container", "refresh", "--outdated-only"],
            vec![
                expect("GET", "/api/sessions", 200, list.clone()),
                expect("GET", concat_path("/update"), 200, json!({"update_available": false})),
                expect("GET", "/api/sessions/9/update", 200, json!({"update_available": true})),
                expect("POST", "/api/sessions/9/upgrade", 200, session("starting")),
            ],
            human(&["Session 9 refreshed", "Refreshed 1 container(s)"]),
            Some(json!({"refreshed": 1})),
        ),
        (
            vec!["container", "stop-all"],
            vec![
                expect("GET", "/api/sessions", 200, list.clone()),
                expect("POST", concat_path("/stop"), 204, Value::Null),
            ],
            human(&[&format!("Session {ID} stopped"), "Stopped 1 container(s)"]),
            Some(json!({"stopped": 1})),
        ),
        // An operator means those of everybody.
        (
            vec!["container", "stop-all", "--all"],
            vec![
                expect("GET", "/api/sessions?all=true", 200, list.clone()),
                expect("POST", concat_path("/stop"), 204, Value::Null),
            ],
            human(&[&format!("Session {ID} stopped"), "Stopped 1 container(s)"]),
            Some(json!({"stopped": 1})),
        ),
        (
            vec!["container", "refresh", "-a"],
            vec![
                Exchange {
                    next: Some("2026-01-01T00:00:00.000Z_9"),
                    ..expect("GET", "/api/sessions?all=true", 200, json!([session("running")]))
                },
                expect(
                    "GET",
                    "/api/sessions?all=true&cursor=2026%2D01%2D01T00%3A00%3A00%2E000Z%5F9",
                    200,
                    json!([other]),
                ),
                expect("POST", concat_path("/upgrade"), 200, session("starting")),
                expect("POST", "/api/sessions/9/upgrade", 200, session("starting")),
            ],
            human(&[&format!("Session {ID} refreshed"), "Session 9 refreshed", "Refreshed 2 container(s)"]),
            Some(json!({"refreshed": 2})),
        ),
        (
            vec!["container", "list", "--all"],
            vec![
                Exchange { next: Some("x"), ..expect("GET", "/api/sessions?all=true", 200, json!([other])) },
                expect("GET", "/api/sessions?all=true&cursor=x", 200, json!([session("running")])),
            ],
            human(&[
                "CONTAINER     NAME           SESSION   STATUS",
                "f00dfeedf00d  octo-0123abcd  0123abcd  running",
            ]),
            Some(
                json!([{"container_id": "f00dfeedf00dfeed", "container_name": "octo-0123abcd", "session_id": ID,
                "status": "running"}]),
            ),
        ),
        (
            vec!["image", "check"],
            vec![
                expect("GET", "/api/sessions", 200, list.clone()),
                expect(
                    "GET",
                    "/api/sessions/updates",
                    200,
                    json!([{"session_id": "9", "update_available": true}]),
                ),
            ],
            human(&["2 session(s) checked, 1 outdated", "  9: octoctl session upgrade 9"]),
            Some(json!({"sessions_checked": 2, "outdated": 1, "sessions": ["9"]})),
        ),
    ];
    for (args, exchanges, human, value) in cases {
        let again: Vec<Exchange> = exchanges
            .iter()
            .map(|e| Exchange { body: e.body.clone(), answer: e.answer.clone(), ..*e })
            .collect();
        let stand_in = StandIn::new(exchanges);
        let run = octoctl(&stand_in, &args);
        assert_eq!((run.code, run.stdout.as_str()), (Some(0), human.as_str()), "{args:?}: {run:?}");
        stand_in.done();
        let stand_in = StandIn::new(again);
        let mut json_args = vec!["--json"];
        json_args.extend(&args);
        let run = octoctl(&stand_in, &json_args);
        assert_eq!(run.code, Some(0), "{args:?}: {run:?}");
        assert_eq!(serde_json::from_str::<Value>(&run.stdout).ok(), value, "{args:?}: {run:?}");
        stand_in.done();
    }
}

/// A path below the session's, for as long as the tests run.
fn concat_path(more: &str) -> &'static str {
    Box::leak(format!("{PATH}{more}").into_boxed_str())
}

#[test]
fn a_session_is_made_as_it_is_described() {
    let body = json!({"image": "i:1", "workspace_path": "/w", "env": {"A": "1=2", "B": ""}});
    let exchange = expect_body("POST", "/api/sessions?wait=30", body.clone(), 201, session("running"));
    let stand_in = StandIn::new(vec![exchange]);
    let args = [
        "session",
        "create",
        "--image",
        "i:1",
        "--workspace",
        "/w",
        "-e",
        "A=1=2",
        "-e",
        "B=",
        "--wait",
        "30",
    ];
    let run = octoctl(&stand_in, &args);
    assert_eq!(run.code, Some(0), "{run:?}");
    for line in ["Name:             cold-lamp", "Status:           running", "Terminal port:    41822"] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    stand_in.done();

    let mut broken = session("failed");
    broken["error_message"] = json!("container exited with code 3");
    let stand_in = StandIn::new(vec![expect_body("POST", "/api/sessions", json!({}), 201, broken)]);
    let run = octoctl(&stand_in, &["session", "create"]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("exited with code 3"), "{run:?}");
}

#[test]
fn each_kind_of_failure_has_its_exit_code_and_the_server_s_words() {
    for (status, code) in [(400, 1), (401, 4), (403, 4), (404, 5), (409, 6), (500, 1), (503, 1)] {
        let refusal = json!({"error": "in the server's words", "code": "X"});
        let stand_in = StandIn::new(vec![expect("GET", "/api/sessions", status, refusal)]);
        let run = octoctl(&stand_in, &["--json", "session", "list"]);
        assert_eq!(run.code, Some(code), "{status}");
        assert!(run.stderr.starts_with("Error: in the server's words"), "{run:?}");
        assert_eq!(run.stdout, "");
    }
    // It has a port and does not listen: that refuses.
    let deaf = tokio::net::TcpSocket::new_v4().unwrap();
    deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let nowhere = deaf.local_addr().unwrap();
    let home = Home::new();
    for args in [&["status"][..], &["session", "list"]] {
        let run = home.run(home.command(&format!("http://{nowhere}"), args), "");
        assert_eq!(run.code, Some(3), "{run:?}");
    }
    for args in [
        &["session"][..],
        &["--server", "nonsense", "status"],
        &["session", "create", "--env", "A"],
        &["nothing"],
    ] {
        let run = home.run(home.command("http://127.0.0.1:9", args), "");
        assert_eq!(run.code, Some(2), "{args:?} {run:?}");
    }
}

/// The API knows users by their ids; a list for a name would be empty, as if they had no session.
#[test]
fn sessions_of_a_user_are_listed_by_the_user_s_name() {
    let anna = json!({"id": "usr_7", "username": "anna", "email": "anna@example.org"});
    let hanna = json!({"id": "usr_8", "username": "hanna", "email": "hanna@example.org"});
    let stand_in = StandIn::new(vec![
        expect("GET", "/api/admin/users?search=Anna&limit=1000", 200, json!([hanna, anna])),
        expect("GET", "/api/sessions?user=usr%5F7", 200, json!([session("running")])),
    ]);
    let run = octoctl(&stand_in, &["session", "list", "--user", "Anna"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("cold-lamp"), "{run:?}");
    stand_in.done();
    let stand_in = StandIn::new(vec![expect("GET", "/api/admin/users?search=x&limit=1000", 200, json!([]))]);
    let run = octoctl(&stand_in, &["session", "list", "--user", "x"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(5), "Error: there is no user x\n"), "{run:?}");
}

/// Each command says what it does itself.
#[test]
fn commands_are_told_apart_by_their_help() {
    let help = |command: &str| {
        let stand_in = StandIn::new(Vec::new());
        octoctl(&stand_in, &["session", command, "--help"]).ok().lines().next().unwrap().to_owned()
    };
    assert_eq!(help("resume"), "Start a session again that has ended");
    assert!(help("upgrade").starts_with("Make a session's container anew"), "{}", help("upgrade"));
}

#[test]
fn the_status_of_a_sick_server_is_a_failure() {
    let stand_in = StandIn::new(vec![expect("GET", "/health", 200, json!({"status": "ok"}))]);
    let run = octoctl(&stand_in, &["status"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (Some(0), format!("Server is running at {}\n", stand_in.url).as_str())
    );
    let stand_in = StandIn::new(vec![expect("GET", "/health", 503, json!({"error": "no database"}))]);
    let run = octoctl(&stand_in, &["status", "--json"]);
    assert_eq!(run.code, Some(1));
    assert_eq!(serde_json::from_str::<Value>(&run.stdout).unwrap(), json!({"status": "error", "code": 503}));
}

#[test]
fn logs_are_followed_and_commands_end_with_their_exit_code() {
    let events = json!("data: one\n\n: alive\n\ndata: two\n\n");
    let stand_in = StandIn::new(vec![expect("GET", "/api/sessions/0123/logs?follow=true", 200, events)]);
    let run = octoctl(&stand_in, &["session", "logs", "-f", "0123"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "one\ntwo\n"), "{run:?}");

    let done = json!({"exit_code": 7, "stdout": "out", "stderr": "err\n", "truncated": false});
    let body = json!({"command": ["false"]});
    let stand_in = StandIn::new(vec![expect_body("POST", "/api/sessions/0123/exec", body, 200, done)]);
    let run = octoctl(&stand_in, &["session", "exec", "0123", "false"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(7), "out", "err\n"));
}

#[test]
fn yaml_is_yaml() {
    let stand_in = StandIn::new(vec![expect("GET", "/api/sessions/0123", 200, session("running"))]);
    let run = octoctl(&stand_in, &["session", "get", "0123", "--format", "yaml"]).ok();
    assert!(run.contains("readable_id: cold-lamp\n"), "{run}");
}

#[test]
fn bash_completes_octoctl() {
    let home = Home::new();
    let script = home.run(home.command("http://127.0.0.1:9", &["completions", "bash"]), "").ok();
    let file = home.folder.path().join("octoctl.bash");
    std::fs::write(&file, script).unwrap();
    let rows = [
        ("octoctl ses", 1, "session"),
        ("octoctl session cr", 2, "create"),
        ("octoctl session create --pids", 3, "--pids-limit"),
        ("octoctl --format y", 2, "yaml"),
    ];
    for (line, word, expected) in rows {
        let words: Vec<&str> = line.split(' ').collect();
        let (now, before) = (words[word], words[word - 1]);
        let script = format!(
            "set -e; bash -n {0}; . {0}; complete -p octoctl >&2; COMP_WORDS=({line}); COMP_CWORD={word}; \
             _octoctl octoctl {now} {before}; echo \"${{COMPREPLY[*]}}\"",
            file.display()
        );
        let done = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        assert!(
            done.status.success() && said.trim() == expected,
            "{line}: {said:?} {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// Where these shells are installed they must take their scripts.
#[test]
fn other_shells_take_the_completions() {
    let home = Home::new();
    for (shell, check) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let script = home.run(home.command("http://127.0.0.1:9", &["completions", shell]), "").ok();
        assert!(script.contains("octoctl") && script.contains("pids-limit"), "{shell}: {script}");
        let file = home.folder.path().join(shell);
        std::fs::write(&file, script).unwrap();
        match Command::new(shell).arg(check).arg(&file).output() {
            Ok(done) => assert!(done.status.success(), "{shell}: {done:?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{shell}: {error}"),
        }
    }
}

#[test]
fn images_are_built_by_the_runtime_of_this_machine() {
    let home = Home::new();
    let bin = home.folder.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let fake = bin.join("podman");
    let log = home.folder.path().join("calls");
    let script = format!(
        "#!/bin/sh\ncase $* in\n--version) echo podman version 5.0.0;;\n*version*) echo '{{\"Client\":{{\"Version\":\"5.0.0\",\"APIVersion\":\"5.0.0\"}}}}';;\n\
         *) echo \"$*\" >>{0}; echo progress;;\nesac\n",
        log.display()
    );
    write_program(&fake, &script);
    let run = |args: &[&str]| {
        let mut command = home.command("http://127.0.0.1:9", args);
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        home.run(command, "")
    };
    let missing = run(&["image", "build"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("container/Dockerfile"), "{missing:?}");
    std::fs::create_dir_all(home.folder.path().join("container")).unwrap();
    std::fs::write(home.folder.path().join("container/Dockerfile"), "FROM scratch\n").unwrap();
    let built = run(&["image", "build", "--no-cache", "--json"]);
    assert_eq!(built.code, Some(0), "{built:?}");
    // Nothing but the JSON on standard output.
    assert_eq!(
        serde_json::from_str::<Value>(&built.stdout).unwrap(),
        json!({"status": "built", "image": "octo-dev:latest"})
    );
    assert!(built.stderr.contains("progress"));
    let pulled = run(&["image", "pull"]);
    assert_eq!(pulled.code, Some(0), "{pulled:?}");
    let calls = std::fs::read_to_string(log).unwrap();
    let expected = "build -f ./container/Dockerfile -t octo-dev:latest --no-cache .\npull octo-dev:latest\n";
    assert_eq!(calls, expected);
    assert_eq!(run(&["image", "pull", "--", "--privileged"]).code, Some(2));
}

mod real {
    use super::*;
    use crate::support::{Bed, PASSWORD};

    /// Protects a program's token of the environment, and ends the one that would else go on for a day.
    #[test]
    fn a_log_out_ends_the_kept_log_in_and_no_other() {
        let bed = Bed::new();
        bed.user("anna", octo::auth::Role::User);
        let home = Home::new();
        let url = format!("http://{}", bed.address);
        home.run(home.command(&url, &["login", "anna"]), &format!("{PASSWORD}\n")).ok();
        let file = home.folder.path().join("state/octo/octoctl-tokens.json");
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let kept = kept["servers"][&url].as_str().unwrap().to_owned();
        let other = bed.token("anna");
        let status =
            |token: &str| bed.get("/api/me", &[("authorization", &format!("Bearer {token}"))]).status;
        let logout = || {
            let mut command = home.command(&url, &["logout"]);
            command.env("OCTO_AUTH_TOKEN", &other);
            home.run(command, "").ok()
        };
        assert!(logout().starts_with("Logged out of"));
        assert_eq!((status(&kept), status(&other)), (401, 200));
        assert!(logout().starts_with("No log-in was kept for"));
        assert_eq!(status(&other), 200);
    }

    #[test]
    fn a_log_in_is_kept_for_its_user_alone_and_ends() {
        let bed = Bed::new();
        bed.user("root", octo::auth::Role::Admin);
        let home = Home::new();
        let url = format!("http://{}", bed.address);
        let run = |args: &[&str], input: &str| home.run(home.command(&url, args), input);
        assert_eq!(run(&["user", "list"], "").code, Some(4));
        let wrong = run(&["login", "root"], "wrong password\n");
        assert_eq!(wrong.code, Some(4), "{wrong:?}");
        run(&["login", "root"], &format!("{PASSWORD}\n")).ok();
        let file = home.folder.path().join("state/octo/octoctl-tokens.json");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let users = run(&["user", "list", "--json"], "").json();
        assert_eq!(users[0]["username"], "root");
        let made =
            run(&["user", "create", "anna", "--email", "anna@example.org", "--json"], "long enough\n").json();
        assert_eq!(made["role"], "user");
        run(&["user", "deactivate", "anna"], "").ok();
        assert_eq!(run(&["user", "get", "anna@example.org", "--json"], "").json()["is_active"], false);
        assert_eq!(run(&["user", "get", "nobody"], "").code, Some(5));
        // A name is found as a log-in finds it, and one may begin as ids do.
        assert_eq!(run(&["user", "get", "ANNA", "--json"], "").json()["username"], "anna");
        run(&["user", "create", "usr_bob", "--email", "bob@example.org"], "long enough\n").ok();
        assert_eq!(run(&["user", "get", "usr_bob", "--json"], "").json()["email"], "bob@example.org");
        assert_eq!(run(&["user", "get", "usr_nobody"], "").code, Some(5));
        run(&["user", "delete", "anna"], "").ok();
        assert!(run(&["audit", "list"], "").ok().contains("auth.login"));
        run(&["logout"], "").ok();
        assert!(!std::fs::read_to_string(&file).unwrap().contains("ey"));
        assert_eq!(run(&["user", "list"], "").code, Some(4));
        // A token of the command line or a file counts before all others.
        let token = home.folder.path().join("token");
        std::fs::write(&token, "nonsense\n").unwrap();
        let file = token.display().to_string();
        assert_eq!(run(&["--token-file", &file, "user", "list"], "").code, Some(4));
        assert_eq!(run(&["--token-file", "/nonexistent", "user", "list"], "").code, Some(1));
    }
}
