//! The REST server of the real program keeps what its OpenAPI document promises, by the judgement of schemathesis: alone,
//! at a real Moonraker with a Klipper host that prints, and at a feed.

use crate::support::bed::{Bed, Job, Setup, environment};
use crate::support::camera::{Answer, Camera, picture};
use crate::support::feed::printing::Printer;
use crate::support::program::{CHAT, PRINTER, Program, TOKEN};
use crate::support::siege::visit;
use crate::support::telegram::{Outcome, Telegram};
use std::process::{Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// A 503 of `ready` is its purpose. Everything else that begins with 5 is a fault.
const CONFIG: &str = r#"
[[operations]]
include-operation-id-regex = "ready.*"
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", 503]
"#;

/// GET and HEAD of each path, but the GET by which the document itself was read.
const OPERATIONS: &str = "Tested: 15\n";

#[test]
fn nothing_is_found_without_a_printer() {
    let chats = [Telegram::start(TOKEN, CHAT)];
    let program = Program::start("moonraker_url: unix:/nowhere/moonraker.sock", &chats);
    check(&program, false);
}

#[test]
fn nothing_is_found_while_a_printer_prints() {
    let camera = Camera::start("/snapshot.jpg", &[Answer::Whole(picture(1280, 720, 50_000))]);
    let bed = Bed::up_with(Setup { moonraker_conf: camera.moonraker_conf(), ..Setup::default() });
    let chats = [Telegram::start(TOKEN, CHAT)];
    let program = Program::start(&format!("moonraker_url: unix:{}", bed.socket().display()), &chats);
    visit(program.address, "/api/health/ready", SOON);
    visit(program.address, "/api/printer/A1M-1/image", SOON);
    bed.start_print("tested.gcode", Job { layers: 400, ..Job::LONG });
    chats[0].wait_for_message("Started", Outcome::Done, SOON);
    check(&program, true);
    assert_eq!(bed.query("print_stats")["state"], "printing");
}

#[test]
fn nothing_is_found_at_a_feed() {
    let (printer, feed) = Printer::start();
    let chats = [Telegram::start(TOKEN, CHAT)];
    let program = Program::start(&format!("source: feed\nws_url: {feed}"), &chats);
    visit(program.address, "/api/health/ready", SOON);
    visit(program.address, "/api/printer/A1M-1/image", SOON);
    printer.turn("RUNNING");
    check(&program, true);
    drop(printer);
}

/// Has schemathesis look at it. With a printer it must get at everything by the document's own links.
fn check(program: &Program, has_printer: bool) {
    // By itself it hardly ever guesses the printer's id, and with it in its hands it never tries another one.
    for parameters in [String::new(), format!("[parameters]\nid = \"{PRINTER}\"\n")] {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("schemathesis.toml");
        std::fs::write(&config, format!("{parameters}{CONFIG}")).unwrap();
        let output = Command::new(environment("SCHEMATHESIS", ".cache/python/schemathesis/bin/schemathesis"))
            .arg("--config-file")
            .arg(&config)
            .args(["run", &format!("http://{}/api/openapi.json", program.address)])
            // The seed makes what it finds come again.
            .args(["--checks", "all", "--mode", "all", "--max-examples", "100", "--seed", "3"])
            .args(["--phases", "examples,coverage,fuzzing,stateful"])
            .args(["--continue-on-failure", "--request-timeout", "10", "--no-color"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(OPERATIONS), "{said}");
        // That 404 is all it gets of a printer that is not there is a warning.
        let at_everything =
            ["6 covered / 6 selected", "No issues found"].iter().all(|text| said.contains(text));
        assert!(at_everything || !has_printer, "{said}");
        eprintln!("{said}");
    }
    // It was not started again meanwhile.
    program.worker();
}
