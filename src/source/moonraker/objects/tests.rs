use super::*;
use crate::printer::{JobRecord, JobStatus, Named, RecordId};
use crate::source::moonraker::head;
use serde_json::{Value, json};

fn known(updates: &[&str]) -> Known {
    let mut known = Known::default();
    for update in updates {
        merge(&mut known, update);
    }
    known
}

/// Merges objects as a status update brings them. Returns whether something changed.
fn merge(known: &mut Known, objects: &str) -> bool {
    let message = format!(r#"{{"jsonrpc":"2.0","method":"notify_status_update","params":[{objects},1.0]}}"#);
    head::head(message.as_bytes(), known).unwrap();
    known.take_news().changed
}

fn history(start: Option<u64>, end: Option<u64>) -> History {
    let record = JobRecord {
        id: RecordId { id: "000001".into(), started_ms: 0 },
        file: "cube.gcode".into(),
        status: JobStatus::InProgress,
        ended: None,
        total_duration: None,
        gcode_start_byte: start,
        gcode_end_byte: end,
        estimated_time: None,
    };
    History { available: true, jobs: vec![record] }
}

const PRINTING: &str = r#"{"print_stats":{"state":"printing","filename":"/cube.gcode","message":"",
    "total_duration":1.5,"print_duration":0.0,"filament_used":12.5,"info":{"total_layer":20,"current_layer":null}},
    "virtual_sdcard":{"progress":0.87,"file_position":8700},"display_status":{"progress":0.87,"message":null}}"#;

#[test]
fn changes_are_merged_field_by_field() {
    let known = known(&[
        PRINTING,
        r#"{"print_stats":{"info":{"current_layer":3}}}"#,
        r#"{"print_stats":{"total_duration":"soon"},"extruder":{"temperature":1},"virtual_sdcard":[]}"#,
        r#"{"print_stats":{"filename":null}}"#,
    ]);
    let print = known.print(&History::default(), None).unwrap();
    assert_eq!(print.state, PrintState::Printing);
    assert_eq!((print.layer, print.layers), (Some(3), Some(20)));
    assert_eq!(print.total_duration, Some(Duration::from_millis(1500)));
    assert_eq!((print.file_progress, print.file_position), (Some(0.87), Some(8700)));
    assert_eq!(print.filament_used, Some(12.5));
    assert_eq!((print.file, print.message), (None, None));
}

#[test]
fn progress_is_that_of_the_printing_part_where_its_bounds_are_known() {
    let known = known(&[PRINTING]);
    for (start, end, progress) in [
        (Some(8600), Some(9600), 0.1),
        (Some(9000), Some(9600), 0.0),
        (Some(100), Some(200), 1.0),
        (Some(200), Some(200), 0.87),
        (None, Some(200), 0.87),
    ] {
        let print = known.print(&history(start, end), None).unwrap();
        assert!((print.progress.unwrap() - progress).abs() < 1e-9, "{start:?} {end:?} {print:?}");
    }
}

#[test]
fn the_bounds_of_the_metadata_count_before_those_of_the_history() {
    let known = known(&[PRINTING]);
    let metadata = |start, end| {
        Arc::new(Metadata { gcode_start_byte: start, gcode_end_byte: end, ..Metadata::default() })
    };
    let history = history(Some(8600), Some(9600));
    for (start, end, progress) in [(Some(8500), Some(8900), 0.5), (None, Some(8900), 0.1)] {
        let metadata = metadata(start, end);
        let print = known.print(&history, Some(&metadata)).unwrap();
        assert!((print.progress.unwrap() - progress).abs() < 1e-9, "{print:?}");
        assert_eq!(print.metadata, Some(metadata));
    }
}

#[test]
fn a_state_of_an_unknown_name_is_no_state() {
    let known = known(&[PRINTING, r#"{"print_stats":{"state":"pausing"},"webhooks":{"state":"asleep"}}"#]);
    assert_eq!(known.print(&History::default(), None), None);
    assert_eq!(known.webhooks_state, None);
}

#[test]
fn texts_of_any_length_are_kept_short() {
    let long = "x".repeat(100_000);
    let known = known(&[&format!(
        r#"{{"print_stats":{{"state":"error","filename":"{long}","message":"{long}"}},"webhooks":{{"state_message":"{long}"}}}}"#
    )]);
    let print = known.print(&History::default(), None).unwrap();
    assert_eq!((print.file.unwrap().len(), print.message.unwrap().len()), (MAX_FILE, MAX_TEXT));
    assert_eq!(known.webhooks_message.unwrap().len(), MAX_TEXT);
}

/// A printer with a part of every kind.
fn full() -> Known {
    let mut known = Known::default();
    let names = [
        "extruder",
        "extruder3",
        "heater_bed",
        "heater_generic chamber",
        "temperature_sensor mcu",
        "temperature_fan exhaust",
        "fan",
        "heater_fan e0",
        "filament_motion_sensor f0",
        "exclude_object",
        "bed_mesh",
        "gcode_macro _OCTOAPP_STATUS",
    ];
    known.adopt(Layout::of(names.into_iter()));
    assert!(known.take_news().changed);
    known
}

const HEAT: Heat = Heat { temperature: Some(20.5), target: Some(200.0), power: Some(0.25) };

#[test]
fn every_part_of_the_machine_takes_its_values() {
    let mut known = full();
    let heat = json!({"temperature": 20.5, "target": 200.0, "power": 0.25});
    let objects = json!({
        "toolhead": {"extruder": "extruder3", "homed_axes": "xyz", "estimated_print_time": 5.5},
        "gcode_move": {"gcode_position": [1.0, 2, 3.5, 99.0], "speed": 6000.0, "speed_factor": 1.5,
            "extrude_factor": 0.9},
        "idle_timeout": {"state": "Printing", "printing_time": 3.0},
        "pause_resume": {"is_paused": true},
        "extruder": heat, "extruder3": heat, "heater_bed": heat, "heater_generic chamber": heat,
        "temperature_sensor mcu": {"temperature": 40.0, "measured_max_temp": 50.0},
        "temperature_fan exhaust": {"temperature": 30.0, "target": 35.0, "speed": 0.5, "rpm": 1200},
        "fan": {"speed": 1.0, "rpm": null},
        "heater_fan e0": {"speed": 0.0, "rpm": 0},
        "filament_motion_sensor f0": {"filament_detected": false, "enabled": true},
        "exclude_object": {"objects": [{"name": "A", "polygon": [[1, 2]]}, {"center": [1]}, "B"],
            "excluded_objects": ["B"], "current_object": "A"},
        "bed_mesh": {"probed_matrix": [[0.1, -0.05], [0.025, 0]], "mesh_matrix": [[1.0]]},
        "gcode_macro _OCTOAPP_STATUS": {"notify_message": "title|||detail~~~1"},
    });
    assert!(merge(&mut known, &objects.to_string()));
    let machine = known.machine();
    let toolheads: Vec<_> =
        machine.toolheads.iter().map(|toolhead| (toolhead.number, toolhead.heat)).collect();
    assert_eq!(toolheads, [(0, HEAT), (3, HEAT)]);
    assert_eq!(machine.active_toolhead, Some(3));
    assert_eq!(machine.bed, Some(HEAT));
    let named = |name: &str, value| Named { name: name.into(), value };
    assert_eq!(machine.heaters, [named("chamber", HEAT)]);
    let sensor = |temperature, target| Heat { temperature: Some(temperature), target, power: None };
    assert_eq!(
        machine.sensors,
        [named("mcu", sensor(40.0, None)), named("exhaust", sensor(30.0, Some(35.0)))]
    );
    let fan = |name: &str, speed, rpm| Named { name: name.into(), value: Fan { speed: Some(speed), rpm } };
    assert_eq!(
        machine.fans,
        [fan("exhaust", 0.5, Some(1200.0)), fan("fan", 1.0, None), fan("e0", 0.0, Some(0.0))]
    );
    let sensor = FilamentSensor { detected: Some(false), enabled: Some(true) };
    assert_eq!(machine.filament_sensors, [Named { name: "f0".into(), value: sensor }]);
    assert_eq!(machine.motion.position, Some([1.0, 2.0, 3.5]));
    let rows: Vec<&[f64]> = machine.mesh.iter().map(|row| &**row).collect();
    assert_eq!(rows, [&[0.1, -0.05][..], &[0.025, 0.0]]);
    assert_eq!(machine.motion.homed_axes.as_deref(), Some("xyz"));
    assert_eq!(machine.motion.speed, Some(100.0), "mm/s");
    assert_eq!((machine.motion.speed_factor, machine.motion.flow_factor), (Some(1.5), Some(0.9)));
    assert_eq!((machine.activity, machine.pause_requested), (Some(Activity::Busy), Some(true)));
    let names = |list: &[Arc<str>]| list.iter().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&machine.objects.all), ["A", "B"]);
    assert_eq!(names(&machine.objects.excluded), ["B"]);
    assert_eq!(machine.objects.current.as_deref(), Some("A"));
    assert_eq!(known.app_message.as_deref(), Some("title|||detail~~~1"));

    // The same again, and things that nobody asked for, change nothing; the machine is not even copied.
    assert!(!merge(&mut known, &objects.to_string()));
    assert!(!merge(
        &mut known,
        r#"{"extruder1":{"temperature":1.0},"toolhead":{"estimated_print_time":9.0}}"#
    ));
    assert!(Arc::ptr_eq(&machine, &known.machine()));
    assert!(merge(&mut known, r#"{"extruder3":{"temperature":21.0}}"#));
    assert_eq!(known.machine().toolheads[1].heat, Heat { temperature: Some(21.0), ..HEAT });
}

#[test]
fn values_of_another_type_change_nothing_and_null_forgets() {
    let names = full().layout.in_json();
    let names: Value = serde_json::from_str(&names).unwrap();
    let odd = [json!("odd"), json!([]), json!([[1], {"x": 2}, "odd", null]), json!({"name": 7}), json!({})];
    for odd in odd {
        let mut known = full();
        let mut objects = serde_json::Map::new();
        for (name, fields) in names.as_object().unwrap() {
            let fields = fields.as_array().unwrap().iter();
            let fields = fields.map(|field| (field.as_str().unwrap().to_owned(), odd.clone())).collect();
            objects.insert(name.clone(), Value::Object(fields));
        }
        let text = Value::Object(objects).to_string();
        merge(&mut known, &text);
        let machine = known.machine();
        assert_eq!(machine.toolheads[0].heat, Heat::default(), "{odd}");
        assert_eq!(machine.motion.position, None, "{odd}");
        assert_eq!(known.print(&History::default(), None), None, "{odd}");
        let all: serde_json::Map<_, _> =
            names.as_object().unwrap().keys().map(|name| (name.clone(), odd.clone())).collect();
        assert!(!merge(&mut known, &Value::Object(all).to_string()), "{odd}");
    }
    let mut known = full();
    merge(&mut known, r#"{"fan":{"speed":1.0,"rpm":5},"toolhead":{"extruder":"extruder"}}"#);
    merge(&mut known, r#"{"fan":{"rpm":null},"toolhead":{"extruder":"","homed_axes":""}}"#);
    let machine = known.machine();
    assert_eq!(machine.fans[1].value, Fan { speed: Some(1.0), rpm: None });
    assert_eq!(machine.active_toolhead, None, "none is picked up");
}

#[test]
fn what_the_new_list_does_not_name_is_gone() {
    let mut known = full();
    merge(&mut known, r#"{"extruder":{"temperature":20.0},"toolhead":{"extruder":"extruder"}}"#);
    known.adopt(Layout::of(["extruder1"].into_iter()));
    let machine = known.machine();
    let toolheads: Vec<_> =
        machine.toolheads.iter().map(|toolhead| (toolhead.number, toolhead.heat)).collect();
    assert_eq!(toolheads, [(1, Heat::default())]);
    assert_eq!((machine.bed, machine.fans.len()), (None, 0));
    assert_eq!(machine.active_toolhead, Some(0), "of what every printer has, nothing is lost");
}

/// As the vendor's firmware tells it, with what it writes where nothing is loaded.
#[test]
fn what_is_loaded_is_told_for_each_toolhead() {
    let mut known = Known::default();
    known.adopt(Layout::of(["extruder2", "print_task_config", "extruder", "extruder1"].into_iter()));
    assert!(known.layout.in_json().contains("filament_color_rgba"));
    assert_eq!(known.machine().filaments.len(), 3);
    let told = r#"{"print_task_config":{"filament_vendor":["Snapmaker","NONE","Generic","NONE"],
        "filament_type":["PLA","NONE","PETG","NONE"],"filament_sub_type":["SnapSpeed","NONE","","NONE"],
        "filament_color_rgba":["6F4C2FFF","FFFFFFFF","0a0B0c","FFFFFFFF"],"filament_exist":[true,false,true,false],
        "extruders_used":[true]}}"#;
    assert!(merge(&mut known, told));
    assert!(!merge(&mut known, told));
    let machine = known.machine();
    let [first, second, third] = &machine.filaments[..] else { panic!("{machine:?}") };
    assert_eq!((first.toolhead, first.loaded, first.colour), (0, Some(true), Some([0x6F, 0x4C, 0x2F])));
    let texts = [&first.material, &first.kind, &first.maker].map(|text| text.as_deref().unwrap());
    assert_eq!(texts, ["PLA", "SnapSpeed", "Snapmaker"]);
    assert_eq!(
        (second.loaded, &second.material, &second.kind, &second.maker),
        (Some(false), &None, &None, &None)
    );
    assert_eq!(
        (third.material.as_deref(), &third.kind, third.colour),
        (Some("PETG"), &None, Some([10, 11, 12]))
    );
    // A list that lacks an entry tells nothing of anybody, and one of something else is no list.
    assert!(merge(&mut known, r#"{"print_task_config":{"filament_type":["PLA",null,"PETG"]}}"#));
    assert!(known.machine().filaments.iter().all(|filament| filament.material.is_none()));
    merge(
        &mut known,
        r#"{"print_task_config":{"filament_color_rgba":["red","12345","\u00fc\u00fc\u00fc",7]}}"#,
    );
    assert!(known.machine().filaments.iter().all(|filament| filament.colour.is_none()));
    merge(&mut known, r#"{"print_task_config":{"filament_exist":null,"filament_vendor":"x"}}"#);
    assert_eq!(known.machine().filaments[0].loaded, None);
    assert_eq!(known.machine().filaments[0].maker.as_deref(), Some("Snapmaker"));
}
