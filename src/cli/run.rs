//! `octobridge run`, and the worker that it starts.

use super::{Exit, complain};
use crate::settings::Environment;
use crate::supervisor::{Guard, RestartPolicy, ensure_process_name, supervise};
use crate::worker::{self, Outcome};
use argh::FromArgs;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How long a worker that takes over waits for the dead supervising process's lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// Run the service in the foreground, until it is told to stop
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(
    subcommand,
    name = "run",
    help_triggers("-h", "--help"),
    note = "SIGTERM stops it, SIGHUP makes it read its settings again. It ends at once with exit code 3 when no \
            bridge is switched on."
)]
pub(super) struct Run {
    /// bootstrap JSON to use: a path, or base64 as OctoApp's installers pass it
    #[argh(positional)]
    bootstrap: Option<String>,
    /// how often a worker had to take over before, in a row
    #[argh(option, hidden_help, default = "0")]
    takeovers: u32,
    /// how often a process of the service had to be replaced before
    #[argh(option, hidden_help, default = "0")]
    restarts: u32,
    /// milliseconds to wait before the first start
    #[argh(option, hidden_help, default = "0")]
    delay: u64,
}

/// The part of the service that does the work; started by `run`
#[derive(Debug, FromArgs)]
#[cfg_attr(test, derive(argh::ArgsInfo))]
#[argh(subcommand, name = "worker", help_triggers("-h", "--help"))]
pub(super) struct Worker {
    /// bootstrap JSON to use
    #[argh(positional)]
    bootstrap: Option<String>,
    /// how often the worker was restarted
    #[argh(option, default = "0")]
    restarts: u32,
    /// how often a worker had to take over before, in a row
    #[argh(option, default = "0")]
    takeovers: u32,
}

impl Run {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        ensure_process_name();
        let paths = crate::settings::run_paths(self.bootstrap.as_deref(), environment);
        if is_for_somebody_else(&paths.run) {
            complain(
                "this printer's service does not run as root, and could not read what root would leave behind; \
                 start it with `/etc/init.d/S66octoapp start`",
            );
            return Exit::Usage;
        }
        let mut worker: Vec<OsString> = vec!["worker".into()];
        worker.extend(self.bootstrap.map(OsString::from));
        worker.extend(["--takeovers".into(), self.takeovers.to_string().into()]);
        let guard = Guard {
            run: paths.run,
            pid_file: paths.pid_file,
            worker,
            policy: RestartPolicy::resume(0, self.restarts),
            delay: Duration::from_millis(self.delay),
            patience: if self.takeovers > 0 { PATIENCE } else { Duration::ZERO },
        };
        match supervise(guard) {
            Ok(0) => Exit::Done,
            Ok(2) => Exit::Usage,
            Ok(3) => Exit::NotRunning,
            Ok(_) => Exit::Failed,
            Err(error) => {
                complain(&error.to_string());
                Exit::Failed
            }
        }
    }
}

/// Whether this is root, and the folder of locks was made for another user to run the service as.
fn is_for_somebody_else(run: &Path) -> bool {
    nix::unistd::geteuid().is_root() && std::fs::metadata(run).is_ok_and(|folder| folder.uid() != 0)
}

impl Worker {
    pub(super) fn execute(self, environment: &Environment) -> Exit {
        let (bootstrap, restarts, takeovers) = (self.bootstrap, self.restarts, self.takeovers);
        match worker::run(worker::Options { bootstrap, restarts, takeovers, environment }) {
            Outcome::Stopped => Exit::Done,
            Outcome::NothingToRun => Exit::NotRunning,
            Outcome::Failed => Exit::Failed,
            Outcome::Again => Exit::Again,
        }
    }
}
