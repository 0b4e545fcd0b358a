//! `octobridge completions SHELL`. The scripts are generated from the commands by a test of [`super::generated`].

use super::{Exit, complain, say};
use argh::FromArgs;

/// Each shell with its script.
pub(super) const SHELLS: [(&str, &str); 4] = [
    ("bash", include_str!("completions/octobridge.bash")),
    ("zsh", include_str!("completions/octobridge.zsh")),
    ("fish", include_str!("completions/octobridge.fish")),
    ("nushell", include_str!("completions/octobridge.nu")),
];

/// Print the completion script for a shell: bash, zsh, fish or nushell
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "completions",
    help_triggers("-h", "--help"),
    example = "octobridge completions bash > ~/.local/share/bash-completion/completions/octobridge"
)]
pub(super) struct Completions {
    /// bash, zsh, fish or nushell
    #[argh(positional)]
    shell: String,
}

impl Completions {
    pub(super) fn execute(self) -> Exit {
        match SHELLS.iter().find(|(name, _)| *name == self.shell) {
            Some((_, script)) => {
                say(script);
                Exit::Done
            }
            None => {
                let known = SHELLS.map(|(name, _)| name).join(", ");
                complain(&format!("there is no completion for `{}`; the shells are {known}", self.shell));
                Exit::Usage
            }
        }
    }
}
