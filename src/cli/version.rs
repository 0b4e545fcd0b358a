//! `octobridge version`.

use super::{Exit, say};
use argh::FromArgs;

/// Print the version
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand, name = "version", help_triggers("-h", "--help"))]
pub(super) struct Version {}

impl Version {
    pub(super) fn execute(self) -> Exit {
        say(&format!("octobridge {}", env!("CARGO_PKG_VERSION")));
        Exit::Done
    }
}
