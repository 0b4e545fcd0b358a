//! The whole server on a real podman: the creation of a session beside podman's own `run` of the same container, its memory
//! without work, and requests through all of it beside Debian's nginx.
//! `cargo bench -p octo --profile tool --bench sessions`; `NGINX_PROGRAM` and `OCTO_BENCH_SECONDS` as of the bench `proxy`.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints a table for a person"
)]

#[path = "../../tests/peers/bed.rs"]
#[allow(dead_code, reason = "tests use all of it")]
mod bed;
#[path = "../proxy/live.rs"]
#[allow(dead_code, reason = "the other bench uses all of it")]
mod live;
#[path = "../proxy/load.rs"]
mod load;
#[path = "../proxy/nginx.rs"]
mod nginx;
#[path = "../../../../benches/report.rs"]
mod report;

use serde_json::json;
use std::time::{Duration, Instant};

use bed::{Bed, fetch, get, podman};
use live::Child;
use load::Load;
use report::Row;

const MEGABYTE: usize = 1_000_000;
const ROUNDS: usize = 9;

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(role) = arguments.first().filter(|word| word.starts_with("--live-")) {
        live::run(role, arguments.get(1).map(String::as_str));
        return std::process::ExitCode::SUCCESS;
    }
    let mut bed = Bed::start();
    let run = recorded(&bed);
    // Without the shell between, which only tests need.
    bed.without_wrapper();
    let mut rows = vec![
        row("server resident idle, VmRSS", "MB", memory(&bed, "status", "VmRSS:"), None, Some(20.0)),
        row("server resident idle, Rss", "MB", memory(&bed, "smaps_rollup", "Rss:"), None, Some(20.0)),
    ];
    creation(&bed, &run, &mut rows);
    requests(&bed, &mut rows);
    rows.push(row("server resident after that", "MB", memory(&bed, "status", "VmRSS:"), None, None));
    drop(bed);
    if let Err(error) = report::write_json("octo_sessions", &rows) {
        eprintln!("cannot write dist/bench/octo_sessions.json: {error}");
    }
    report::print_table(&rows);
    let missed = rows.iter().any(|row| row.met() == Some(false));
    if missed { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
}

fn row(what: &str, unit: &'static str, ours: f64, peer: Option<(f64, String)>, budget: Option<f64>) -> Row {
    Row { what: what.to_owned(), unit, ours, peer, budget }
}

/// A figure of the server's process, in MB.
fn memory(bed: &Bed, file: &str, name: &str) -> f64 {
    // What the start needed is given back by then, as far as it is.
    std::thread::sleep(Duration::from_secs(2));
    let text = std::fs::read_to_string(format!("/proc/{}/{file}", bed.process_id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
}

/// The arguments with which the server makes a container, without those that are one container's alone.
fn recorded(bed: &Bed) -> Vec<String> {
    bed.record();
    let session = bed.running("alice");
    bed.must("alice", "DELETE", &format!("/api/sessions/{}", session["id"].as_str().unwrap()), None, 204);
    let text = std::fs::read_to_string(bed.folder.path().join("run")).unwrap();
    let variables = bed.folder.path().join("run-variables");
    text.lines()
        .filter(|word| {
            !["--name=", "--hostname=", "--label=octo.instance="].iter().any(|own| word.starts_with(own))
        })
        .map(|word| match word.strip_prefix("--env-file=") {
            Some(_) => format!("--env-file={}", variables.display()),
            None => word.to_owned(),
        })
        .collect()
}

/// The creation until the session runs, and podman's `run` alone; by turns.
fn creation(bed: &Bed, run: &[String], rows: &mut Vec<Row>) {
    // The first makes the user's network.
    let kept = bed.running("alice");
    let (mut ours, mut theirs, mut answering) = (Vec::new(), Vec::new(), Vec::new());
    // The second place of the pool.
    let moved: Vec<String> = run.iter().map(|word| elsewhere(word, bed.base)).collect();
    for round in 0..ROUNDS {
        let begin = Instant::now();
        let session = bed.running("alice");
        ours.push(milliseconds(begin));
        bed.must("alice", "DELETE", &format!("/api/sessions/{}", session["id"].as_str().unwrap()), None, 204);

        let name = format!("octo-{}-{round}", bed.tag);
        let mut words: Vec<&str> = moved.iter().map(String::as_str).collect();
        let (named, hosted) = (format!("--name={name}"), format!("--hostname={name}"));
        let after = words.iter().position(|word| *word == "run").unwrap() + 1;
        words.splice(after..after, [&*named, &*hosted]);
        let begin = Instant::now();
        get(&words);
        theirs.push(milliseconds(begin));
        let port = json!(bed.base + 4);
        while fetch(&port, "/health").is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        answering.push(milliseconds(begin));
        assert!(podman(&["rm", "-f", "-t", "0", &name]).output().unwrap().status.success());
    }
    bed.must("alice", "DELETE", &format!("/api/sessions/{}", kept["id"].as_str().unwrap()), None, 204);
    let (ours, theirs, answering) = (median(ours), median(theirs), median(answering));
    let version = get(&["version", "--format", "{{.Client.Version}}"]);
    rows.push(row(
        "session created, until it runs, beside `podman run`",
        "ms",
        ours,
        Some((theirs, format!("podman {version}"))),
        Some(theirs * 1.3),
    ));
    let peer = Some((answering, format!("podman {version}")));
    rows.push(row("the same, beside `podman run` until it answers", "ms", ours, peer, None));
}

/// The same argument for the second place of the pool of ports.
fn elsewhere(word: &str, base: u16) -> String {
    let Some(rest) = word.strip_prefix("--publish=127.0.0.1:") else { return word.to_owned() };
    let (host, container) = rest.split_once(':').unwrap();
    let place = (host.parse::<u16>().unwrap() - base) % 3;
    format!("--publish=127.0.0.1:{}:{container}", base + 3 + place)
}

fn milliseconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Small requests through all of the server: who asks is looked up, and each request logged.
fn requests(bed: &Bed, rows: &mut Vec<Row>) {
    let service = Child::start("--live-service", None);
    let session = bed.running("alice");
    let id = session["id"].as_str().unwrap();
    // A service that is as fast as can be, in the place of the container's.
    bed.sql(&format!("UPDATE sessions SET fileserver_port = {} WHERE id = '{id}'", service.address.port()));
    // What the server knew of the session is forgotten with the next change of any.
    bed.must("alice", "POST", "/api/sessions?wait=60", Some(json!({})), 201);
    let nginx = nginx::start(service.address);
    let prefix = format!("/sessions/{id}/files");
    let token = token(bed);
    for connections in [1, 32] {
        let headers = format!("Authorization: Bearer {token}\r\n");
        let load = Load { path: "/small", connections, headers };
        let (ours, theirs) = load::both(&load, (bed.address(), &prefix), (nginx.address, ""));
        let peer = |value: f64| Some((value, format!("nginx {}", nginx.version)));
        let what = format!("100 byte answers through the whole server, {connections} at once");
        rows.push(row(
            &what,
            "µs/request",
            1000.0 * ours.milliseconds_each(),
            peer(1000.0 * theirs.milliseconds_each()),
            None,
        ));
        rows.push(row(
            &format!("{what}, p99"),
            "µs",
            ours.p99_microseconds(),
            peer(theirs.p99_microseconds()),
            None,
        ));
    }
}

/// Of somebody who may use all sessions, and logged in as people do.
fn token(bed: &Bed) -> String {
    let new = json!({"username": "bench", "email": "bench@example.com", "password": "correct horse", "role": "admin"});
    bed.must("root", "POST", "/api/admin/users", Some(new), 201);
    let known = json!({"username": "bench", "password": "correct horse"});
    let answer = bed.must("root", "POST", "/api/auth/login", Some(known), 200);
    answer["token"].as_str().unwrap().to_owned()
}
