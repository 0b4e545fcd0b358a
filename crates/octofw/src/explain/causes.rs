//! Where owner and mode of a path come from.

use std::fs;

use crate::overlay::owners::OWNERS;
use crate::overlay::{Overlay, OverlayError};
use crate::plan::{Histories, Touch};
use crate::rootfs::watch::{Part, State};

/// The two sources, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Causes {
    pub(super) owner: String,
    pub(super) mode: String,
}

/// Finds out for a path that is there in the end.
pub(super) fn of(path: &str, histories: &Histories, overlays: &[Overlay]) -> Result<Causes, OverlayError> {
    let base = || "that of the base".to_owned();
    let Some(history) = histories.get(path) else { return Ok(Causes { owner: base(), mode: base() }) };
    let last = |value: fn(&State) -> &str| {
        let mut was = history.before.as_ref().map(value);
        let mut setter: Option<(&Touch, bool)> = None;
        for touch in &history.touches {
            let now = touch.after.as_ref().map(value);
            if now != was {
                setter = now.map(|_| (touch, was.is_none()));
            }
            was = now;
        }
        setter
    };
    let told = |setter: Option<(&Touch, bool)>, new: fn(&Touch) -> String| match setter {
        None => Ok(base()),
        Some((touch, _)) if touch.part == Part::Owners => in_table(path, touch, overlays),
        Some((touch, true)) if !touch.part.runs() => Ok(new(touch)),
        Some((touch, _)) => Ok(format!("from {} of {}", touch.source, touch.overlay)),
    };
    let owner = told(last(|state| &state.owner), |_| "0:0, as everything new".to_owned())?;
    let mode = told(last(|state| &state.mode), new_mode)?;
    Ok(Causes { owner, mode })
}

/// Why something new has its mode.
fn new_mode(touch: &Touch) -> String {
    use crate::rootfs::snapshot::Kind;
    let Some(state) = &touch.after else { return String::new() };
    match (state.kind, touch.part) {
        (Kind::File, Part::Root) if state.mode == "0755" => {
            format!("0755, since {} of {} is executable", touch.source, touch.overlay)
        }
        (Kind::File, Part::Root) => {
            format!("{}, since {} of {} is not executable", state.mode, touch.source, touch.overlay)
        }
        (Kind::File, _) => format!("{}, from {} of {}", state.mode, touch.source, touch.overlay),
        (Kind::Directory, _) => format!("{}, as every new directory", state.mode),
        _ => format!("{}, as every new link", state.mode),
    }
}

/// The line of the table of owners.
fn in_table(path: &str, touch: &Touch, overlays: &[Overlay]) -> Result<String, OverlayError> {
    let Some(overlay) = overlays.iter().find(|overlay| overlay.name == touch.overlay) else {
        return Ok(format!("from {OWNERS} of {}", touch.overlay));
    };
    let text = fs::read_to_string(overlay.folder.join(OWNERS)).map_err(|e| overlay.system(OWNERS, e))?;
    // The last line that names it counts.
    let names = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        !word.starts_with('#') && word.trim_matches('/') == path.trim_matches('/')
    };
    let lines = text.lines().enumerate().filter(|(_, line)| names(line));
    Ok(match lines.last() {
        Some((number, _)) => format!("from {OWNERS}, line {}, of {}", number + 1, touch.overlay),
        None => format!("from {OWNERS} of {}", touch.overlay),
    })
}
