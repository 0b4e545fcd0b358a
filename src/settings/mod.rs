//! Settings from every source, merged into one typed value in which each field knows where it came from.
//!
//! Precedence: environment over secrets files over extended2.cfg (else extended.cfg) over the bootstrap JSON
//! over defaults. What is wrong with a source is collected as a [`Problem`] and never stops the rest.

mod bootstrap;
mod edit;
mod extended_cfg;
mod general;
mod hide;
mod instance;
mod keys;
mod lookup;
mod origin;
mod paths;
mod secret;
mod unknown;

pub use bootstrap::{Bootstrap, BootstrapError};
pub use edit::{EditError, get_in_file, set as set_in_text, set_in_file};
pub use extended_cfg::{CfgError, CfgValue, ExtendedCfg};
pub use general::{FeedSettings, General, PageFor, SourceName};
pub use hide::redact;
pub use instance::Instance;
pub use keys::{ALL as ALL_KEYS, Key};
pub use origin::{Origin, Problem, Sourced};
pub use paths::Paths;
pub use secret::Secret;

use lookup::Sources;
use std::collections::BTreeMap;

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

    /// Beginning of its settings' names in the environment.
    fn prefix(self) -> &'static str {
        match self {
            Self::OctoApp => "OCTOAPP_",
            Self::PrusaConnect => "PRUSA_CONNECT_",
            Self::Telegram => "TELEGRAM_",
        }
    }
}

/// Everything the program is told from outside.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folders.
    pub paths: Paths,
    /// Every kind of bridge in the order of [`BridgeName::ALL`], then the further ones by name.
    pub instances: Vec<Instance>,
    /// Settings of the whole program, in their types.
    pub general: General,
    /// Whether this is a printer, or somebody says so. Elsewhere the program is alone: in a container, say.
    pub on_a_printer: bool,
    /// Whether there is something to do without any bridge: off a printer the REST server alone is useful.
    pub serves_alone: bool,
    /// Level of the log.
    pub log_level: Sourced<log::LevelFilter>,
    /// Everything of the whole program that is set, as text, by name. All of it in the type of secrets, so that
    /// nothing is printed by accident.
    values: Vec<(Key, Sourced<Secret>)>,
    /// What is wrong with the sources.
    pub problems: Vec<Problem>,
    /// Those of the problems for which a whole file or folder of settings counts as empty. A running service goes on
    /// with what it read before.
    pub unreadable: Vec<Problem>,
    /// Settings of the whole program whose values are wrong, by name; their defaults count.
    pub refused: Vec<&'static str>,
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

    /// For a service that runs: what is wrong now stays as it was `before`, and the problems say so.
    pub fn keep(&mut self, before: &Self) {
        for name in &self.refused {
            match *name {
                keys::LOG_LEVEL_NAME => self.log_level = before.log_level.clone(),
                name => self.general.keep(name, &before.general),
            }
        }
        for problem in &mut self.problems {
            if let Some(rule) = problem.remedy.strip_suffix(origin::DEFAULT_COUNTS) {
                problem.remedy = format!("{rule}{}", origin::BEFORE_COUNTS);
            }
        }
    }

    /// The text of a setting of the whole program or of a usual bridge, by the name of its environment variable; none
    /// where it is not set.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name).map(|found| found.value.expose())
    }

    /// Where a setting comes from.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.find(name).map(|found| &found.origin)
    }

    fn find(&self, name: &str) -> Option<&Sourced<Secret>> {
        let usual = self.instances.iter().filter(|instance| instance.label.is_empty());
        let all = self.values.iter().chain(usual.flat_map(|instance| &instance.values));
        all.into_iter().find(|(key, _)| key.name == name).map(|(_, found)| found)
    }

    /// Whether a bridge of this kind is on.
    pub fn is_enabled(&self, bridge: BridgeName) -> bool {
        self.instances.iter().any(|instance| instance.bridge == bridge && instance.enabled.value)
    }

    /// Whether there is anything to run: a bridge that is on, or the REST server alone.
    pub fn anything_to_run(&self) -> bool {
        self.serves_alone || self.instances.iter().any(|instance| instance.enabled.value)
    }

    /// The effective settings with their origins, secrets masked.
    pub fn show(bootstrap: Option<&str>, environment: &Environment) -> Vec<Shown> {
        Sources::open(bootstrap, environment).show()
    }
}

/// The folders alone, for the supervising process, which must not depend on more.
pub fn run_paths(bootstrap: Option<&str>, environment: &Environment) -> Paths {
    Sources::open(bootstrap, environment).into_paths()
}

#[cfg(test)]
mod tests;
