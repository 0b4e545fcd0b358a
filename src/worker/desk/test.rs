//! A test message.

use super::{Work, spawn};
use crate::page::{SAID, fill};
use crate::settings::Instance;
use crate::setup::trial;

/// Sends one.
pub(super) fn begin(work: Work, instance: &Instance) -> Result<(), String> {
    let (instance, name, board) = (instance.clone(), instance.name(), work.board.clone());
    let busy = Some(Ok(SAID.busy.to_owned()));
    if board.of(&name).1 == busy {
        return Err(SAID.goes_on.to_owned());
    }
    board.tested(&name, busy);
    let own = name.clone();
    let begun = spawn(move || {
        let outcome = trial::send(&work.settings, &instance, &|| Ok(work.control.clone()));
        let told = outcome.map(|receivers| fill(SAID.tested, &[&receivers]));
        let told = told.map_err(|stop| stop.to_string());
        work.board.tested(&own, Some(told));
    });
    if begun.is_err() {
        board.tested(&name, None);
    }
    begun
}
