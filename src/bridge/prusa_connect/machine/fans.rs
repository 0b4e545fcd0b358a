//! Which fan is whose, by its name. Only turns per minute are told, so that a fan without a tachometer is none.

use crate::printer::Machine;

/// Turns per minute of the fan that cools the part at that toolhead. Klipper's `fan` is that of the first, and of all if
/// no other has one of its own.
pub(super) fn part(machine: &Machine, toolhead: u8) -> Option<f64> {
    let part = |name: &str| number(name).filter(|_| !is_hotend(name));
    let names = || machine.fans.iter().map(|fan| fan.name.to_ascii_lowercase());
    if names().any(|name| part(&name) == Some(toolhead)) {
        return rpm(machine, |name| part(name) == Some(toolhead));
    }
    let shared = toolhead == 0 || !names().any(|name| part(&name).is_some());
    if shared { rpm(machine, |name| name == "fan") } else { None }
}

/// Turns per minute of the fan that cools the hotend of that toolhead.
pub(super) fn hotend(machine: &Machine, toolhead: u8) -> Option<f64> {
    let single = machine.toolheads.len() < 2;
    rpm(machine, |name| {
        is_hotend(name) && (of_toolhead(name, toolhead) || (single && number(name).is_none()))
    })
}

/// Turns per minute of the chamber's fan.
pub(super) fn chamber(machine: &Machine) -> Option<f64> {
    rpm(machine, |name| ["chamber", "cavity", "enclosure"].iter().any(|word| name.contains(word)))
}

fn rpm(machine: &Machine, is_it: impl Fn(&str) -> bool) -> Option<f64> {
    let fan = machine.fans.iter().find(|fan| is_it(&fan.name.to_ascii_lowercase()))?;
    fan.value.rpm.filter(|rpm| rpm.is_finite() && *rpm >= 0.0)
}

fn is_hotend(name: &str) -> bool {
    ["nozzle", "hotend", "heatbreak", "heat_break"].iter().any(|word| name.contains(word))
}

fn of_toolhead(name: &str, toolhead: u8) -> bool {
    number(name) == Some(toolhead)
}

/// The number of a toolhead in a name: `e1_nozzle_fan`, `extruder2_fan`, `hotend_fan_t3`.
fn number(name: &str) -> Option<u8> {
    name.split(['_', ' ', '-']).find_map(|word| {
        let digits = word.strip_prefix("extruder").or_else(|| word.strip_prefix(['e', 't']))?;
        match (digits, word) {
            ("", "extruder") => Some(0),
            _ => digits.parse().ok(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::{Fan, Named, Toolhead};

    fn machine(toolheads: u8, fans: &[(&str, Option<f64>)]) -> Machine {
        let fan = |(name, rpm): &(&str, Option<f64>)| Named {
            name: (*name).into(),
            value: Fan { speed: Some(1.0), rpm: *rpm },
        };
        Machine {
            toolheads: (0..toolheads).map(|number| Toolhead { number, ..Toolhead::default() }).collect(),
            fans: fans.iter().map(fan).collect(),
            ..Machine::default()
        }
    }

    #[test]
    fn each_toolhead_has_its_fans() {
        let machine = machine(
            4,
            &[
                ("fan", Some(3000.0)),
                ("e0_nozzle_fan", Some(5000.0)),
                ("e1_nozzle_fan", Some(5100.0)),
                ("e1_fan", Some(2400.0)),
                ("e2_fan", None),
                ("cavity_fan", Some(900.0)),
            ],
        );
        assert_eq!(
            [0, 1, 2, 3].map(|number| part(&machine, number)),
            [Some(3000.0), Some(2400.0), None, None]
        );
        assert_eq!([0, 1, 2].map(|number| hotend(&machine, number)), [Some(5000.0), Some(5100.0), None]);
        assert_eq!(chamber(&machine), Some(900.0));
    }

    #[test]
    fn the_only_hotend_needs_no_number_and_a_speed_is_no_turns() {
        let machine = machine(1, &[("fan", None), ("hotend_fan", Some(7800.4)), ("board", Some(1.0))]);
        assert_eq!((part(&machine, 0), hotend(&machine, 0)), (None, Some(7800.4)));
        assert_eq!(hotend(&self::machine(1, &[("hotend_fan", Some(f64::NAN))]), 0), None);
        assert_eq!(hotend(&self::machine(1, &[("extruder_hotend", Some(9.0))]), 0), Some(9.0));
    }
}
