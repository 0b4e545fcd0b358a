//! `octobridge status`.

use super::{Exit, complain, say};
use crate::settings::{Environment, Settings};
use crate::status::{State, ask};
use argh::FromArgs;

/// Ask the running service how it is: a line for the service, one per bridge, one per problem
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "status",
    help_triggers("-h", "--help"),
    error_code(0, "Running."),
    error_code(1, "Dead though it should run."),
    error_code(3, "Stopped, or nothing enabled.")
)]
pub(super) struct Status {
    /// print JSON (schema 1)
    #[argh(switch)]
    json: bool,
}

impl Status {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        let state = ask(&Settings::load(None, environment));
        if self.json {
            match serde_json::to_string_pretty(&state) {
                Ok(text) => say(&text),
                Err(error) => complain(&error.to_string()),
            }
        } else {
            say(&state.render());
        }
        match state {
            State::Running(_) => Exit::Done,
            State::Dead(_) => Exit::Failed,
            State::Stopped(_) | State::NothingEnabled(_) => Exit::NotRunning,
        }
    }
}
