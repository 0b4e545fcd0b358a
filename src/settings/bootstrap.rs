//! The bootstrap JSON: which folders the service uses, in the forms that OctoApp's own installers pass.
//!
//! Keys of both generations of the OctoApp plugin are read: `ConfigFolder`/`KlipperConfigFolder`,
//! `LogFolder`/`KlipperLogFolder`, `LocalFileStoragePath`. All other keys are ignored.

use crate::whole_file::{ReadError, read_text};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// No bootstrap JSON is larger.
const LIMIT: u64 = 64 * 1024;

/// What the bootstrap JSON says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bootstrap {
    /// The file it was read from; none where it came as an argument, or not at all.
    pub file: Option<PathBuf>,
    /// Folder of the printer's configuration.
    pub config_folder: Option<PathBuf>,
    /// Folder of the log.
    pub log_folder: Option<PathBuf>,
    /// Folder of secrets and state.
    pub data_folder: Option<PathBuf>,
}

/// Why a bootstrap JSON was not understood.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Neither a path nor base64.
    #[error("the bootstrap argument is neither the path of a file nor base64")]
    NotBase64,
    /// Not the JSON it should be.
    #[error("the bootstrap JSON{} is damaged: {reason}", file.as_ref().map(|f| format!(" {}", f.display())).unwrap_or_default())]
    NotJson {
        /// The file, where there is one.
        file: Option<PathBuf>,
        /// What the parser says, with line and column.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "ConfigFolder")]
    config_folder: Option<PathBuf>,
    #[serde(rename = "KlipperConfigFolder")]
    klipper_config_folder: Option<PathBuf>,
    #[serde(rename = "LogFolder")]
    log_folder: Option<PathBuf>,
    #[serde(rename = "KlipperLogFolder")]
    klipper_log_folder: Option<PathBuf>,
    #[serde(rename = "LocalFileStoragePath")]
    data_folder: Option<PathBuf>,
}

impl Bootstrap {
    /// Reads the argument of `run`: a path, or the JSON in base64 (standard or URL-safe alphabet).
    ///
    /// # Errors
    ///
    /// [`BootstrapError`] says what is wrong, and in which file.
    pub fn from_argument(argument: &str) -> Result<Self, BootstrapError> {
        let path = Path::new(argument);
        if argument.starts_with('/') || argument.ends_with(".json") || path.is_file() {
            return Self::from_file(path);
        }
        let bytes = URL_SAFE
            .decode(argument)
            .or_else(|_| STANDARD.decode(argument))
            .map_err(|_| BootstrapError::NotBase64)?;
        Self::parse(&bytes, None)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// As [`Self::from_argument`].
    pub fn from_file(path: &Path) -> Result<Self, BootstrapError> {
        Self::parse(read_text(path, LIMIT)?.as_bytes(), Some(path))
    }

    fn parse(bytes: &[u8], file: Option<&Path>) -> Result<Self, BootstrapError> {
        let wire: Wire = serde_json::from_slice(bytes)
            .map_err(|e| BootstrapError::NotJson { file: file.map(Path::to_owned), reason: e.to_string() })?;
        let given = |folder: Option<PathBuf>| folder.filter(|f| f.is_absolute());
        Ok(Self {
            file: file.map(Path::to_owned),
            config_folder: given(wire.config_folder.or(wire.klipper_config_folder)),
            log_folder: given(wire.log_folder.or(wire.klipper_log_folder)),
            data_folder: given(wire.data_folder),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OLD: &str = r#"{"ServiceName":"octoapp","KlipperConfigFolder":"/p/config",
        "KlipperLogFolder":"/p/logs","LocalFileStoragePath":"/p/octoapp","IsObserver":false}"#;
    const NEW: &str = r#"{"ServiceName":"octoapp","ConfigFolder":"/p/config","LogFolder":"/p/logs",
        "LocalFileStoragePath":"/p/octoapp","IsCompanion":false,"MoonrakerConfigFile":"/p/config/moonraker.conf"}"#;

    #[test]
    fn reads_both_generations_in_both_forms() {
        let expected = Bootstrap {
            file: None,
            config_folder: Some("/p/config".into()),
            log_folder: Some("/p/logs".into()),
            data_folder: Some("/p/octoapp".into()),
        };
        for json in [OLD, NEW] {
            for encoded in [URL_SAFE.encode(json), STANDARD.encode(json)] {
                assert_eq!(Bootstrap::from_argument(&encoded).unwrap(), expected);
            }
        }
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("service.json");
        std::fs::write(&file, "{\"ConfigFolder\": ").unwrap();
        let text = Bootstrap::from_argument(file.to_str().unwrap()).unwrap_err().to_string();
        assert!(text.contains("service.json") && text.contains("line 1"), "{text}");
        assert!(matches!(Bootstrap::from_argument("%%%"), Err(BootstrapError::NotBase64)));
        assert!(matches!(Bootstrap::from_argument("/does/not/exist"), Err(BootstrapError::Read(_))));
    }

    #[test]
    fn a_relative_folder_counts_as_not_given() {
        let json = URL_SAFE.encode(r#"{"ConfigFolder":"config"}"#);
        assert_eq!(Bootstrap::from_argument(&json).unwrap().config_folder, None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Bootstrap::parse(&bytes, None);
            let _ = Bootstrap::from_argument(&STANDARD.encode(&bytes));
        }
    }
}
