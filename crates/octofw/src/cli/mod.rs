//! The command line of `octofw`: one struct and one file per command. Only here is anything printed.

mod attest;
mod boot;
mod build;
mod cache;
mod check_program;
mod colour;
mod completions;
mod diff;
mod explain;
mod inputs;
mod inspect;
mod keygen;
mod licences;
mod lint;
mod list;
mod lock;
mod manual;
mod pack;
mod plan;
mod rehearse;
mod sbom;
mod script_tool;
mod selection;
mod sign;
mod standin;
mod unpack;
mod verify;
mod writing;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use colour::Colour;

use crate::build::progress::Progress;
use crate::command::whole;
use crate::image::ImageError;
use crate::paint::{Ink, Paint, plain_lines};
use crate::program::ProgramError;

/// Builds, inspects and verifies printer firmware images. It never needs root.
#[derive(Debug, Parser)]
#[command(name = "octofw", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 fine, 1 findings or failure, 2 wrong usage, \
                        3 an input is not what it claims to be.\n\
                        `octofw COMMAND --help` has an example of each command, `octofw manual` all of it.")]
struct Cli {
    /// Colours: auto is on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        display_order = 1000
    )]
    #[arg(hide_possible_values = true)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

/// One line per command, here and in [`Command::run`].
#[derive(Debug, Subcommand)]
enum Command {
    Attest(attest::Args),
    Boot(boot::Args),
    Build(build::Args),
    Cache(cache::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Session(build::SessionArgs),
    Diff(diff::Args),
    Explain(explain::Args),
    Inspect(inspect::Args),
    Keygen(keygen::Args),
    Licences(licences::Args),
    Lint(lint::Args),
    List(list::Args),
    Lock(lock::Args),
    Manual(manual::Args),
    Pack(pack::Args),
    Plan(plan::Args),
    Rehearse(rehearse::Args),
    Sbom(sbom::Args),
    #[command(hide = true)]
    ScriptTool(script_tool::Args),
    Sign(sign::Args),
    Standin(standin::Args),
    Unpack(unpack::Args),
    Verify(verify::Args),
    CheckProgram(check_program::Args),
}

impl Command {
    fn run(self, paint: Paint) -> Result<Status, Failure> {
        match self {
            Self::Attest(args) => args.run(),
            Self::Boot(args) => args.run(),
            Self::Build(args) => args.run(paint),
            Self::Cache(args) => args.run(paint),
            Self::Completions(args) => args.run(),
            Self::Session(args) => args.run(),
            Self::Diff(args) => args.run(paint),
            Self::Explain(args) => args.run(paint),
            Self::Inspect(args) => args.run(),
            Self::Keygen(args) => args.run(),
            Self::Licences(args) => args.run(),
            Self::Lint(args) => args.run(paint),
            Self::List(args) => args.run(paint),
            Self::Lock(args) => args.run(),
            Self::Manual(args) => args.run(),
            Self::Pack(args) => args.run(),
            Self::Plan(args) => args.run(paint),
            Self::Rehearse(args) => args.run(),
            Self::Sbom(args) => args.run(),
            Self::ScriptTool(args) => args.run(),
            Self::Sign(args) => args.run(),
            Self::Standin(args) => args.run(),
            Self::Unpack(args) => args.run(),
            Self::Verify(args) => args.run(paint),
            Self::CheckProgram(args) => args.run(),
        }
    }
}

/// How a command ended; the numbers are the exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All is well.
    Fine = 0,
    /// There are findings, or something failed.
    Findings = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// An input is not what it claims to be.
    WrongInput = 3,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub struct Failure {
    code: ExitCode,
    error: Option<Box<dyn Error + Send + Sync>>,
    /// The command that failed, where it is not `octofw` for those who called it.
    command: Option<String>,
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(status: Status, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code: status.into(), error: Some(error.into()), command: None }
    }

    /// An exit code about which everything was said already.
    fn silent(code: ExitCode) -> Self {
        Self { code, error: None, command: None }
    }

    /// The failure under the name of a command that stands for this program.
    fn of(self, command: String) -> Self {
        Self { command: Some(command), ..self }
    }

    /// The failure with more to say at its end.
    fn with(self, hint: &str) -> Self {
        let error = self.error.map(|error| format!("{}; {hint}", whole(error.as_ref())).into());
        Self { error, ..self }
    }

    /// The failure with more to say at its end, where that fits.
    fn with_if(self, fits: bool, hint: &str) -> Self {
        if fits { self.with(hint) } else { self }
    }

    /// Whose error it is, and the error with its causes, in one line.
    fn message(&self, paint: Paint) -> Option<String> {
        let error = self.error.as_ref()?;
        let whose = paint.ink(Ink::Gone, format!("{}:", self.command.as_deref().unwrap_or("octofw")));
        Some(format!("{whose} {}", plain_lines(&whole(error.as_ref()))))
    }

    /// Says what went wrong, if there is more to say, and gives the exit code.
    fn tell(&self, paint: Paint) -> ExitCode {
        if let Some(message) = self.message(paint) {
            let clear = Progress::new(true).clear();
            let _ = writeln!(io::stderr().lock(), "{clear}{message}");
        }
        self.code
    }
}

fn status_of(is_wrong_input: bool) -> Status {
    if is_wrong_input { Status::WrongInput } else { Status::Findings }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}

impl From<ProgramError> for Failure {
    fn from(error: ProgramError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}

/// What to say where the manifest of an image is not where it is looked for.
const NO_MANIFEST: &str =
    "octofw build writes it beside the image; name it with --manifest if it is elsewhere";

/// Parses the command line, does the work, prints what went wrong, and gives the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    match cli.command.run(cli.color.paint(&io::stdout())) {
        Ok(status) => status.into(),
        Err(failure) => failure.tell(cli.color.paint(&io::stderr())),
    }
}

/// Prints what clap has to say instead of a command line: help goes to stdout with 0, mistakes to stderr with 2.
fn explain(error: &clap::Error) -> ExitCode {
    let (colour, text) = (Colour::asked(std::env::args_os()), error.render());
    let shown = |paint: Paint| if paint.has_colours() { text.ansi().to_string() } else { text.to_string() };
    if error.use_stderr() {
        let _ = io::stderr().lock().write_all(shown(colour.paint(&io::stderr())).as_bytes());
        return Status::Usage.into();
    }
    match print(&shown(colour.paint(&io::stdout()))) {
        Ok(()) => Status::Fine.into(),
        Err(failure) => failure.tell(colour.paint(&io::stderr())),
    }
}

/// Writes to standard output. A reader that has gone away (`| head`) is not an error.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Status::Findings, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Writes a report as JSON to standard output.
fn print_json(report: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(report).map_err(|error| Failure::new(Status::Findings, error))?;
    print(&format!("{text}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_every_command_has_an_example() {
        let mut command = Cli::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands_mut() {
            let name = sub.get_name().to_owned();
            let help = sub.render_long_help().to_string();
            assert!(help.contains(&format!("octofw {name} ")), "no example: {help}");
        }
    }

    #[test]
    fn causes_are_chained() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open the door")]
        struct Outer(#[source] io::Error);
        let failure = Failure::new(Status::Findings, Outer(io::Error::other("no key")));
        assert_eq!(failure.message(Paint::PLAIN).unwrap(), "octofw: cannot open the door: no key");
        let coloured = failure.message(Paint::COLOURS).unwrap();
        assert_eq!(coloured, "\x1b[31moctofw:\x1b[0m cannot open the door: no key");
    }
}
