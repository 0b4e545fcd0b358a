use super::super::options::Macros;
use super::*;
use proptest::prelude::*;

/// What a common Klipper knows.
const KNOWN: [&str; 26] = [
    "G0",
    "G1",
    "G4",
    "G28",
    "G90",
    "G91",
    "G92",
    "M82",
    "M83",
    "M84",
    "M104",
    "M106",
    "M107",
    "M109",
    "M114",
    "M117",
    "M140",
    "M190",
    "M220",
    "M221",
    "T0",
    "T1",
    "LOAD_FILAMENT",
    "UNLOAD_FILAMENT",
    "BED_MESH_CALIBRATE",
    "PAUSE",
];

fn run(text: &str, more: &[&str]) -> Result<String, String> {
    let script = Script::read(text).map_err(|why| why.to_string())?;
    script.check().map_err(|why| why.to_string())?;
    let known = |name: &str| KNOWN.contains(&name) || more.contains(&name);
    translate(&script, &known, &Macros::default()).map(|ready| ready.script).map_err(|why| why.to_string())
}

#[test]
fn each_line_in_klippers_words() {
    for (from, to) in [
        ("G28 XYZ", "G28 X Y Z"),
        ("G28 xy", "G28 X Y"),
        ("G28 Z", "G28 Z"),
        ("G28 X0 Y0", "G28 X Y"),
        ("G28 W", "G28"),
        ("G28 ZW", "G28 Z"),
        ("G28", "G28"),
        ("G29", "BED_MESH_CALIBRATE"),
        ("M84", "M84"),
        ("M104 S215", "M104 S215"),
        ("M104S215", "M104S215"),
        ("m140 s60", "m140 s60"),
        ("M109 S200", "M109 S200"),
        ("M190 S60", "M190 S60"),
        ("M106 S255", "M106 S255"),
        ("M107", "M107"),
        ("M114", "M114"),
        ("M117 Hello you", "M117 Hello you"),
        ("M220 S150", "M220 S150"),
        ("M221 S98", "M221 S98"),
        ("G4 P100", "G4 P100"),
        ("T0", "T0"),
        ("T1", "T1"),
        ("M300 S100 P20", ""),
        ("M701", "LOAD_FILAMENT"),
        ("M701 S\"PLA\" W2", "M140 S60\nM109 S195\nLOAD_FILAMENT\nM104 S215"),
        ("M702 W2", "UNLOAD_FILAMENT"),
        ("M702 S\"petg\"", "M140 S85\nM109 S205\nUNLOAD_FILAMENT\nM104 S230"),
        ("M104 S0\r\nM140 S0\r\n", "M104 S0\nM140 S0"),
        ("\n\n M84 ; off\n;nothing\n", "M84"),
        ("G91", "G91"),
        ("G1 X5 F3000", "G1 X5 F3000"),
        (
            "G91\nG1 F3000 X10 Y0\nG90",
            "SAVE_GCODE_STATE NAME=prusa_connect\nG91\nG1 F3000 X10 Y0\nG90\nRESTORE_GCODE_STATE NAME=prusa_connect",
        ),
        (
            "M83\nG1 F100 E5",
            "SAVE_GCODE_STATE NAME=prusa_connect\nM83\nG1 F100 E5\nRESTORE_GCODE_STATE NAME=prusa_connect",
        ),
    ] {
        assert_eq!(run(from, &[]).as_deref(), Ok(to), "{from:?}");
    }
}

#[test]
fn what_the_printer_has_of_its_own_is_left_alone() {
    for (from, more, to) in [
        ("G29 P1", "G29", "G29 P1"),
        ("M300 S100 P20", "M300", "M300 S100 P20"),
        ("M600 T1", "M600", "M600 T1"),
        ("M701 S\"XYZ\"", "M701", "M701 S\"XYZ\""),
        ("my_macro A=\"b c\"", "MY_MACRO", "my_macro A=\"b c\""),
    ] {
        assert_eq!(run(from, &[more]).as_deref(), Ok(to), "{from}");
    }
    let macros = Macros { change: "FILAMENT_CHANGE".into(), ..Macros::default() };
    let known = |name: &str| matches!(name, "M600" | "FILAMENT_CHANGE");
    let ready = translate(&Script::read("M600").unwrap(), &known, &macros).unwrap();
    assert_eq!((ready.script.as_str(), ready.after_failure.as_str()), ("FILAMENT_CHANGE", ""));
}

#[test]
fn what_is_refused_says_why() {
    for (text, why) in [
        ("M997 O /local/x.bbf", "M997 is not taken from Connect"),
        ("M502", "M502 is not taken from Connect"),
        ("M500", "M500 is not taken from Connect"),
        ("D3", "D3 is not taken from Connect"),
        ("SAVE_CONFIG", "SAVE_CONFIG is not taken from Connect"),
        ("run_shell_command CMD=x", "RUN_SHELL_COMMAND is not taken from Connect"),
        ("M84\nM502", "M502 is not taken from Connect"),
        ("M84\nM601", "M601 must come alone, without other commands"),
        ("M999 R\nM84", "M999 must come alone, without other commands"),
        ("M862.3 P \"MK4\"", "The printer does not know M862.3"),
        ("M73 P10", "The printer does not know M73"),
        ("T7", "The printer does not know T7"),
        ("NO_SUCH_MACRO A=1", "The printer does not know NO_SUCH_MACRO"),
        ("M701 S\"GOLD\"", "The material \"GOLD\" is not known"),
        ("", "Missing or broken parameters"),
        ("; only this\n\r\n", "Missing or broken parameters"),
        ("M84\0", "The G-code has characters that are no text"),
    ] {
        assert_eq!(run(text, &[]), Err(why.to_owned()), "{text:?}");
    }
    let no_macro = run("M600", &[]).unwrap_err();
    assert!(
        no_macro.contains("needs the macro M600") && no_macro.contains("PRUSA_CONNECT_MACROS"),
        "{no_macro}"
    );
    assert_eq!(run(&"M84\n".repeat(1001), &[]), Err("GCode too large".to_owned()));
    assert_eq!(run(&"M117 x".repeat(11_000), &[]), Err("GCode too large".to_owned()));
    assert!(run(&"M84\n".repeat(1000), &[]).is_ok());
}

#[test]
fn what_breaks_off_leaves_no_mode_behind() {
    let ready = translate(&Script::read("G91\nG1 X5").unwrap(), &|_| true, &Macros::default()).unwrap();
    assert_eq!(ready.after_failure, "RESTORE_GCODE_STATE NAME=prusa_connect");
}

#[test]
fn values_are_quoted_where_klipper_needs_it() {
    for (value, expected) in [
        ("CUBE_1.stl", Some("CUBE_1.stl")),
        ("a b", Some("\"a b\"")),
        ("Würfel", Some("\"Würfel\"")),
        ("a\"b", None),
        ("a;b", None),
        ("a\nb", None),
        ("a\\", None),
        ("", None),
    ] {
        assert_eq!(quoted(value).as_deref(), expected, "{value:?}");
    }
}

#[test]
fn the_macros_of_the_settings_are_read() {
    assert_eq!(Macros::parse(""), Ok(Macros::default()));
    let macros = Macros { load: "AUTO_FEEDING".into(), unload: "".into(), ..Macros::default() };
    assert_eq!(Macros::parse("load=AUTO_FEEDING, unload="), Ok(macros));
    for wrong in ["load", "x=y", "load=A;B", "load=\"x\""] {
        assert!(Macros::parse(wrong).unwrap_err().contains("PRUSA_CONNECT_MACROS"), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "(?s)[GMTgmt0-9 XYZWS\";.\\n\\rä_]{0,60}|(?s).{0,60}") {
        if let Ok(script) = Script::read(&text) {
            let _ = (script.only(), script.check(), script.is_harmless_in_a_print());
            if let Ok(ready) = translate(&script, &|_| true, &Macros::default()) {
                prop_assert!(ready.script.lines().count() <= script.lines.len() * 4 + 2);
                prop_assert!(!ready.script.contains('\r'));
            }
            prop_assert!(translate(&script, &|_| false, &Macros::default()).is_err()
                || script.lines.iter().all(|line| matches!(line.name.as_str(), "G28" | "M300")));
        }
    }
}
