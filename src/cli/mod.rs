//! The command line: one file per command; this one parses and dispatches.

mod completions;
mod config;
mod doctor;
#[cfg(test)]
mod generated;
mod pair;
mod run;
mod secret;
mod snapshot;
mod status;
mod terminal;
mod test;
mod version;

use crate::settings::Environment;
use argh::FromArgs;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or settings.
    Usage = 2,
    /// Not running, or nothing enabled.
    NotRunning = 3,
    /// Of the worker, to the supervising process alone: it is to be started again at once.
    Again = crate::supervisor::AGAIN,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Cloud and chat connections for a Klipper printer: OctoApp, Prusa Connect, Telegram.
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    help_triggers("-h", "--help"),
    example = "octobridge pair telegram\noctobridge status\noctobridge config check",
    note = "Settings come from the environment, from secrets files in printer_data/octoapp, from extended2.cfg \
            or extended.cfg, and from the bootstrap JSON, in this order. Options take a space, not an equals sign.",
    error_code(0, "Done."),
    error_code(1, "Failed; the message says why."),
    error_code(2, "Wrong usage or settings."),
    error_code(3, "Not running, or nothing enabled.")
)]
struct CommandLine {
    #[argh(subcommand)]
    command: Command,
}

#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand)]
enum Command {
    Run(run::Run),
    Worker(run::Worker),
    Status(status::Status),
    Doctor(doctor::Doctor),
    Config(config::Config),
    Pair(pair::Pair),
    Test(test::Test),
    Completions(completions::Completions),
    Secret(secret::SecretCommand),
    Snapshot(snapshot::Snapshot),
    Version(version::Version),
}

/// Parses `args` (program name first), runs the command, and returns its exit code.
pub fn main(args: &[String]) -> Exit {
    let mut words: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    if matches!(words.as_slice(), ["--version" | "-V"]) {
        words = vec!["version"];
    }
    if words.is_empty() {
        words = vec!["--help"];
    }
    if let Some(place) = words.iter().position(|word| *word == "-") {
        // To the parser it would be an option without a name.
        let dash = words.remove(place);
        words.extend(["--", dash]);
    }
    match CommandLine::from_args(&["octobridge"], &words) {
        Ok(line) => dispatch(line.command),
        Err(early) if early.status.is_ok() => {
            say(&early.output);
            Exit::Done
        }
        Err(early) => {
            // A secret that was given as an argument need not stand in a log besides.
            let said = crate::settings::redact(early.output.trim_end());
            complain(&format!("{said}\nTry `octobridge --help`."));
            Exit::Usage
        }
    }
}

fn dispatch(command: Command) -> Exit {
    // What is not text is no setting of ours.
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let environment: Environment = std::env::vars_os().filter_map(text).collect();
    match command {
        Command::Run(run) => run.execute(&environment),
        Command::Worker(worker) => worker.execute(&environment),
        Command::Status(status) => status.execute(&environment),
        Command::Doctor(doctor) => doctor.execute(&environment),
        Command::Pair(pair) => pair.execute(&environment),
        Command::Test(test) => test.execute(&environment),
        Command::Config(config) => config.execute(&environment),
        Command::Secret(secret) => secret.execute(&environment),
        Command::Snapshot(snapshot) => snapshot.execute(&environment),
        Command::Completions(completions) => completions.execute(),
        Command::Version(version) => version.execute(),
    }
}

/// Writes to standard output; a reader that has gone away is not an error.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = out.write_all(b"\n");
    }
}

/// Writes a message to standard error.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "octobridge: {text}");
}
