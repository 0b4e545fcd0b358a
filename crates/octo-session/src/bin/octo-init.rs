//! The first process of a workshop's container; see `octo_session::init`.

use std::io::Write;
use std::process::ExitCode;

use octo_session::init::{self, Settings};

fn main() -> ExitCode {
    let command: Vec<String> = std::env::args().skip(1).collect();
    if let Some("--help" | "-h" | "--version" | "-V") = command.first().map(String::as_str) {
        let _ = writeln!(
            std::io::stdout(),
            "octo-init {}\n\nThe first process of a workshop's container: starts agent, file server and terminal server, or the\n\
             command that it is given. Its settings are in the environment: OPENCODE_PORT, FILESERVER_PORT, TTYD_PORT,\n\
             WORKSPACE, OCTO_AGENT, OCTO_SHELL, OCTO_SKELETON, OCTO_STOP_SECONDS.",
            env!("CARGO_PKG_VERSION")
        );
        return ExitCode::SUCCESS;
    }
    let end = Settings::read(std::env::var_os).map_err(|error| error.to_string());
    match end.and_then(|settings| init::run(&settings, &command).map_err(|error| error.to_string())) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "[init] {error}");
            ExitCode::FAILURE
        }
    }
}
