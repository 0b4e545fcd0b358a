//! `octofw completions SHELL`.

use clap::{CommandFactory as _, ValueHint};
use clap_complete::Shell;

use super::{Cli, Failure, Status, print};

/// Prints the completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: octofw completions bash >~/.local/share/bash-completion/completions/octofw\n\
                        Example: octofw completions zsh >~/.zfunc/_octofw  # with fpath+=~/.zfunc before compinit\n\
                        Example: octofw completions fish >~/.config/fish/completions/octofw.fish"
)]
pub(super) struct Args {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut visible(), "octofw", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(Status::Fine)
    }
}

/// The commands that people call, as the manual tells them and shells complete them.
pub(super) fn visible() -> clap::Command {
    let all = Cli::command();
    let commands: Vec<clap::Command> =
        all.get_subcommands().filter(|command| !command.is_hide_set()).cloned().map(hinted).collect();
    clap::Command::new("octofw")
        .version(env!("CARGO_PKG_VERSION"))
        .about(all.get_about().cloned().unwrap_or_default())
        .after_help(all.get_after_help().cloned().unwrap_or_default())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .propagate_version(true)
        .disable_help_subcommand(true)
        .args(all.get_arguments().cloned())
        .subcommands(commands)
}

/// The command with what its arguments stand for: shells offer folders where a folder is wanted, and files else.
fn hinted(command: clap::Command) -> clap::Command {
    let hint = |arg: clap::Arg| {
        let name = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str().to_owned());
        match (name.as_deref(), arg.get_value_hint()) {
            (Some("DIR"), _) => arg.value_hint(ValueHint::DirPath),
            (Some("FILE"), _) => arg.value_hint(ValueHint::FilePath),
            _ => arg,
        }
    };
    command.mut_args(hint).mut_subcommands(hinted)
}
