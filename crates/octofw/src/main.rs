//! The `octofw` program.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use octofw::cli::build::{Build, Session};

#[derive(Parser)]
enum Cli {
    Build(Build),
    #[command(hide = true)]
    Session(Session),
}

fn main() -> ExitCode {
    let result = match Cli::parse() {
        Cli::Build(build) => build.run(),
        Cli::Session(session) => session.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "octofw: {}", octofw::command::whole(&error));
            ExitCode::from(error.exit_code())
        }
    }
}
