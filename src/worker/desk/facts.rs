//! What the page shows and nobody in the worker knows: the phones in Moonraker's database, and who the printer is to Connect.

use super::{Work, spawn};
use crate::bridge::octoapp::pairing::Pairing;
use crate::bridge::prusa_connect::connect::token::Token;
use crate::bridge::prusa_connect::{NAME, serial};
use crate::settings::BridgeName;
use crate::tls;
use std::path::Path;

/// What was looked up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// The phones that are registered, a line each; none before they were looked up.
    pub(super) phones: Option<Result<Vec<String>, String>>,
    /// The printer's serial number for Connect.
    pub(super) serial: Option<String>,
    /// What may be shown of its token there.
    pub(super) token: Option<String>,
}

/// Looks them up, on a thread.
pub(super) fn look(work: Work) {
    let board = work.board.clone();
    // Without a thread it is tried again in a while.
    let _ = spawn(move || board.note_facts(facts(&work)));
}

fn facts(work: &Work) -> Facts {
    let of = |bridge| work.settings.instances.iter().find(|instance| instance.bridge == bridge);
    let connect = of(BridgeName::PrusaConnect);
    let token = connect.and_then(|instance| Token::new(instance.text("PRUSA_CONNECT_TOKEN")?));
    let set = connect.and_then(|instance| instance.text("PRUSA_CONNECT_SERIAL")).map(str::to_owned);
    let kept = || Some(serial::kept(&work.settings.paths.data, NAME).ok()??.serial);
    Facts { phones: Some(phones(work)), serial: set.or_else(kept), token: token.map(|token| token.hint()) }
}

fn phones(work: &Work) -> Result<Vec<String>, String> {
    let tls = tls::client_config(work.settings.text("EXTRA_CA_FILE").map(Path::new));
    let tls = tls.map_err(|error| error.to_string())?;
    let mut pairing =
        Pairing::new(&|name| work.settings.text(name).map(str::to_owned), tls, work.control.clone())
            .map_err(|error| error.to_string())?;
    pairing.registered().map_err(|error| error.to_string())
}
