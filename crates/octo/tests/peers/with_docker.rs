//! The same with docker: these tests run a second time, beside a real daemon of docker's.

use std::process::Command;

use super::bed::{docker, top};

/// What is run again: what sessions do, and what happens to them.
const AGAIN: [&str; 3] = ["lives::", "images::", "keys::"];

#[test]
fn what_podman_does_docker_does() {
    if docker().is_some() {
        return;
    }
    let mut tests = Command::new(top().join("toolchain/with-docker.sh"));
    let done = tests.arg(std::env::current_exe().unwrap()).args(AGAIN).env("MAKE_TARGET", "test").output();
    let done = done.unwrap();
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    match done.status.code() {
        // It says why: there is none, and none can be started.
        Some(77) => eprintln!("not tried with docker: {said}"),
        code => assert_eq!(code, Some(0), "{said}"),
    }
}
