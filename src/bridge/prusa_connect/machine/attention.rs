//! Why a person is needed, as far as the printer tells it.

use super::rules::Verdict;
use crate::bridge::prusa_connect::connect::event::Source;
use crate::bridge::prusa_connect::connect::state::State;
use crate::printer::{Fault, FaultCode, PausedBy, Prompt, Snapshot};

/// Faults below this level are only listed by the vendor and keep nobody from anything.
const GRAVE: u32 = 2;

/// Why the job waits, as it was told when it began to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pause {
    /// Who or what paused it.
    pub(super) by: PausedBy,
    /// The printer's words.
    pub(super) reason: Option<Box<str>>,
}

/// Whether the pause needs a person at the printer. What was put right needs nobody any more, so that Connect may go on.
pub(super) fn in_pause(snapshot: &Snapshot, pause: Option<&Pause>) -> Option<Verdict> {
    if let Some(found) = dialog_or_fault(snapshot) {
        return Some(found);
    }
    match pause {
        Some(Pause { by: PausedBy::Runout { sensor }, .. }) => {
            let empty = snapshot.machine.filament_sensors.iter().find(|known| *known.name == **sensor);
            let filled = empty.and_then(|sensor| sensor.value.detected) == Some(true);
            (!filled).then(|| ran_out(sensor))
        }
        Some(Pause { by: PausedBy::Fault { code }, reason }) => {
            let stands = snapshot.faults.iter().any(|fault| fault.code == *code);
            stands.then(|| fault_verdict(*code, reason.as_deref().unwrap_or_default()))
        }
        // Somebody was told something together with the pause: a change of filament, for example.
        Some(Pause { by: PausedBy::Unknown, reason: Some(reason) }) => {
            Some(Verdict::new(State::Attention, Source::Gcode).because(&**reason))
        }
        Some(Pause { by: PausedBy::Bridge { .. }, .. }) => None,
        Some(Pause { by: PausedBy::Unknown, reason: None }) | None => empty_everywhere(snapshot).map(ran_out),
    }
}

/// Whether a person is needed while a job prints on: only what is asked of him.
pub(super) fn in_print(snapshot: &Snapshot) -> Option<Verdict> {
    snapshot.prompt.as_deref().map(dialog)
}

/// Whether a person is needed without a job.
pub(super) fn idle(snapshot: &Snapshot) -> Option<Verdict> {
    dialog_or_fault(snapshot)
}

fn dialog_or_fault(snapshot: &Snapshot) -> Option<Verdict> {
    let grave = |fault: &&Fault| fault.level >= GRAVE;
    let fault = snapshot.faults.iter().filter(grave).max_by_key(|fault| fault.level);
    let fault = fault.map(|fault| fault_verdict(fault.code, &fault.message));
    snapshot.prompt.as_deref().map(dialog).or(fault)
}

fn dialog(prompt: &Prompt) -> Verdict {
    let text = match (&*prompt.title, &*prompt.text) {
        ("", "") => "The printer shows a dialog".to_owned(),
        ("", text) | (text, "") => text.to_owned(),
        (title, text) => format!("{title}: {text}"),
    };
    Verdict::new(State::Attention, Source::Firmware).because(text)
}

fn fault_verdict(code: FaultCode, message: &str) -> Verdict {
    let text = if message.is_empty() { format!("Fault {code}") } else { format!("{message} ({code})") };
    Verdict::new(State::Attention, Source::Hw).because(text)
}

fn ran_out(sensor: &str) -> Verdict {
    Verdict::new(State::Attention, Source::Hw).because(format!("Filament ran out (sensor {sensor})"))
}

/// The first sensor, where there is one and none sees filament. While one does, another that is empty may belong to
/// a toolhead that the job does not use.
fn empty_everywhere(snapshot: &Snapshot) -> Option<&str> {
    let mut minding =
        snapshot.machine.filament_sensors.iter().filter(|sensor| sensor.value.enabled != Some(false));
    let first = minding.clone().next()?;
    minding.all(|sensor| sensor.value.detected == Some(false)).then_some(&*first.name)
}
