use super::super::super::live::State;
use super::super::tests::{at, seconds, sight};
use super::*;
use crate::printer::{Heat, PrintState, Toolhead};
use std::sync::Arc;

#[test]
fn a_status_says_what_there_is_to_know() {
    let mut seen = sight(PrintState::Printing, Some("parts/cube.gcode"), Some("1"));
    let mut snapshot = (*seen.snapshot).clone();
    snapshot.message = Some("layer \u{202e}12".to_owned());
    let mut machine = (*snapshot.machine).clone();
    machine.bed = Some(Heat { temperature: Some(59.6), target: Some(60.0), ..Heat::default() });
    let nozzle = Heat { temperature: Some(219.9), target: Some(220.0), ..Heat::default() };
    machine.toolheads = vec![Toolhead { heat: nozzle, ..Toolhead::default() }];
    snapshot.machine = Arc::new(machine);
    seen.snapshot = Arc::new(snapshot);
    let state = State { sight: Some(seen), checked: Some("no defect".to_owned()), ..State::default() };
    assert_eq!(
        status(&state, "U1", Some("0 waiting"), at(4)),
        "[U1] Printing: cube.gcode\n42%\nNozzle 220/220 °C, Bed 60/60 °C\nlayer 12\nSeen 4 s ago\nCheck: no \
         defect\nMessages: 0 waiting"
    );
    let kept = "[U1] Printing: cube.gcode\n42%\nNozzle 220/220 °C, Bed 60/60 °C\nlayer 12";
    assert_eq!(board(&state, "U1", at(59)), kept);
    assert_eq!(board(&state, "U1", at(180)), format!("{kept}\nSeen 3 min ago"));
    assert_eq!(status(&State::default(), "", None, at(0)), OUT_OF_SIGHT);
}

#[test]
fn headlines_tell_the_states_apart() {
    for (state, expected) in [
        (PrintState::Printing, "Printing: cube.gcode"),
        (PrintState::Paused, "Paused: cube.gcode"),
        (PrintState::Complete, "Completed: cube.gcode"),
        (PrintState::Cancelled, "Cancelled: cube.gcode"),
        (PrintState::Error, "Failed: cube.gcode"),
        (PrintState::Standby, "No job"),
    ] {
        assert_eq!(headline(&sight(state, Some("cube.gcode"), None).snapshot), expected);
    }
}

#[test]
fn foreign_names_do_no_harm() {
    let evil = "a\u{202e}b\n/cancel@MyBot\u{7}.gcode";
    let long = "x".repeat(3000);
    for name in [evil, &long] {
        let order = Order::Print(name.to_owned());
        for said in
            [question(&order, &Mark::default(), None).0, done(&order, &[]), no_file(name), no_macro(name)]
        {
            assert!(said.encode_utf16().count() <= MOST, "{said}");
            assert!(!said.chars().any(|c| c == '\u{202e}' || c == '\u{7}'), "{said:?}");
        }
    }
    let said: Vec<String> = (0..200).map(|n| format!("// line {n}")).collect();
    let done = done(&Order::Gcode("M503".to_owned()), &said);
    assert!(done.starts_with("Done.\nline 0\n") && done.encode_utf16().count() <= MOST);
}

#[test]
fn times_and_sizes_are_short() {
    for (time, expected) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 days")] {
        assert_eq!(short(seconds(time)), expected);
    }
    for (bytes, expected) in [(0, "0 kB"), (1, "1 kB"), (99_999, "100 kB"), (1_500_000, "1.5 MB")] {
        assert_eq!(size(bytes), expected);
    }
}
