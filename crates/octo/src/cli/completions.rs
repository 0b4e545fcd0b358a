//! `octo completions`

use clap_complete::Shell;
use std::io::{self, Write as _};

use super::Failure;

/// Print a shell's completions: `octo completions bash > ~/.local/share/bash-completion/completions/octo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(super) fn run(self, command: &mut clap::Command) -> Result<(), Failure> {
        let name = command.get_name().to_owned();
        // In one piece, so that a reader that went away is seen once.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, command, name, &mut text);
        let _ = io::stdout().lock().write_all(&text);
        Ok(())
    }
}
