//! What the machine itself shows, job or not: heat, motion, fans, filament.
//!
//! Units: °C, mm, mm/s, fractions from 0 to 1 where nothing else is said. A value that the printer does not tell is
//! none; it is never a guessed zero.

use std::sync::Arc;

/// The machine at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Machine {
    /// The toolheads, by rising number. Numbers need not be consecutive.
    pub toolheads: Vec<Toolhead>,
    /// Number of the one in use; none while none is picked up, or it is not known.
    pub active_toolhead: Option<u8>,
    /// The heated bed.
    pub bed: Option<Heat>,
    /// Further heaters, the chamber's for example.
    pub heaters: Vec<Named<Heat>>,
    /// Sensors that only measure.
    pub sensors: Vec<Named<Heat>>,
    /// The fans; the part fan of the printer is called `fan`.
    pub fans: Vec<Named<Fan>>,
    /// What is loaded in the toolheads, by their rising number; empty where the printer does not tell it.
    pub filaments: Vec<Filament>,
    /// Sensors that watch the filament.
    pub filament_sensors: Vec<Named<FilamentSensor>>,
    /// Where it is and how fast it may go.
    pub motion: Motion,
    /// What it does, with or without a job.
    pub activity: Option<Activity>,
    /// Whether it is paused by Klipper's own word, which may come before the print's state says so.
    pub pause_requested: Option<bool>,
    /// Objects of the job that can be excluded from it.
    pub objects: Objects,
    /// How high the bed is, in mm, in rows of points from the front; empty where it was not measured.
    pub mesh: Arc<[Box<[f64]>]>,
}

/// Something with a name, by which the printer calls it (`heater_fan hotend` is `hotend`).
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T> {
    /// The name.
    pub name: Arc<str>,
    /// What bears it.
    pub value: T,
}

/// One toolhead.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Toolhead {
    /// Its number: 0 is Klipper's `extruder`, 1 `extruder1`, and so on.
    pub number: u8,
    /// Its nozzle.
    pub heat: Heat,
}

/// A heater, or a sensor where there is no target.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Heat {
    /// Measured, in °C.
    pub temperature: Option<f64>,
    /// Wanted, in °C; 0 is off.
    pub target: Option<f64>,
    /// Power, from 0 to 1.
    pub power: Option<f64>,
}

/// A fan.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fan {
    /// Speed as it is set, from 0 to 1.
    pub speed: Option<f64>,
    /// Turns per minute, where it has a tachometer.
    pub rpm: Option<f64>,
}

/// The filament in a toolhead, as its reader or its owner told the printer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filament {
    /// Number of the toolhead.
    pub toolhead: u8,
    /// Whether there is any.
    pub loaded: Option<bool>,
    /// Of what: `PLA`, `PETG`.
    pub material: Option<Arc<str>>,
    /// Which sort of that: `Basic`, `Silk`.
    pub kind: Option<Arc<str>>,
    /// Who made it.
    pub maker: Option<Arc<str>>,
    /// Its colour: red, green, blue.
    pub colour: Option<[u8; 3]>,
}

/// A sensor of filament.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilamentSensor {
    /// Whether there is filament.
    pub detected: Option<bool>,
    /// Whether the printer minds.
    pub enabled: Option<bool>,
}

/// Where the toolhead is, and the factors on its movement.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Motion {
    /// Position in the coordinates of the G-code: x, y, z.
    pub position: Option<[f64; 3]>,
    /// Axes that are homed, such as `xyz`.
    pub homed_axes: Option<Arc<str>>,
    /// Factor on the speed (`M220`), 1 is as sliced.
    pub speed_factor: Option<f64>,
    /// Factor on the flow (`M221`), 1 is as sliced.
    pub flow_factor: Option<f64>,
    /// Speed of the last move as the G-code says it, in mm/s, without the factor.
    pub speed: Option<f64>,
}

/// What the machine does, by the names of Klipper's `idle_timeout.state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Nothing for a long time: the motors are off.
    Idle,
    /// Nothing.
    Ready,
    /// It moves or heats on somebody's word, with or without a job.
    Busy,
}

/// Objects of the present job (`exclude_object`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Objects {
    /// All, in the file's order, by name.
    pub all: Arc<[Arc<str>]>,
    /// Those that are left out.
    pub excluded: Arc<[Arc<str>]>,
    /// The one that is printed now.
    pub current: Option<Arc<str>>,
}

impl Machine {
    /// The toolhead in use; where none is, the first.
    pub fn toolhead(&self) -> Option<&Toolhead> {
        let active = |number| self.toolheads.iter().find(|toolhead| toolhead.number == number);
        self.active_toolhead.and_then(active).or_else(|| self.toolheads.first())
    }

    /// The chamber, by the name of a heater or else a sensor.
    pub fn chamber(&self) -> Option<Heat> {
        let is_chamber = |named: &&Named<Heat>| {
            let name = named.name.to_ascii_lowercase();
            ["chamber", "cavity", "enclosure"].iter().any(|word| name.contains(word))
        };
        let found = self.heaters.iter().find(is_chamber).or_else(|| self.sensors.iter().find(is_chamber));
        found.map(|named| named.value)
    }

    /// The fan that cools the part.
    pub fn part_fan(&self) -> Option<Fan> {
        self.fans.iter().find(|fan| &*fan.name == "fan").map(|fan| fan.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, temperature: f64) -> Named<Heat> {
        let value = Heat { temperature: Some(temperature), ..Heat::default() };
        Named { name: name.into(), value }
    }

    #[test]
    fn the_chamber_is_found_by_name_and_its_heater_counts_first() {
        let mut machine =
            Machine { sensors: vec![named("mcu", 50.0), named("Cavity", 31.0)], ..Machine::default() };
        assert_eq!(machine.chamber().and_then(|heat| heat.temperature), Some(31.0));
        machine.heaters.push(named("chamber_heater", 40.0));
        assert_eq!(machine.chamber().and_then(|heat| heat.temperature), Some(40.0));
        assert_eq!(Machine::default().chamber(), None);
    }

    #[test]
    fn without_an_active_toolhead_the_first_counts() {
        let toolhead = |number| Toolhead { number, heat: Heat::default() };
        let mut machine = Machine { toolheads: vec![toolhead(0), toolhead(2)], ..Machine::default() };
        assert_eq!(machine.toolhead().map(|toolhead| toolhead.number), Some(0));
        machine.active_toolhead = Some(2);
        assert_eq!(machine.toolhead().map(|toolhead| toolhead.number), Some(2));
        machine.active_toolhead = Some(7);
        assert_eq!(machine.toolhead().map(|toolhead| toolhead.number), Some(0));
    }
}
