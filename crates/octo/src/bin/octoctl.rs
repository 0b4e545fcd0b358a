//! See `octo::ctl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    octo::ctl::run()
}
