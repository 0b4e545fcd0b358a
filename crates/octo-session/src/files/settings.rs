//! What octo-files is told: by its arguments, the environment, and a file, in this order of weight.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde::Deserialize;

/// Serves a directory over HTTP: tree, files, uploads, archives.
///
/// It knows no users and asks for no password: bind it where only the workshop's server can reach it.
#[derive(Debug, Default, Parser)]
#[command(name = "octo-files", version)]
pub struct Arguments {
    /// Port to listen on; 0 lets the system choose
    #[arg(short, long, env = "OCTO_FILES_PORT")]
    pub port: Option<u16>,
    /// Address to listen on
    #[arg(short, long, env = "OCTO_FILES_BIND")]
    pub bind: Option<IpAddr>,
    /// Directory that is served, and nothing outside it
    #[arg(short, long, env = "OCTO_FILES_ROOT")]
    pub root: Option<PathBuf>,
    /// Refuse what pages of other sites send, as a browser on this machine would let them
    #[arg(long, env = "OCTO_FILES_OWN_PAGES")]
    pub own_pages: bool,
    /// Log every request
    #[arg(short, long, env = "OCTO_FILES_VERBOSE")]
    pub verbose: bool,
    /// Settings file (TOML)
    #[arg(short, long, env = "OCTO_FILES_CONFIG")]
    pub config: Option<PathBuf>,
}

/// The keys of the settings file.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest body of one request, in bytes.
    pub max_upload_size: u64,
    /// Largest file that several requests may put together, in bytes.
    pub max_resumable_size: u64,
    /// Largest content of an archive that is extracted, in bytes.
    pub max_extract_size: u64,
    /// Most entries of an archive that is extracted, or packed.
    pub max_archive_entries: u64,
    /// Deepest level of a tree.
    pub max_depth: usize,
    /// Most entries of one tree.
    pub max_entries: usize,
    /// Endings of files that a tree leaves out, with their dot.
    pub hidden_extensions: Vec<String>,
    /// Names of directories that a tree leaves out.
    pub hidden_dirs: Vec<String>,
    /// Endings of the files that a simple tree shows.
    pub office_extensions: Vec<String>,
}

impl Default for Limits {
    fn default() -> Limits {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Limits {
            max_upload_size: 100 << 20,
            max_resumable_size: 8 << 30,
            max_extract_size: 4 << 30,
            max_archive_entries: 200_000,
            max_depth: 20,
            max_entries: 20_000,
            hidden_extensions: Vec::new(),
            hidden_dirs: words(&[".git"]),
            office_extensions: words(&[
                ".csv", ".doc", ".docx", ".jpeg", ".jpg", ".md", ".odp", ".ods", ".odt", ".pdf", ".png",
                ".ppt", ".pptx", ".svg", ".txt", ".xls", ".xlsx",
            ]),
        }
    }
}

/// The file as it is written: where to listen, and the limits.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    port: Option<u16>,
    bind: Option<IpAddr>,
    root: Option<PathBuf>,
    #[serde(flatten)]
    rest: toml::Table,
}

/// All settings, complete.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Port to listen on.
    pub port: u16,
    /// Address to listen on.
    pub bind: IpAddr,
    /// Directory that is served.
    pub root: PathBuf,
    /// Whether pages of other sites are refused.
    pub own_pages: bool,
    /// Whether requests are logged.
    pub verbose: bool,
    /// What is allowed.
    pub limits: Limits,
}

/// Why the settings are no good.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {source}; give a file that can be read, or no --config", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no TOML, or has a key that is not known.
    #[error("{}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        message: String,
    },
}

impl Settings {
    /// Puts the settings together.
    ///
    /// # Errors
    ///
    /// When the settings file cannot be read or is wrong.
    pub fn from(arguments: Arguments) -> Result<Settings, SettingsError> {
        let (file, limits) = match &arguments.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| SettingsError::Unreadable { path: path.clone(), source })?;
                read(&text, path)?
            }
            None => (File::default(), Limits::default()),
        };
        Ok(Settings {
            port: arguments.port.or(file.port).unwrap_or(41821),
            bind: arguments.bind.or(file.bind).unwrap_or(IpAddr::from([0, 0, 0, 0])),
            root: arguments.root.or(file.root).unwrap_or_else(|| PathBuf::from(".")),
            own_pages: arguments.own_pages,
            verbose: arguments.verbose,
            limits,
        })
    }
}

fn read(text: &str, path: &Path) -> Result<(File, Limits), SettingsError> {
    let wrong =
        |error: toml::de::Error| SettingsError::Wrong { path: path.to_owned(), message: error.to_string() };
    let file: File = toml::from_str(text).map_err(wrong)?;
    let limits = Limits::deserialize(toml::Value::Table(file.rest.clone())).map_err(wrong)?;
    Ok((file, limits))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn arguments_outweigh_the_file_and_the_file_the_defaults() {
        let place = tempfile::tempdir().unwrap();
        let config = place.path().join("files.toml");
        std::fs::write(&config, "port = 5\nroot = \"/srv\"\nmax_upload_size = 7\nhidden_dirs = []\n")
            .unwrap();
        let arguments = Arguments { config: Some(config), port: Some(9), ..Arguments::default() };
        let settings = Settings::from(arguments).unwrap();
        assert_eq!((settings.port, settings.root, settings.limits.max_upload_size), (9, "/srv".into(), 7));
        assert!(settings.limits.hidden_dirs.is_empty());
        assert_eq!(settings.limits.max_depth, 20);
    }

    #[test]
    fn nothing_but_git_is_hidden_unless_told() {
        let settings = Settings::from(Arguments::default()).unwrap();
        assert_eq!(settings.limits.hidden_dirs, [".git"]);
        assert!(settings.limits.hidden_extensions.is_empty());
        assert_eq!((settings.port, settings.limits.max_upload_size), (41821, 100 << 20));
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_name() {
        for text in ["port = \"x\"", "max_upload = 1", "= 3"] {
            let error = read(text, Path::new("/x/files.toml")).unwrap_err().to_string();
            assert!(error.starts_with("/x/files.toml: "), "{error}");
        }
    }
}
