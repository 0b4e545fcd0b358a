//! The values that are told once a second.

use super::fans;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::connect::telemetry::Telemetry;
use crate::printer::{Estimates, Heat, Machine, Print, Snapshot, whole_percent};
use serde_json::{Map, Value};

/// What Connect calls a tool without filament.
const NO_MATERIAL: &str = "---";

/// Rounded to that many decimals; none where it is no number.
pub(super) fn rounded(value: f64, decimals: i32) -> Option<f64> {
    let scale = 10_f64.powi(decimals);
    // Adding 0 makes 0 of -0.
    Some((value * scale).round() / scale + 0.0).filter(|value| value.is_finite())
}

/// A value in whole units, for fields that are whole numbers.
pub(super) fn whole(value: f64) -> Option<i64> {
    // The bounds are far within those of the type.
    #[expect(clippy::cast_possible_truncation, reason = "it is bounded")]
    (value.abs() < 1e12).then_some(value.round() as i64)
}

/// Values that exist with and without a job. `job` says that one is under way.
pub(super) fn always(snapshot: &Snapshot, job: bool, slots: bool) -> Telemetry {
    let machine = &*snapshot.machine;
    let mut telemetry = Telemetry::default();
    heat(&mut telemetry, "temp_nozzle", "target_nozzle", machine.toolhead().map(|toolhead| toolhead.heat));
    heat(&mut telemetry, "temp_bed", "target_bed", machine.bed);
    axes(&mut telemetry, machine, job);
    let percent = |factor: Option<f64>| factor.and_then(|factor| whole(factor * 100.0));
    telemetry.put("speed", percent(machine.motion.speed_factor));
    telemetry.put("flow", percent(machine.motion.flow_factor));
    telemetry.put("material", material(snapshot));
    let active = machine.toolhead().map_or(0, |toolhead| toolhead.number);
    telemetry.put("fan_print", fans::part(machine, active).and_then(whole));
    telemetry.put("fan_extruder", fans::hotend(machine, active).and_then(whole));
    if slots && machine.toolheads.len() > 1 {
        telemetry.put("slot", slot(machine));
    }
    if let Some(chamber) = chamber(machine) {
        telemetry.put("chamber", chamber);
    }
    telemetry
}

fn heat(telemetry: &mut Telemetry, measured: &'static str, target: &'static str, heat: Option<Heat>) {
    let heat = heat.unwrap_or_default();
    telemetry.put(measured, heat.temperature.and_then(|value| rounded(value, 1)));
    telemetry.put(target, heat.target.and_then(|value| rounded(value, 1)));
}

/// Where the toolhead is, as far as it is known. The server wants no x and y while a job is under way.
fn axes(telemetry: &mut Telemetry, machine: &Machine, job: bool) {
    let Some([x, y, z]) = machine.motion.position else { return };
    let homed = machine.motion.homed_axes.as_deref().unwrap_or_default();
    for (key, axis, value, wanted) in
        [("axis_x", 'x', x, !job), ("axis_y", 'y', y, !job), ("axis_z", 'z', z, true)]
    {
        if wanted && homed.contains(axis) {
            telemetry.put(key, rounded(value, 2));
        }
    }
}

/// What is loaded in the toolhead in use; where nobody tells it, what the running job is sliced for.
fn material(snapshot: &Snapshot) -> Option<String> {
    let machine = &*snapshot.machine;
    let number = machine.toolhead()?.number;
    if let Some(filament) = machine.filaments.iter().find(|filament| filament.toolhead == number) {
        let loaded = filament.loaded != Some(false);
        return filament.material.as_deref().filter(|_| loaded).map(str::to_owned);
    }
    let print = snapshot.print.as_ref().filter(|print| print.state.is_active())?;
    let kinds = print.metadata.as_deref()?.filament_type.as_deref()?;
    let kinds: Vec<&str> = kinds.split(';').map(str::trim).collect();
    let own = kinds.get(usize::from(number)).or_else(|| kinds.first().filter(|_| kinds.len() == 1));
    own.filter(|kind| !kind.is_empty()).map(|kind| (*kind).to_owned())
}

/// The name of what is loaded in that toolhead, or the sign for nothing.
pub(super) fn material_of(machine: &Machine, toolhead: u8) -> &str {
    let filament = machine.filaments.iter().find(|filament| filament.toolhead == toolhead);
    let loaded = filament.filter(|filament| filament.loaded != Some(false));
    loaded.and_then(|filament| filament.material.as_deref()).unwrap_or(NO_MATERIAL)
}

/// All toolheads. Connect counts them from 1; 0 is none.
fn slot(machine: &Machine) -> Value {
    let mut slot = Map::new();
    let known = |number: &u8| machine.toolheads.iter().any(|toolhead| toolhead.number == *number);
    let active = machine.active_toolhead.filter(known).map_or(0, |number| u32::from(number) + 1);
    slot.insert("active".into(), active.into());
    for toolhead in &machine.toolheads {
        let mut tool = Map::new();
        tool.insert("material".into(), material_of(machine, toolhead.number).into());
        let rpm = |fan: Option<f64>| fan.and_then(whole);
        for (key, value) in [
            ("temp", toolhead.heat.temperature.and_then(|value| rounded(value, 1)).map(Value::from)),
            ("fan_hotend", rpm(fans::hotend(machine, toolhead.number)).map(Value::from)),
            ("fan_print", rpm(fans::part(machine, toolhead.number)).map(Value::from)),
        ] {
            if let Some(value) = value {
                tool.insert(key.into(), value);
            }
        }
        slot.insert((u32::from(toolhead.number) + 1).to_string(), tool.into());
    }
    slot.into()
}

fn chamber(machine: &Machine) -> Option<Value> {
    let heat = machine.chamber()?;
    let mut chamber = Map::new();
    if let Some(temperature) = heat.temperature.and_then(|value| rounded(value, 1)) {
        chamber.insert("temp".into(), temperature.into());
    }
    if let Some(target) = heat.target.and_then(whole) {
        chamber.insert("target_temp".into(), target.into());
    }
    if let Some(rpm) = fans::chamber(machine).and_then(whole) {
        chamber.insert("fan_rpm".into(), rpm.into());
    }
    (!chamber.is_empty()).then(|| chamber.into())
}

/// Values of a job, as they were seen last while it was under way: they are told as long as its end is shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct JobValues {
    progress: Option<u8>,
    time_printing: Option<u64>,
    time_remaining: Option<u64>,
    filament: Option<f64>,
}

impl JobValues {
    /// Takes notice of a job under way. Its progress never falls.
    pub(super) fn see(&mut self, print: &Print) {
        let progress = print.best_progress().map(|progress| progress.clamp(0.0, 1.0)).and_then(whole_percent);
        self.progress = self.progress.max(progress);
        self.time_printing = print.print_duration.map(|time| time.as_secs());
        self.time_remaining = Estimates::best_guess(print).map(|time| time.as_secs());
        self.filament = print.filament_used.and_then(|used| rounded(used, 1));
    }

    /// Takes notice of the end.
    pub(super) fn end(&mut self, finished: bool) {
        self.time_remaining = finished.then_some(0);
        if finished {
            self.progress = Some(100);
        }
    }

    /// The values by their keys.
    pub(super) fn fields(&self) -> [(&'static str, Option<Value>); 4] {
        [
            ("progress", self.progress.map(Value::from)),
            ("time_printing", self.time_printing.map(Value::from)),
            ("time_remaining", self.time_remaining.map(Value::from)),
            ("filament", self.filament.map(Value::from)),
        ]
    }
}

/// Whether a job's values are told in that state; `active` says that a job is under way.
pub(super) fn tells_job(state: State, active: bool) -> bool {
    match state {
        State::Printing | State::Paused | State::Finished | State::Stopped => true,
        State::Attention => active,
        State::Idle | State::Ready | State::Busy | State::Error => false,
    }
}
