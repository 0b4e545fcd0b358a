//! Writes a status object out of what any source sees.

use super::Status;
use crate::printer::{Estimates, Fault, Heat, KlippyState, Print, PrintState, Snapshot, whole_percent};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// The printer as a status object. What a source sent as one is given unchanged.
pub fn to_text(snapshot: &Snapshot) -> Arc<str> {
    if let Some(original) = &snapshot.original {
        return Arc::clone(original);
    }
    let object = Object::of(snapshot);
    // Numbers and texts can always be written.
    serde_json::to_string(&object).map_or_else(|_| Arc::from("{}"), Arc::from)
}

/// The word for the printer's state, as a status object has it: `RUNNING`, `PAUSE` and so on; none where a feed does
/// not tell one.
pub fn state_word(snapshot: &Snapshot) -> Option<String> {
    match &snapshot.original {
        Some(original) => Status::read(original)?.state,
        None => Some(word(snapshot).to_owned()),
    }
}

fn word(snapshot: &Snapshot) -> &'static str {
    if snapshot.klippy.state != KlippyState::Ready {
        return "OFFLINE";
    }
    match snapshot.print.as_ref().map(|print| print.state) {
        None => "UNKNOWN",
        Some(PrintState::Standby) => "IDLE",
        Some(PrintState::Printing) => "RUNNING",
        Some(PrintState::Paused) => "PAUSE",
        Some(PrintState::Complete) => "FINISH",
        Some(PrintState::Cancelled) => "CANCELLED",
        Some(PrintState::Error) => "FAILED",
    }
}

#[derive(Serialize)]
struct Object<'a> {
    gcode_state: &'static str,
    subtask_name: &'a str,
    gcode_file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mc_percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mc_remaining_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_num: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_layer_num: Option<u32>,
    /// Klipper's errors have no numbers; those of the vendor are in `exceptions`.
    print_error: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    nozzle_temper: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nozzle_target_temper: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bed_temper: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bed_target_temper: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chamber_temper: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spd_mag: Option<f64>,
    /// Digits as text, as the report has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cooling_fan_speed: Option<String>,
    exceptions: Exceptions<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

struct Exceptions<'a>(&'a [Fault]);

#[derive(Serialize)]
struct Exception<'a> {
    id: u32,
    index: u32,
    code: u32,
    level: u32,
    message: &'a str,
}

impl Serialize for Exceptions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|Fault { code, level, message }| Exception {
            id: code.id,
            index: code.index,
            code: code.code,
            level: *level,
            message,
        }))
    }
}

impl<'a> Object<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        let print = snapshot.print.as_ref();
        let machine = &snapshot.machine;
        let file = print.and_then(|print| print.file.as_deref()).unwrap_or_default();
        let layer = snapshot.layer();
        let nozzle = machine.toolhead().map(|toolhead| toolhead.heat);
        let chamber = machine.chamber();
        let of_print = print.filter(|print| print.state == PrintState::Error);
        let message = of_print.and_then(|print| print.message.as_deref());
        let of_klippy = snapshot.klippy.message.as_deref();
        let of_klippy = of_klippy.filter(|_| snapshot.klippy.state != KlippyState::Ready);
        Self {
            gcode_state: word(snapshot),
            subtask_name: print.and_then(Print::name).unwrap_or_default(),
            gcode_file: file,
            mc_percent: print.and_then(Print::best_progress).and_then(whole_percent),
            mc_remaining_time: print.and_then(Estimates::best_guess).map(|left| left.as_secs().div_ceil(60)),
            layer_num: layer.map(|layer| layer.number),
            total_layer_num: layer
                .and_then(|layer| layer.of)
                .or_else(|| print.and_then(crate::printer::Layer::count)),
            print_error: 0,
            nozzle_temper: measured(nozzle),
            nozzle_target_temper: wanted(nozzle),
            bed_temper: measured(machine.bed),
            bed_target_temper: wanted(machine.bed),
            chamber_temper: measured(chamber),
            spd_mag: machine.motion.speed_factor.map(|factor| (factor * 100.0).round()),
            cooling_fan_speed: machine.part_fan().and_then(|fan| fan.speed).map(fan_step),
            exceptions: Exceptions(&snapshot.faults),
            message: message.or(of_klippy).or(snapshot.message.as_deref()),
        }
    }
}

fn measured(heat: Option<Heat>) -> Option<f64> {
    heat?.temperature.map(hundredths)
}

fn wanted(heat: Option<Heat>) -> Option<f64> {
    heat?.target.map(hundredths)
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A speed from 0 to 1 as one of the steps 0 to 15.
fn fan_step(speed: f64) -> String {
    format!("{:.0}", speed.clamp(0.0, 1.0) * 15.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::{Fan, FaultCode, Klippy, Machine, Metadata, Motion, Named, Toolhead};
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn ready() -> Klippy {
        Klippy { state: KlippyState::Ready, message: None }
    }

    fn written(snapshot: &Snapshot) -> Value {
        serde_json::from_str(&to_text(snapshot)).unwrap()
    }

    #[test]
    fn a_whole_snapshot_is_written() {
        let heat =
            |temperature, target| Heat { temperature: Some(temperature), target: Some(target), power: None };
        let machine = Machine {
            toolheads: vec![
                Toolhead { number: 0, heat: heat(30.0, 0.0) },
                Toolhead { number: 1, heat: heat(219.994, 220.0) },
            ],
            active_toolhead: Some(1),
            bed: Some(heat(60.0, 60.0)),
            sensors: vec![Named { name: "chamber".into(), value: Heat { target: None, ..heat(31.25, 0.0) } }],
            fans: vec![Named { name: "fan".into(), value: Fan { speed: Some(0.5), rpm: None } }],
            motion: Motion { speed_factor: Some(1.24), ..Motion::default() },
            ..Machine::default()
        };
        let metadata = Metadata { estimated_time: Some(Duration::from_secs(6000)), ..Metadata::default() };
        let print = Print {
            state: PrintState::Printing,
            file: Some("folder/cube.gcode".to_owned()),
            progress: Some(0.29),
            file_progress: Some(0.31),
            display_progress: Some(0.31),
            print_duration: Some(Duration::from_secs(600)),
            layer: Some(12),
            layers: Some(120),
            told_left: Some(Duration::from_secs(5341)),
            metadata: Some(Arc::new(metadata)),
            ..Print::default()
        };
        let fault = Fault {
            code: FaultCode { id: 523, index: 1, code: 12 },
            level: 2,
            message: "no \"filament\"".into(),
        };
        let snapshot = Snapshot {
            klippy: ready(),
            print: Some(print),
            machine: Arc::new(machine),
            message: Some("M117".to_owned()),
            faults: Arc::from([fault]),
            ..Snapshot::default()
        };
        assert_eq!(
            written(&snapshot),
            json!({
                "gcode_state": "RUNNING", "subtask_name": "cube.gcode", "gcode_file": "folder/cube.gcode",
                "mc_percent": 29, "mc_remaining_time": 90, "layer_num": 12, "total_layer_num": 120, "print_error": 0,
                "nozzle_temper": 219.99, "nozzle_target_temper": 220.0, "bed_temper": 60.0, "bed_target_temper": 60.0,
                "chamber_temper": 31.25, "spd_mag": 124.0, "cooling_fan_speed": "8",
                "exceptions": [{"id": 523, "index": 1, "code": 12, "level": 2, "message": "no \"filament\""}],
                "message": "M117",
            })
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let nothing = written(&Snapshot::default());
        assert_eq!(
            nothing,
            json!({"gcode_state": "OFFLINE", "subtask_name": "", "gcode_file": "", "print_error": 0, "exceptions": []})
        );
    }

    #[test]
    fn every_state_has_its_word() {
        let of = |state, print: Option<PrintState>| Snapshot {
            klippy: Klippy { state, message: Some("why".to_owned()) },
            print: print.map(|state| Print { state, message: Some("what".to_owned()), ..Print::default() }),
            ..Snapshot::default()
        };
        for (klippy, print, expected, message) in [
            (KlippyState::Ready, Some(PrintState::Standby), "IDLE", None),
            (KlippyState::Ready, Some(PrintState::Printing), "RUNNING", None),
            (KlippyState::Ready, Some(PrintState::Paused), "PAUSE", None),
            (KlippyState::Ready, Some(PrintState::Complete), "FINISH", None),
            (KlippyState::Ready, Some(PrintState::Cancelled), "CANCELLED", None),
            (KlippyState::Ready, Some(PrintState::Error), "FAILED", Some("what")),
            (KlippyState::Ready, None, "UNKNOWN", None),
            (KlippyState::Shutdown, Some(PrintState::Paused), "OFFLINE", Some("why")),
            (KlippyState::Disconnected, None, "OFFLINE", Some("why")),
        ] {
            let snapshot = of(klippy, print);
            let object = written(&snapshot);
            assert_eq!(object["gcode_state"], expected, "{klippy:?} {print:?}");
            assert_eq!(object.get("message").and_then(Value::as_str), message, "{klippy:?} {print:?}");
            assert_eq!(state_word(&snapshot).as_deref(), Some(expected));
        }
    }

    #[test]
    fn progress_is_the_slicers_where_it_tells_one() {
        for (slicer, absolute, relative, expected) in [
            (Some(0.5), Some(0.3), Some(0.2), Some(50)),
            (None, Some(0.3), Some(0.2), Some(20)),
            (None, Some(0.3), None, Some(30)),
            (Some(0.5), None, None, Some(50)),
            (None, None, None, None),
            (Some(0.999), Some(0.5), None, Some(99)),
        ] {
            let print = Print {
                slicer_progress: slicer,
                display_progress: Some(0.7),
                file_progress: absolute,
                progress: relative,
                ..Print::default()
            };
            let snapshot = Snapshot { klippy: ready(), print: Some(print), ..Snapshot::default() };
            assert_eq!(written(&snapshot).get("mc_percent").and_then(Value::as_u64), expected);
        }
    }

    #[test]
    fn what_came_as_a_status_object_goes_out_unchanged() {
        let original: Arc<str> = r#"{"b":1.50, "a":{"deep":[1e2]},"gcode_state":"Running"}"#.into();
        let snapshot = Snapshot { original: Some(Arc::clone(&original)), ..Snapshot::default() };
        assert!(Arc::ptr_eq(&to_text(&snapshot), &original));
        assert_eq!(state_word(&snapshot).as_deref(), Some("RUNNING"));
        let without = Snapshot { original: Some("{\"a\":1}".into()), ..Snapshot::default() };
        assert_eq!(state_word(&without), None);
    }

    proptest! {
        /// What is written is read again as the same.
        #[test]
        fn both_ways_agree(
            file in "[a-z]{1,9}\\PC{0,20}", progress in 0.0..=1.0, left in 0_u64..40_000, layer in any::<u32>(),
            heat in -50.0..500.0, speed in 0.0..=1.0,
        ) {
            let machine = Machine {
                bed: Some(Heat { temperature: Some(heat), ..Heat::default() }),
                fans: vec![Named { name: "fan".into(), value: Fan { speed: Some(speed), rpm: None } }],
                ..Machine::default()
            };
            let print = Print {
                state: PrintState::Printing,
                file: Some(file.replace('/', "_")),
                progress: Some(progress),
                layer: Some(layer),
                told_left: Some(Duration::from_secs(left * 60)),
                ..Print::default()
            };
            let snapshot = Snapshot {
                klippy: ready(), print: Some(print), machine: Arc::new(machine), ..Snapshot::default()
            };
            let status = Status::read(&to_text(&snapshot)).unwrap();
            prop_assert_eq!(status.state.as_deref(), Some("RUNNING"));
            prop_assert_eq!(status.name, snapshot.print.as_ref().and_then(|print| print.file.clone()));
            prop_assert_eq!(status.percent, whole_percent(progress));
            prop_assert_eq!((status.left, status.layer), (Some(Duration::from_secs(left * 60)), Some(layer)));
            let bed = status.machine.bed.and_then(|bed| bed.temperature).unwrap();
            prop_assert!((bed - heat).abs() <= 0.005 + 1e-9);
            let fan = status.machine.part_fan().and_then(|fan| fan.speed).unwrap();
            prop_assert!((fan - speed).abs() <= 0.5 / 15.0 + 1e-9);
        }
    }
}
