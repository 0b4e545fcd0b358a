//! A bridge that waits for a person to pair it says so on the printer's console, once.

use crate::support::bed::Bed;
use crate::support::http;
use crate::support::program::Program;
use crate::support::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

/// It waits for some time whether the bridge is not just starting.
const SOON: Duration = Duration::from_secs(90);

/// What stands on the console.
fn console(bed: &Bed) -> Vec<String> {
    let (status, answer) = http::request(bed.port(), "GET", "/server/gcode_store?count=1000", None);
    assert_eq!(status, 200, "{answer}");
    let lines = answer["result"]["gcode_store"].as_array().unwrap().iter();
    let answers = lines.filter(|line| line["type"] == "response");
    answers.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn it_is_named_once_with_the_pages_address() {
    let bed = Bed::up();
    let source = format!("moonraker_url: unix:{}", bed.socket().display());
    let file = |program: &Program| program.data().join("config/extended/extended2.cfg");
    let unpaired = |name: &str| format!("[{name}]\nenabled: true\napi_url: http://127.0.0.1:9\n");
    let program = Program::prepared(&source, &[], |data| {
        let path = data.join("config/extended/extended2.cfg");
        let cfg = std::fs::read_to_string(&path).unwrap() + &unpaired("telegram");
        std::fs::write(path, cfg).unwrap();
    });
    let named = |name: &str| {
        let begin = format!("// Octobridge: {name} is on but not paired yet. Open http://");
        console(&bed).into_iter().filter(|line| line.starts_with(&begin)).collect::<Vec<_>>()
    };
    let line = wait::until("a line about Telegram", SOON, || named("Telegram").pop());
    assert!(line.ends_with("/octobridge/"), "{line}");
    // Klipper took the whole of it for one command.
    assert!(!console(&bed).iter().any(|line| line.contains("Unknown command")), "{:?}", console(&bed));

    // Neither the next worker nor the next round says it again; another bridge is named.
    let cfg = std::fs::read_to_string(file(&program)).unwrap() + &unpaired("telegram shed");
    std::fs::write(file(&program), cfg).unwrap();
    let worker = program.worker_now().unwrap();
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    wait::until("a line about the other bridge", SOON, || named("Telegram shed").pop());
    assert_eq!((named("Telegram").len(), named("Telegram shed").len()), (1, 1));
}
