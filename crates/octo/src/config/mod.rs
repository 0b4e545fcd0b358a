//! Settings: defaults, the file, the environment, the command line; in this order.
//!
//! Paths may begin with `~` and use variables. Relative ones of the file lie below the file's folder; relative ones of the
//! command line, of the environment and of the defaults below the working folder.

pub mod check;
pub mod environment;
pub mod expand;
pub mod keys;
mod load;
pub mod sample;
pub mod schema;
pub mod secret;
mod surroundings;

use std::path::PathBuf;
use thiserror::Error;

pub use check::signing_secret;
pub use expand::ExpandError;
pub use load::{Loaded, load};
pub use schema::Config;
pub use secret::Secret;
pub use surroundings::Surroundings;

/// Why the settings cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says what it must not.
    #[error("{}{place}: {why}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, where it is known.
        place: String,
        /// Why.
        why: String,
    },
    /// A variable says what it must not.
    #[error("the variable {variable}: {why}")]
    Variable {
        /// Its name.
        variable: String,
        /// Why; without its value where that is a secret.
        why: String,
    },
    /// A path cannot be expanded.
    #[error("{key}: {source}")]
    Path {
        /// The key or the option.
        key: String,
        /// Why.
        source: ExpandError,
    },
    /// A value that cannot be meant.
    #[error("{key}: {why}")]
    Wrong {
        /// The key.
        key: &'static str,
        /// Why.
        why: String,
    },
}
