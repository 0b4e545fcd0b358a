//! `octofw manual`: the reference as one page in Markdown, or manual pages, both made of the commands' own definition.

mod facts;
mod pages;
mod reference;

use std::path::PathBuf;

use super::completions::visible;
use super::writing::WritingOptions;
use super::{Failure, Status, print};

/// Prints the reference of all commands, or writes manual pages for man
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw manual | less\n\
                        Example: octofw manual ~/.local/share/man/man1\n\
                        With a folder, a page per command goes there: octofw.1, octofw-build.1 and so on.")]
pub(super) struct Args {
    /// Folder for manual pages, made where there is none; without one, the reference is printed in Markdown
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Do everything but write: tell which files it would be
    #[arg(long, requires = "folder")]
    dry_run: bool,
    /// Print JSON ("schema": 1)
    #[arg(long, requires = "folder")]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let Some(folder) = self.folder else {
            print(&reference::reference(built()))?;
            return Ok(Status::Fine);
        };
        let writing = WritingOptions { dry_run: self.dry_run, json: self.json };
        let pages = pages::pages(&built());
        let written = pages.iter().map(|page| writing.write(&folder.join(&page.name), page.text.as_bytes()));
        writing.tell(&written.collect::<Result<Vec<_>, _>>()?)
    }
}

/// The commands, with the whole name of each.
fn built() -> clap::Command {
    let mut all = visible();
    all.build();
    all
}

/// What a command says after its options.
struct Closing {
    /// Calls, each for a line of its own.
    examples: Vec<String>,
    /// Sentences.
    notes: Vec<String>,
}

impl Closing {
    fn of(command: &clap::Command) -> Self {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut closing = Self { examples: Vec::new(), notes: Vec::new() };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            // An example may go on, in the form of another call.
            match (line.strip_prefix("Example: "), line.starts_with("octofw ")) {
                (Some(call), _) => closing.examples.push(call.to_owned()),
                (None, true) => closing.examples.push(line.to_owned()),
                (None, false) => closing.notes.push(line.to_owned()),
            }
        }
        closing
    }
}

/// An argument as it is written: `-q, --quiet`, `--base <FILE>`, `<FILE>`.
fn written(arg: &clap::Arg) -> String {
    match arg.get_short() {
        Some(short) => format!("-{short}, {arg}"),
        None => arg.to_string(),
    }
}

/// What an argument is for, with its default and what it may be.
fn about(arg: &clap::Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ");
    if !arg.get_action().takes_values() {
        return text;
    }
    let values: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| value.get_name().to_owned())
        .collect();
    if !values.is_empty() {
        text.push_str(&format!("; one of `{}`", values.join("`, `")));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !defaults.is_empty() {
        text.push_str(&format!("; by default `{}`", defaults.join(" ")));
    }
    text
}

/// Whether it is an argument of this command alone.
fn is_own(arg: &clap::Arg) -> bool {
    !arg.is_hide_set() && !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

/// The command's call, without the word before it.
fn usage(command: &clap::Command) -> String {
    let text = command.clone().render_usage().to_string();
    let text = text.strip_prefix("Usage:").unwrap_or(&text);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
