//! The whole program with the Prusa Connect bridge at a real Moonraker and a real Klipper host, and a strict stand-in of
//! the server, which checks each request and the life of each command.

mod faults;
mod transfers;

use crate::support::bed::{Bed, Job, Part};
use crate::support::camera::{Answer as Shown, Camera as Device, picture};
use crate::support::program::Program;
use crate::support::prusa_connect::{Answer, Connect};
use crate::support::{http, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use octobridge::bridge::prusa_connect::rehearsal::fingerprint;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const SERIAL: &str = "KLP-U1-00A1B2C3";
const TOKEN: &str = "Pr1nTokSECRET0000000";
const SOON: Duration = Duration::from_secs(90);
const TEAM: u32 = 7;
const HASH: &str = "a1B2c3D4e5F6g7H8i9J0k1L2m3";

struct Rig {
    program: Program,
    connect: Connect,
    bed: Bed,
}

impl Rig {
    fn start(bed: Bed) -> Self {
        Self::with_troubles(bed, &[])
    }

    /// The same with a server that answers these requests otherwise, each once.
    fn with_troubles(bed: Bed, troubles: &[(&str, Answer)]) -> Self {
        let connect = Connect::start();
        connect.add_printer(&fingerprint(SERIAL), TOKEN);
        troubles.iter().for_each(|(what, answer)| connect.instead(what, answer.clone()));
        let section = format!(
            "[prusa_connect]\nenabled: true\nurl: {}\nserial: {SERIAL}\nallow_print: true\nallow_gcode: true\n\
             allow_delete: true\nallow_url_download: true\nallow_reset: true\ncamera_trigger: ten_sec\n",
            connect.url()
        );
        let source = format!("source: moonraker\nmoonraker_url: ws://127.0.0.1:{}/websocket", bed.port());
        let program = Program::prepared(&source, &[], |data| {
            let file = data.join("config/extended/extended2.cfg");
            let settings = std::fs::read_to_string(&file).unwrap();
            std::fs::write(file, settings + &section).unwrap();
            let token = data.join("octoapp/prusa_connect_token");
            std::fs::write(&token, TOKEN).unwrap();
            std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
        });
        Self { program, connect, bed }
    }

    fn wait<T>(&self, awaited: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let deadline = std::time::Instant::now() + SOON;
        wait::until(awaited, SOON + Duration::from_secs(1), || {
            let found = condition();
            let last = || {
                let events = self.connect.events();
                events[events.len().saturating_sub(10)..].to_vec()
            };
            assert!(
                found.is_some() || std::time::Instant::now() < deadline,
                "{awaited}: {:#?}\n{:#?}\n{:?}",
                last(),
                self.connect.telemetry().last(),
                self.connect.faults()
            );
            found
        })
    }

    /// Waits until telemetry shows this state; gives it.
    fn is(&self, state: &str) -> Value {
        self.wait(state, || self.connect.telemetry().last().filter(|told| told["state"] == state).cloned())
    }

    /// Gives a command, which ends well; what it is answered by.
    fn done(&self, name: &str, kwargs: &Value) -> Value {
        let id = self.connect.command(name, kwargs);
        let end = self.connect.end(id);
        assert!(end["event"] != "FAILED" && end["event"] != "REJECTED", "{name} {kwargs}: {end}");
        assert_eq!((self.connect.accepted(id), self.connect.ends(id).len()), (1, 1), "{name}");
        end
    }

    /// Restarts the printer from Connect, twice if need be: the bed's controller does not come up each time.
    fn restart(&self) {
        let comes_up = || {
            let id = self.connect.command("RESET_PRINTER", &json!({}));
            self.connect.end(id)["event"] == "FINISHED" && self.connect.last_telemetry()["state"] != "ERROR"
        };
        assert!(comes_up() || comes_up() || comes_up(), "{:#?}", self.connect.events());
    }

    /// Gives a command that does not end well; why.
    fn not_done(&self, name: &str, kwargs: &Value) -> String {
        let end = self.connect.end(self.connect.command(name, kwargs));
        assert!(end["event"] == "FAILED" || end["event"] == "REJECTED", "{name} {kwargs}: {end}");
        end["reason"].as_str().unwrap().to_owned()
    }

    /// Waits for a change of files.
    fn changed(&self, key: &str, path: &str) -> Value {
        self.wait(&format!("{key} {path}"), || {
            let all = self.connect.events_of("FILE_CHANGED");
            all.into_iter().rev().find(|event| event["data"][key] == path)
        })
    }
}

/// Adds a camera to Moonraker.
fn add_camera(bed: &Bed, url: &str) {
    let camera = json!({"name": "case", "service": "mjpegstreamer", "snapshot_url": url, "stream_url": url});
    let body = camera.to_string();
    let body = Some(("application/json", body.as_bytes()));
    let (status, answer) = http::request(bed.port(), "POST", "/server/webcams/item", body);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_print_goes_on_while_moonraker_is_away_and_an_emergency_is_made_up_for() {
    let rig = Rig::start(Bed::up());
    rig.is("IDLE");
    rig.bed.prepare_print("part.gcode", Job::LONG);
    rig.changed("new_path", "/local/part.gcode");
    let start = rig.connect.command("START_PRINT", &json!({"path": "/local/part.gcode"}));
    assert_eq!(rig.connect.end(start)["event"], "FINISHED");
    let caused: Vec<_> =
        rig.connect.events().into_iter().filter(|event| event["command_id"] == start).collect();
    let kinds: Vec<_> = caused.iter().map(|event| (&event["event"], &event["state"])).collect();
    let printing = json!("PRINTING");
    assert_eq!(kinds[1..], [(&json!("STATE_CHANGED"), &printing), (&json!("FINISHED"), &printing)]);
    let job = rig.is("PRINTING")["job_id"].clone();
    assert_eq!(caused[1]["job_id"], job);

    rig.bed.kill(Part::Moonraker);
    rig.is("BUSY");
    rig.bed.start(Part::Moonraker);
    assert_eq!(rig.is("PRINTING")["job_id"], job);
    rig.bed.hurry();
    rig.is("FINISHED");
    let whole = rig.connect.telemetry().into_iter().rev().find_map(|told| told["progress"].as_u64());
    assert_eq!(whole, Some(100));
    let last_change = || {
        let told = rig.connect.told().into_iter().rev().find(|told| told.kind() == Some("STATE_CHANGED"));
        told.unwrap()
    };
    let finished = last_change();
    assert_eq!((&finished.body["state"], &finished.body["job_id"]), (&json!("FINISHED"), &job));
    rig.done("SET_IDLE", &json!({}));
    rig.is("IDLE");
    // Its end is shown for 11 s all the same.
    let shown = last_change().happened - finished.happened;
    assert!(shown > 10.5, "{shown} s");

    rig.connect.instead("POST /p/events FINISHED", Answer::lost());
    let halt = rig.connect.gcode("M112", false);
    rig.connect.end(halt);
    rig.is("ERROR");
    let told = rig.connect.events_of("STATE_CHANGED").pop().unwrap();
    assert!(told["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{told}");
    rig.restart();
    rig.is("IDLE");
    rig.bed.kill(Part::Klippy);
    rig.is("BUSY");
    rig.bed.start(Part::Klippy);
    rig.is("IDLE");
    assert_eq!(rig.done("SEND_INFO", &json!({}))["data"]["files"]["children"][0]["name"], "local");
}

#[test]
fn a_file_from_connect_is_printed_paused_stopped_and_deleted() {
    let bed = Bed::up();
    let jpeg = picture(640, 480, 5000);
    let camera = Device::start("/a.jpg", &[Shown::Whole(jpeg.clone())]);
    add_camera(&bed, &camera.url());
    let rig = Rig::start(bed);
    rig.is("IDLE");

    // Folders, and files that others bring.
    rig.done("CREATE_FOLDER", &json!({"path": "/local/parts/new"}));
    assert_eq!(rig.changed("new_path", "/local/parts")["data"]["file"]["type"], "FOLDER");
    assert!(rig.bed.root("gcodes").join("parts/new").is_dir());
    rig.bed.prepare_print("warm.gcode", Job::LONG);
    let file = &rig.changed("new_path", "/local/warm.gcode")["data"]["file"];
    let text = std::fs::read_to_string(rig.bed.root("gcodes").join("warm.gcode")).unwrap();
    assert_eq!((&file["type"], file["size"].as_u64()), (&json!("PRINT_FILE"), Some(text.len() as u64)));
    let info = rig.done("SEND_FILE_INFO", &json!({"path": "/local/warm.gcode"}));
    assert_eq!(
        (&info["data"]["path"], info["data"]["size"].as_u64()),
        (&json!("/local/warm.gcode"), Some(text.len() as u64))
    );
    assert!(info["data"].get("layer_height").is_some(), "{info}");

    // A file of Connect's is fetched and printed, though the first attempts to tell of it fail.
    rig.connect.add_file(TEAM, HASH, &text);
    rig.connect.instead("POST /p/events TRANSFER_FINISHED", Answer::status(503));
    rig.connect.instead("POST /p/events JOB_INFO", Answer::lost());
    let path = "/local/parts/new/Größe 1.gcode";
    let order = json!({"path": path, "team_id": TEAM, "hash": HASH, "printing": true});
    let start = rig.connect.command("START_CONNECT_DOWNLOAD", &order);
    let end = rig.connect.end(start);
    assert_eq!((&end["event"], &end["data"]["to_print"]), (&json!("TRANSFER_INFO"), &json!(true)), "{end}");
    rig.wait("the transfer", || rig.connect.events_of("TRANSFER_FINISHED").pop());
    rig.changed("new_path", path);
    let printing = rig.is("PRINTING");
    let job = printing["job_id"].as_u64().unwrap();
    assert_eq!(
        std::fs::read_to_string(rig.bed.root("gcodes").join("parts/new/Größe 1.gcode")).unwrap(),
        text
    );
    let told = rig.done("SEND_JOB_INFO", &json!({"job_id": job}));
    assert_eq!((&told["data"]["path"], &told["data"]["start_cmd_id"]), (&json!(path), &json!(start)));
    assert_eq!(
        (&told["data"]["from_sd"], told["data"]["size"].as_u64()),
        (&json!(false), Some(text.len() as u64))
    );
    rig.not_done("DELETE_FILE", &json!({"path": path}));
    rig.not_done("DELETE_FOLDER", &json!({"path": "/local/parts", "force": true}));
    rig.not_done("START_PRINT", &json!({"path": "/local/warm.gcode"}));

    // It is paused and goes on; the program is killed meanwhile.
    rig.connect.instead("POST /p/events FINISHED", Answer::lost());
    rig.done("PAUSE_PRINT", &json!({}));
    assert_eq!(rig.bed.query("print_stats")["state"], "paused");
    assert_eq!(rig.is("PAUSED")["job_id"], job);
    rig.not_done("PAUSE_PRINT", &json!({}));
    rig.connect.instead("POST /p/events STATE_CHANGED", Answer::dropped());
    rig.done("RESUME_PRINT", &json!({}));
    assert_eq!(rig.is("PRINTING")["job_id"], job);
    let before = rig.connect.told().len();
    let worker = rig.program.worker();
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    rig.wait("another worker", || (rig.program.worker_now()? != worker).then_some(()));
    rig.wait("the printer again", || {
        let after = rig.connect.told().split_off(before).into_iter();
        // What the one before told may still have been on its way.
        let mut own = after.skip_while(|told| told.kind() != Some("INFO"));
        own.any(|told| told.kind().is_none() && told.body["state"] == "PRINTING").then_some(())
    });
    let after = rig.connect.told().split_off(before);
    let jobs: Vec<_> = after.iter().filter_map(|told| told.body["job_id"].as_u64()).collect();
    assert!(!jobs.is_empty() && jobs.iter().all(|known| *known == job), "{job}: {jobs:?}");
    let told = rig.done("SEND_JOB_INFO", &json!({"job_id": job}));
    assert_eq!(told["data"]["start_cmd_id"], start, "{told}");

    // Harmless G-code runs in a print, the rest does not.
    rig.connect.end(rig.connect.gcode("M220 S90\r\n", false));
    rig.wait("the speed", || rig.connect.telemetry().iter().rev().find(|told| told["speed"] == 90).cloned());
    assert_eq!(rig.connect.end(rig.connect.gcode("G28 XYZ", false))["event"], "REJECTED");

    // It is stopped, and its end shown for a while; then all is deleted.
    rig.done("STOP_PRINT", &json!({}));
    rig.is("STOPPED");
    rig.done("DELETE_FILE", &json!({"path": path}));
    rig.changed("old_path", path);
    rig.not_done("DELETE_FOLDER", &json!({"path": "/local/parts"}));
    rig.done("DELETE_FOLDER", &json!({"path": "/local/parts/new"}));
    rig.done("DELETE_FOLDER", &json!({"path": "/local/parts"}));
    rig.changed("old_path", "/local/parts");
    assert!(!rig.bed.root("gcodes").join("parts").exists());
    rig.done("SET_PRINTER_READY", &json!({}));
    rig.is("READY");

    let pictures: Vec<_> = rig.connect.cameras().into_iter().flat_map(|camera| camera.pictures).collect();
    assert!(pictures.len() > 1 && pictures.iter().all(|shown| *shown == jpeg), "{}", pictures.len());
    assert_eq!(rig.bridge_state(), "connected");
}

impl Rig {
    fn bridge_state(&self) -> Value {
        let report = self.program.report();
        let bridges = report["bridges"].as_array().cloned().unwrap_or_default();
        bridges.into_iter().find(|bridge| bridge["name"] == "prusa_connect").unwrap_or_default()["state"]
            .clone()
    }
}
