//! Settings from every source, merged into one typed value in which each field knows where it came from.
//!
//! Precedence: environment over secrets files over extended2.cfg (else extended.cfg) over the bootstrap JSON
//! over defaults. What is wrong with a source is collected as a [`Problem`] and never stops the rest.

mod bootstrap;
mod bounded_file;
mod extended_cfg;
mod keys;
mod lookup;
mod origin;
mod paths;
mod secret;

pub use bootstrap::{Bootstrap, BootstrapError};
pub use bounded_file::{ReadError, read_text};
pub use extended_cfg::{CfgError, CfgValue, ExtendedCfg};
pub use keys::{ALL as ALL_KEYS, Key};
pub use origin::{Origin, Problem, Sourced};
pub use paths::{BOOTSTRAP_PLACES, PRINTER_DATA, Paths, SHIPPED_BOOTSTRAP};
pub use secret::Secret;

use lookup::Sources;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The process's environment, passed in so that nothing else reads it.
pub type Environment = BTreeMap<String, String>;

/// The bridges that can be switched on, by their section in extended.cfg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BridgeName {
    /// OctoApp push notifications.
    OctoApp,
    /// Prusa Connect.
    PrusaConnect,
    /// Telegram.
    Telegram,
}

impl BridgeName {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::OctoApp, Self::PrusaConnect, Self::Telegram];

    /// The section of extended.cfg.
    pub fn section(self) -> &'static str {
        match self {
            Self::OctoApp => "octoapp",
            Self::PrusaConnect => "prusa_connect",
            Self::Telegram => "telegram",
        }
    }

    /// Whether this version of the program carries the bridge.
    pub fn is_built(self) -> bool {
        matches!(self, Self::Telegram)
    }
}

/// Everything the program is told from outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folders.
    pub paths: Paths,
    /// Which bridges are on, with the reason; same order as [`BridgeName::ALL`].
    pub enabled: [Sourced<bool>; 3],
    /// Level of the log.
    pub log_level: Sourced<log::LevelFilter>,
    /// Moonraker's address, where it is set.
    pub moonraker_url: Option<Sourced<String>>,
    /// Moonraker's API key.
    pub moonraker_api_key: Option<Sourced<Secret>>,
    /// Additional certificate authorities.
    pub extra_ca_file: Option<Sourced<PathBuf>>,
    /// Settings of the Telegram bridge, as text; the bridge checks them.
    pub telegram: Telegram,
    /// What is wrong with the sources.
    pub problems: Vec<Problem>,
}

/// Settings of the Telegram bridge.
#[derive(Debug, Clone)]
pub struct Telegram {
    /// The bot's token.
    pub token: Option<Sourced<Secret>>,
    /// The chat.
    pub chat: Option<Sourced<String>>,
    /// The topic.
    pub thread: Option<Sourced<String>>,
    /// Address of the Bot API.
    pub api_url: Sourced<String>,
}

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Name of the setting.
    pub name: String,
    /// Its value, masked where it is a secret; `None` where it is not set.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

impl Settings {
    /// Reads and merges all sources. `bootstrap` is the argument of `run`, a path or base64; without it the
    /// JSON is looked for in its usual places.
    pub fn load(bootstrap: Option<&str>, environment: &Environment) -> Self {
        let sources = Sources::open(bootstrap, environment);
        sources.settle()
    }

    /// Whether `bridge` is on.
    pub fn is_enabled(&self, bridge: BridgeName) -> bool {
        BridgeName::ALL.iter().zip(&self.enabled).any(|(name, on)| *name == bridge && on.value)
    }

    /// Whether any bridge is on that this program carries.
    pub fn anything_to_run(&self) -> bool {
        BridgeName::ALL.into_iter().any(|name| name.is_built() && self.is_enabled(name))
    }

    /// The effective settings with their origins, secrets masked.
    pub fn show(bootstrap: Option<&str>, environment: &Environment) -> Vec<Shown> {
        Sources::open(bootstrap, environment).show()
    }
}

#[cfg(test)]
mod tests;
