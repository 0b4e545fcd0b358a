//! Keeps in files what must last.

use super::connect::token::Token;
use super::outside::Keeper;
use super::store::{Commands, CommandsFile, StoreError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The token in use, for those who make requests of their own.
pub(super) type SharedToken = Arc<Mutex<Option<Token>>>;

/// Keeps it in the bridge's files.
pub(super) struct FileKeeper {
    commands: CommandsFile,
    trouble: Option<String>,
    /// Why nothing is kept, whatever is written.
    locked: Option<String>,
    token: SharedToken,
    data_dir: PathBuf,
    id: String,
}

impl FileKeeper {
    /// Opens the files; what was kept comes with it.
    pub(super) fn open(data_dir: &Path, id: &str, token: SharedToken) -> (Self, Commands) {
        let (commands, error) = CommandsFile::open(data_dir, id);
        let is_aside = matches!(error, Some(StoreError::PutAside { .. }));
        let trouble = error.map(|error: StoreError| error.to_string());
        let locked = trouble.clone().filter(|_| !is_aside);
        if let Some(trouble) = &trouble {
            log::error!("{id}: {trouble}");
        }
        let kept = commands.kept().clone();
        let keeper =
            Self { commands, trouble, locked, token, data_dir: data_dir.to_owned(), id: id.to_owned() };
        (keeper, kept)
    }
}

impl Keeper for FileKeeper {
    fn keep(&mut self, commands: &Commands) {
        let trouble = self.commands.keep(commands).err().map(|error| error.to_string());
        if let Some(why) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            log::error!("{}: what Connect asked for is not kept over a restart: {why}", self.id);
        }
        self.trouble = trouble.or_else(|| self.locked.clone());
    }

    fn keep_token(&mut self, token: &Token) -> Result<(), String> {
        let file = self.data_dir.join(format!("{}_token", self.id));
        crate::whole_file::replace_for_owner(&file, token.reveal().as_bytes())
            .map_err(|error| error.to_string())?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(())
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}
