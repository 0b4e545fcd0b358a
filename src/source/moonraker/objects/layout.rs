//! Which objects of the printer are asked for, and where their values go.

use crate::printer::{Fan, Filament, FilamentSensor, Heat, Machine, Named, Toolhead};
use std::fmt::Write;

/// Most objects that are asked for; a printer of four toolheads has about fifty of these kinds.
pub(in crate::source::moonraker) const MAX_OBJECTS: usize = 100;

/// Longest name of an object, in bytes; one that is longer is left out.
const MAX_NAME: usize = 128;

/// The user's macro that speaks through a variable.
const APP_STATUS: &str = "_OCTOAPP_STATUS";

/// What an object's values are for. Numbers are places in the lists of [`Machine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Webhooks,
    PrintStats,
    /// `print_stats.info`
    LayerInfo,
    SdCard,
    Display,
    GcodeMove,
    Toolhead,
    PauseResume,
    IdleTimeout,
    ExcludeObject,
    Mesh,
    /// By the toolhead's number.
    Nozzle(u8),
    Bed,
    Heater(usize),
    Sensor(usize),
    Fan(usize),
    TemperatureFan {
        sensor: usize,
        fan: usize,
    },
    Filament(usize),
    /// What is loaded, in the vendor's firmware.
    Spools,
    AppStatus,
}

impl Target {
    /// The fields that are asked for. Without those that change with every update for nothing
    /// (`toolhead.estimated_print_time`).
    fn fields(self) -> &'static str {
        match self {
            Self::Webhooks => r#"["state","state_message"]"#,
            Self::PrintStats => concat!(
                r#"["state","filename","message","total_duration","print_duration","#,
                r#""filament_used","info"]"#
            ),
            Self::LayerInfo => "[]",
            Self::SdCard => r#"["progress","file_position"]"#,
            Self::Display => r#"["progress","message"]"#,
            Self::GcodeMove => r#"["speed_factor","extrude_factor","gcode_position","speed"]"#,
            Self::Toolhead => r#"["extruder","homed_axes"]"#,
            Self::PauseResume => r#"["is_paused"]"#,
            Self::IdleTimeout => r#"["state"]"#,
            Self::ExcludeObject => r#"["objects","excluded_objects","current_object"]"#,
            Self::Mesh => r#"["probed_matrix"]"#,
            Self::Nozzle(_) | Self::Bed | Self::Heater(_) => r#"["temperature","target","power"]"#,
            Self::Sensor(_) => r#"["temperature"]"#,
            Self::Fan(_) => r#"["speed","rpm"]"#,
            Self::TemperatureFan { .. } => r#"["temperature","target","speed","rpm"]"#,
            Self::Filament(_) => r#"["filament_detected","enabled"]"#,
            Self::Spools => concat!(
                r#"["filament_exist","filament_type","filament_sub_type","filament_vendor","#,
                r#""filament_color_rgba"]"#
            ),
            Self::AppStatus => r#"["notify_message"]"#,
        }
    }
}

/// Objects that every Klipper with a job to tell of has. Klipper takes names that it does not know.
const BASE: [(&str, Target); 8] = [
    ("webhooks", Target::Webhooks),
    ("print_stats", Target::PrintStats),
    ("virtual_sdcard", Target::SdCard),
    ("display_status", Target::Display),
    ("pause_resume", Target::PauseResume),
    ("idle_timeout", Target::IdleTimeout),
    ("gcode_move", Target::GcodeMove),
    ("toolhead", Target::Toolhead),
];

/// An object that is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Slot {
    name: Box<str>,
    target: Target,
    /// The slot that was told after this one.
    next: usize,
}

impl Slot {
    fn new(name: &str, target: Target) -> Self {
        Self { name: name.into(), target, next: 0 }
    }
}

/// The objects that are asked for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::source::moonraker) struct Layout {
    /// By name.
    slots: Vec<Slot>,
    /// The slot that was found last.
    last: usize,
    /// The machine with all its parts and no values.
    machine: Machine,
}

impl Default for Layout {
    /// What can be asked before the printer's own list is known.
    fn default() -> Self {
        let mut slots: Vec<_> = BASE.iter().map(|(name, target)| Slot::new(name, *target)).collect();
        slots.sort_by(|one, other| one.name.cmp(&other.name));
        Self { slots, last: 0, machine: Machine::default() }
    }
}

impl Layout {
    /// What is worth asking of the printer that has these objects.
    pub(in crate::source::moonraker) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let Self { mut slots, mut machine, last } = Self::default();
        for name in names {
            if slots.len() >= MAX_OBJECTS {
                log::debug!("moonraker: more than {MAX_OBJECTS} objects; the rest is not watched");
                break;
            }
            if name.len() > MAX_NAME || slots.iter().any(|slot| *slot.name == *name) {
                continue;
            }
            if let Some(target) = place(name, &mut machine) {
                slots.push(Slot::new(name, target));
            }
        }
        machine.toolheads.sort_by_key(|toolhead| toolhead.number);
        if slots.iter().any(|slot| slot.target == Target::Spools) {
            let of = |toolhead: &Toolhead| Filament { toolhead: toolhead.number, ..Filament::default() };
            machine.filaments = machine.toolheads.iter().map(of).collect();
        }
        slots.sort_by(|one, other| one.name.cmp(&other.name));
        Self { slots, last, machine }
    }

    /// Where the values of that object go; none if it is not asked for.
    pub(super) fn find(&mut self, name: &str) -> Option<Target> {
        // Klipper tells its objects in the same order each time.
        let guess = self.slots.get(self.last).map_or(0, |slot| slot.next);
        let index = match self.slots.get(guess) {
            Some(slot) if *slot.name == *name => guess,
            _ => {
                let index = self.slots.binary_search_by(|slot| (*slot.name).cmp(name)).ok()?;
                if let Some(last) = self.slots.get_mut(self.last) {
                    last.next = index;
                }
                index
            }
        };
        self.last = index;
        self.slots.get(index).map(|slot| slot.target)
    }

    /// The machine with all its parts and no values.
    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The parameter `objects` of a subscription or query.
    pub(in crate::source::moonraker) fn in_json(&self) -> String {
        let mut text = String::from("{");
        for Slot { name, target, .. } in &self.slots {
            if text.len() > 1 {
                text.push(',');
            }
            let name = serde_json::to_string(name).unwrap_or_default();
            let _ = write!(text, "{name}:{}", target.fields());
        }
        text.push('}');
        text
    }
}

/// Makes room in the machine for an object, where it is one to watch.
fn place(name: &str, machine: &mut Machine) -> Option<Target> {
    let (kind, own) = name.split_once(' ').unwrap_or((name, ""));
    if own.is_empty() {
        return match kind {
            "heater_bed" => {
                machine.bed = Some(Heat::default());
                Some(Target::Bed)
            }
            "fan" => Some(Target::Fan(push(&mut machine.fans, kind, Fan::default()))),
            "exclude_object" => Some(Target::ExcludeObject),
            "bed_mesh" => Some(Target::Mesh),
            "print_task_config" => Some(Target::Spools),
            _ => {
                let number = toolhead_number(kind)?;
                machine.toolheads.push(Toolhead { number, heat: Heat::default() });
                Some(Target::Nozzle(number))
            }
        };
    }
    Some(match kind {
        "heater_generic" => Target::Heater(push(&mut machine.heaters, own, Heat::default())),
        "temperature_sensor" => Target::Sensor(push(&mut machine.sensors, own, Heat::default())),
        "temperature_fan" => Target::TemperatureFan {
            sensor: push(&mut machine.sensors, own, Heat::default()),
            fan: push(&mut machine.fans, own, Fan::default()),
        },
        "heater_fan" | "fan_generic" | "controller_fan" => {
            Target::Fan(push(&mut machine.fans, own, Fan::default()))
        }
        "filament_switch_sensor" | "filament_motion_sensor" => {
            Target::Filament(push(&mut machine.filament_sensors, own, FilamentSensor::default()))
        }
        // Klipper minds the case of a macro's name as little.
        "gcode_macro" if own.eq_ignore_ascii_case(APP_STATUS) => Target::AppStatus,
        _ => return None,
    })
}

fn push<T>(list: &mut Vec<Named<T>>, name: &str, value: T) -> usize {
    list.push(Named { name: name.into(), value });
    list.len() - 1
}

/// Number of the toolhead whose nozzle has that name: 0 is `extruder`, 1 `extruder1`.
pub(in crate::source::moonraker) fn toolhead_number(name: &str) -> Option<u8> {
    match name.strip_prefix("extruder")? {
        "" => Some(0),
        digits if digits.starts_with(|first| matches!(first, '1'..='9')) => digits.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// As Klipper 0.13 lists them, and some more.
    const NAMES: [&str; 28] = [
        "gcode",
        "webhooks",
        "configfile",
        "mcu",
        "heaters",
        "heater_bed",
        "bed_mesh",
        "fan",
        "heater_fan hotend_fan",
        "controller_fan board",
        "fan_generic cavity_fan",
        "temperature_fan exhaust",
        "output_pin case_light",
        "temperature_sensor cavity",
        "heater_generic chamber heater",
        "pause_resume",
        "filament_switch_sensor filament_0",
        "filament_motion_sensor \"odd\"",
        "gcode_move",
        "exclude_object",
        "gcode_macro PAUSE",
        "gcode_macro _octoapp_status",
        "extruder_stepper belted",
        "extruder",
        "extruder10",
        "extruder2",
        "extruder01",
        "toolhead",
    ];

    #[test]
    fn the_parts_of_the_machine_are_found_by_their_kinds() {
        let mut layout = Layout::of(NAMES.into_iter());
        let machine = layout.machine().clone();
        let numbers: Vec<_> = machine.toolheads.iter().map(|toolhead| toolhead.number).collect();
        assert_eq!(numbers, [0, 2, 10]);
        assert!(machine.bed.is_some());
        let names = |list: Vec<&str>| list.join(",");
        assert_eq!(names(machine.heaters.iter().map(|part| &*part.name).collect()), "chamber heater");
        assert_eq!(names(machine.sensors.iter().map(|part| &*part.name).collect()), "exhaust,cavity");
        assert_eq!(
            names(machine.fans.iter().map(|part| &*part.name).collect()),
            "fan,hotend_fan,board,cavity_fan,exhaust"
        );
        assert_eq!(
            names(machine.filament_sensors.iter().map(|part| &*part.name).collect()),
            "filament_0,\"odd\""
        );
        assert_eq!(layout.find("extruder10"), Some(Target::Nozzle(10)));
        assert_eq!(layout.find("extruder1"), None);
        assert_eq!(layout.find("gcode_macro _octoapp_status"), Some(Target::AppStatus));
        assert_eq!(layout.find("gcode_macro PAUSE"), None);
    }

    #[test]
    fn the_request_asks_for_each_with_its_fields_and_for_no_clock() {
        let text = Layout::of(NAMES.into_iter()).in_json();
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json.as_object().unwrap().len(), BASE.len() + 16, "{text}");
        assert_eq!(json["extruder2"], serde_json::json!(["temperature", "target", "power"]));
        assert!(json["filament_motion_sensor \"odd\""].is_array());
        assert!(!text.contains("estimated_print_time"));
        for (name, _) in BASE {
            assert!(json[name].is_array(), "{name}");
        }
    }

    #[test]
    fn no_list_makes_the_request_long() {
        let names: Vec<String> = (0..1000).map(|number| format!("fan_generic f{number}")).collect();
        let layout = Layout::of(names.iter().map(String::as_str));
        assert_eq!(layout.slots.len(), MAX_OBJECTS);
        let long = format!("fan_generic {}", "x".repeat(MAX_NAME));
        assert_eq!(Layout::of(["fan", "fan", &long].into_iter()).machine().fans.len(), 1);
    }
}
