//! Which container runtime answers on this machine.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Semaphore;

use super::arguments::Manner;
use super::cli::PROBE;
use super::command::{self, Trouble};
use super::{Cli, Kind, RuntimeError, env_file};
use crate::config::Config;

/// Stops at one time: they do nothing but wait.
const STOPS: usize = 16;

impl Cli {
    /// The runtime that the settings name, else the first that answers; a program on the `PATH` is not enough.
    /// `scratch` is a folder of ours for files that hold secrets for a moment.
    ///
    /// # Errors
    /// [`RuntimeError::Absent`] when none answers, with what each said.
    pub async fn find(config: &Config, scratch: PathBuf) -> Result<Self, RuntimeError> {
        let settings = &config.container;
        let order = if cfg!(target_os = "macos") {
            [Kind::Docker, Kind::Podman]
        } else {
            [Kind::Podman, Kind::Docker]
        };
        let candidates: Vec<PathBuf> = match (&settings.binary, settings.runtime) {
            (Some(program), _) => vec![program.clone()],
            (None, Some(kind)) => vec![kind.to_string().into()],
            (None, None) => order.into_iter().map(|kind| kind.to_string().into()).collect(),
        };
        let parallelism = config
            .runtime
            .parallelism
            .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
            .unwrap_or(2)
            .max(1);
        env_file::sweep(&scratch);
        let mut said = Vec::new();
        for program in candidates {
            let kind = match kind_of(&program).await {
                Ok(kind) => settings.runtime.unwrap_or(kind),
                Err(why) => {
                    said.push(why);
                    continue;
                }
            };
            let manner = Manner {
                kind,
                rootless: kind == Kind::Podman && !nix::unistd::geteuid().is_root(),
                selinux: Path::new("/sys/fs/selinux/enforce").exists(),
                owner: settings.user.clone(),
                global: settings.global_args.clone(),
                run: settings.run_args.clone(),
            };
            let mut cli = Self {
                program,
                manner,
                version: String::new(),
                limit: Duration::from_secs(config.runtime.timeout.max(1)),
                scratch: scratch.clone(),
                changes: Semaphore::new(parallelism),
                looks: Semaphore::new(parallelism.max(2)),
                stops: Semaphore::new(STOPS),
                networks: Mutex::default(),
                networking: tokio::sync::Mutex::default(),
            };
            match cli.ask_version(PROBE.min(cli.limit)).await {
                Ok(version) => {
                    cli.version = version;
                    return Ok(cli);
                }
                Err(why) => said.push(why.to_string()),
            }
        }
        Err(RuntimeError::Absent(format!(
            "no container runtime answers ({}); install podman, start docker's daemon, or name a program in `container.binary`",
            said.join("; ")
        )))
    }
}

/// Which runtime a program is, by what it calls itself: `docker` may be podman in disguise.
async fn kind_of(program: &Path) -> Result<Kind, String> {
    let name = program.display();
    match command::run(program, &["--version".into()], PROBE, 1000).await {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.out).to_lowercase();
            // One that does not name itself is taken at its file's name.
            let file = program.file_name().unwrap_or_default().to_string_lossy();
            let nameless = !said.contains("podman") && !said.contains("docker");
            if said.contains("podman") || (nameless && file.starts_with("podman")) {
                Ok(Kind::Podman)
            } else if said.contains("docker") || file.starts_with("docker") {
                Ok(Kind::Docker)
            } else {
                Err(format!("{name} is neither podman nor docker: it says {:?}", said.trim()))
            }
        }
        Err(Trouble::Slow) => Err(format!("{name} does not answer")),
        Err(Trouble::Start(error)) => Err(format!("cannot run {name}: {error}")),
    }
}
