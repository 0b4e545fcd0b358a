//! Files on their way from Connect, and what comes between.

use super::{Rig, TEAM};
use crate::support::bed::Bed;
use crate::support::prusa_connect::Pace;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::time::Duration;

fn order(path: &str, hash: &str) -> Value {
    json!({"path": path, "team_id": TEAM, "hash": hash})
}

/// The names in the folder of the files that can be printed, hidden ones too.
fn names(rig: &Rig) -> Vec<String> {
    let names = std::fs::read_dir(rig.bed.root("gcodes")).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".thumbs")
        .collect()
}

#[test]
fn a_transfer_that_does_not_arrive_leaves_nothing_behind() {
    let rig = Rig::start(Bed::up());
    let text = "G1 X1 Y1 ; a line of forty letters or so\n".repeat(5_000);
    // Longer on its way than whatever is done meanwhile.
    let slow = text.repeat(40);
    rig.connect.add_file_at(TEAM, "slow", &slow, Pace::Slow);
    rig.connect.add_file_at(TEAM, "steady", &text, Pace::Slow);
    rig.connect.add_file_at(TEAM, "half", &text, Pace::Half);
    rig.connect.add_file(TEAM, "empty", "");
    rig.is("IDLE");
    let before = names(&rig);
    let ended = |kind: &str, start: u32| {
        rig.wait(kind, || {
            let all = rig.connect.events_of(kind).into_iter();
            all.rev().find(|event| event["data"]["start_cmd_id"] == start)
        })
    };
    let begin = |path: &str, hash: &str| {
        let start = rig.connect.command("START_CONNECT_DOWNLOAD", &order(path, hash));
        let end = rig.connect.end(start);
        assert_eq!(end["event"], "TRANSFER_INFO", "{end}");
        (start, end["transfer_id"].clone())
    };

    // It is stopped, and one at a time is fetched.
    let (start, transfer) = begin("/local/a.gcode", "slow");
    rig.wait("progress", || {
        let told = rig.connect.telemetry().pop()?;
        (told["transfer_id"] == transfer && told["transfer_transferred"].as_u64() > Some(0)).then_some(())
    });
    assert_eq!(
        rig.not_done("START_CONNECT_DOWNLOAD", &order("/local/b.gcode", "slow")),
        "Another transfer in progress"
    );
    let info = rig.done("SEND_TRANSFER_INFO", &json!({}));
    assert_eq!((&info["data"]["size"], &info["transfer_id"]), (&json!(slow.len()), &transfer));
    rig.not_done("STOP_TRANSFER", &json!({"transfer_id": 1}));
    rig.done("STOP_TRANSFER", &json!({ "transfer_id": transfer }));
    assert_eq!(ended("TRANSFER_STOPPED", start)["transfer_id"], transfer);

    // It breaks off, is missing, or has nothing in it.
    for hash in ["missing", "empty", "half"] {
        let (start, transfer) = begin("/local/c.gcode", hash);
        let end = ended("TRANSFER_ABORTED", start);
        assert_eq!(
            (&end["transfer_id"], end["data"]["path"].as_str()),
            (&transfer, Some("/local/c.gcode")),
            "{hash}"
        );
        if hash == "missing" {
            assert!(end["reason"].as_str().unwrap().contains("404"), "{end}");
        }
    }
    // From another address: only from Connect's own as long as it is on this machine or in this house.
    rig.connect.add_file(TEAM, "quick", "G28\n");
    for (url, arrives) in [
        (format!("{}/p/teams/{TEAM}/files/quick/raw", rig.connect.url()), true),
        ("http://127.0.0.1:9/a.gcode".to_owned(), false),
        ("file:///etc/passwd".to_owned(), false),
    ] {
        let kwargs = json!({"path": "/local/u.gcode", "url": url});
        let start = rig.connect.command("START_URL_DOWNLOAD", &kwargs);
        let end = rig.connect.end(start);
        match (arrives, end["event"].as_str()) {
            (true, _) => drop(ended("TRANSFER_FINISHED", start)),
            (false, Some("TRANSFER_INFO")) => drop(ended("TRANSFER_ABORTED", start)),
            (false, kind) => assert!(kind == Some("FAILED") || kind == Some("REJECTED"), "{end}"),
        }
    }
    rig.changed("new_path", "/local/u.gcode");
    rig.done("DELETE_FILE", &json!({"path": "/local/u.gcode"}));
    // No way out of the storage.
    for path in ["/local/../config/printer.cfg", "/config/a.gcode", "/local/.hidden.gcode", "local/a.gcode"] {
        rig.not_done("START_CONNECT_DOWNLOAD", &order(path, "slow"));
    }

    // The program is killed meanwhile.
    let (start, transfer) = begin("/local/d.gcode", "slow");
    rig.wait("progress", || {
        rig.connect.telemetry().pop()?["transfer_transferred"].as_u64().filter(|count| *count > 0)
    });
    let worker = rig.program.worker();
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    rig.wait("another worker", || (rig.program.worker_now()? != worker).then_some(()));
    let end = ended("TRANSFER_ABORTED", start);
    assert_eq!((&end["transfer_id"], &end["data"]["path"]), (&transfer, &json!("/local/d.gcode")), "{end}");

    // The next one arrives.
    let (start, _) = begin("/local/e.gcode", "steady");
    ended("TRANSFER_FINISHED", start);
    rig.changed("new_path", "/local/e.gcode");
    assert_eq!(std::fs::read_to_string(rig.bed.root("gcodes").join("e.gcode")).unwrap(), text);
    std::thread::sleep(Duration::from_secs(1));
    let mut expected = before;
    expected.push("e.gcode".to_owned());
    expected.sort();
    let mut found = names(&rig);
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(rig.connect.telemetry().last().unwrap()["state"], "IDLE");
}
