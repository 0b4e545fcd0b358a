//! Who is told to have brought a change about.

use super::*;

#[test]
fn a_command_is_the_source_within_its_time() {
    let mut rig = Rig::idle();
    rig.expect(70, Effect::Started("sub/cube.gcode".into()));
    rig.wait(14.0);
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING CONNECT #43 !70"]);
    rig.expect(71, Effect::Paused);
    assert_eq!(rig.print(PrintState::Paused), ["PAUSED CONNECT #43 !71"]);
    // It is used up.
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    assert_eq!(rig.print(PrintState::Paused), ["PAUSED FIRMWARE #43"]);
    rig.expect(72, Effect::Resumed);
    rig.wait(15.5);
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    rig.expect(73, Effect::Stopped);
    assert_eq!(rig.print(PrintState::Cancelled), ["STOPPED CONNECT #43 !73"]);
}

#[test]
fn a_command_that_takes_longer_is_it_as_long_as_it_may_take() {
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    let now = rig.now();
    rig.machine.command_begins(71, Some((Effect::Paused, Duration::from_secs(60))), now);
    rig.wait(50.0);
    assert_eq!(rig.print(PrintState::Paused), ["PAUSED CONNECT #43 !71"]);
}

#[test]
fn another_file_is_not_of_the_command() {
    let mut rig = Rig::idle();
    rig.expect(70, Effect::Started("other.gcode".into()));
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    let told = rig.machine.job_info(43, Some(80)).unwrap();
    assert!(!told.data.contains("start_cmd_id"), "{}", told.data);
}

#[test]
fn a_person_at_another_bridge_is_a_user() {
    let ada = Some("Telegram: Ada");
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    rig.happens(printer::EventKind::Paused { by: PausedBy::Bridge { name: "x".into() }, reason: None }, ada);
    assert_eq!(rig.print(PrintState::Paused), ["PAUSED USER #43"]);
    rig.happens(printer::EventKind::Resumed, ada);
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING USER #43"]);
    rig.happens(printer::EventKind::Cancelled, ada);
    assert_eq!(rig.print(PrintState::Cancelled), ["STOPPED USER #43"]);
    // Our own name is none.
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    rig.happens(printer::EventKind::Cancelled, Some(NAME));
    assert_eq!(rig.print(PrintState::Cancelled), ["STOPPED FIRMWARE #43"]);
}
