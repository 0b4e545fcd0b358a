//! Looks for failed prints: now and then a picture of the running job goes to a vision model, through OpenRouter or any
//! other server with its chat completions API, and the model's answer is read strictly.
//!
//! Knows no bridge and starts nothing by itself. [`Schedule`] says when a check is due, [`Checker`] carries one out on
//! the thread that calls it, [`Health`] keeps how the last one went. `question` and `verdict` are the two sides of the
//! conversation, and pure.
//!
//! A model is never believed more than it says: what cannot be read is neither a failed print nor a good one.

mod checker;
mod config;
mod failure;
mod health;
mod question;
mod schedule;
mod text;
mod verdict;

pub use checker::{Checker, Exchange, Http, Nap, Outcome, Reply, Sleep};
pub use config::{BASE_URL, Config, ConfigError};
pub use failure::{Class, Failure};
pub use health::{Health, Last};
pub use question::{Body, Question, Subject};
pub use schedule::{Kept, Schedule, Ticket};
pub use verdict::{Answer, Verdict};
