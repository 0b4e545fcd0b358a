//! What the printer does comes out as messages, in Connect's order.

use super::*;
use printer::EventKind as Happens;

#[test]
fn a_printer_introduces_itself_and_tells_its_values_each_second() {
    let mut bed = Bed::new();
    bed.see();
    let out = bed.run(3.5, |_| status(204));
    let expected = ["INFO IDLE", "MEDIUM_INSERTED IDLE", "STATE_CHANGED IDLE"];
    assert_eq!(short(&out[..3]), expected);
    assert_eq!(short(&out[3..]), ["telemetry IDLE"; 4]);
    assert_eq!(out[0].body["data"]["sn"], "KLP-1");
    assert_eq!(out[0].body["data"]["nozzle_diameter"], 0.6);
    // Cameras are registered once Connect knows the printer.
    assert_eq!(bed.world().introduced, [Some("token".to_owned())]);
}

#[test]
fn a_printer_that_is_not_seen_is_busy_and_then_an_error() {
    let mut bed = Bed::new();
    let out = bed.run(40.0, |_| status(204));
    assert_eq!(
        short(&out[..4]),
        ["INFO BUSY", "MEDIUM_INSERTED BUSY", "STATE_CHANGED BUSY", "telemetry BUSY"]
    );
    // It waits for the printer, but not for ever.
    assert!((4.0..5.0).contains(&out[0].at), "{}", out[0].at);
    assert_eq!(events(&out[4..]), ["STATE_CHANGED ERROR", "FAILED ERROR"]);
}

/// The state of the print and what happens, and which messages that makes; telemetry only where it follows at once.
#[test]
fn what_happens_is_told_before_the_telemetry_that_shows_it() {
    type Do = fn(&mut Bed);
    let prints: Do = |bed| bed.print(PrintState::Printing, "a.gcode");
    let pauses: Do = |bed| bed.print(PrintState::Paused, "a.gcode");
    let ends: Do = |bed| {
        bed.event(Happens::Finished);
        bed.print(PrintState::Complete, "a.gcode");
    };
    let cancelled: Do = |bed| {
        bed.event(Happens::Cancelled);
        bed.print(PrintState::Cancelled, "a.gcode");
    };
    let shut_down: Do = |bed| {
        bed.snapshot.klippy =
            Klippy { state: KlippyState::Shutdown, message: Some("MCU shutdown".to_owned()) };
        bed.see();
    };
    let file: Do = |bed| bed.core.on_files(FileChange::Deleted { path: "a".to_owned() });
    let back: Do = |bed| bed.event(Happens::SourceBack);
    for (name, before, now, expected) in [
        ("a print begins", vec![], prints, vec!["STATE_CHANGED PRINTING"]),
        ("it pauses", vec![prints], pauses, vec!["STATE_CHANGED PAUSED"]),
        ("it goes on", vec![prints, pauses], prints, vec!["STATE_CHANGED PRINTING"]),
        ("it ends", vec![prints], ends, vec!["STATE_CHANGED FINISHED"]),
        ("it is cancelled", vec![prints], cancelled, vec!["STATE_CHANGED STOPPED"]),
        ("Klipper stops", vec![], shut_down, vec!["STATE_CHANGED ERROR", "FAILED ERROR"]),
        ("a file is gone", vec![], file, vec!["FILE_CHANGED IDLE"]),
        ("Moonraker was away", vec![], back, vec!["MEDIUM_EJECTED IDLE", "MEDIUM_INSERTED IDLE"]),
    ] {
        let mut bed = Bed::idle();
        for before in before {
            before(&mut bed);
            bed.run(2.0, |_| status(204));
        }
        now(&mut bed);
        let out = bed.run(1.2, |_| status(204));
        let told = short(&out);
        let state = expected[0].split(' ').nth(1).unwrap();
        assert_eq!(told[..expected.len()], expected, "{name}: {told:?}");
        assert_eq!(told[expected.len()..], [format!("telemetry {state}")], "{name}");
        let job = ["PRINTING", "PAUSED", "FINISHED", "STOPPED"].contains(&state);
        assert_eq!(out[0].body.get("job_id").is_some(), job, "{name}: {}", out[0].body);
    }
}

#[test]
fn files_that_could_not_be_listed_are_listed_again() {
    let mut bed = Bed::idle();
    bed.service = Service::Fails;
    bed.event(Happens::SourceBack);
    let out = bed.run(60.0, |_| status(204));
    assert_eq!(events(&out), [""; 0]);
    let asked = bed.world().asked;
    assert!((3..=8).contains(&asked), "{asked}");
    bed.service = Service::Answers;
    let out = bed.run(120.0, |_| status(204));
    assert_eq!(events(&out), ["MEDIUM_EJECTED IDLE", "MEDIUM_INSERTED IDLE"]);
    // And no more, until something happens.
    let asked = bed.world().asked;
    assert_eq!(events(&bed.run(3600.0, |_| status(204))), [""; 0]);
    assert_eq!(bed.world().asked, asked);
}

#[test]
fn nozzles_are_those_of_klippers_settings() {
    let mut bed = Bed::idle();
    bed.filed(FileNews::Nozzles(vec![(0, 0.25), (2, 0.8)]));
    let out = bed.run(1.2, |_| status(204));
    assert_eq!(short(&out)[0], "INFO IDLE");
    let data = &out[0].body["data"];
    assert_eq!(
        (&data["nozzle_diameter"], &data["tools"]["3"]["nozzle_diameter"]),
        (&json!(0.25), &json!(0.8))
    );
    assert_eq!(data["tools"]["2"]["nozzle_diameter"], 0.4);
    // Klipper was started anew, maybe with other settings.
    bed.event(Happens::KlippyReady);
    assert!(matches!(bed.world().errands[..], [Errand::Nozzles]));
    let out = bed.run(1.2, |_| status(204));
    assert_eq!(out[0].body["data"]["nozzle_diameter"], 0.6);
}

#[test]
fn tools_that_are_known_after_the_introduction_are_told_once() {
    let mut bed = Bed::new();
    let parts = std::mem::take(&mut bed.snapshot.machine);
    bed.snapshot.klippy.state = KlippyState::Startup;
    bed.see();
    let out = bed.run(5.0, |_| status(204));
    assert_eq!(out[0].body["data"].get("tools"), None);
    (bed.snapshot.machine, bed.snapshot.klippy.state) = (parts, KlippyState::Ready);
    bed.see();
    let out = bed.run(5.0, |_| status(204));
    let told: Vec<&Out> = out.iter().filter(|out| out.body["event"] == "INFO").collect();
    assert_eq!((told.len(), &told[0].body["data"]["slots"]), (1, &json!(4)));
}
