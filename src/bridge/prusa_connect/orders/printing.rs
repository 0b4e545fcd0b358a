//! Starting, pausing, resuming and stopping a print.

use super::catalogue::BROKEN;
use super::decision::{Decision, Goal, Task, Work};
use super::options::{Options, not_allowed};
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::files::{PRINT_FILE, kind_of};
use crate::bridge::prusa_connect::machine::{Effect, Situation};
use serde_json::Value;
use std::time::Duration;

/// How long a print may take to begin. Heating comes after that.
const START: Duration = Duration::from_secs(15);
/// How long the macros may take that pause, resume and cancel.
const MACRO: Duration = Duration::from_secs(60);
/// Most tools of a file.
const MOST_TOOLS: usize = 32;

pub(super) fn start(order: &Order, now: &Situation<'_>, options: &Options) -> Decision {
    let Some(path) = order.text("path", 0).or_else(|| order.text("path_sfn", 0)) else {
        return Decision::Fail(BROKEN.into());
    };
    let free = matches!(now.state, State::Idle | State::Ready | State::Finished | State::Stopped);
    if !free || now.active || !now.works {
        return Decision::Refuse("Can't print now".into());
    }
    if !now.ready && !options.allowed.unready {
        let what = "Printing without Set ready";
        return Decision::Refuse(not_allowed(what, "print"));
    }
    let Ok(file) = options.place.within(path) else {
        return Decision::Refuse("Forbidden path".into());
    };
    if kind_of(file) != PRINT_FILE {
        return Decision::Refuse("Unsupported file type".into());
    }
    let mapping = match order.kwargs.get("tool_mapping").filter(|mapping| !mapping.is_null()) {
        None => Vec::new(),
        Some(mapping) => match tools(mapping, now.toolheads) {
            Ok(mapping) => mapping,
            Err(why) => return Decision::Refuse(why.into()),
        },
    };
    Decision::Work(Work {
        effect: Some(Effect::Started(file.into())),
        task: Task::Start { path: file.into(), mapping },
        goal: Goal::State(&[State::Printing, State::Paused, State::Attention]),
        limit: Some(START),
    })
}

/// Which toolhead stands for which tool of the file, both from 0. Empty if each stands for itself.
fn tools(mapping: &Value, toolheads: usize) -> Result<Vec<(u8, u8)>, &'static str> {
    let mapping = mapping.as_object().filter(|mapping| mapping.len() <= MOST_TOOLS).ok_or(BROKEN)?;
    let mut found = Vec::with_capacity(mapping.len());
    for (tool, heads) in mapping {
        let heads = heads.as_array().ok_or(BROKEN)?;
        let from_one = |number: u64| u8::try_from(number.checked_sub(1)?).ok();
        let tool = tool.parse().ok().and_then(from_one).filter(|tool| usize::from(*tool) < MOST_TOOLS);
        let head = match heads.as_slice() {
            [] => continue,
            [head] => head.as_u64().and_then(from_one),
            // The others are to go on when its filament runs out, for which Klipper has nothing.
            _ => return Err("Invalid spool join setting"),
        };
        let (Some(tool), Some(head)) = (tool, head) else { return Err(BROKEN) };
        if usize::from(head) >= toolheads.max(1) {
            return Err("Invalid tool mapping: the printer has no such tool");
        }
        found.push((tool, head));
    }
    found.sort_unstable();
    let changes = found.iter().any(|(tool, head)| tool != head);
    Ok(if changes { found } else { Vec::new() })
}

pub(super) fn pause(now: &Situation<'_>) -> Decision {
    match now.state {
        // A pause that asks for somebody is one, too.
        State::Printing => job(Task::Pause, Effect::Paused, &[State::Paused, State::Attention]),
        _ => Decision::Refuse("No print to pause".into()),
    }
}

pub(super) fn resume(now: &Situation<'_>) -> Decision {
    match now.state {
        State::Paused => job(Task::Resume, Effect::Resumed, &[State::Printing]),
        _ => Decision::Refuse("No paused print to resume".into()),
    }
}

pub(super) fn stop(now: &Situation<'_>) -> Decision {
    let ends = &[State::Stopped, State::Idle, State::Ready, State::Finished];
    match now.state {
        State::Printing | State::Paused => job(Task::Cancel, Effect::Stopped, ends),
        State::Attention if now.active => job(Task::Cancel, Effect::Stopped, ends),
        _ => Decision::Refuse("No print to stop".into()),
    }
}

fn job(task: Task, effect: Effect, states: &'static [State]) -> Decision {
    Decision::Work(Work { task, effect: Some(effect), goal: Goal::State(states), limit: Some(MACRO) })
}
