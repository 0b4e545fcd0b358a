//! Tickets: what a page puts into the address of a WebSocket, where no header can go. Each is good once and not for long, so
//! that one that a log or a history keeps is worth nothing.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

use crate::store::id::{self, NoRandomness};

/// How long one is good.
pub const LIFE: Duration = Duration::from_secs(30);
/// Tickets of a user at one time; the oldest goes.
const PER_USER: usize = 32;
/// How they begin, so that none is taken for a token.
pub const PREFIX: &str = "tkt_";

#[derive(Debug)]
struct Ticket {
    user: String,
    epoch: i64,
    end: Instant,
}

/// Those that are out.
#[derive(Debug, Default)]
pub struct Tickets {
    out: HashMap<String, Ticket>,
}

impl Tickets {
    /// A new one for this user; it ends with the user's epoch.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn issue(&mut self, user: &str, epoch: i64, now: Instant) -> Result<String, NoRandomness> {
        self.out.retain(|_, ticket| ticket.end > now);
        if self.out.values().filter(|ticket| ticket.user == user).count() >= PER_USER {
            let oldest = self.out.iter().filter(|(_, ticket)| ticket.user == user).min_by_key(|(_, t)| t.end);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.out.remove(&name);
            }
        }
        let name = format!("{PREFIX}{}", id::random(32)?);
        self.out.insert(name.clone(), Ticket { user: user.to_owned(), epoch, end: now + LIFE });
        Ok(name)
    }

    /// Takes it; gives the user and the epoch, once.
    pub fn take(&mut self, name: &str, now: Instant) -> Option<(String, i64)> {
        let ticket = self.out.remove(name)?;
        (ticket.end > now).then_some((ticket.user, ticket.epoch))
    }
}
