//! Who asks: passwords, tokens, cookies, roles, and how often somebody may try.
//!
//! [`layer::identify`] leaves an [`Identity`] in each request that has one; a handler takes it as an argument. A token only
//! names the user: what they may do is looked up for every request, so that a change counts at once.

pub mod bearer;
pub mod client;
pub mod cookie;
pub mod credential;
pub mod dev;
pub mod identity;
pub mod layer;
pub mod log_in;
pub mod origin;
pub mod password;
pub mod throttle;
pub mod ticket;
pub mod token;

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::config::{Config, Secret};
pub use client::Client;
pub use identity::{Admin, Identity, Role};
pub use log_in::{Lease, LogIn, LogIns, Standing};
use password::Passwords;
use throttle::Throttle;
use ticket::Tickets;
use token::Tokens;

/// All that decides who may come in.
pub struct Auth {
    /// Hashes.
    pub passwords: Passwords,
    /// Signs.
    pub tokens: Tokens,
    /// Sites whose pages may use a cookie.
    pub(crate) origins: Vec<String>,
    throttle: Mutex<Throttle>,
    tickets: Mutex<Tickets>,
}

impl Auth {
    /// By these settings, with this secret ([`crate::config::signing_secret`]).
    #[must_use]
    pub fn new(config: &Config, secret: &Secret) -> Self {
        let mut origins = config.auth.allowed_origins.clone();
        origins.extend(config.server.public_url.clone());
        if config.auth.dev_mode {
            origins.extend(layer::DEV_ORIGINS.map(str::to_owned));
        }
        Self {
            passwords: Passwords::default(),
            tokens: Tokens::new(secret, config.auth.token_ttl_seconds),
            origins,
            throttle: Mutex::default(),
            tickets: Mutex::default(),
        }
    }

    /// How often somebody tried. Never held over an `await`.
    pub fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tickets that are out. Never held over an `await`.
    pub fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
