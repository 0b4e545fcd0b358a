//! The `octofw` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    octofw::cli::run()
}
