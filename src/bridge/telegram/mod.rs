//! Telegram: tells a chat, or a topic in it, how jobs go.
//!
//! | path | what is in it |
//! |---|---|
//! | `running.rs` | the bridge as it runs: what is started with it, what it is told, and how it ends |
//! | `config/` | its settings, checked |
//! | `notify/` | which changes are told, and in which words; pure |
//! | `delivery/` | how a message gets into the chat, however long that takes |
//! | `api/` | what speaks the Bot API: calls, answers and what they mean, the connection |
//! | `pictures/` | photos of the job, and those that a model is shown |
//! | `commands/` | what people write and press in the chat, on threads of their own |
//! | `pairing/` | how its owner's chat is found |
//! | `live.rs` | what the bridge's threads know together |
//! | `report.rs` | how the deliveries go, and how that reads in `status` |
//! | `check.rs` | a look at token and chat while there is nothing to send |
//! | `examine.rs` | what `octobridge doctor` finds of it |
//! | `direct.rs` | one message past the outbox, for `octobridge test` |
//! | `text.rs`, `markup.rs` | texts that are safe to show, and how they are dressed |
//! | `rehearsal.rs` | all of it without threads and sockets, for tests and benchmarks |

mod api;
mod check;
mod commands;
mod config;
mod delivery;
mod direct;
mod examine;
mod live;
mod markup;
mod notify;
pub mod pairing;
mod pictures;
pub mod rehearsal;
mod report;
mod running;
mod text;

pub use config::{API_URL, Chat, Config, ConfigError, Token, redact};
pub use direct::{send_now, test};
pub use examine::examine;
pub use running::Telegram;

use super::{Bridge, Lookup, Setup, StartError};

/// The bridge's name, as in `extended.cfg`.
pub const NAME: &str = "telegram";

/// Starts the bridge with the settings that [`Setup::setting`] finds.
///
/// # Errors
///
/// If a setting is missing or wrong, or the thread cannot be started.
pub fn start(setup: &Setup<'_>) -> Result<Box<dyn Bridge>, StartError> {
    Ok(Box::new(Telegram::start(&Config::read(setup.setting)?, setup)?))
}

/// Checks the settings alone.
///
/// # Errors
///
/// If one is missing or wrong; the text names it.
pub fn check(setting: &Lookup<'_>) -> Result<(), StartError> {
    Config::read(setting)?;
    pictures::read_checks(setting).map(|_| ())
}
