//! The official SDK of Prusa Connect against the stand-in of the server that checks us: it is not made after our program.

use crate::support::bed::environment;
use crate::support::prusa_connect::{Answer, Connect};
use crate::support::wait;
use octobridge::bridge::prusa_connect::rehearsal::fingerprint;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SERIAL: &str = "KLP-U1-00A1B2C3";
const SOON: Duration = Duration::from_secs(30);
const TEAM: u32 = 7;
const HASH: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3";
const GCODE: &str = "; layer_height = 0.2\nG28\n; estimated printing time (normal mode) = 1m 5s\n";

/// A printer on the SDK. It ends with the test.
struct Printer(Child);

impl Printer {
    fn start(connect: &Connect, folder: &Path) -> Self {
        let child = Command::new(environment("CONNECT_SDK", ".cache/python/connect-sdk/bin/python3"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/connect_sdk.py"))
            .args([&connect.url(), SERIAL])
            .arg(folder)
            .stdin(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn telemetry(connect: &Connect, wanted: impl Fn(&Value) -> bool) -> Value {
    wait::until("such telemetry", SOON, || connect.telemetry().into_iter().next_back().filter(&wanted))
}

/// Gives a command; what it is ended by.
fn end(connect: &Connect, name: &str, kwargs: &Value) -> Value {
    let id = connect.command(name, kwargs);
    let end = connect.end(id);
    assert_eq!((connect.accepted(id), connect.ends(id).len()), (1, 1), "{name}: {end}");
    end
}

#[test]
fn the_official_sdk_registers_tells_and_obeys() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cube.gcode"), GCODE).unwrap();
    let connect = Connect::start();
    let _printer = Printer::start(&connect, folder.path());

    let registration = wait::until("a registration", SOON, || connect.registrations().pop());
    assert_eq!(registration.body["fingerprint"], fingerprint(SERIAL));
    assert_eq!(registration.body["printer_type"], "6.1.0");
    wait::until("questions for the token", SOON, || {
        (connect.requests().iter().filter(|line| *line == "GET /p/register").count() > 1).then_some(())
    });
    connect.enter(&registration.code);

    let told = telemetry(&connect, |told| told["state"] == "IDLE");
    assert_eq!((&told["temp_nozzle"], &told["target_nozzle"]), (&json!(24.5), &json!(0.0)));
    let kinds: Vec<Value> = connect.events().iter().map(|event| event["event"].clone()).collect();
    assert_eq!(kinds[..2], [json!("INFO"), json!("STATE_CHANGED")]);
    wait::until("the storage", SOON, || connect.events_of("MEDIUM_INSERTED").pop());

    let info = end(&connect, "SEND_INFO", &json!({}));
    assert_eq!((&info["event"], &info["data"]["sdk"]), (&json!("INFO"), &json!("0.8.1")));
    assert_eq!(info["data"]["files"]["children"][0]["children"][0]["name"], "cube.gcode");
    let file = end(&connect, "SEND_FILE_INFO", &json!({"path": "/local/cube.gcode"}));
    assert_eq!((&file["event"], &file["data"]["layer_height"]), (&json!("FILE_INFO"), &json!(0.2)));

    let gcode = connect.gcode("M104 S215\n", false);
    assert_eq!(connect.end(gcode)["event"], "FINISHED");
    telemetry(&connect, |told| told["target_nozzle"] == 215.0);
    let gcode = connect.gcode("M999\n", true);
    assert_eq!(connect.end(gcode)["event"], "FAILED");

    let kwargs = json!({"path": "/local/new.gcode", "team_id": TEAM, "hash": HASH});
    connect.add_file(TEAM, HASH, GCODE);
    let transfer = end(&connect, "START_CONNECT_DOWNLOAD", &kwargs);
    assert_eq!(transfer["event"], "TRANSFER_INFO");
    wait::until("the file", SOON, || connect.events_of("TRANSFER_FINISHED").pop());
    assert_eq!(std::fs::read_to_string(folder.path().join("new.gcode")).unwrap(), GCODE);

    // What got lost is not told again: the SDK has no queue for that.
    connect.instead("POST /p/telemetry", Answer::dropped());
    assert_eq!(end(&connect, "START_PRINT", &json!({"path": "/local/none.gcode"}))["event"], "FAILED");
    let start = json!({"path": "/local/cube.gcode"});
    assert_eq!(end(&connect, "START_PRINT", &start)["event"], "FINISHED");
    let told = telemetry(&connect, |told| told["state"] == "PRINTING");
    assert_eq!((&told["job_id"], &told["progress"]), (&json!(42), &json!(12)));
    assert_eq!(end(&connect, "SEND_JOB_INFO", &json!({}))["event"], "JOB_INFO");
    for (name, state) in [("PAUSE_PRINT", "PAUSED"), ("RESUME_PRINT", "PRINTING"), ("STOP_PRINT", "STOPPED")]
    {
        assert_eq!(end(&connect, name, &json!({}))["event"], "FINISHED", "{name}");
        telemetry(&connect, |told| told["state"] == state);
    }
    assert_eq!(end(&connect, "LOAD_FILAMENT", &json!({}))["reason"], "Not Implemented");
    assert_eq!(end(&connect, "DANCE", &json!({}))["reason"], "Unknown command");
}
