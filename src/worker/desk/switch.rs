//! A bridge's switch.

use super::{Work, spawn};
use crate::page::SAID;
use crate::settings::Instance;
use crate::setup::{Note, Place};

/// Switches a bridge on or off.
pub(super) fn begin(work: Work, instance: &Instance, on: bool) -> Result<(), String> {
    let (name, bridge) = (instance.name(), instance.bridge);
    let refused = move |work: &Work, name: &str| !on && work.needs(name);
    if refused(&work, &name) {
        return Err(SAID.last_bridge.to_owned());
    }
    let label = (!instance.label.is_empty()).then(|| instance.label.clone());
    spawn(move || {
        let alone = work.board.switching();
        if refused(&work, &name) {
            // Somebody was faster with another one.
            work.board.tested(&name, Some(Err(SAID.last_bridge.to_owned())));
            return;
        }
        let place = Place::of(work.settings.clone(), bridge, label.as_deref(), &[], &work.ground.environment);
        let outcome = match place.and_then(|place| place.switch(on)) {
            Ok(Note::ByHand(text)) => Some(Err(text)),
            Ok(_) => None,
            Err(stop) => Some(Err(stop.to_string())),
        };
        drop(alone);
        work.board.tested(&name, outcome);
        // A file that is broken is named once it is read.
        work.reload();
    })
}
