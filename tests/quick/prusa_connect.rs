//! The whole program with the Prusa Connect bridge, before an idle printer and a strict stand-in of the server.

mod faults;
mod printer;

use crate::support::program::Program;
use crate::support::prusa_connect::{Answer, Connect};
use crate::support::wait::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use octobridge::bridge::Examination;
use octobridge::bridge::prusa_connect::rehearsal::fingerprint;
use printer::{Idle, Way};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const SERIAL: &str = "KLP-U1-00A1B2C3";
const TOKEN: &str = "Pr1nTokSECRET0000000";
/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(30);

/// The program between both sides. The socket goes first: it is in the program's folder.
struct Rig {
    printer: Idle,
    program: Program,
    connect: Connect,
}

impl Rig {
    /// A printer that is registered, with these lines of settings besides.
    fn start(more: &str) -> Self {
        Self::with(more, |_| ())
    }

    fn with(more: &str, prepare: impl FnOnce(&Connect)) -> Self {
        let connect = Self::connect();
        prepare(&connect);
        // First the printer: the program waits longer each time that it does not find it.
        let mut printer = None;
        let program = Self::program(&connect, more, |data| printer = Some(Idle::start(data)));
        Self { printer: printer.unwrap(), program, connect }
    }

    /// The same, with something that happens before Moonraker is there.
    fn late(more: &str, wait: impl FnOnce(&Connect)) -> Self {
        let connect = Self::connect();
        let program = Self::program(&connect, more, |_| ());
        wait(&connect);
        Self { printer: Idle::start(&program.data()), program, connect }
    }

    fn connect() -> Connect {
        let connect = Connect::start();
        connect.add_printer(&fingerprint(SERIAL), TOKEN);
        connect
    }

    fn program(connect: &Connect, more: &str, prepare: impl FnOnce(&Path)) -> Program {
        let section = format!(
            "[prusa_connect]\nenabled: true\nurl: {}\nserial: {SERIAL}\ncameras: off\n{more}",
            connect.url()
        );
        Program::prepared("source: moonraker", &[], |data| {
            let file = data.join("config/extended/extended2.cfg");
            let settings = std::fs::read_to_string(&file).unwrap();
            std::fs::write(file, settings + &section).unwrap();
            let token = data.join("octoapp/prusa_connect_token");
            std::fs::write(&token, TOKEN).unwrap();
            std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
            prepare(data);
        })
    }

    fn wait<T>(&self, awaited: &str, condition: impl FnMut() -> Option<T>) -> T {
        let mut condition = condition;
        let deadline = std::time::Instant::now() + SOON;
        until(awaited, SOON + Duration::from_secs(1), || {
            let found = condition();
            assert!(
                found.is_some() || std::time::Instant::now() < deadline,
                "{awaited}: {:#?}\n{:?}",
                self.connect.events(),
                self.connect.faults()
            );
            found
        })
    }

    /// Waits until the printer shows itself idle.
    fn is_idle(&self) {
        self.wait("an idle printer", || {
            self.connect.telemetry().last().is_some_and(|told| told["state"] == "IDLE").then_some(())
        });
    }

    /// The only end of a command that was given once, after it was accepted once.
    fn end(&self, id: u32) -> Value {
        let end = self.connect.end(id);
        assert_eq!((self.connect.given(id), self.connect.accepted(id)), (1, 1), "{end}");
        assert_eq!(self.connect.ends(id).len(), 1, "{end}");
        end
    }

    fn bridge(&self) -> Value {
        let report = self.program.report();
        let bridges = report["bridges"].as_array().cloned().unwrap_or_default();
        bridges.into_iter().find(|bridge| bridge["name"] == "prusa_connect").unwrap_or_default()
    }
}

/// The words of an end: its kind, and why.
fn words(end: &Value) -> (&str, &str) {
    (end["event"].as_str().unwrap(), end["reason"].as_str().unwrap_or_default())
}

#[test]
fn a_printer_introduces_itself_and_tells_its_values_each_second() {
    let rig = Rig::start("");
    rig.is_idle();
    let told = rig.connect.told();
    let kinds: Vec<_> = told.iter().map(|told| told.kind().unwrap_or("telemetry")).collect();
    let first: Vec<_> = kinds.iter().take_while(|kind| **kind != "telemetry").collect();
    assert_eq!(first[..3], [&"INFO", &"MEDIUM_INSERTED", &"STATE_CHANGED"], "{kinds:?}");
    let info = &told[0].body["data"];
    assert_eq!((&info["sn"], &info["type"]), (&json!(SERIAL), &json!(6)));
    assert_eq!(info["network_info"]["wifi_ipv4"], "192.0.2.7");
    let storage = &info["files"]["children"][0];
    assert_eq!((&storage["name"], &storage["free_space"]), (&json!("local"), &json!(6000)));
    let names: Vec<_> = storage["children"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    assert_eq!(names, ["cube.gcode"]);
    assert_eq!(told[1].body["data"]["root"], "/local");
    // Whatever else the machine does: five of them come in five seconds.
    rig.wait("telemetry each second", || {
        let told = rig.connect.told();
        let times: Vec<_> = told.iter().filter(|told| told.kind().is_none()).map(|told| told.at).collect();
        let took = |five: &[Instant]| five[5].duration_since(five[0]).as_secs_f64();
        times.windows(6).any(|five| (4.5..6.5).contains(&took(five))).then_some(())
    });
    let full = rig.connect.telemetry().into_iter().find(|told| told.get("temp_nozzle").is_some()).unwrap();
    assert_eq!((&full["temp_nozzle"], &full["target_bed"]), (&json!(21.5), &json!(0.0)));
    // What did not change is not told again.
    assert_eq!(rig.connect.telemetry().last().unwrap(), &json!({"state": "IDLE"}));
    let status = rig.bridge();
    assert_eq!(status["state"], "connected", "{status}");
}

#[test]
fn a_printer_that_comes_late_is_told_of_once_it_is_there() {
    let rig = Rig::late("", |connect| {
        until("telemetry", SOON, || (connect.telemetry().len() > 2).then_some(()));
        assert_eq!(connect.telemetry()[0], json!({"state": "BUSY"}));
        let told: Vec<_> = connect.events().iter().map(|event| event["event"].clone()).collect();
        assert_eq!(told, ["INFO", "STATE_CHANGED"]);
        assert_eq!(connect.events()[0]["data"].get("files"), None);
    });
    rig.is_idle();
    rig.wait("its files", || {
        let told = |kind: &str| rig.connect.events_of(kind).len();
        (told("INFO") > 1 && told("MEDIUM_INSERTED") > 0).then_some(())
    });
    std::thread::sleep(Duration::from_secs(2));
    let inserted = rig.connect.events_of("MEDIUM_INSERTED");
    assert_eq!(inserted.len(), 1, "{:#?}", rig.connect.events());
    assert_eq!(inserted[0]["data"]["files"]["children"][0]["name"], "cube.gcode");
    assert!(rig.connect.events_of("INFO").last().unwrap()["data"].get("files").is_some());
}

#[test]
fn a_test_of_the_registration_tells_the_state_that_was_told_last() {
    let rig = Rig::start("");
    rig.is_idle();
    let id = rig.connect.command("SET_PRINTER_READY", &json!({}));
    rig.connect.end(id);
    let data = rig.program.data();
    let settings = |name: &str| match name {
        "PRUSA_CONNECT_URL" => Some(rig.connect.url()),
        "PRUSA_CONNECT_SERIAL" => Some(SERIAL.to_owned()),
        "PRUSA_CONNECT_TOKEN" => Some(TOKEN.to_owned()),
        _ => None,
    };
    let before = rig.connect.events_of("INFO").len();
    let said = octobridge::bridge::prusa_connect::test(
        &Examination {
            data_dir: &data.join("octoapp"),
            printer_data: &data,
            id: "prusa_connect",
            tls: octobridge::tls::client_config(None).unwrap(),
            setting: &settings,
            control: &|| Err("nobody asks".to_owned()),
        },
        "",
    );
    assert!(said.unwrap().contains(SERIAL));
    let told = rig.connect.events_of("INFO");
    assert_eq!((told.len(), &told.last().unwrap()["state"]), (before + 1, &json!("READY")));
}

#[test]
fn questions_are_answered_and_what_is_not_allowed_is_refused() {
    let rig = Rig::start("");
    rig.is_idle();
    let info = rig.end(rig.connect.command("SEND_INFO", &json!({})));
    assert_eq!((words(&info), &info["source"]), (("INFO", ""), &json!("CONNECT")));
    assert_eq!(info["data"]["files"]["children"][0]["children"][0]["name"], "cube.gcode");
    let state = rig.end(rig.connect.command("SEND_STATE_INFO", &json!({})));
    assert_eq!((words(&state), &state["state"]), (("STATE_CHANGED", ""), &json!("IDLE")));
    let transfer = rig.end(rig.connect.command("SEND_TRANSFER_INFO", &json!({})));
    assert_eq!(transfer["data"], json!({"type": "NO_TRANSFER"}));
    let path = json!({"path": "/local/cube.gcode"});
    for (name, kwargs, kind, why) in [
        ("SEND_JOB_INFO", json!({"job_id": 3}), "FAILED", "No job in progress"),
        ("START_PRINT", path.clone(), "REJECTED", ""),
        ("PAUSE_PRINT", json!({}), "REJECTED", ""),
        ("DELETE_FILE", path, "REJECTED", "allow_delete"),
        (
            "START_URL_DOWNLOAD",
            json!({"path": "/local/a.gcode", "url": "http://x/"}),
            "REJECTED",
            "allow_url_download",
        ),
        ("RESET_PRINTER", json!({}), "REJECTED", "allow_reset"),
        ("UPGRADE", json!({}), "REJECTED", ""),
        ("FLY", json!({}), "REJECTED", "Unknown command"),
    ] {
        let end = rig.end(rig.connect.command(name, &kwargs));
        let (told, reason) = words(&end);
        assert!(told == kind && reason.contains(why) && !reason.is_empty(), "{name}: {end}");
    }
    let end = rig.end(rig.connect.gcode("M117 hello\r\n", false));
    assert!(words(&end).0 == "REJECTED" && words(&end).1.contains("allow_gcode"), "{end}");
    assert_eq!(rig.printer.scripts(), [""; 0]);
    // The person who stands before the web page says that the bed is clear, and takes it back.
    for (name, state) in [("SET_PRINTER_READY", "READY"), ("CANCEL_PRINTER_READY", "IDLE")] {
        let id = rig.connect.command(name, &json!({}));
        assert_eq!(words(&rig.end(id)).0, "FINISHED");
        let events = rig.connect.events();
        let end = events.iter().position(|event| event["command_id"] == id && event["event"] == "FINISHED");
        let turn = events.iter().rposition(|event| event["event"] == "STATE_CHANGED").unwrap();
        assert!(Some(turn) < end && events[turn]["state"] == state, "{events:#?}");
    }
}

#[test]
fn gcode_that_is_allowed_is_run_once_whatever_becomes_of_the_answers() {
    let rig = Rig::start("allow_gcode: true\n");
    rig.is_idle();
    let id = rig.connect.gcode("M117 hello\r\n\r\n", false);
    assert_eq!(words(&rig.end(id)), ("FINISHED", ""));
    assert_eq!(rig.printer.scripts(), ["M117 hello"]);
    // The same number once more: it is told how it ended.
    rig.connect.repeat(id);
    rig.wait("the same end", || (rig.connect.ends(id).len() == 2).then_some(()));
    // The answers get lost, or come too late.
    for (number, (what, answer)) in [
        ("POST /p/events ACCEPTED", Answer::lost()),
        ("POST /p/events FINISHED", Answer::lost()),
        ("POST /p/events FINISHED", Answer::dropped()),
        ("POST /p/events FINISHED", Answer::status(503)),
        ("POST /p/events ACCEPTED", Answer::status(429).with("Retry-After", "1")),
        ("POST /p/telemetry", Answer::status(500)),
        ("POST /p/events FINISHED", Answer::status(401)),
    ]
    .into_iter()
    .enumerate()
    {
        rig.connect.instead(what, answer);
        let text = format!("M117 number {number}");
        let id = rig.connect.gcode(&text, false);
        assert_eq!(words(&rig.connect.end(id)), ("FINISHED", ""), "{what}");
        assert_eq!(rig.printer.scripts().iter().filter(|script| **script == text).count(), 1, "{what}");
    }
    rig.printer.set(Way::Refuse);
    let end = rig.end(rig.connect.gcode("M117 no", false));
    assert!(words(&end).0 == "FAILED" && words(&end).1.contains("Must home axis first"), "{end}");
    assert_eq!(end["data"]["error"], end["reason"]);
    let end = rig.end(rig.connect.gcode("M997", false));
    assert_eq!(words(&end).0, "REJECTED", "{end}");
    let end = rig.end(rig.connect.gcode("FLY_AWAY", false));
    assert_eq!(words(&end).0, "FAILED", "{end}");
}

#[test]
fn one_command_at_a_time_and_telemetry_goes_on_meanwhile() {
    let rig = Rig::start("allow_gcode: true\n");
    rig.is_idle();
    rig.printer.set(Way::Wait);
    let id = rig.connect.gcode("M117 long", false);
    rig.wait("the script", || (rig.printer.scripts().len() == 1).then_some(()));
    let other = rig.connect.command_at_once("SEND_STATE_INFO", &json!({}));
    let end = rig.connect.end(other);
    assert_eq!(words(&end), ("REJECTED", "Another command is running"));
    assert_eq!(end["data"]["actual_command_id"], id);
    rig.connect.repeat(id);
    rig.wait("it accepted again", || (rig.connect.accepted(id) == 2).then_some(()));
    rig.wait("its number in telemetry", || {
        rig.connect.telemetry().last().is_some_and(|told| told["command_id"] == id).then_some(())
    });
    rig.printer.set(Way::Obey);
    assert_eq!(words(&rig.connect.end(id)), ("FINISHED", ""));
    assert_eq!(rig.printer.scripts().len(), 1);
}

#[test]
fn a_program_killed_in_a_command_tells_that_it_failed_and_never_runs_it_again() {
    let rig = Rig::start("allow_gcode: true\n");
    rig.is_idle();
    rig.printer.set(Way::Wait);
    let id = rig.connect.gcode("M117 once", false);
    rig.wait("the script", || (rig.printer.scripts().len() == 1).then_some(()));
    let told = rig.connect.told().len();
    let worker = rig.program.worker();
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    rig.wait("another worker", || (rig.program.worker_now()? != worker).then_some(()));
    rig.printer.set(Way::Obey);
    let end = rig.connect.end(id);
    assert!(words(&end).0 == "FAILED" && words(&end).1.contains("restart"), "{end}");
    // Nothing of the printer is told before it has introduced itself.
    let after: Vec<_> = rig.connect.told().split_off(told);
    let first = after.iter().find(|told| told.body.get("command_id").is_none()).unwrap();
    assert_eq!(first.kind(), Some("INFO"), "{after:#?}");
    // Connect, which may not have got that, asks once more.
    rig.is_idle();
    rig.connect.repeat(id);
    rig.wait("the same end", || (rig.connect.ends(id).len() == 2).then_some(()));
    assert_eq!(words(&rig.connect.ends(id)[1]).0, "FAILED");
    assert_eq!(rig.printer.scripts(), ["M117 once"]);
    assert_eq!(words(&rig.connect.end(rig.connect.gcode("M117 next", false))), ("FINISHED", ""));
    assert_eq!(rig.connect.ends(id).len(), 2, "told once, and once more when it was asked");
}

#[test]
fn an_outage_in_the_middle_of_a_command_loses_nothing_of_it() {
    let rig = Rig::start("allow_gcode: true\n");
    rig.is_idle();
    for (number, answer) in [Answer::dropped(), Answer::status(500), Answer::status(503), Answer::status(429)]
        .into_iter()
        .enumerate()
    {
        rig.printer.set(Way::Wait);
        let id = rig.connect.gcode(&format!("M117 number {number}"), false);
        rig.wait("the script", || (rig.printer.scripts().len() == number + 1).then_some(()));
        rig.wait("it accepted", || (rig.connect.accepted(id) == 1).then_some(()));
        rig.connect.outage(Some(answer));
        rig.printer.set(Way::Obey);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(rig.connect.ends(id).len(), 0);
        rig.connect.outage(None);
        assert_eq!(words(&rig.end(id)), ("FINISHED", ""));
    }
    assert_eq!(rig.printer.scripts().len(), 4);
    // What Connect cannot read at all is not sent again, and nothing waits for it.
    rig.connect.instead("POST /p/events STATE_CHANGED", Answer::status(400));
    let id = rig.connect.command("SEND_STATE_INFO", &json!({}));
    rig.wait("the next request", || (rig.connect.given(id) == 1).then_some(()));
    rig.wait("it given up", || (rig.bridge()["dropped"] == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((&rig.bridge()["state"], &rig.bridge()["dropped"]), (&json!("connected"), &json!(1)));
}

#[test]
fn a_command_that_got_lost_on_its_way_is_done_when_it_comes_again() {
    let rig = Rig::start("allow_gcode: true\n");
    rig.is_idle();
    rig.connect.instead("POST /p/telemetry", Answer::lost());
    let id = rig.connect.gcode("M117 lost", false);
    rig.wait("it given", || (rig.connect.given(id) == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((rig.connect.accepted(id), rig.printer.scripts()), (0, Vec::new()));
    rig.connect.repeat(id);
    assert_eq!(words(&rig.connect.end(id)), ("FINISHED", ""));
    assert_eq!(rig.printer.scripts(), ["M117 lost"]);
}
