//! The printer program. Parses the command line, runs one command, and ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    octobridge::cli::main(std::env::args().collect()).into()
}
