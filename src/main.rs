//! The printer program. Parses the command line, runs one command, and ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    octobridge::cli::main(&args).into()
}
