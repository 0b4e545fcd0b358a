//! Prusa Connect, from the page: a code is shown until its owner has entered it, or a file of Connect's is taken.

use super::board::Ticket;
use super::{Work, said};
use crate::bridge::prusa_connect::NAME;
use crate::bridge::prusa_connect::connect::registration::NOT_ENTERED;
use crate::bridge::prusa_connect::pairing::{News, PairError, Pairing};
use crate::bridge::prusa_connect::serial::Roots;
use crate::clock::Clock;
use crate::page::{Course, Extra, Invitation, SAID};
use crate::settings::Secret;
use crate::setup::Stop;
use crate::setup::prusa_connect::{Import, Target};
use crate::tls;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

/// Longest that the code is waited for at a time. It is good for longer, and the next wait goes on with it.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Shows a code, and waits for the token.
pub(super) fn pair(work: &Work, ticket: &Ticket) -> Result<String, String> {
    let target = target(work)?;
    let pairing = open(work, &target, None)?;
    let mut tell = |news: News| {
        if let News::Remark(text) = news {
            ticket.remark(text);
        }
        if ticket.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let token = loop {
        let mut waiting = pairing.begin(&mut tell).map_err(text)?;
        let life = pairing.life(&waiting.code);
        ticket.show(Course::Waiting(Invitation {
            link: Some(pairing.link(&waiting.code, &work.settings.general.printer_id)),
            code: Some(waiting.code.text.to_string()),
            extras: vec![Extra { label: SAID.prusa_add, text: [&pairing.config.server, "/add"].concat() }],
            until: work.clock.now().monotonic.saturating_add(life),
            remarks: Vec::new(),
        }));
        match pairing.wait(&mut waiting, PATIENCE, &mut tell) {
            Ok(token) => break token,
            // The server has forgotten the code of an earlier time.
            Err(PairError::Over(_)) if waiting.again => {}
            Err(PairError::Late(_)) if !pairing.life(&waiting.code).is_zero() && !ticket.is_over() => {}
            Err(PairError::Late(_)) => return Err(text(PairError::Over(NOT_ENTERED.to_owned()))),
            Err(error) => return Err(text(error)),
        }
    };
    ticket.show(Course::Busy(None));
    target.store(&pairing, &token).map(|notes| said(SAID.prusa_done, notes)).map_err(text)
}

/// Takes the token of a file.
pub(super) fn import(work: &Work, file: &Secret) -> Result<String, String> {
    let target = target(work)?;
    let import = target.import(file.expose()).map_err(text)?;
    let pairing = open(work, &target, Some(&import))?;
    let notes = target.take(&pairing, &import).map_err(text)?;
    Ok(said(SAID.prusa_imported, notes))
}

/// Forgets token and code.
pub(super) fn forget(work: &Work) -> Result<String, String> {
    let mut target = target(work)?;
    let _alone = work.board.switching();
    target.place.stays = work.needs(&target.place.section);
    let notes = target.forget().map_err(text)?;
    Ok(said(SAID.prusa_forgotten, notes))
}

fn target(work: &Work) -> Result<Target, String> {
    Target::find(work.settings.clone(), &work.ground.environment).map_err(|stop: Stop| stop.to_string())
}

fn open(work: &Work, target: &Target, import: Option<&Import>) -> Result<Pairing, String> {
    let paths = &work.settings.paths;
    let tls = tls::client_config(work.settings.text("EXTRA_CA_FILE").map(Path::new));
    let tls = tls.map_err(|error| error.to_string())?;
    let roots = Roots::of_this_machine(&paths.printer_data);
    Pairing::open(&target.with_import(import), &paths.data, NAME, &roots, tls).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
