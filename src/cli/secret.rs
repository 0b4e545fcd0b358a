//! `octobridge secret set NAME`: stores a secret in a file of its own, readable by its owner alone.

use super::{Exit, complain, say, terminal};
use crate::settings::{ALL_KEYS, Environment, Key, Settings};
use crate::whole_file;
use argh::FromArgs;
use std::io;
use std::path::Path;

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

/// Stores a secret in its file, or deletes that for an empty one. Says what was done.
///
/// # Errors
///
/// If the folder or the file cannot be made, given to the service's user, or deleted.
pub(super) fn store(folder: &Path, file: &str, text: &str) -> io::Result<String> {
    let path = folder.join(file);
    if text.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(format!("{file} is deleted.")),
        };
    }
    whole_file::replace_for_owner(&path, text.as_bytes())?;
    Ok(format!("Stored in {}.", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn stores_privately_replaces_and_deletes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("octoapp");
        let key = Key::secret_file("telegram-bot-token").unwrap();
        let path = folder.join("telegram_bot_token");
        for text in ["1:a", "1:b"] {
            let message = store(&folder, &key, text).unwrap();
            assert!(!message.contains(text));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        store(&folder, &key, "").unwrap();
        assert!(!path.exists());
    }
}
