//! What is said of the printer's state.

use super::super::super::live::State;
use super::super::super::notify::Summary;
use super::super::super::text;
use super::{MOST, OUT_OF_SIGHT, file_name, mute, short};
use crate::clock::Moment;
use crate::printer::{Heat, KlippyState, Machine, PrintState, Sight, Snapshot};
use std::time::Duration;

/// From which age on what is seen of the printer is not of this moment.
const STALE: Duration = Duration::from_secs(60);
/// Most faults in a status.
const MOST_FAULTS: usize = 3;

/// The answer to `/status`; `queue` says how the messages go.
pub(in super::super) fn status(state: &State, printer: &str, queue: Option<&str>, now: Moment) -> String {
    let mut lines = Vec::new();
    match &state.sight {
        None => lines.push(OUT_OF_SIGHT.to_owned()),
        Some(sight) => {
            of_sight(sight, &mut lines);
            lines.push(seen(sight, now));
        }
    }
    name_printer(&mut lines, printer);
    lines.extend(state.checked.as_ref().map(|checked| format!("Check: {checked}")));
    lines.extend(mute(&state.mute, now.monotonic));
    lines.extend(queue.map(|queue| format!("Messages: {queue}")));
    text::paragraph(&lines.join("\n"), MOST)
}

/// The message that is kept up to date: as `status`, and its age only where that is no matter of course.
pub(in super::super) fn board(state: &State, printer: &str, now: Moment) -> String {
    let mut lines = Vec::new();
    if let Some(sight) = &state.sight {
        of_sight(sight, &mut lines);
        let age = now.monotonic.saturating_sub(sight.at.monotonic);
        lines.extend((age >= STALE).then(|| seen(sight, now)));
    }
    name_printer(&mut lines, printer);
    text::paragraph(&lines.join("\n"), MOST)
}

fn name_printer(lines: &mut [String], printer: &str) {
    if !printer.is_empty()
        && let Some(first) = lines.first_mut()
    {
        *first = format!("[{}] {first}", text::name(printer));
    }
}

fn of_sight(sight: &Sight, lines: &mut Vec<String>) {
    let snapshot = &sight.snapshot;
    lines.push(headline(snapshot));
    let busy = snapshot.print.as_ref().is_some_and(|print| print.state.is_active());
    if busy || snapshot.stage.is_some() {
        lines.extend(Summary::of(snapshot).line());
    }
    lines.extend(heat(&snapshot.machine));
    lines.extend(snapshot.message.as_deref().filter(|said| !said.is_empty()).map(text::name));
    let faults = snapshot.faults.iter().take(MOST_FAULTS);
    lines.extend(faults.map(|fault| text::paragraph(&fault.message, 200)));
}

fn seen(sight: &Sight, now: Moment) -> String {
    format!("Seen {} ago", short(now.monotonic.saturating_sub(sight.at.monotonic)))
}

/// The first line about the printer.
pub(in super::super) fn headline(snapshot: &Snapshot) -> String {
    if snapshot.klippy.state != KlippyState::Ready {
        let why = snapshot.klippy.message.as_deref().map(|why| format!("\n{}", text::paragraph(why, 300)));
        return format!("Klipper: {}{}", snapshot.klippy.state.name(), why.unwrap_or_default());
    }
    let print = snapshot.print.as_ref();
    let file = file_name(print.and_then(|print| print.file.as_deref()));
    match print.map(|print| print.state) {
        Some(PrintState::Printing) => format!("Printing: {file}"),
        Some(PrintState::Paused) => format!("Paused: {file}"),
        Some(PrintState::Complete) => format!("Completed: {file}"),
        Some(PrintState::Cancelled) => format!("Cancelled: {file}"),
        Some(PrintState::Error) => format!("Failed: {file}"),
        Some(PrintState::Standby) | None => "No job".to_owned(),
    }
}

/// The tools, the bed and the chamber.
fn heat(machine: &Machine) -> Option<String> {
    let one = machine.toolheads.len() == 1;
    let mut parts = Vec::new();
    for toolhead in &machine.toolheads {
        let Some(degrees) = degrees(&toolhead.heat) else { continue };
        let in_use = machine.active_toolhead == Some(toolhead.number);
        parts.push(match (one, in_use) {
            (true, _) => format!("Nozzle {degrees}"),
            (false, true) => format!("T{} {degrees} (in use)", toolhead.number),
            (false, false) => format!("T{} {degrees}", toolhead.number),
        });
    }
    parts.extend(machine.bed.as_ref().and_then(degrees).map(|bed| format!("Bed {bed}")));
    parts.extend(machine.chamber().as_ref().and_then(degrees).map(|chamber| format!("Chamber {chamber}")));
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn degrees(heat: &Heat) -> Option<String> {
    let measured = heat.temperature.filter(|measured| measured.is_finite())?;
    Some(match heat.target.filter(|target| *target > 0.0) {
        Some(target) => format!("{measured:.0}/{target:.0} °C"),
        None => format!("{measured:.0} °C"),
    })
}
