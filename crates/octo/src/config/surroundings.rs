//! What the program finds around itself: variables and the working folder. An argument, so that tests give their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::expand::{ExpandError, expand};

/// Variables and the working folder.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// The environment; what is not UTF-8 is left out.
    pub variables: BTreeMap<String, String>,
    /// The working folder.
    pub folder: PathBuf,
}

impl Surroundings {
    /// Of this process.
    ///
    /// # Errors
    /// When the working folder is gone.
    pub fn of_process() -> std::io::Result<Self> {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { variables, folder: std::env::current_dir()? })
    }

    /// A variable that is set and not empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// See [`expand`].
    ///
    /// # Errors
    /// As there.
    pub fn expand(&self, text: &str, base: &Path) -> Result<PathBuf, ExpandError> {
        expand(text, base, &|name| self.variables.get(name).cloned())
    }

    /// The file of settings: the one that `--config` names (in a folder: its `config.toml`), else in `$XDG_CONFIG_HOME`, else
    /// in `~/.config`.
    ///
    /// # Errors
    /// When a variable that it needs is not set.
    pub fn config_file(&self, option: Option<&str>) -> Result<PathBuf, ExpandError> {
        if let Some(text) = option {
            let path = self.expand(text, &self.folder)?;
            return Ok(if path.is_dir() { path.join("config.toml") } else { path });
        }
        self.below("XDG_CONFIG_HOME", "~/.config", "octo/config.toml")
    }

    /// Where data is kept when the settings do not say.
    ///
    /// # Errors
    /// When a variable that it needs is not set.
    pub fn data_dir(&self) -> Result<PathBuf, ExpandError> {
        self.below("XDG_DATA_HOME", "~/.local/share", "octo")
    }

    /// Where state is kept when the settings do not say.
    ///
    /// # Errors
    /// When a variable that it needs is not set.
    pub fn state_dir(&self) -> Result<PathBuf, ExpandError> {
        self.below("XDG_STATE_HOME", "~/.local/state", "octo")
    }

    fn below(&self, variable: &str, default: &str, rest: &str) -> Result<PathBuf, ExpandError> {
        // The XDG specification: relative ones are invalid and ignored.
        let folder = match self.variable(variable).map(PathBuf::from).filter(|path| path.is_absolute()) {
            Some(folder) => folder,
            None => self.expand(default, &self.folder)?,
        };
        Ok(folder.join(rest))
    }
}
