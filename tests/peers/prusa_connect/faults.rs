//! Troubles of the server and restarts of each side, at the steps of a print that comes as an upload through Connect.
//!
//! Each kind of trouble at each single request is played on a virtual clock by the quick tests (`connect_faults`); here
//! are the rows of that table that depend on real sockets, a real Moonraker and a real Klipper:
//!
//! | step | what goes wrong | what comes of it |
//! |---|---|---|
//! | `INFO` of the introduction | 503 | it comes again, first of all |
//! | `MEDIUM_INSERTED` | the connection breaks | it comes again, once |
//! | `STATE_CHANGED` | 500 | it comes again, before the telemetry that shows it |
//! | telemetry | 408 | the next one is made anew |
//! | `ACCEPTED` of the download | bytes that are no HTTP | it comes again; the end follows |
//! | `TRANSFER_INFO` | 429 with a time to wait | it comes again after that time |
//! | the file | half of it | told as aborted, nothing is left; ordered anew it arrives |
//! | `TRANSFER_FINISHED` | the answer gets lost | it comes again; the print starts all the same |
//! | `FILE_CHANGED` | the answer is late | nothing is sent twice |
//! | `STATE_CHANGED` to `PRINTING` | 401 | an introduction, then the same once more |
//! | `JOB_INFO` | the connection breaks | it comes again |
//! | `FINISHED` of a pause | 503 | it comes again, and the print is paused once |
//! | in the print | the server is away for 12 s | an introduction, the same job, nothing of it lost |
//! | in the pause | Moonraker is killed | it stays paused; the same job goes on |
//! | in the print | our program is killed | the same job; the command under way ends once |
//! | in the print | Klipper's firmware is restarted | the job is over, and told so; the next one prints |
//! | in the print | Klipper is killed | the same |

use super::{HASH, Rig, TEAM};
use crate::support::bed::{Bed, Job, Part};
use crate::support::prusa_connect::{Answer, Pace};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::time::Duration;

const PATH: &str = "/local/upload.gcode";

fn order(printing: bool) -> Value {
    json!({"path": PATH, "team_id": TEAM, "hash": HASH, "printing": printing})
}

impl Rig {
    /// Uploads a file that is printed, and waits until it is; its job.
    fn print_an_upload(&self) -> Value {
        self.done("START_CONNECT_DOWNLOAD", &order(true));
        self.is("PRINTING")["job_id"].clone()
    }

    /// Waits for the end of the transfer that this command began.
    fn transferred(&self, start: u32) -> Value {
        self.wait("the end of the transfer", || {
            let ends = ["TRANSFER_FINISHED", "TRANSFER_ABORTED"].into_iter();
            let mut ends = ends.flat_map(|kind| self.connect.events_of(kind));
            ends.find(|event| event["data"]["start_cmd_id"] == start)
        })
    }

    /// The text of a job that lasts, with a hot printer for it.
    fn long_job(&self) -> String {
        self.bed.prepare_print("warm.gcode", Job::LONG);
        std::fs::read_to_string(self.bed.root("gcodes").join("warm.gcode")).unwrap()
    }

    /// Waits until telemetry shows that the job is over.
    fn job_is_over(&self) {
        self.wait("the end of the job", || {
            let told = self.connect.telemetry().pop()?;
            let over = !matches!(told["state"].as_str()?, "PRINTING" | "PAUSED");
            (over && told.get("job_id").is_none()).then_some(())
        });
    }
}

#[test]
fn each_step_of_a_print_from_an_upload_is_gone_through_with_trouble() {
    let rig = Rig::with_troubles(
        Bed::up(),
        &[
            ("POST /p/events INFO", Answer::status(503)),
            ("POST /p/events MEDIUM_INSERTED", Answer::dropped()),
            ("POST /p/events STATE_CHANGED", Answer::status(500)),
            ("POST /p/telemetry", Answer::status(408)),
        ],
    );
    rig.is("IDLE");
    // The printer may have come later than the program, which then says so in between.
    let kinds: Vec<Value> = rig.connect.events().iter().map(|event| event["event"].clone()).collect();
    let inserted = kinds.iter().position(|kind| kind == "MEDIUM_INSERTED").unwrap();
    assert!(kinds[0] == "INFO" && kinds[inserted - 1] == "INFO", "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "MEDIUM_INSERTED").count(), 1, "{kinds:?}");
    assert!(kinds.iter().any(|kind| kind == "STATE_CHANGED"), "{kinds:?}");
    let text = rig.long_job();

    rig.connect.add_file_at(TEAM, HASH, &text, Pace::Half);
    let start = rig.connect.command("START_CONNECT_DOWNLOAD", &order(true));
    assert_eq!(rig.connect.end(start)["event"], "TRANSFER_INFO");
    assert_eq!(rig.transferred(start)["event"], "TRANSFER_ABORTED");
    assert!(!rig.bed.root("gcodes").join("upload.gcode").exists());

    rig.connect.add_file(TEAM, HASH, &text);
    for (what, answer) in [
        ("POST /p/events ACCEPTED", Answer::garbage()),
        ("POST /p/events TRANSFER_INFO", Answer::status(429).with("Retry-After", "1")),
        ("POST /p/events TRANSFER_FINISHED", Answer::lost()),
        ("POST /p/events FILE_CHANGED", Answer::late()),
        ("POST /p/events STATE_CHANGED", Answer::status(401)),
        ("POST /p/events JOB_INFO", Answer::dropped()),
        ("POST /p/events FINISHED", Answer::status(503)),
    ] {
        rig.connect.instead(what, answer);
    }
    let before = rig.connect.told().len();
    let job = rig.print_an_upload();
    assert!(rig.bed.root("gcodes").join("upload.gcode").is_file());
    rig.done("SEND_JOB_INFO", &json!({ "job_id": job }));
    rig.done("PAUSE_PRINT", &json!({}));
    assert_eq!(rig.is("PAUSED")["job_id"], job);
    rig.done("RESUME_PRINT", &json!({}));
    rig.is("PRINTING");
    rig.done("STOP_PRINT", &json!({}));
    rig.is("STOPPED");
    // Once each, in their order.
    let told = rig.connect.told().split_off(before);
    let of = |kind: &str| told.iter().filter(|told| told.kind() == Some(kind)).count();
    assert_eq!((of("TRANSFER_FINISHED"), of("TRANSFER_ABORTED")), (1, 0));
    let mut states: Vec<&Value> = told
        .iter()
        .filter(|told| told.kind() == Some("STATE_CHANGED"))
        .map(|told| &told.body["state"])
        .collect();
    states.dedup();
    let expected = ["PRINTING", "PAUSED", "PRINTING", "STOPPED"];
    assert_eq!(states[states.len() - 4..], expected, "{states:?}");
    assert_eq!(rig.bridge_state(), "connected");
}

#[test]
fn a_restart_of_each_side_at_each_step_of_a_print_is_made_up_for() {
    let rig = Rig::start(Bed::up());
    rig.is("IDLE");
    let text = rig.long_job();
    rig.connect.add_file(TEAM, HASH, &text);
    let job = rig.print_an_upload();

    // The server, in the print.
    let asked = rig.connect.requests().len();
    rig.connect.outage(Some(Answer::dropped()));
    rig.wait("a request", || (rig.connect.requests().len() > asked).then_some(()));
    std::thread::sleep(Duration::from_secs(12));
    let before = rig.connect.told().len();
    rig.connect.outage(None);
    rig.wait("telemetry", || {
        rig.connect.told().split_off(before).iter().any(|told| told.kind().is_none()).then_some(())
    });
    assert_eq!(rig.connect.told()[before].kind(), Some("INFO"));
    assert_eq!(rig.is("PRINTING")["job_id"], job);

    // Moonraker, in the pause.
    rig.done("PAUSE_PRINT", &json!({}));
    rig.is("PAUSED");
    rig.bed.kill(Part::Moonraker);
    let id = rig.connect.command("RESUME_PRINT", &json!({}));
    let end = rig.connect.end(id);
    assert!(end["event"] == "FAILED" || end["event"] == "REJECTED", "{end}");
    assert_eq!(rig.is("PAUSED")["job_id"], job);
    rig.bed.start(Part::Moonraker);
    // Until it is connected to again, that fails.
    rig.wait("a resumption", || {
        let id = rig.connect.command("RESUME_PRINT", &json!({}));
        (rig.connect.end(id)["event"] == "FINISHED").then_some(())
    });
    assert_eq!(rig.is("PRINTING")["job_id"], job);

    // Our program, with a command under way: one that it never saw would have no end before Connect gives it again.
    let worker = rig.program.worker_now().unwrap();
    let id = rig.connect.gcode("G4 P3000", true);
    rig.wait("the command", || (rig.connect.accepted(id) == 1).then_some(()));
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    rig.wait("another worker", || (rig.program.worker_now()? != worker).then_some(()));
    rig.connect.end(id);
    assert_eq!(rig.is("PRINTING")["job_id"], job);

    // Klipper's firmware, which ends the job.
    rig.bed.firmware_restart();
    rig.job_is_over();
    rig.wait("an end", || {
        let told = rig.connect.telemetry().pop()?;
        matches!(told["state"].as_str()?, "IDLE" | "STOPPED").then_some(())
    });

    // Klipper itself.
    rig.long_job();
    let next = rig.print_an_upload();
    assert_ne!(next, job);
    rig.bed.kill(Part::Klippy);
    rig.job_is_over();
    rig.bed.start(Part::Klippy);
    // Its controller fell silent, and is restarted from Connect.
    rig.is("ERROR");
    rig.restart();
    rig.is("IDLE");
    rig.done("SET_PRINTER_READY", &json!({}));
    rig.is("READY");
    rig.done("DELETE_FILE", &json!({ "path": PATH }));
    rig.changed("old_path", PATH);
    assert_eq!(rig.bridge_state(), "connected");
}
