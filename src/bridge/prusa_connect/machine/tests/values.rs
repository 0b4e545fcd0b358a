//! Telemetry and the descriptions, by the shapes that the recordings show.

use super::*;
use crate::bridge::prusa_connect::connect::identity::Identity;
use crate::printer::Fan;

fn toolhead(number: u8, temperature: f64, target: f64) -> Toolhead {
    let heat = Heat { temperature: Some(temperature), target: Some(target), power: None };
    Toolhead { number, heat }
}

fn fan(name: &str, rpm: Option<f64>) -> Named<Fan> {
    Named { name: name.into(), value: Fan { speed: Some(0.5), rpm } }
}

fn values(rig: &Rig) -> Value {
    let fields = rig.machine.telemetry();
    Value::Object(fields.fields().map(|(key, value)| (key.to_owned(), value.clone())).collect())
}

fn machine() -> printer::Machine {
    printer::Machine {
        toolheads: vec![toolhead(0, 240.04, 240.0)],
        bed: Some(Heat { temperature: Some(85.36), target: Some(85.0), power: None }),
        fans: vec![fan("fan", Some(0.4)), fan("hotend_fan", Some(8012.2))],
        motion: Motion {
            position: Some([10.0, 20.126, 0.2]),
            homed_axes: Some("xyz".into()),
            speed_factor: Some(1.5),
            flow_factor: Some(0.98),
            speed: None,
        },
        filaments: vec![Filament { toolhead: 0, material: Some("PETG".into()), ..Filament::default() }],
        ..printer::Machine::default()
    }
}

#[test]
fn an_idle_printer_tells_its_machine() {
    let mut rig = Rig::idle();
    rig.snapshot.machine = Arc::new(machine());
    rig.see();
    let expected = json!({
        "temp_nozzle": 240.0, "target_nozzle": 240.0, "temp_bed": 85.4, "target_bed": 85.0, "axis_x": 10.0,
        "axis_y": 20.13, "axis_z": 0.2, "speed": 150, "flow": 98, "material": "PETG", "fan_print": 0,
        "fan_extruder": 8012,
    });
    assert_eq!(values(&rig), expected);
}

#[test]
fn a_printing_one_tells_its_job_and_no_place() {
    let mut rig = Rig::idle();
    rig.snapshot.machine = Arc::new(machine());
    let metadata = Metadata {
        estimated_time: Some(Duration::from_secs(18_012)),
        modified: Some(Duration::from_millis(1_690_000_010_900)),
        size: Some(12),
        ..Metadata::default()
    };
    rig.snapshot.print = Some(Print {
        progress: Some(0.0099),
        print_duration: Some(Duration::from_millis(12_900)),
        total_duration: Some(Duration::from_secs(600)),
        filament_used: Some(3.26),
        metadata: Some(Arc::new(metadata)),
        ..Print::default()
    });
    rig.expect(70, Effect::Started("sub/cube.gcode".into()));
    rig.print(PrintState::Printing);
    let expected = json!({
        "temp_nozzle": 240.0, "target_nozzle": 240.0, "temp_bed": 85.4, "target_bed": 85.0, "axis_z": 0.2,
        "speed": 150, "flow": 98, "material": "PETG", "fan_print": 0, "fan_extruder": 8012, "progress": 0,
        "time_printing": 12, "time_remaining": 17_999, "filament": 3.3,
    });
    assert_eq!(values(&rig), expected);
    let info = rig.machine.job_info(43, Some(71)).unwrap();
    assert_eq!((info.kind, info.source, info.command), (EventKind::JobInfo, Source::Connect, Some(71)));
    let expected = json!({
        "start_cmd_id": 70, "path": "/local/sub/cube.gcode", "m_timestamp": 1_690_000_010, "size": 12,
        "from_sd": false, "time_printing": 12, "time_remaining": 17_999, "progress": 0,
    });
    assert_eq!(serde_json::from_str::<Value>(&info.data).unwrap(), expected);
    assert_eq!(rig.machine.job_info(42, Some(71)), None);
    // No time left is known: no zero.
    rig.snapshot.print.as_mut().unwrap().metadata = None;
    rig.see();
    assert_eq!(values(&rig).get("time_remaining"), None);
}

#[test]
fn progress_never_falls_within_a_job_and_stays_with_its_end() {
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    for (progress, expected) in
        [(None, None), (Some(0.29), Some(29)), (Some(0.1), Some(29)), (Some(0.3), Some(30))]
    {
        rig.snapshot.print.as_mut().unwrap().progress = progress;
        rig.see();
        assert_eq!(values(&rig).get("progress").and_then(Value::as_u64), expected);
    }
    rig.prompt(Some("Look"));
    assert_eq!(values(&rig)["progress"], 30);
    rig.prompt(None);
    rig.print(PrintState::Complete);
    assert_eq!((&values(&rig)["progress"], &values(&rig)["time_remaining"]), (&json!(100), &json!(0)));
    rig.ready();
    assert_eq!(values(&rig).get("progress"), None);
    rig.print(PrintState::Printing);
    assert_eq!(values(&rig)["progress"], 30);
    rig.print(PrintState::Cancelled);
    assert_eq!((&values(&rig)["progress"], values(&rig).get("time_remaining")), (&json!(30), None));
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut rig = Rig::idle();
    assert_eq!(values(&rig), json!({}));
    let mut machine = machine();
    machine.fans = vec![fan("fan", None)];
    machine.motion.homed_axes = Some("xy".into());
    machine.motion.speed_factor = Some(f64::NAN);
    machine.toolheads = vec![toolhead(0, f64::NAN, 0.0)];
    machine.filaments = vec![Filament {
        toolhead: 0,
        loaded: Some(false),
        material: Some("PLA".into()),
        ..Filament::default()
    }];
    rig.snapshot.machine = Arc::new(machine);
    rig.see();
    let told = values(&rig);
    for key in ["fan_print", "fan_extruder", "axis_z", "speed", "temp_nozzle", "material", "slot", "chamber"]
    {
        assert_eq!(told.get(key), None, "{key}");
    }
    assert_eq!(told["target_nozzle"], 0.0);
    assert_eq!(told["axis_x"], 10.0);
}

#[test]
fn the_material_is_the_jobs_where_nobody_tells_it() {
    let mut rig = Rig::idle();
    let toolheads = vec![toolhead(0, 20.0, 0.0), toolhead(1, 20.0, 0.0)];
    rig.snapshot.machine =
        Arc::new(printer::Machine { toolheads, active_toolhead: Some(1), ..printer::Machine::default() });
    let metadata = Metadata { filament_type: Some("PLA; PETG".to_owned()), ..Metadata::default() };
    rig.snapshot.print.as_mut().unwrap().metadata = Some(Arc::new(metadata));
    rig.see();
    assert_eq!(values(&rig).get("material"), None);
    rig.print(PrintState::Printing);
    assert_eq!(values(&rig)["material"], "PETG");
}

#[test]
fn four_toolheads_are_slots_where_wished() {
    let mut rig = Rig::new(Options { slots: true, ..Options::default() });
    let filament = |toolhead, material: &str| Filament {
        toolhead,
        material: Some(material.into()),
        ..Filament::default()
    };
    let heads = [(0, 215.0, 215.0), (1, 28.1, 0.0), (2, 27.9, 0.0), (3, 28.0, 0.0)];
    rig.snapshot.machine = Arc::new(printer::Machine {
        toolheads: heads.map(|(number, is, to)| toolhead(number, is, to)).to_vec(),
        active_toolhead: Some(0),
        bed: Some(Heat { temperature: Some(60.0), target: Some(60.0), power: None }),
        filaments: vec![filament(0, "PLA"), filament(1, "PETG"), filament(2, "TPU")],
        fans: vec![
            fan("fan", Some(3200.0)),
            fan("e0_nozzle_fan", Some(5000.0)),
            fan("e1_fan", Some(0.0)),
            fan("e1_nozzle_fan", Some(0.0)),
        ],
        ..printer::Machine::default()
    });
    rig.see();
    let told = values(&rig);
    assert_eq!((&told["temp_nozzle"], &told["target_nozzle"]), (&json!(215.0), &json!(215.0)));
    let expected = json!({
        "active": 1,
        "1": {"material": "PLA", "temp": 215.0, "fan_hotend": 5000, "fan_print": 3200},
        "2": {"material": "PETG", "temp": 28.1, "fan_hotend": 0, "fan_print": 0},
        "3": {"material": "TPU", "temp": 27.9},
        "4": {"material": "---", "temp": 28.0},
    });
    assert_eq!(told["slot"], expected);
    Arc::make_mut(&mut rig.snapshot.machine).active_toolhead = None;
    rig.see();
    assert_eq!(values(&rig)["slot"]["active"], 0);
    assert_eq!(values(&rig)["temp_nozzle"], 215.0);
}

#[test]
fn the_chamber_is_told() {
    let mut rig = Rig::idle();
    let heat = Heat { temperature: Some(41.26), target: Some(45.0), power: None };
    rig.snapshot.machine = Arc::new(printer::Machine {
        heaters: vec![Named { name: "chamber".into(), value: heat }],
        fans: vec![fan("cavity_fan", Some(900.0))],
        ..printer::Machine::default()
    });
    rig.see();
    assert_eq!(values(&rig)["chamber"], json!({"temp": 41.3, "target_temp": 45, "fan_rpm": 900}));
    assert_eq!(rig.machine.situation().chamber, Some("chamber"));
}

#[test]
fn changed_tools_and_objects_are_told_unasked() {
    let mut rig = Rig::idle();
    let told = |rig: &mut Rig| -> Vec<(EventKind, Value)> {
        rig.show();
        let news = rig.news();
        news.into_iter().map(|n| (n.event.kind, serde_json::from_str(&n.event.data).unwrap())).collect()
    };
    rig.snapshot.machine = Arc::new(machine());
    // What is there at first is told with the whole INFO.
    assert_eq!(told(&mut rig), []);
    Arc::make_mut(&mut rig.snapshot.machine).filaments[0].material = Some("PLA".into());
    let news = told(&mut rig);
    assert_eq!(news.len(), 1);
    assert_eq!((news[0].0, &news[0].1["tools"]["1"]["material"]), (EventKind::Info, &json!("PLA")));
    rig.machine.set_tool(0, |tool| tool.nozzle = Some(0.6));
    assert_eq!(told(&mut rig)[0].1["nozzle_diameter"], 0.6);
    assert!(rig.machine.take_unsaved());
    Arc::make_mut(&mut rig.snapshot.machine).objects = Objects {
        all: [Arc::from("CUBE_1"), Arc::from("CUBE_2")].into(),
        excluded: [Arc::from("CUBE_2")].into(),
        current: None,
    };
    let expected = json!({"objects": [
        {"id": 0, "name": "CUBE_1", "canceled": false}, {"id": 1, "name": "CUBE_2", "canceled": true},
    ]});
    assert_eq!(told(&mut rig), [(EventKind::CancelableChanged, expected)]);
    assert_eq!(told(&mut rig), []);
}

fn who() -> Identity {
    Identity {
        serial: "S".into(),
        fingerprint: "f".into(),
        printer_type: "6.1.0".into(),
        firmware: "1.3.19".into(),
        software: "1".into(),
        product: String::new(),
    }
}

#[test]
fn the_whole_description_is_one_object() {
    let mut rig = Rig::idle();
    rig.snapshot.machine = Arc::new(machine());
    rig.see();
    let who = who();
    let text = rig.machine.info(&who, json!({"hostname": "u1"}), Some(r#"{"type":"DIR"}"#));
    let data: Value = serde_json::from_str(&text).unwrap();
    for (key, expected) in [
        ("type", json!(6)),
        ("sn", json!("S")),
        ("slots", json!(1)),
        ("nozzle_diameter", json!(0.4)),
        ("files", json!({"type": "DIR"})),
        ("network_info", json!({"hostname": "u1"})),
    ] {
        assert_eq!(data[key], expected, "{key}");
    }
}

#[test]
fn a_bed_that_was_measured_anew_is_told() {
    let mut rig = Rig::idle();
    let rows: [Box<[f64]>; 2] = [[0.1, -0.05].into(), [0.025, 0.000_001].into()];
    Arc::make_mut(&mut rig.snapshot.machine).mesh = rows.clone().into();
    rig.show();
    let news = rig.news();
    let [told] = &news[..] else { panic!("{news:?}") };
    assert_eq!((told.event.kind, told.event.source), (EventKind::MeshBedData, Source::Marlin));
    assert_eq!(&*told.event.data, r#"{"mbl":[[0.1,-0.05],[0.025,0.0]]}"#);
    rig.show();
    assert_eq!(rig.news(), []);
    // Taken away it is no news, and one that was there at first neither.
    Arc::make_mut(&mut rig.snapshot.machine).mesh = [].into();
    rig.show();
    assert_eq!(rig.news(), []);
    let mut again = Rig::new(Options::default());
    Arc::make_mut(&mut again.snapshot.machine).mesh = rows.into();
    assert_eq!(again.see(), ["IDLE FIRMWARE"]);
    let who = who();
    let data: Value = serde_json::from_str(&again.machine.info(&who, json!({}), None)).unwrap();
    assert_eq!(data["mbl"], json!([[0.1, -0.05], [0.025, 0.0]]));
}

#[test]
fn what_becomes_known_of_the_file_later_is_told() {
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    let metadata = Metadata { size: Some(12), ..Metadata::default() };
    rig.snapshot.print.as_mut().unwrap().metadata = Some(Arc::new(metadata));
    rig.show();
    let news = rig.news();
    let [told] = &news[..] else { panic!("{news:?}") };
    assert_eq!((told.event.kind, told.job, told.event.command), (EventKind::JobInfo, Some(43), None));
    assert!(told.event.data.contains("\"size\":12"), "{}", told.event.data);
    rig.show();
    assert_eq!(rig.news(), []);
}

#[test]
fn what_is_critical_is_told_as_failed_besides() {
    let mut rig = Rig::idle();
    rig.snapshot.klippy = Klippy { state: KlippyState::Shutdown, message: Some("MCU gone".to_owned()) };
    rig.show();
    let news = rig.news();
    let told: Vec<_> =
        news.iter().map(|news| (news.event.kind, news.event.source, news.event.command)).collect();
    let changed = (EventKind::StateChanged, Source::Firmware, None);
    assert_eq!(told, [changed, (EventKind::Failed, Source::Wui, None)]);
    assert!(
        news.iter()
            .all(|news| news.event.reason.as_deref() == Some("MCU gone") && news.state == State::Error)
    );
    // Other words for it are not critical again.
    rig.snapshot.klippy.message = Some("MCU gone, really".to_owned());
    rig.show();
    assert_eq!(rig.news().len(), 1);
}
