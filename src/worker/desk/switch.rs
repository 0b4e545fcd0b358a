//! A bridge's switch.

use super::{Work, spawn};
use crate::page::SAID;
use crate::settings::Instance;
use crate::setup::{Note, Place};

/// Switches a bridge on or off.
pub(super) fn begin(work: Work, instance: &Instance, on: bool) -> Result<(), String> {
    if !on && work.needs(&instance.name()) {
        return Err(SAID.last_bridge.to_owned());
    }
    let (name, bridge) = (instance.name(), instance.bridge);
    let label = (!instance.label.is_empty()).then(|| instance.label.clone());
    spawn(move || {
        let place = Place::of(work.settings.clone(), bridge, label.as_deref(), &[], &work.ground.environment);
        let outcome = match place.and_then(|place| place.switch(on)) {
            Ok(Note::ByHand(text)) => Some(Err(text)),
            Ok(_) => None,
            Err(stop) => Some(Err(stop.to_string())),
        };
        work.board.tested(&name, outcome);
        // A file that is broken is named once it is read.
        work.reload();
    })
}
