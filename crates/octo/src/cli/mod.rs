//! What `octo` is asked on the command line: one file a command. Only here is anything printed.

mod behind;
mod completions;
mod config;
pub mod duration;
mod init;
mod invites;
pub mod logging;
mod one_line;
pub mod output;
pub(crate) mod password;
mod serve;
mod user;

use clap::{ArgAction, Args, CommandFactory as _, Parser, Subcommand};
use std::error::Error;
use std::process::ExitCode;
use toml::Table;

use crate::config::{Loaded, Surroundings, load};
use crate::store::Store;
use logging::{Color, Logging};
use output::{Format, complain};

/// Why a command failed; printed with its causes.
pub(crate) type Failure = Box<dyn Error>;

/// Runs workshops: container sessions with a terminal and files, each person's own.
#[derive(Debug, Parser)]
#[command(name = "octo", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "First steps:
  octo init                                   write the settings, with a secret of their own
  octo user create --admin NAME --email MAIL  make the first administrator
  octo serve                                  start the server
  octo invite-codes generate                  let another person register

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Global {
    /// The file of settings, or the folder of its config.toml [default: $XDG_CONFIG_HOME/octo/config.toml].
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<String>,
    /// No log at all.
    #[arg(short, long, global = true, conflicts_with_all = ["verbose", "debug", "trace"])]
    quiet: bool,
    /// A fuller log; twice: the fullest.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// As -v.
    #[arg(long, global = true)]
    debug: bool,
    /// As -vv.
    #[arg(long, global = true)]
    trace: bool,
    /// The log with module, file and line.
    #[arg(long, global = true)]
    diagnostics: bool,
    /// How results are printed; json also makes the log JSON lines.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", conflicts_with_all = ["json", "yaml"])]
    format: Option<Format>,
    /// As --format json.
    #[arg(long, global = true, conflicts_with = "yaml")]
    json: bool,
    /// As --format yaml.
    #[arg(long, global = true)]
    yaml: bool,
    /// When the log is coloured; auto heeds NO_COLOR and FORCE_COLOR.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        conflicts_with = "no_color"
    )]
    color: Color,
    /// As --color never.
    #[arg(long, global = true)]
    no_color: bool,
    /// Say what would be done, and touch nothing.
    #[arg(long, global = true)]
    dry_run: bool,
    /// Do not ask before something is overwritten.
    #[arg(short, long, global = true, visible_alias = "force")]
    yes: bool,
}

impl Global {
    fn format(&self) -> Format {
        match self.format {
            Some(format) => format,
            None if self.json => Format::Json,
            None if self.yaml => Format::Yaml,
            None => Format::Human,
        }
    }

    /// The log's level, where the command line says one.
    fn level(&self) -> Option<&'static str> {
        match self.verbose {
            _ if self.trace => Some("trace"),
            2.. => Some("trace"),
            1 => Some("debug"),
            _ if self.debug => Some("debug"),
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Init(init::Args),
    #[command(subcommand)]
    Config(config::Command),
    #[command(subcommand)]
    InviteCodes(invites::Command),
    #[command(subcommand)]
    User(user::Command),
    Completions(completions::Args),
}

/// What every command has.
struct Context {
    global: Global,
    around: Surroundings,
}

impl Context {
    /// The settings, with what the command line adds. What is odd is said on standard error.
    fn load(&self, command_line: Table) -> Result<Loaded, Failure> {
        let loaded = load(&self.around, self.global.config.as_deref(), command_line)?;
        if !self.global.quiet {
            for warning in &loaded.warnings {
                complain(&format!("Warning: {warning}"));
            }
        }
        Ok(loaded)
    }

    /// The database, which is made where it is missing.
    fn store(&self) -> Result<Store, Failure> {
        let loaded = self.load(Table::new())?;
        Ok(Store::open(&loaded.config.database())?)
    }

    /// The database, for those who only read; `None` where there is none yet.
    fn store_if_there(&self) -> Result<Option<Store>, Failure> {
        let database = self.load(Table::new())?.config.database();
        Ok(if database.exists() { Some(Store::open(&database)?) } else { None })
    }

    fn format(&self) -> Format {
        self.global.format()
    }

    /// Starts the log.
    fn log(&self, level: &str, file: Option<&std::path::Path>) -> Result<(), Failure> {
        let color = if self.global.no_color { Color::Never } else { self.global.color };
        logging::start(&Logging {
            quiet: self.global.quiet,
            level: self.global.level().unwrap_or(level),
            json: self.format() == Format::Json,
            diagnostics: self.global.diagnostics,
            color,
            file,
        })
        .map_err(|error| format!("cannot start the log: {error}").into())
    }
}

/// Runs `work` to its end on this thread: for commands that use the database.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work))
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = Surroundings::of_process().map_err(Failure::from).and_then(|around| {
        let context = Context { global: cli.global, around };
        match cli.command {
            Command::Serve(args) => args.run(&context),
            Command::Init(args) => args.run(&context),
            Command::Config(command) => command.run(&context),
            Command::InviteCodes(command) => command.run(&context),
            Command::User(command) => command.run(&context),
            Command::Completions(args) => args.run(&mut Cli::command()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("Error: {}", chain(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes, without those that its own text already says.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}
