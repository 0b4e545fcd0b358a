//! Every command, and what is done about it.

use super::decision::{Answer, Change, Decision, FileOrder, Goal, Task, Work};
use super::options::{Options, not_allowed};
use super::{filament, gcode, printing, values};
use crate::bridge::prusa_connect::connect::order::Order;
use crate::bridge::prusa_connect::connect::state::State;
use crate::bridge::prusa_connect::machine::{Effect, Situation};
use serde_json::Value;
use std::time::Duration;

/// How long a restart may take.
const RESTART: Duration = Duration::from_secs(60);
/// How long leaving an object out may take: Klipper does it when its queue comes to it.
const OBJECT: Duration = Duration::from_secs(60);

/// What Connect is told when values are missing or of another type.
pub(super) const BROKEN: &str = "Missing or broken parameters";

/// What is done about a command. Does nothing itself.
pub(crate) fn decide(order: &Order, now: &Situation<'_>, options: &Options) -> Decision {
    match order.name.as_str() {
        "SEND_INFO" => Decision::Answer(Answer::Info),
        "SEND_STATE_INFO" => Decision::Answer(Answer::State),
        "SEND_JOB_INFO" => job_info(order, now),
        "SEND_FILE_INFO" => files(order, FileOrder::Info),
        "START_PRINT" => printing::start(order, now, options),
        "PAUSE_PRINT" => printing::pause(now),
        "RESUME_PRINT" => printing::resume(now),
        "STOP_PRINT" => printing::stop(now),
        "SET_PRINTER_READY" => set_ready(now),
        "CANCEL_PRINTER_READY" if now.ready => Decision::Change(Change::NotReady),
        "CANCEL_PRINTER_READY" => Decision::Fail("Can't cancel, printer isn't ready".into()),
        "SET_IDLE" => set_idle(now),
        "GCODE" => gcode(order, now, options),
        "LOAD_FILAMENT" => filament::decide(order, true, now, options),
        "UNLOAD_FILAMENT" => filament::decide(order, false, now, options),
        "SET_VALUE" => values::decide(order, now, options),
        "CANCEL_OBJECT" => object(order, true, now),
        "UNCANCEL_OBJECT" => object(order, false, now),
        "DELETE_FILE" | "DELETE_FOLDER" | "DELETE_DIRECTORY" if !options.allowed.delete => {
            Decision::Refuse(not_allowed("Deleting files", "delete"))
        }
        "DELETE_FILE" => files(order, FileOrder::Delete),
        "DELETE_FOLDER" | "DELETE_DIRECTORY" => files(order, FileOrder::DeleteFolder),
        "CREATE_FOLDER" | "CREATE_DIRECTORY" => files(order, FileOrder::CreateFolder),
        "START_URL_DOWNLOAD" if !options.allowed.urls => {
            Decision::Refuse(not_allowed("Downloading from other addresses", "url_download"))
        }
        "START_URL_DOWNLOAD"
        | "START_CONNECT_DOWNLOAD"
        | "START_ENCRYPTED_DOWNLOAD"
        | "STOP_TRANSFER"
        | "SEND_TRANSFER_INFO" => Decision::Transfer,
        "DIALOG_ACTION" => dialog(order, now),
        "RESET_PRINTER" | "RESET" => reset(options),
        "UPGRADE" => Decision::Refuse("The firmware of this printer is not updated through Connect".into()),
        "SET_TOKEN" if order.text("token", 0).is_some() => Decision::Token,
        "SET_TOKEN" => Decision::Refuse(BROKEN.into()),
        _ => Decision::Unserved,
    }
}

fn job_info(order: &Order, now: &Situation<'_>) -> Decision {
    let Some(job) = now.job else { return Decision::Fail("No job in progress".into()) };
    match order.value("job_id", 0).map(Value::as_u64) {
        // Without a number the present one is meant.
        None => Decision::Answer(Answer::Job(job)),
        Some(Some(id)) if id == u64::from(job) => Decision::Answer(Answer::Job(job)),
        Some(_) => Decision::Fail("Job ID doesn't match".into()),
    }
}

fn files(order: &Order, what: FileOrder) -> Decision {
    match order.text("path", 0).or_else(|| order.text("path_sfn", 0)) {
        Some(_) => Decision::Files(what),
        None => Decision::Fail(BROKEN.into()),
    }
}

fn set_ready(now: &Situation<'_>) -> Decision {
    match now.state {
        State::Idle | State::Ready | State::Finished | State::Stopped if !now.active && now.works => {
            Decision::Change(Change::Ready)
        }
        _ => Decision::Refuse("Can't set ready now".into()),
    }
}

fn set_idle(now: &Situation<'_>) -> Decision {
    match now.state {
        State::Finished | State::Stopped => Decision::Change(Change::Dismissed),
        State::Ready => Decision::Change(Change::NotReady),
        State::Idle => Decision::Change(Change::Dismissed),
        _ => Decision::Refuse("Can't set idle now".into()),
    }
}

fn gcode(order: &Order, now: &Situation<'_>, options: &Options) -> Decision {
    let Some(text) = order.text("gcode", 0) else { return Decision::Refuse(BROKEN.into()) };
    let script = match gcode::Script::read(text) {
        Ok(script) => script,
        Err(why) => return Decision::Refuse(why.to_string().into()),
    };
    // Whoever wants to stop the printer need not be allowed anything, and what he adds does not matter any more.
    if script.first() == Some("M112") {
        return Decision::Work(Work { task: Task::Halt, effect: None, goal: Goal::Said, limit: None });
    }
    if let Some(only) = script.only() {
        match only {
            // As with Prusa's own: what has a command of its own is that command.
            "M601" | "PAUSE" => return printing::pause(now),
            "M602" | "RESUME" => return printing::resume(now),
            "M603" | "CANCEL_PRINT" => return printing::stop(now),
            "M999" | "FIRMWARE_RESTART" | "RESTART" => return reset(options),
            _ => {}
        }
    }
    if !options.allowed.gcode {
        return Decision::Refuse(not_allowed("G-code", "gcode"));
    }
    if let Err(why) = script.check() {
        return Decision::Refuse(why.to_string().into());
    }
    let stands_in_the_way = match now.state {
        State::Printing | State::Attention => !script.is_harmless_in_a_print(),
        State::Error => true,
        _ => false,
    };
    if stands_in_the_way && !order.force {
        return Decision::Refuse(format!("Can't run this G-code in state {}", now.state.word()).into());
    }
    Decision::Work(Work {
        task: Task::Gcode(text.into()),
        effect: (!now.active).then_some(Effect::Work),
        goal: Goal::Said,
        limit: None,
    })
}

fn object(order: &Order, leave_out: bool, now: &Situation<'_>) -> Decision {
    let Some(id) = order.value("id", 0).and_then(Value::as_u64) else {
        return Decision::Refuse(BROKEN.into());
    };
    if !now.active {
        return Decision::Refuse("No job in progress".into());
    }
    let object = usize::try_from(id).ok().and_then(|id| now.objects?.all.get(id));
    let Some(name) = object else { return Decision::Refuse("No such object".into()) };
    let Some(quoted) = gcode::quoted(name) else {
        return Decision::Refuse("The name of this object cannot be told to Klipper".into());
    };
    let again = if leave_out { "" } else { " RESET=1" };
    Decision::Work(Work {
        task: Task::Script(format!("EXCLUDE_OBJECT NAME={quoted}{again}").into()),
        effect: None,
        goal: Goal::Object((&**name).into(), leave_out),
        limit: Some(OBJECT),
    })
}

fn dialog(order: &Order, now: &Situation<'_>) -> Decision {
    if order.kwargs.is_empty() && order.args.is_empty() {
        return Decision::Fail("DIALOG_ACTION requires kwargs".into());
    }
    let id = order.value("dialog_id", 0).and_then(Value::as_u64);
    let (Some(id), Some(button)) = (id, order.text("button", 1)) else {
        return Decision::Refuse(BROKEN.into());
    };
    let Some((open, prompt)) = now.dialog.filter(|(open, _)| u64::from(*open) == id) else {
        return Decision::Refuse("This dialog is not open".into());
    };
    let same = |label: &str| label == button || label.eq_ignore_ascii_case(button);
    let Some(pressed) = prompt.buttons.iter().find(|known| same(&known.label)) else {
        return Decision::Refuse(format!("Dialog {open} has no button {button:?}").into());
    };
    // What stands on the printer's own button is the printer's own doing: it needs no permission.
    Decision::Work(Work {
        task: Task::Script((&*pressed.gcode).into()),
        effect: None,
        goal: Goal::Said,
        limit: None,
    })
}

fn reset(options: &Options) -> Decision {
    if !options.allowed.reset {
        return Decision::Refuse(not_allowed("Restarting the printer", "reset"));
    }
    Decision::Work(Work {
        task: Task::Restart,
        effect: Some(Effect::Restarted),
        goal: Goal::Restarted,
        limit: Some(RESTART),
    })
}
