//! G-code, filament, values, objects and dialogs.

use super::*;

#[test]
fn g_code_stands_back_for_a_print_unless_it_is_harmless_or_forced() {
    use State::{Attention, Error, Printing};
    for state in State::ALL {
        for text in [
            "M84",
            "G28 XYZ",
            "M104 S200\nG28",
            "M104 S0\nM140 S0",
            "M220 S150",
            "M221 S90",
            "M117 x",
            "M106",
        ] {
            let harmless = !text.contains("G28") && text != "M84";
            let barred = state == Error || (matches!(state, Printing | Attention) && !harmless);
            let mut order = order("GCODE", json!({"gcode": text}));
            let refused = format!("refused: Can't run this G-code in state {}", state.word());
            let expected = if barred { refused } else { format!("gcode {text}") };
            assert_eq!(short(&in_state(state, &order)), expected, "{text} in {state:?}");
            order.force = true;
            assert_eq!(
                short(&in_state(state, &order)),
                format!("gcode {text}"),
                "{text} in {state:?}, forced"
            );
        }
    }
    let Decision::Work(work) = in_state(State::Idle, &order("GCODE", json!({"gcode": "G28"}))) else {
        panic!()
    };
    assert_eq!((work.limit, work.goal, work.effect), (None, Goal::Said, Some(Effect::Work)));
    for (text, expected) in [
        ("M997", "refused: M997 is not taken from Connect"),
        ("M84\nM601", "refused: M601 must come alone, without other commands"),
        ("", "refused: Missing or broken parameters"),
        (";", "refused: Missing or broken parameters"),
    ] {
        let mut order = order("GCODE", json!({"gcode": text}));
        order.force = true;
        assert_eq!(short(&in_state(State::Idle, &order)), expected, "{text:?}");
    }
}

#[test]
fn g_code_that_is_a_command_is_that_command() {
    for (text, state, expected) in [
        ("M601", State::Printing, "pause"),
        ("M601", State::Idle, "refused: No print to pause"),
        ("M602", State::Paused, "resume"),
        ("M603\r\n", State::Printing, "cancel"),
        ("CANCEL_PRINT", State::Idle, "refused: No print to stop"),
        ("M999 R", State::Error, "restart"),
        ("M112", State::Printing, "halt"),
    ] {
        assert_eq!(short(&in_state(state, &order("GCODE", json!({"gcode": text})))), expected, "{text}");
    }
}

#[test]
fn filament_is_heated_for() {
    let kwargs = json!({"bed_temperature": 60, "nozzle_temperature": 215});
    for (name, load) in [("LOAD_FILAMENT", true), ("UNLOAD_FILAMENT", false)] {
        let Decision::Work(work) = in_state(State::Idle, &order(name, kwargs.clone())) else { panic!() };
        let heat = Material { nozzle: Some(215.0), bed: Some(60.0) };
        assert_eq!(work.task, Task::Filament(Filament { load, heat }));
    }
    for state in [State::Printing, State::Attention, State::Error] {
        let refused = short(&in_state(state, &order("LOAD_FILAMENT", kwargs.clone())));
        assert_eq!(refused, format!("refused: Can't change filament in state {}", state.word()));
    }
    for wrong in
        [json!({"nozzle_temperature": 500}), json!({"bed_temperature": -1}), json!({"bed_temperature": "x"})]
    {
        assert!(short(&in_state(State::Idle, &order("LOAD_FILAMENT", wrong))).starts_with("refused"));
    }
}

#[test]
fn a_value_is_set_by_its_name() {
    for (kwargs, expected) in [
        (json!({"chamber.target_temp": 40}), "script SET_HEATER_TEMPERATURE HEATER=heater TARGET=40"),
        (json!({"chamber_target_temp": 0}), "script SET_HEATER_TEMPERATURE HEATER=heater TARGET=0"),
        (json!({"chamber.target_temp": 56}), "refused: The chamber is heated to 0 to 55 °C"),
        (json!({"chamber.target_temp": "40"}), "refused: The chamber is heated to 0 to 55 °C"),
        (json!({"tools.1.nozzle_diameter": 0.6}), "change Tool(0, Nozzle(0.6))"),
        (json!({"tools.4.high_flow": true}), "change Tool(3, HighFlow(true))"),
        (json!({"tools.2.hardened": false}), "change Tool(1, Hardened(false))"),
        (json!({"tools.2.hardened": 1}), "refused: Missing or broken parameters"),
        (json!({"tools.1.nozzle_diameter": 40}), "refused: Missing or broken parameters"),
        (json!({"tools.5.high_flow": true}), "refused: The printer has no such tool"),
        (json!({"tools.0.high_flow": true}), "refused: The printer has no such tool"),
        (json!({"tools.1.colour": 1}), "unserved"),
        (json!({"tools.1": 1}), "unserved"),
        (json!({"hostname": "x"}), "unserved"),
        (json!({"enclosure_enabled": true}), "unserved"),
        (json!({}), "refused: Missing or broken parameters"),
        (json!({"hostname": "x", "addon_power": true}), "refused: Missing or broken parameters"),
    ] {
        assert_eq!(short(&in_state(State::Idle, &order("SET_VALUE", kwargs.clone()))), expected, "{kwargs}");
    }
}

#[test]
fn an_object_is_left_out_by_its_place() {
    for (name, kwargs, expected) in [
        ("CANCEL_OBJECT", json!({"id": 0}), "script EXCLUDE_OBJECT NAME=CUBE_1"),
        ("CANCEL_OBJECT", json!({"id": 1}), "script EXCLUDE_OBJECT NAME=\"a b\""),
        ("UNCANCEL_OBJECT", json!({"id": 0}), "script EXCLUDE_OBJECT NAME=CUBE_1 RESET=1"),
        ("CANCEL_OBJECT", json!({"id": 2}), "refused: The name of this object cannot be told to Klipper"),
        ("CANCEL_OBJECT", json!({"id": 3}), "refused: No such object"),
        ("CANCEL_OBJECT", json!({"id": -1}), "refused: Missing or broken parameters"),
        ("CANCEL_OBJECT", json!({}), "refused: Missing or broken parameters"),
    ] {
        assert_eq!(short(&in_state(State::Printing, &order(name, kwargs.clone()))), expected, "{kwargs}");
    }
    let idle = in_state(State::Idle, &order("CANCEL_OBJECT", json!({"id": 0})));
    assert_eq!(short(&idle), "refused: No job in progress");
}

#[test]
fn a_button_of_the_open_dialog_is_pressed() {
    for (state, kwargs, expected) in [
        (State::Attention, json!({"dialog_id": 5, "button": "Go on"}), "script RESUME"),
        (State::Attention, json!({"dialog_id": 5, "button": "RETRY"}), "script RETRY"),
        (State::Attention, json!({"dialog_id": 4, "button": "Retry"}), "refused: This dialog is not open"),
        (State::Attention, json!({"dialog_id": 5, "button": "No"}), "refused: Dialog 5 has no button \"No\""),
        (State::Attention, json!({"dialog_id": 5}), "refused: Missing or broken parameters"),
        (State::Idle, json!({"dialog_id": 5, "button": "Retry"}), "refused: This dialog is not open"),
        (State::Idle, json!({}), "failed: DIALOG_ACTION requires kwargs"),
    ] {
        let order = order("DIALOG_ACTION", kwargs.clone());
        let decision = with(state, |now| decide(&order, &now, &Options::default()));
        assert_eq!(short(&decision), expected, "{kwargs}");
    }
}
