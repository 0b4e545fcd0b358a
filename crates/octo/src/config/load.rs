//! Puts the settings together: defaults, the file, the environment, the command line; in this order.

use serde::Deserialize as _;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

use super::keys::{self, Kind};
use super::surroundings::Surroundings;
use super::{Config, ConfigError, environment};

/// The settings, and what is to be said of them.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The effective settings: paths are absolute, folders have their defaults; secrets are still `env:NAME` where so written.
    pub config: Config,
    /// The file of settings, which may not be there.
    pub file: PathBuf,
    /// Whether it was there.
    pub found: bool,
    /// What is odd, and harmless.
    pub warnings: Vec<String>,
}

/// Loads the settings. `option` is `--config`; `command_line` holds what was given there, as a table like the file.
///
/// # Errors
/// When a file that `--config` names is not there, when a value is not what its key takes, or a path cannot be expanded.
pub fn load(
    around: &Surroundings,
    option: Option<&str>,
    mut command_line: Table,
) -> Result<Loaded, ConfigError> {
    let file =
        around.config_file(option).map_err(|source| ConfigError::Path { key: "--config".into(), source })?;
    let mut warnings = Vec::new();
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && option.is_none() => None,
        Err(source) => return Err(ConfigError::Read { path: file, source }),
    };
    let found = text.is_some();
    let mut all = defaults();
    if let Some(text) = text {
        let mut table = parse(&text, &file)?;
        warnings.extend(
            keys::unknown(&table)
                .iter()
                .map(|key| format!("{}: {key} is not a setting; it is ignored", file.display())),
        );
        let base = file.parent().unwrap_or(Path::new("/")).to_owned();
        expand_paths(&mut table, around, &base)?;
        merge(&mut all, table);
    }
    expand_paths(&mut all, around, &around.folder)?;
    let (given, unknown) = environment::read(&around.variables)?;
    warnings
        .extend(unknown.iter().map(|name| format!("the variable {name} names no setting; it is ignored")));
    for given in given {
        let mut table = Table::new();
        keys::set(&mut table, given.key, given.value);
        // Each by itself, so that a wrong one can be named.
        Config::deserialize(table.clone()).map_err(|error| ConfigError::Variable {
            variable: given.variable,
            why: sayable(given.key, error.message()),
        })?;
        expand_paths(&mut table, around, &around.folder)?;
        merge(&mut all, table);
    }
    expand_paths(&mut command_line, around, &around.folder)?;
    merge(&mut all, command_line);
    let mut config = Config::deserialize(all).map_err(|error| ConfigError::Value {
        path: file.clone(),
        place: String::new(),
        why: error.message().to_owned(),
    })?;
    let missing = |key: &str| {
        let key = key.to_owned();
        move |source| ConfigError::Path { key, source }
    };
    if config.paths.data_dir.is_none() {
        config.paths.data_dir = Some(around.data_dir().map_err(missing("paths.data_dir"))?);
    }
    if config.paths.state_dir.is_none() {
        config.paths.state_dir = Some(around.state_dir().map_err(missing("paths.state_dir"))?);
    }
    warnings.extend(super::check::settings(&config)?);
    Ok(Loaded { config, file, found, warnings })
}

/// Only the paths have to be here, since they are made absolute; serde knows the other defaults.
fn defaults() -> Table {
    let mut table = Table::new();
    let path = Config::default().container.user_data_path;
    keys::set(&mut table, "container.user_data_path", Value::String(path.to_string_lossy().into_owned()));
    table
}

/// The file's table, when each of its values is what its key takes.
fn parse(text: &str, file: &Path) -> Result<Table, ConfigError> {
    // The error's own text shows the line, which may hold a secret.
    let failed = |error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..start).unwrap_or("");
        let number = before.matches('\n').count() + 1;
        let line = text.lines().nth(number - 1).unwrap_or("");
        let key = line.split('=').next().unwrap_or("").trim();
        ConfigError::Value {
            path: file.to_owned(),
            place: format!(" line {number}"),
            why: sayable(&format!("auth.{key}"), error.message()),
        }
    };
    let table: Table = text.parse().map_err(failed)?;
    toml::from_str::<Config>(text).map_err(failed)?;
    Ok(table)
}

/// The reason, unless it could show a secret.
fn sayable(key: &str, why: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let secret =
        matches!(keys::kind_of(key), Some(Kind::Secret | Kind::Tables(_))) || last == "password_hash";
    if secret { format!("{last}: not readable; it must be text in quotes") } else { why.trim().to_owned() }
}

/// Makes every path in the table absolute.
fn expand_paths(table: &mut Table, around: &Surroundings, base: &Path) -> Result<(), ConfigError> {
    for (key, _) in keys::KEYS.iter().filter(|(_, kind)| *kind == Kind::Path) {
        let Some((section, name)) = key.split_once('.') else { continue };
        let Some(value) =
            table.get_mut(section).and_then(Value::as_table_mut).and_then(|inner| inner.get_mut(name))
        else {
            continue;
        };
        let Some(text) = value.as_str() else { continue };
        // A program without a folder is looked for on the `PATH`.
        if *key == "container.binary" && !text.contains(['/', '~', '$']) {
            continue;
        }
        let path = around
            .expand(text, base)
            .map_err(|source| ConfigError::Path { key: (*key).to_owned(), source })?;
        *value = Value::String(path.to_string_lossy().into_owned());
    }
    Ok(())
}

/// `over` wins; lists are replaced, not joined.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
