//! What `octoctl` is asked on the command line: one file a command. A client of the server's API, except for images, which
//! the container runtime of this machine builds.

mod audit;
mod client;
mod container;
mod credentials;
mod failure;
mod image;
mod log_in;
mod session;
mod session_inside;
mod status;
mod table;
mod user;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::output::{Format, complain};
use crate::config::Surroundings;
use client::Client;
use failure::Failure;

/// Controls an octo server: its sessions, containers, images and users.
#[derive(Debug, Parser)]
#[command(name = "octoctl", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "First steps:
  octoctl login NAME                 log in, and keep the token
  octoctl session create --wait 60   start a session and wait until it runs
  octoctl session exec ID -- make    run a command in it

A session is named by its id, the begin of it (4 characters or more), or its readable name.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the server cannot be reached, 4 not logged in or not allowed, 5 not found,
6 the state of the thing does not allow it.")]
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
    /// The server.
    #[arg(
        short,
        long,
        global = true,
        value_name = "URL",
        env = "OCTO_SERVER_URL",
        default_value = "http://localhost:8080"
    )]
    server: String,
    /// The token to ask with. Others on this machine can read a command line; prefer --token-file or `octoctl login`.
    #[arg(long, global = true, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,
    /// A file whose first line is the token.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", conflicts_with_all = ["json", "yaml"])]
    format: Option<Format>,
    /// As --format json.
    #[arg(long, global = true, conflicts_with = "yaml")]
    json: bool,
    /// As --format yaml.
    #[arg(long, global = true)]
    yaml: bool,
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
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask whether the server answers.
    Status,
    Login(log_in::Login),
    /// End the kept log-in.
    Logout,
    /// Sessions: each a container with a terminal and files.
    #[command(subcommand)]
    Session(session::Command),
    /// The containers of sessions.
    #[command(subcommand)]
    Container(container::Command),
    /// Images of sessions, on this machine.
    #[command(subcommand)]
    Image(image::Command),
    /// Users; for administrators.
    #[command(subcommand)]
    User(user::Command),
    /// Who did what; for administrators.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Print a shell's completions: `octoctl completions bash > ~/.local/share/bash-completion/completions/octoctl`.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// What every command has.
struct Context {
    global: Global,
    around: Surroundings,
}

impl Context {
    /// A client with the credentials that there are.
    fn client(&self) -> Result<Client, Failure> {
        let credential = credentials::find(&self.global, &self.around)?;
        Client::new(&self.global.server, credential)
    }

    fn format(&self) -> Format {
        self.global.format()
    }

    /// Prints a result: text for people, else the value.
    fn show(&self, value: &serde_json::Value, human: impl FnOnce() -> String) -> Result<(), Failure> {
        Ok(crate::cli::output::show(self.format(), value, human)?)
    }
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let done = Surroundings::of_process().map_err(Failure::from).and_then(|around| {
        let context = Context { global: cli.global, around };
        match cli.command {
            Command::Status => status::run(&context),
            Command::Login(args) => args.run(&context),
            Command::Logout => log_in::logout(&context),
            Command::Session(command) => command.run(&context),
            Command::Container(command) => command.run(&context),
            Command::Image(command) => command.run(&context),
            Command::User(command) => command.run(&context),
            Command::Audit(command) => command.run(&context),
            Command::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "octoctl", &mut text);
                crate::cli::output::say(String::from_utf8_lossy(&text).trim_end());
                Ok(())
            }
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.said.is_empty() {
                complain(&format!("Error: {}", failure.said));
            }
            ExitCode::from(failure.code)
        }
    }
}
