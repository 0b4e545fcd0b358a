//! `SET_VALUE`: one value of the printer, by its name.

use super::catalogue::BROKEN;
use super::decision::{Change, Decision, Goal, Task, ToolChange, Work};
use super::gcode;
use super::options::{Options, not_allowed};
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::machine::Situation;
use serde_json::Value;
use std::time::Duration;

/// Warmest chamber, in °C.
const MOST_CHAMBER: f64 = 55.0;
/// Nozzles that there are, in mm.
const NOZZLES: std::ops::RangeInclusive<f64> = 0.1..=2.0;
/// Setting a target waits for what is done before it.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn decide(order: &Order, now: &Situation<'_>, options: &Options) -> Decision {
    let mut values = order.kwargs.iter();
    let (Some((name, value)), None) = (values.next(), values.next()) else {
        return Decision::Refuse(BROKEN.into());
    };
    match name.as_str() {
        "chamber.target_temp" | "chamber_target_temp" => chamber(value, now, options),
        _ => match name.strip_prefix("tools.") {
            Some(rest) => tool(rest, value, now),
            // The name of the machine, its lights and its filter are not Klipper's to set.
            None => Decision::Unserved,
        },
    }
}

fn chamber(value: &Value, now: &Situation<'_>, options: &Options) -> Decision {
    if !options.allowed.gcode {
        return Decision::Refuse(not_allowed("Heating the chamber", "gcode"));
    }
    let Some(degrees) = value.as_f64().filter(|degrees| (0.0..=MOST_CHAMBER).contains(degrees)) else {
        return Decision::Refuse(format!("The chamber is heated to 0 to {MOST_CHAMBER} °C").into());
    };
    // Klipper calls a heater by the last word of its section.
    let heater = now.chamber.and_then(|name| gcode::quoted(name.rsplit(' ').next()?));
    let Some(heater) = heater else { return Decision::Refuse("The chamber has no heater".into()) };
    if now.state == State::Error || !now.works {
        return Decision::Refuse("Can't heat the chamber now".into());
    }
    Decision::Work(Work {
        task: Task::Script(format!("SET_HEATER_TEMPERATURE HEATER={heater} TARGET={degrees}").into()),
        effect: None,
        goal: Goal::Said,
        limit: Some(LIMIT),
    })
}

fn tool(rest: &str, value: &Value, now: &Situation<'_>) -> Decision {
    let Some((number, field)) = rest.split_once('.') else { return Decision::Unserved };
    let number: Option<usize> = number.parse().ok();
    let toolhead = number.filter(|number| (1..=now.toolheads.max(1)).contains(number));
    let Some(toolhead) = toolhead.and_then(|number| u8::try_from(number - 1).ok()) else {
        return Decision::Refuse("The printer has no such tool".into());
    };
    let change = match field {
        "nozzle_diameter" => value.as_f64().filter(|width| NOZZLES.contains(width)).map(ToolChange::Nozzle),
        "high_flow" => value.as_bool().map(ToolChange::HighFlow),
        "hardened" => value.as_bool().map(ToolChange::Hardened),
        _ => return Decision::Unserved,
    };
    match change {
        Some(change) => Decision::Change(Change::Tool(toolhead, change)),
        None => Decision::Refuse(BROKEN.into()),
    }
}
