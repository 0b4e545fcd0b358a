//! Tickets: what a page puts into the address of a WebSocket, where no header can go. Each is good once and not for long, so
//! that one that a log or a history keeps is worth nothing.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

use super::LogIn;
use crate::store::id::{self, NoRandomness};

/// How long one is good.
pub const LIFE: Duration = Duration::from_secs(30);
/// Tickets of a user at one time; the oldest goes.
const PER_USER: usize = 32;
/// How they begin, so that none is taken for a token.
pub const PREFIX: &str = "tkt_";

#[derive(Debug)]
struct Ticket {
    log_in: LogIn,
    end: Instant,
}

/// Those that are out.
#[derive(Debug, Default)]
pub struct Tickets {
    out: HashMap<String, Ticket>,
}

impl Tickets {
    /// A new one for this log-in; it ends with the log-in.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn issue(&mut self, log_in: LogIn, now: Instant) -> Result<String, NoRandomness> {
        self.out.retain(|_, ticket| ticket.end > now);
        let of_user = |ticket: &Ticket| ticket.log_in.user == log_in.user;
        if self.out.values().filter(|ticket| of_user(ticket)).count() >= PER_USER {
            let oldest = self.out.iter().filter(|(_, ticket)| of_user(ticket)).min_by_key(|(_, t)| t.end);
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                self.out.remove(&name);
            }
        }
        let name = format!("{PREFIX}{}", id::random(32)?);
        self.out.insert(name.clone(), Ticket { log_in, end: now + LIFE });
        Ok(name)
    }

    /// Takes it; gives the log-in, once.
    pub fn take(&mut self, name: &str, now: Instant) -> Option<LogIn> {
        let ticket = self.out.remove(name)?;
        (ticket.end > now).then_some(ticket.log_in)
    }
}
