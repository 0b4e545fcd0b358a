//! See `octo::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    octo::cli::run()
}
