//! `octobridge secret set NAME`: stores a secret in a file of its own, readable by its owner alone.

use super::{Exit, complain, say, terminal};
use crate::settings::{ALL_KEYS, Environment, Key, Settings};
use crate::setup::secret::store;
use argh::FromArgs;

/// Store a secret, read from standard input
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "secret",
    help_triggers("-h", "--help"),
    example = "octobridge secret set telegram_bot_token < token.txt"
)]
pub(super) struct SecretCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand)]
enum Action {
    Set(Set),
}

/// Read one line from standard input and store it under NAME; an empty line deletes the secret
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand, name = "set", help_triggers("-h", "--help"))]
struct Set {
    /// name of the secret, such as telegram_bot_token; telegram_NAME_bot_token for [telegram NAME]
    #[argh(positional)]
    name: String,
}

impl SecretCommand {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        let Action::Set(Set { name }) = self.action;
        let Some(file) = Key::secret_file(&name) else {
            let known: Vec<String> = ALL_KEYS.iter().filter(|k| k.secret).map(Key::file_name).collect();
            complain(&format!("there is no secret `{name}`; the secrets are {}", known.join(", ")));
            return Exit::Usage;
        };
        let folder = Settings::load(None, environment).paths.data;
        match terminal::secret("The secret (it is not shown): ")
            .and_then(|text| store(&folder, &file, text.trim()))
        {
            Ok(message) => {
                say(&format!("{message} Run `/etc/init.d/S66octoapp reload`."));
                Exit::Done
            }
            Err(error) => {
                complain(&format!("cannot store {file} in {}: {error}", folder.display()));
                Exit::Failed
            }
        }
    }
}
