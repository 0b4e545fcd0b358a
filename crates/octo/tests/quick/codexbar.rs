//! The usage of language models: a program that is not ours, in every mood.

use crate::support::Bed;
use crate::support::programs::write_program;
use octo::api::codexbar::CodexBar;
use octo::auth::Role;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A server with a `codexbar` that is this script, and somebody's `Authorization`.
fn bed(script: Option<&str>) -> (Bed, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(script) = script {
        let script = format!("#!/bin/sh\necho \"$@\" >> {}/calls\n{script}\n", folder.path().display());
        write_program(&folder.path().join("codexbar"), &script);
    }
    let program = CodexBar::on(folder.path().into());
    let bed = Bed::made(
        |_| {},
        move |app| app.codexbar = Arc::new(program),
        octo::server::listen::Limits::default(),
    );
    let anna = bed.bearer("anna", Role::User);
    (bed, anna, folder)
}

fn calls(folder: &tempfile::TempDir) -> Vec<String> {
    std::fs::read_to_string(folder.path().join("calls"))
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn its_json_is_passed_on_whatever_its_exit_status_and_kept_for_a_minute() {
    let (bed, anna, folder) = bed(Some("echo '[{\"provider\": \"a\", \"used\": 7}]'; exit 3"));
    for _ in 0..3 {
        let answer = bed.get("/api/codexbar/usage", &[("authorization", &anna)]);
        assert_eq!((answer.status, answer.json()), (200, json!([{"provider": "a", "used": 7}])));
    }
    assert_eq!(calls(&folder), ["usage --provider all --source cli --format json"]);
    assert_eq!(bed.get("/api/features", &[]).json()["codexbar"], true);
}

#[test]
fn three_ways_of_asking_are_tried_in_turn() {
    let (bed, anna, folder) = bed(Some("[ $# = 5 ] && echo '{\"a\": 1}' || echo 'unknown option' >&2"));
    assert_eq!(bed.get("/api/codexbar/usage", &[("authorization", &anna)]).json(), json!({"a": 1}));
    let base = "usage --provider all --source cli";
    assert_eq!(calls(&folder), [format!("{base} --format json"), format!("{base} --json"), base.to_owned()]);
}

#[test]
fn its_absence_and_its_faults_are_told_apart() {
    let (none, anna, _folder) = bed(None);
    let answer = none.get("/api/codexbar/usage", &[("authorization", &anna)]);
    assert!(answer.status == 404 && answer.text.contains("codexbar not available"), "{answer:?}");
    assert_eq!(none.get("/api/features", &[]).json()["codexbar"], false);
    let (odd, anna, folder) = bed(Some("echo not JSON; echo no account >&2"));
    let answer = odd.get("/api/codexbar/usage", &[("authorization", &anna)]);
    assert!(answer.status == 500 && answer.text.contains("no account"), "{answer:?}");
    assert_eq!(calls(&folder).len(), 3);
    // Protects the memory: an answer without end is cut off.
    let (endless, anna, _folder) = bed(Some("yes"));
    let begun = Instant::now();
    let answer = endless.get("/api/codexbar/usage", &[("authorization", &anna)]);
    assert!(answer.status == 500 && answer.text.contains("1 MiB"), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// Protects against a program that hangs: after 20 s it is killed, and the answer says so.
#[test]
fn a_hanging_program_is_killed() {
    let (bed, anna, folder) = bed(Some("echo $$ > \"$0.pid\"; exec sleep 1000"));
    let ask = format!("GET /api/codexbar/usage HTTP/1.1\r\nhost: x\r\nauthorization: {anna}\r\n\r\n");
    let app = bed.app.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pid_file = folder.path().join("codexbar.pid");
    let (answer, pid) = runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 16);
        let service = hyper_util::service::TowerToHyperService::new(octo::server::router(app));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(server), service),
        );
        client.write_all(ask.as_bytes()).await.unwrap();
        // Once it runs, the 20 s are virtual.
        let pid = loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            match std::fs::read_to_string(&pid_file) {
                Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
                _ => {}
            }
        };
        tokio::time::pause();
        let mut answer = vec![0; 4096];
        let count = client.read(&mut answer).await.unwrap();
        (String::from_utf8_lossy(&answer[..count]).into_owned(), pid)
    });
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("GATEWAY_TIMEOUT"), "{answer}");
    assert!(!std::path::Path::new("/proc").join(pid).exists(), "it is gone");
}
