//! The printer's objects as they are known: full values, then changes merged into them.

mod layout;
mod slicer;
mod spools;
mod status;
#[cfg(test)]
mod tests;

pub(super) use layout::{Layout, toolhead_number};
pub(super) use status::Status;

use super::lenient::Field;
use super::wire::{clip, clipped};
use crate::printer::{
    Activity, Fan, FilamentSensor, Heat, History, KlippyState, Machine, Metadata, Print, PrintState,
};
use layout::Target;
use slicer::Slicer;
use spools::{Entries, Spools};
use status::{Flag, Mesh, Number, PartName, PartNames, Parts, Position, Text};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Longest file name kept, in bytes; Linux allows 4096 for a path, people use less.
pub(super) const MAX_FILE: usize = 1024;

/// Longest message of Klipper kept, in bytes.
const MAX_TEXT: usize = 4096;

/// Longest name of an object or list of axes kept, in bytes.
const MAX_NAME: usize = 128;

/// What is known of the objects that are subscribed to.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Which objects those are.
    pub(super) layout: Layout,
    pub(super) webhooks_state: Option<KlippyState>,
    pub(super) webhooks_message: Option<String>,
    state: Option<PrintState>,
    file: Option<String>,
    message: Option<String>,
    total_duration: Option<Duration>,
    print_duration: Option<Duration>,
    filament_used: Option<f64>,
    layer: Option<u32>,
    layers: Option<u32>,
    sd_progress: Option<f64>,
    file_position: Option<f64>,
    display_progress: Option<f64>,
    slicer: Slicer,
    pub(super) display_message: Option<String>,
    pub(super) app_message: Option<Arc<str>>,
    machine: Machine,
    /// The machine as it was told last.
    told_machine: Arc<Machine>,
    machine_changed: bool,
    /// Whether something was merged since it was asked last.
    changed: bool,
    told_webhooks: bool,
}

/// What a merge brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct News {
    /// Something is known to be other than before.
    pub(super) changed: bool,
    /// Klipper told its own state, changed or not.
    pub(super) webhooks: bool,
}

impl Known {
    /// What the reading since the last call brought.
    pub(super) fn take_news(&mut self) -> News {
        if self.changed {
            self.slicer.look(self.display_progress, self.sd_progress);
        }
        News { changed: std::mem::take(&mut self.changed), webhooks: std::mem::take(&mut self.told_webhooks) }
    }

    /// Goes over to other objects: those that are gone vanish, and the new ones have no values yet.
    pub(super) fn adopt(&mut self, layout: Layout) {
        let old = std::mem::replace(&mut self.machine, layout.machine().clone());
        self.machine.active_toolhead = old.active_toolhead;
        self.machine.motion = old.motion;
        self.machine.activity = old.activity;
        self.machine.pause_requested = old.pause_requested;
        self.app_message = None;
        self.layout = layout;
        self.machine_changed = true;
        self.changed = true;
    }

    fn number(&mut self, target: Target, item: Number, value: Field<f64>) {
        let changed = match (target, item) {
            (Target::PrintStats, Number::TotalDuration) => {
                value.merge_into(&mut self.total_duration, seconds)
            }
            (Target::PrintStats, Number::PrintDuration) => {
                value.merge_into(&mut self.print_duration, seconds)
            }
            (Target::PrintStats, Number::FilamentUsed) => value.merge_into(&mut self.filament_used, Some),
            (Target::LayerInfo, Number::CurrentLayer) => value.merge_into(&mut self.layer, count),
            (Target::LayerInfo, Number::TotalLayer) => value.merge_into(&mut self.layers, count),
            (Target::SdCard, Number::Progress) => value.merge_into(&mut self.sd_progress, fraction),
            (Target::SdCard, Number::FilePosition) => value.merge_into(&mut self.file_position, Some),
            (Target::Display, Number::Progress) => value.merge_into(&mut self.display_progress, fraction),
            _ => {
                let Some(known) = self.machine_number(target, item) else { return };
                // Klipper counts mm per minute here, as G-code does.
                let scale = if item == Number::Speed && target == Target::GcodeMove { 60.0 } else { 1.0 };
                let changed = value.merge_into(known, |number| Some(number / scale));
                self.machine_changed |= changed;
                changed
            }
        };
        self.changed |= changed;
    }

    /// Where in the machine a number belongs.
    fn machine_number(&mut self, target: Target, item: Number) -> Option<&mut Option<f64>> {
        let machine = &mut self.machine;
        let heat: &mut Heat = match (target, item) {
            (Target::GcodeMove, Number::Speed) => return Some(&mut machine.motion.speed),
            (Target::GcodeMove, Number::SpeedFactor) => return Some(&mut machine.motion.speed_factor),
            (Target::GcodeMove, Number::ExtrudeFactor) => return Some(&mut machine.motion.flow_factor),
            (Target::Fan(index) | Target::TemperatureFan { fan: index, .. }, Number::Speed | Number::Rpm) => {
                let fan: &mut Fan = &mut machine.fans.get_mut(index)?.value;
                return Some(if item == Number::Rpm { &mut fan.rpm } else { &mut fan.speed });
            }
            (Target::Nozzle(number), _) => {
                let by_number = |toolhead: &crate::printer::Toolhead| toolhead.number;
                let index = machine.toolheads.binary_search_by_key(&number, by_number).ok()?;
                &mut machine.toolheads.get_mut(index)?.heat
            }
            (Target::Bed, _) => machine.bed.as_mut()?,
            (Target::Heater(index), _) => &mut machine.heaters.get_mut(index)?.value,
            (Target::Sensor(index) | Target::TemperatureFan { sensor: index, .. }, _) => {
                &mut machine.sensors.get_mut(index)?.value
            }
            _ => return None,
        };
        Some(match item {
            Number::Temperature => &mut heat.temperature,
            Number::Target => &mut heat.target,
            Number::Power => &mut heat.power,
            _ => return None,
        })
    }

    fn text(&mut self, target: Target, item: Text, value: Field<Cow<'_, str>>) {
        let machine = &mut self.machine;
        let of_machine = match (target, item) {
            (Target::Toolhead, Text::Extruder) => {
                value.merge_into(&mut machine.active_toolhead, |name| toolhead_number(&name))
            }
            (Target::Toolhead, Text::HomedAxes) => {
                merge_shared(value, &mut machine.motion.homed_axes, MAX_NAME)
            }
            (Target::IdleTimeout, Text::State) => {
                value.merge_into(&mut machine.activity, |name| activity(&name))
            }
            (Target::ExcludeObject, Text::CurrentObject) => {
                merge_shared(value, &mut machine.objects.current, MAX_NAME)
            }
            _ => {
                self.changed |= self.text_of_print(target, item, value);
                return;
            }
        };
        self.machine_changed |= of_machine;
        self.changed |= of_machine;
    }

    fn text_of_print(&mut self, target: Target, item: Text, value: Field<Cow<'_, str>>) -> bool {
        match (target, item) {
            (Target::Webhooks, Text::State) => {
                self.told_webhooks = true;
                value.merge_into(&mut self.webhooks_state, |name| KlippyState::from_name(&name))
            }
            (Target::Webhooks, Text::StateMessage) => {
                self.told_webhooks = true;
                value.merge_into(&mut self.webhooks_message, text)
            }
            (Target::PrintStats, Text::State) => {
                let before = self.state;
                let changed = value.merge_into(&mut self.state, |name| PrintState::from_name(&name));
                if changed && before.is_some_and(|before| !before.is_active()) {
                    self.slicer.begin();
                }
                changed
            }
            (Target::PrintStats, Text::Filename) => {
                let found = self.file.is_none();
                let changed = value.merge_into(&mut self.file, |name| file_name(&name));
                if changed && !found {
                    self.slicer.begin();
                }
                changed
            }
            (Target::PrintStats, Text::Message) => value.merge_into(&mut self.message, text),
            (Target::Display, Text::Message) => value.merge_into(&mut self.display_message, text),
            (Target::AppStatus, Text::NotifyMessage) => merge_shared(value, &mut self.app_message, MAX_TEXT),
            _ => false,
        }
    }

    fn flag(&mut self, target: Target, item: Flag, value: Field<bool>) {
        let known = match (target, item) {
            (Target::PauseResume, Flag::IsPaused) => &mut self.machine.pause_requested,
            (Target::Filament(index), _) => {
                let Some(sensor) = self.machine.filament_sensors.get_mut(index) else { return };
                let sensor: &mut FilamentSensor = &mut sensor.value;
                match item {
                    Flag::FilamentDetected => &mut sensor.detected,
                    Flag::Enabled => &mut sensor.enabled,
                    Flag::IsPaused => return,
                }
            }
            _ => return,
        };
        let changed = value.merge_into(known, Some);
        self.machine_changed |= changed;
        self.changed |= changed;
    }

    fn position(&mut self, value: Field<Position>) {
        let changed = value.merge_into(&mut self.machine.motion.position, |position| Some(position.0));
        self.machine_changed |= changed;
        self.changed |= changed;
    }

    fn parts(&mut self, target: Target, item: Parts, value: Field<PartNames>) {
        let names = match (target, value) {
            (Target::ExcludeObject, Field::Value(names)) => names.0,
            (Target::ExcludeObject, Field::Null) => Vec::new(),
            _ => return,
        };
        let objects = &mut self.machine.objects;
        let known = match item {
            Parts::All => &mut objects.all,
            Parts::Excluded => &mut objects.excluded,
        };
        if !known.iter().eq(names.iter().map(|PartName(name)| name)) {
            *known = names.into_iter().map(|PartName(name)| name).collect();
            self.machine_changed = true;
            self.changed = true;
        }
    }

    fn mesh(&mut self, value: Field<Mesh>) {
        let rows = match value {
            Field::Value(rows) => rows.0,
            Field::Null => Vec::new(),
            Field::Absent => return,
        };
        // Without a mesh there is one row without points.
        let rows = || rows.iter().map(|row| &row.0).filter(|row| !row.is_empty());
        let known = &mut self.machine.mesh;
        if !known.iter().map(|row| &**row).eq(rows().map(Vec::as_slice)) {
            *known = rows().map(|row| row.as_slice().into()).collect();
            self.machine_changed = true;
            self.changed = true;
        }
    }

    fn spools(&mut self, item: Spools, value: Field<Entries>) {
        let entries = match value {
            Field::Value(entries) => entries.0,
            Field::Null => Vec::new(),
            Field::Absent => return,
        };
        let changed = spools::merge(&mut self.machine.filaments, item, &entries);
        self.machine_changed |= changed;
        self.changed |= changed;
    }

    /// The machine, copied only when it changed.
    pub(super) fn machine(&mut self) -> Arc<Machine> {
        if std::mem::take(&mut self.machine_changed) {
            self.told_machine = Arc::new(self.machine.clone());
        }
        Arc::clone(&self.told_machine)
    }

    /// The file that is printed, or was last.
    pub(super) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// State of the print alone, to see it change.
    pub(super) fn print_state(&self) -> Option<PrintState> {
        self.state
    }

    /// The print as the domain sees it; none while Klipper did not tell its state.
    pub(super) fn print(&self, history: &History, metadata: Option<&Arc<Metadata>>) -> Option<Print> {
        let state = self.state?;
        let progress = match state {
            PrintState::Standby => None,
            PrintState::Complete => Some(1.0),
            // A cancelled file is closed, and its position 0.
            PrintState::Cancelled => None,
            _ => self.relative_progress(history, metadata).or(self.sd_progress),
        };
        Some(Print {
            state,
            file: self.file.clone(),
            file_is_name: false,
            message: self.message.clone(),
            total_duration: self.total_duration,
            print_duration: self.print_duration,
            progress,
            display_progress: self.display_progress,
            slicer_progress: self.slicer.progress().filter(|_| state.is_active()),
            file_progress: self.sd_progress,
            file_position: self.file_position.and_then(bytes),
            filament_used: self.filament_used,
            layer: self.layer,
            layers: self.layers,
            metadata: metadata.map(Arc::clone),
            told_left: None,
        })
    }

    /// Position within the part of the file that prints. The whole file's head may be pictures, with which a
    /// print would begin far from 0.
    fn relative_progress(&self, history: &History, metadata: Option<&Arc<Metadata>>) -> Option<f64> {
        let file = self.file.as_deref()?;
        let of_metadata =
            metadata.and_then(|metadata| metadata.gcode_start_byte.zip(metadata.gcode_end_byte));
        let (start, end) = of_metadata.or_else(|| {
            let record = history.jobs.iter().find(|record| record.file == file)?;
            record.gcode_start_byte.zip(record.gcode_end_byte)
        })?;
        #[expect(clippy::cast_precision_loss, reason = "files stay below 2^53 bytes")]
        let (start, end) = (start as f64, end as f64);
        if end <= start {
            return None;
        }
        fraction((self.file_position? - start) / (end - start))
    }
}

/// A file as it is compared: without a slash in front, none when empty.
pub(super) fn file_name(name: &str) -> Option<String> {
    let name = name.trim_start_matches('/');
    if name.is_empty() { None } else { Some(clip(name, MAX_FILE)) }
}

/// A time in seconds; negative and endless ones are none.
pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

fn text(text: Cow<'_, str>) -> Option<String> {
    if text.is_empty() { None } else { Some(clip(&text, MAX_TEXT)) }
}

/// Puts a text into one that snapshots share; an empty one is none.
fn merge_shared(value: Field<Cow<'_, str>>, known: &mut Option<Arc<str>>, limit: usize) -> bool {
    let news = match &value {
        Field::Absent => return false,
        Field::Null => None,
        Field::Value(text) => Some(clipped(text, limit)).filter(|text| !text.is_empty()),
    };
    let changed = known.as_deref() != news;
    if changed {
        *known = news.map(Arc::from);
    }
    changed
}

fn activity(name: &str) -> Option<Activity> {
    Some(match name {
        "Idle" => Activity::Idle,
        "Ready" => Activity::Ready,
        "Printing" => Activity::Busy,
        _ => return None,
    })
}

fn fraction(number: f64) -> Option<f64> {
    number.is_finite().then(|| number.clamp(0.0, 1.0))
}

/// A whole number; negative ones are none.
fn count(number: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
    (0.0..=f64::from(u32::MAX)).contains(&number).then_some(number as u32)
}

/// A number of bytes; negative ones are none.
fn bytes(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
    (0.0..=9e15).contains(&number).then_some(number as u64)
}
