//! How it goes, for people.

use super::Line;
use crate::bridge::{BridgeState, BridgeStatus, Health};

/// What is said first where the token is refused.
pub(crate) const REFUSED: &str = "Prusa Connect refuses the printer's token";

impl Line {
    /// How it goes.
    pub(crate) fn report(&self) -> BridgeStatus {
        let (state, health, text) = self.words();
        let (queued, _) = self.waits();
        BridgeStatus {
            state,
            health,
            text,
            queued,
            dropped: self.queue.dropped(),
            last_ok: self.last_ok.map(|at| at.as_secs()),
            last_error: self.last_error.clone(),
        }
    }

    fn words(&self) -> (BridgeState, Health, String) {
        let error = self.last_error.as_deref().unwrap_or_default();
        if self.token.is_none() {
            return match (self.code(), &self.ended) {
                (Some(code), _) => {
                    let text = format!("waits for the code {} to be entered in Prusa Connect", code.text);
                    (BridgeState::NeedsPairing, Health::Warn, text)
                }
                (None, Some(why)) => {
                    let text = format!(
                        "the registration ended: {why}; begin anew with `octobridge pair prusa-connect`"
                    );
                    (BridgeState::NeedsPairing, Health::Fail, text)
                }
                (None, None) if self.registration.is_under_way() => {
                    let trouble = if error.is_empty() { "" } else { "; it is tried again: " };
                    let health = if error.is_empty() { Health::Ok } else { Health::Waiting };
                    (
                        BridgeState::NeedsPairing,
                        health,
                        format!("asks Prusa Connect for a code{trouble}{error}"),
                    )
                }
                (None, None) => {
                    let text = "not registered; run `octobridge pair prusa-connect`";
                    (BridgeState::NeedsPairing, Health::Fail, text.to_owned())
                }
            };
        }
        if self.refusals > 1 {
            let text =
                format!("{REFUSED} ({error}); if it was removed there, run `octobridge pair prusa-connect`");
            return (BridgeState::Failed, Health::Fail, text);
        }
        match (error.is_empty(), self.last_ok) {
            (true, None) => {
                (BridgeState::Starting, Health::Ok, "has not reached Prusa Connect yet".to_owned())
            }
            (true, Some(_)) => (BridgeState::Connected, Health::Ok, "connected".to_owned()),
            (false, _) => (BridgeState::Retrying, Health::Waiting, format!("{error}; it is tried again")),
        }
    }
}
