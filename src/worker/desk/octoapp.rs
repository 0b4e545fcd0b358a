//! OctoApp, from the page: a phone is waited for, greeted, and the bridge switched on.

use super::board::Ticket;
use super::{Work, said};
use crate::bridge::octoapp::pairing::{HELLO, News, PairError, Pairing};
use crate::clock::Clock;
use crate::page::{Course, Extra, Invitation, SAID, fill};
use crate::settings::BridgeName;
use crate::setup::{Note, Place, find_addresses};
use crate::tls;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a phone is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits for a phone.
pub(super) fn pair(work: &Work, ticket: &Ticket) -> Result<String, String> {
    let place = place(work)?;
    let mut pairing = open(work, &place)?;
    let paths = &work.settings.paths;
    pairing.prepare(&paths.data, &paths.printer_data).map_err(|error| error.to_string())?;
    let tls = tls::client_config(work.settings.text("EXTRA_CA_FILE").map(Path::new));
    let found = find_addresses(&work.control, tls.map_err(|error| error.to_string())?)?;
    let remarks = found.doubts().map(str::to_owned).collect();
    // Whoever comes once the invitation is shown is new.
    pairing.registered().map_err(|error| error.to_string())?;
    let mut urls = found.urls.into_iter();
    let link = urls.next();
    let extras = urls.map(|text| Extra { label: SAID.octoapp_elsewhere, text }).collect();
    let until = work.clock.now().monotonic.saturating_add(PATIENCE);
    ticket.show(Course::Waiting(Invitation { link, extras, until, remarks, ..Invitation::default() }));
    let arrived = pairing.wait(PATIENCE, &mut |news| {
        match news {
            News::Left(_) => {}
            News::Remark(text) => ticket.remark(text),
        }
        if ticket.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let arrived = arrived.map_err(|error| error.to_string())?;
    ticket.show(Course::Busy(None));
    let greeted = pairing.greet(&arrived, HELLO);
    ticket.still_counts()?;
    let note = switch(&place, true)?;
    let arrived = arrived.to_string();
    greeted.map_err(|error| fill(SAID.octoapp_stays, &[&error.to_string(), &arrived]))?;
    Ok(said(&fill(SAID.octoapp_done, &[&arrived]), note))
}

/// Forgets all phones.
pub(super) fn forget(work: &Work) -> Result<String, String> {
    let mut place = place(work)?;
    open(work, &place)?.forget().map_err(|error| error.to_string())?;
    let _alone = work.board.switching();
    place.stays = work.needs(&place.section);
    Ok(said(SAID.octoapp_forgotten, switch(&place, false)?))
}

/// Switches the bridge on or off, where it is not.
fn switch(place: &Place, on: bool) -> Result<Option<Note>, String> {
    let note = (place.is_on() != on).then(|| place.switch(on)).transpose();
    note.map_err(|stop| stop.to_string())
}

fn place(work: &Work) -> Result<Place, String> {
    Place::of(work.settings.clone(), BridgeName::OctoApp, None, &[], &work.ground.environment)
        .map_err(|stop| stop.to_string())
}

fn open(work: &Work, place: &Place) -> Result<Pairing, String> {
    let tls = tls::client_config(work.settings.text("EXTRA_CA_FILE").map(Path::new));
    let tls = tls.map_err(|error| error.to_string())?;
    Pairing::new(&|name| place.text(name), Arc::clone(&tls), work.control.clone())
        .map_err(|error: PairError| error.to_string())
}
