//! The hidden `octofw script-tool`, behind the commands that scripts of overlays call.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::{Failure, Status};
use crate::script_tools::{self, NAMES, Surroundings, filtered, survey};

/// One of the commands that scripts of overlays find on their PATH
#[derive(Debug, clap::Args)]
#[command(
    disable_help_flag = true,
    after_help = "Example: octofw script-tool cache_file.sh TARGET URL SHA256 (scripts of an overlay call it so)"
)]
pub(super) struct Args {
    /// The command's name and its arguments
    #[arg(value_name = "NAME", trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let mut words = self.words.into_iter();
        let name = words.next().unwrap_or_default().to_string_lossy().into_owned();
        let arguments: Vec<OsString> = words.collect();
        if name == filtered::NAME {
            let error = filtered::exec(&arguments);
            return Err(Failure::new(Status::Findings, format!("cannot start the program: {error}")));
        }
        if name == survey::NAME {
            let root = arguments.first().map(OsString::as_os_str).unwrap_or_default();
            let mut out = io::BufWriter::new(io::stdout().lock());
            let written = survey::write(Path::new(root), &mut out).and_then(|()| out.flush());
            return written
                .map(|()| Status::Fine)
                .map_err(|e| Failure::new(Status::Findings, format!("cannot walk the root: {e}")));
        }
        let ran = Surroundings::of(|name| std::env::var_os(name))
            .and_then(|surroundings| script_tools::run(&name, &arguments, &surroundings));
        match ran {
            Ok(0) => Ok(Status::Fine),
            // The exit code is that of the command in the root.
            Ok(code) => Err(Failure::silent(ExitCode::from(code))),
            Err(error) => {
                let known = NAMES.contains(&name.as_str());
                let status = if known { Status::Findings } else { Status::Usage };
                Err(Failure::new(status, error).of(name))
            }
        }
    }
}
