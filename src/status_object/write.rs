//! Writes a status object out of what any source sees.

use super::Status;
use crate::printer::{
    Estimates, Fault, Heat, KlippyState, Print, PrintState, ProgressBy, Snapshot, whole_percent,
};
use serde::{Serialize, Serializer};
use std::sync::Arc;

/// The display's progress counts as that of the slicer if it is further than this from the position in the file, to
/// which it falls back.
const SAME: f64 = 0.002;

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
            subtask_name: file.rsplit('/').next().unwrap_or(file),
            gcode_file: file,
            mc_percent: print.and_then(progress).and_then(whole_percent),
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

/// The slicer's own progress where it wrote one into the file, else that in the part of the file that prints.
fn progress(print: &Print) -> Option<f64> {
    let by_file = || ProgressBy::FileRelative.of(print);
    let absolute = ProgressBy::FileAbsolute.of(print);
    let slicer = ProgressBy::Slicer.of(print);
    let own = slicer.filter(|shown| absolute.is_none_or(|absolute| (shown - absolute).abs() > SAME));
    own.or_else(by_file).or(slicer)
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
