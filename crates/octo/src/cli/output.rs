//! What commands print: for people, or as JSON or YAML for programs.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use std::io::{self, Write as _};
use yaml_rust2::yaml::Hash;
use yaml_rust2::{Yaml, YamlEmitter};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// Prints to standard output. A reader that went away, as `head` does, is no error.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints to standard error. What a server or a container said may be in it, which must not command the terminal.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(text));
}

/// Text whose control characters are shown; lines stay lines.
fn harmless(text: &str) -> String {
    text.chars()
        .flat_map(|char| {
            let shown = char.is_control() && !matches!(char, '\n' | '\t');
            shown.then(|| char.escape_default()).into_iter().flatten().chain((!shown).then_some(char))
        })
        .collect()
}

/// Prints a result: `human`'s text for people, else the value.
///
/// # Errors
/// When the value cannot be written as JSON or YAML.
pub fn show(format: Format, value: &impl Serialize, human: impl FnOnce() -> String) -> io::Result<()> {
    match format {
        Format::Human => say(&human()),
        Format::Json => say(&serde_json::to_string_pretty(value)?),
        Format::Yaml => say(&yaml(value)?),
    }
    Ok(())
}

/// The value as YAML, without the `---` at its head.
///
/// # Errors
/// When the value cannot be written.
pub fn yaml(value: &impl Serialize) -> io::Result<String> {
    let mut text = String::new();
    YamlEmitter::new(&mut text)
        .dump(&of(serde_json::to_value(value)?))
        .map_err(|error| io::Error::other(error.to_string()))?;
    Ok(text.strip_prefix("---\n").unwrap_or(&text).to_owned())
}

fn of(value: Value) -> Yaml {
    match value {
        Value::Null => Yaml::Null,
        Value::Bool(value) => Yaml::Boolean(value),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Yaml::Real(number.to_string()), Yaml::Integer)
        }
        Value::String(text) => Yaml::String(text),
        Value::Array(items) => Yaml::Array(items.into_iter().map(of).collect()),
        Value::Object(fields) => Yaml::Hash(
            fields.into_iter().map(|(name, value)| (Yaml::String(name), of(value))).collect::<Hash>(),
        ),
    }
}

/// A table: columns as wide as their widest text, two spaces between them, a rule below the head.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(head.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let line: Vec<String> = cells.zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        line.join("  ").trim_end().to_owned()
    };
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
    let mut lines = vec![line(&mut head.iter().copied()), rule];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_does_not_command_the_terminal() {
        assert_eq!(harmless("it said:\n\t\u{1b}]0;x\u{7}ä\r"), "it said:\n\t\\u{1b}]0;x\\u{7}ä\\r");
    }
}
