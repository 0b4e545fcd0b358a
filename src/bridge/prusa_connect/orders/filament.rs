//! Loading and unloading filament.

use super::decision::{Decision, Filament, Goal, Task, Work};
use super::gcode::Material;
use super::options::{Options, not_allowed};
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::machine::{Effect, Situation};

/// Hottest nozzle and bed that Connect may ask for, in °C. Klipper has bounds of its own below them.
const MOST_NOZZLE: f64 = 350.0;
const MOST_BED: f64 = 150.0;

pub(super) fn decide(order: &Order, load: bool, now: &Situation<'_>, options: &Options) -> Decision {
    if !options.allowed.gcode {
        return Decision::Refuse(not_allowed("Changing filament", "gcode"));
    }
    if matches!(now.state, State::Printing | State::Attention | State::Error) || !now.works {
        return Decision::Refuse(format!("Can't change filament in state {}", now.state.word()).into());
    }
    let heat = |name: &str, position: usize, most: f64| match order.value(name, position) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(degrees) if (0.0..=most).contains(&degrees) => Ok(Some(degrees)),
            _ => Err(format!("{name} is no temperature from 0 to {most} °C")),
        },
    };
    let temperatures = heat("nozzle_temperature", 1, MOST_NOZZLE)
        .and_then(|nozzle| Ok(Material { nozzle, bed: heat("bed_temperature", 0, MOST_BED)? }));
    match temperatures {
        Err(why) => Decision::Refuse(why.into()),
        Ok(heat) => Decision::Work(Work {
            task: Task::Filament(Filament { load, heat }),
            effect: (!now.active).then_some(Effect::Work),
            goal: Goal::Said,
            limit: None,
        }),
    }
}
