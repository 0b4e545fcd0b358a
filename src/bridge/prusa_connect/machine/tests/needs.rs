//! What a person is needed for.

use super::*;

fn sensor(detected: bool) -> Named<FilamentSensor> {
    Named {
        name: "filament_0".into(),
        value: FilamentSensor { detected: Some(detected), enabled: Some(true) },
    }
}

#[test]
fn a_pause_for_which_a_person_is_needed_is_attention() {
    let code = FaultCode { id: 523, index: 1, code: 12 };
    let runout = PausedBy::Runout { sensor: "filament_0".to_owned() };
    let words = |text: &str| Some(text.to_owned());
    for (by, reason, told) in [
        (runout, None, "ATTENTION HW #43 Filament ran out (sensor filament_0)"),
        (PausedBy::Fault { code }, words("Jam"), "ATTENTION HW #43 Jam (523-1-12)"),
        (PausedBy::Unknown, words("Change the filament"), "ATTENTION GCODE #43 Change the filament"),
        (PausedBy::Unknown, None, "PAUSED FIRMWARE #43"),
        (PausedBy::Bridge { name: NAME.to_owned() }, None, "PAUSED FIRMWARE #43"),
        (PausedBy::Bridge { name: "Telegram: Ada".to_owned() }, None, "PAUSED USER #43"),
    ] {
        let mut rig = Rig::idle();
        rig.print(PrintState::Printing);
        if matches!(by, PausedBy::Fault { .. }) {
            rig.snapshot.faults = [Fault { code, level: 3, message: "Jam".into() }].into();
        }
        if matches!(by, PausedBy::Runout { .. }) {
            Arc::make_mut(&mut rig.snapshot.machine).filament_sensors = vec![sensor(false)];
        }
        rig.happens(printer::EventKind::Paused { by, reason }, None);
        assert_eq!(rig.tick(), NONE, "{told}");
        assert_eq!(rig.print(PrintState::Paused), [told]);
        rig.happens(printer::EventKind::Resumed, None);
        rig.snapshot.faults = [].into();
        assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    }
}

#[test]
fn what_was_put_right_needs_nobody() {
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    Arc::make_mut(&mut rig.snapshot.machine).filament_sensors = vec![sensor(false)];
    rig.happens(
        printer::EventKind::Paused { by: PausedBy::Runout { sensor: "filament_0".to_owned() }, reason: None },
        None,
    );
    rig.print(PrintState::Paused);
    assert_eq!(rig.machine.state(), State::Attention);
    assert_eq!(rig.machine.job(), Some(43));
    Arc::make_mut(&mut rig.snapshot.machine).filament_sensors = vec![sensor(true)];
    assert_eq!(rig.see(), ["PAUSED FIRMWARE #43"]);
}

#[test]
fn a_pause_that_was_there_before_is_judged_by_its_sensors() {
    let mut rig = Rig::new(Options::default());
    Arc::make_mut(&mut rig.snapshot.machine).filament_sensors = vec![sensor(false)];
    assert_eq!(rig.print(PrintState::Paused), ["ATTENTION HW #43 Filament ran out (sensor filament_0)"]);
    let mut rig = Rig::new(Options::default());
    Arc::make_mut(&mut rig.snapshot.machine).filament_sensors = vec![sensor(false), sensor(true)];
    assert_eq!(rig.print(PrintState::Paused), ["PAUSED FIRMWARE #43"]);
}

#[test]
fn a_dialog_needs_a_person_and_has_a_number_and_buttons() {
    let mut rig = Rig::idle();
    assert_eq!(rig.prompt(Some("Insert filament")), ["ATTENTION FIRMWARE Insert filament"]);
    assert_eq!(rig.machine.dialog(), Some(1));
    let state = rig.machine.state_info(7);
    assert_eq!((state.dialog, state.command, state.source), (Some(1), Some(7), Source::Connect));
    assert_eq!(&*state.data, r#"{"buttons":["OK"],"text":"","title":"Insert filament"}"#);
    // Another dialog is news though the state is the same.
    assert_eq!(rig.prompt(Some("Close the lid")), ["ATTENTION FIRMWARE Close the lid"]);
    assert_eq!(rig.machine.dialog(), Some(2));
    assert_eq!(rig.prompt(None), ["IDLE FIRMWARE"]);
    assert_eq!((rig.machine.dialog(), &*rig.machine.state_info(8).data), (None, "{}"));
    // In a job the state before comes back.
    rig.print(PrintState::Printing);
    assert_eq!(rig.prompt(Some("Look")), ["ATTENTION FIRMWARE #43 Look"]);
    assert_eq!(rig.prompt(None), ["PRINTING FIRMWARE #43"]);
}

#[test]
fn grave_faults_need_a_person_and_others_do_not() {
    let code = FaultCode { id: 522, index: 0, code: 1 };
    for (level, expected) in [(1, vec![]), (2, vec!["ATTENTION HW Homing failed (522-0-1)"])] {
        let mut rig = Rig::idle();
        rig.snapshot.faults = [Fault { code, level, message: "Homing failed".into() }].into();
        assert_eq!(rig.see(), expected);
    }
}
