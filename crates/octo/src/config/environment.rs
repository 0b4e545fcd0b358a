//! `OCTO__SECTION__KEY`: settings from the environment, in any case, texts made to what each key takes.

use std::collections::BTreeMap;
use toml::Value;

use super::ConfigError;
use super::keys::{self, Kind};

/// How such variables begin.
const PREFIX: &str = "OCTO__";

/// One setting of the environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The variable as it is spelt there.
    pub variable: String,
    /// The key's full name.
    pub key: &'static str,
    /// Its value.
    pub value: Value,
}

/// The settings in these variables, and the variables that name none.
///
/// # Errors
/// When a value is not what its key takes.
pub fn read(variables: &BTreeMap<String, String>) -> Result<(Vec<Given>, Vec<String>), ConfigError> {
    let mut given = Vec::new();
    let mut unknown = Vec::new();
    for (variable, text) in variables {
        let Some(name) = variable
            .split_at_checked(PREFIX.len())
            .and_then(|(prefix, name)| prefix.eq_ignore_ascii_case(PREFIX).then_some(name))
        else {
            continue;
        };
        let name = name.to_ascii_lowercase().replace("__", ".");
        let Some(&(key, kind)) = keys::KEYS.iter().find(|(key, _)| *key == name) else {
            unknown.push(variable.clone());
            continue;
        };
        let value = value(kind, text).ok_or_else(|| ConfigError::Variable {
            variable: variable.clone(),
            why: format!("is not {}", wanted(kind)),
        })?;
        given.push(Given { variable: variable.clone(), key, value });
    }
    Ok((given, unknown))
}

/// The value that `text` is for a key of this kind.
fn value(kind: Kind, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    Some(match kind {
        Kind::Text | Kind::Path | Kind::Secret => Value::String(text.to_owned()),
        Kind::Integer => Value::Integer(trimmed.parse().ok()?),
        Kind::Number => Value::Float(trimmed.parse().ok().filter(|number: &f64| number.is_finite())?),
        Kind::Switch => Value::Boolean(match trimmed.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" => false,
            _ => return None,
        }),
        Kind::List => Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()))
                .collect(),
        ),
        Kind::Tables(_) => format!("rows = {text}").parse::<toml::Table>().ok()?.remove("rows")?,
    })
}

/// What a key of this kind takes, for a person.
const fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Path | Kind::Secret => "text",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::Switch => "true or false",
        Kind::List => "a list with commas",
        Kind::Tables(_) => "a list of tables as TOML writes it, [{id = \"…\", …}]",
    }
}
