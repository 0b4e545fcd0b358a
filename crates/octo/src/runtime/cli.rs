//! A container runtime by its command line.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::arguments::Manner;
use super::command::{self, Finished, Trouble};
use super::env_file::EnvFile;
use super::refusal::{Refused, classify};
use super::{
    Answer, Container, Exec, Executed, Image, Kind, Launch, Lines, Runtime, RuntimeError, Stats, labels,
    parse,
};

/// Bytes of an answer that are kept: `ps` of some thousand containers.
const ANSWER: usize = 16 << 20;
/// Bytes of a log, or of a command's output, that are kept.
const PRINTED: usize = 1 << 20;
/// Bytes of one line of a log that is followed.
const LINE: usize = 16 << 10;
/// Lines that wait for a slow reader of a followed log.
const QUEUE: usize = 64;
/// How long a program may take to say what it is.
pub(super) const PROBE: Duration = Duration::from_secs(10);

/// Podman or docker.
pub struct Cli {
    pub(super) program: PathBuf,
    pub(super) manner: Manner,
    pub(super) version: String,
    pub(super) limit: Duration,
    /// For files with variables.
    pub(super) scratch: PathBuf,
    /// Containers that are made, started or removed at one time.
    pub(super) changes: Semaphore,
    /// Questions at one time; apart, so that nobody waits with one for a container that starts.
    pub(super) looks: Semaphore,
    pub(super) stops: Semaphore,
    /// Networks that are known to be there.
    pub(super) networks: Mutex<HashSet<String>>,
    /// Held by who makes a network: docker makes a second one of the same name, and then takes neither.
    pub(super) networking: tokio::sync::Mutex<()>,
}

impl Cli {
    /// Its program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Which one it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.manner.kind
    }

    /// Its version when it was found.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    pub(super) async fn ask_version(&self, limit: Duration) -> Result<String, RuntimeError> {
        let done = self.call("version", "", self.manner.version(), limit).await?;
        parse::version(self.manner.kind, &done.out).ok_or_else(|| {
            RuntimeError::Absent(format!(
                "{} is there, but no server answers it{}",
                self.program.display(),
                if self.manner.kind == Kind::Docker { "; is docker's daemon running?" } else { "" }
            ))
        })
    }

    /// A call that ended well.
    async fn call(
        &self,
        verb: &str,
        about: &str,
        arguments: Vec<OsString>,
        limit: Duration,
    ) -> Result<Finished, RuntimeError> {
        let done = command::run(&self.program, &arguments, limit, ANSWER).await;
        self.judged(verb, about, limit, done)
    }

    fn judged(
        &self,
        verb: &str,
        about: &str,
        limit: Duration,
        done: Result<Finished, Trouble>,
    ) -> Result<Finished, RuntimeError> {
        let done = done.map_err(|trouble| self.troubled(verb, limit, trouble))?;
        if done.status.success() {
            return Ok(done);
        }
        let command = self.named(verb);
        Err(classify(&Refused { command: &command, about, code: done.status.code(), said: &done.err }))
    }

    fn troubled(&self, verb: &str, limit: Duration, trouble: Trouble) -> RuntimeError {
        match trouble {
            Trouble::Start(error) => {
                RuntimeError::Absent(format!("cannot run {}: {error}", self.program.display()))
            }
            Trouble::Slow => RuntimeError::Slow { command: self.named(verb), limit },
        }
    }

    fn named(&self, verb: &str) -> String {
        format!("{} {verb}", self.manner.kind)
    }

    async fn look(
        &self,
        verb: &str,
        about: &str,
        arguments: Vec<OsString>,
    ) -> Result<Finished, RuntimeError> {
        let _turn = self.looks.acquire().await;
        self.call(verb, about, arguments, self.limit).await
    }

    async fn change(
        &self,
        verb: &str,
        about: &str,
        arguments: Vec<OsString>,
    ) -> Result<Finished, RuntimeError> {
        let _turn = self.changes.acquire().await;
        self.call(verb, about, arguments, self.limit).await
    }

    async fn do_launch(&self, launch: &Launch) -> Result<String, RuntimeError> {
        let unfit = |path: &Path| path.to_string_lossy().contains([':', ',', '\n']) || !path.is_absolute();
        if let Some(path) =
            [Some(&launch.home), launch.workspace.as_ref()].into_iter().flatten().find(|p| unfit(p))
        {
            return Err(self.failed("run", format!("the folder {} cannot be mounted", path.display())));
        }
        let variables = EnvFile::write(&self.scratch, &launch.env)
            .map_err(|error| self.failed("run", format!("the file of its variables: {error}")))?;
        let made = self.change("run", &launch.name, self.manner.launch(launch, variables.path())).await;
        drop(variables);
        let made = match made {
            Ok(done) => String::from_utf8_lossy(&done.out).lines().last().map(|id| id.trim().to_owned()),
            // There, the name is somebody else's container.
            Err(error @ (RuntimeError::NameTaken(_) | RuntimeError::Absent(_))) => return Err(error),
            Err(RuntimeError::NoContainer(_) | RuntimeError::NoImage(_)) => {
                return Err(RuntimeError::NoImage(launch.image.clone()));
            }
            Err(error) => {
                self.remove_half_made(launch).await;
                if matches!(&error, RuntimeError::Failed { said, .. } if said.contains("network")) {
                    // Somebody may have removed it; the next try looks.
                    self.known_networks().clear();
                }
                return Err(error);
            }
        };
        match made.filter(|id| id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(id) => Ok(id),
            None => {
                self.remove_half_made(launch).await;
                Err(self.failed("run", "it printed no container's id".to_owned()))
            }
        }
    }

    /// Podman leaves a container behind whose port was taken; what was killed for being slow may too. Only what carries
    /// the session's label is removed: the name may be another's.
    async fn remove_half_made(&self, launch: &Launch) {
        let Some(session) = launch.labels.get(labels::SESSION) else { return };
        match self.inspect(&launch.name).await {
            Ok(Some(found)) if found.labels.get(labels::SESSION) == Some(session) => {
                if let Err(error) = self.remove(&found.id).await {
                    tracing::warn!("a container that was half made stays for now: {error}");
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("cannot see whether a container was half made: {error}"),
        }
    }

    fn failed(&self, verb: &str, said: String) -> RuntimeError {
        RuntimeError::Failed { command: self.named(verb), status: "not done".into(), said }
    }

    fn known_networks(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make_network(&self, name: &str, instance: &str) -> Result<(), RuntimeError> {
        if self.known_networks().contains(name) {
            return Ok(());
        }
        let _turn = self.networking.lock().await;
        if self.known_networks().contains(name) {
            return Ok(());
        }
        if self.look("network inspect", name, self.manner.network_there(name)).await.is_err() {
            let made = self.change("network create", name, self.manner.network(name, instance)).await;
            // Somebody else may have been faster.
            if let Err(error) = made
                && !error.to_string().contains("already")
            {
                return Err(error);
            }
        }
        self.known_networks().insert(name.to_owned());
        Ok(())
    }
}

impl Runtime for Cli {
    fn probe(&self) -> Answer<'_, (Kind, String)> {
        Box::pin(async move { Ok((self.manner.kind, self.ask_version(PROBE.min(self.limit)).await?)) })
    }

    fn launch<'a>(&'a self, launch: &'a Launch) -> Answer<'a, String> {
        Box::pin(self.do_launch(launch))
    }

    fn start<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        Box::pin(async move { self.change("start", container, self.manner.start(container)).await.map(drop) })
    }

    fn stop<'a>(&'a self, container: &'a str, patience: Duration) -> Answer<'a, ()> {
        Box::pin(async move {
            let _turn = self.stops.acquire().await;
            let limit = patience + self.limit;
            self.call("stop", container, self.manner.stop(container, patience), limit).await.map(drop)
        })
    }

    fn remove<'a>(&'a self, container: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            match self.change("rm", container, self.manner.remove(container)).await {
                Ok(_) | Err(RuntimeError::NoContainer(_)) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn list<'a>(&'a self, instance: &'a str) -> Answer<'a, Vec<Container>> {
        Box::pin(async move {
            let done = self.look("ps", "", self.manner.list(instance)).await?;
            // The filters again: what is removed by this list must be ours for certain.
            let ours = |container: &Container| {
                let label = |name: &str| container.labels.get(name).map(String::as_str);
                label(labels::MANAGED) == Some("true") && label(labels::INSTANCE) == Some(instance)
            };
            Ok(parse::listed(&done.out).into_iter().filter(ours).collect())
        })
    }

    fn inspect<'a>(&'a self, container: &'a str) -> Answer<'a, Option<Container>> {
        Box::pin(async move {
            match self.look("container inspect", container, self.manner.inspect(container)).await {
                Ok(done) => match parse::inspected(&done.out) {
                    Some(found) => Ok(Some(found)),
                    None => Err(self.failed("container inspect", "its answer is not understood".to_owned())),
                },
                Err(RuntimeError::NoContainer(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn image<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Image>> {
        Box::pin(async move {
            match self.look("image inspect", name, self.manner.image(name)).await {
                Ok(done) => match parse::image(&done.out) {
                    Some(found) => Ok(Some(found)),
                    None => Err(self.failed("image inspect", "its answer is not understood".to_owned())),
                },
                Err(RuntimeError::NoImage(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn logs<'a>(&'a self, container: &'a str, lines: u32) -> Answer<'a, String> {
        Box::pin(async move {
            let _turn = self.looks.acquire().await;
            let arguments = self.manner.logs(container, lines, false);
            let done = command::run_joined(&self.program, &arguments, self.limit, PRINTED).await;
            let done = self.judged("logs", container, self.limit, done)?;
            Ok(String::from_utf8_lossy(&done.out).into_owned())
        })
    }

    fn follow<'a>(&'a self, container: &'a str, lines: u32) -> Answer<'a, Lines> {
        Box::pin(async move {
            let arguments = self.manner.logs(container, lines, true);
            let (mut running, pipe) = command::start_joined(&self.program, &arguments)
                .map_err(|error| self.troubled("logs", self.limit, Trouble::Start(error)))?;
            let (to, lines) = mpsc::channel(QUEUE);
            tokio::spawn(async move {
                let mut pipe = BufReader::new(pipe);
                let pass = async {
                    while let Some(line) = next_line(&mut pipe).await {
                        if to.send(line).await.is_err() {
                            break;
                        }
                    }
                };
                tokio::select! {
                    () = pass => {}
                    // Nobody listens, and the container may be silent for long.
                    () = to.closed() => {}
                }
                // What still runs is killed by the drop; what has ended is taken note of.
                let _ = timeout(Duration::from_millis(100), running.wait()).await;
            });
            Ok(lines)
        })
    }

    fn stats<'a>(&'a self, containers: &'a [String]) -> Answer<'a, Vec<Stats>> {
        Box::pin(async move {
            if containers.is_empty() {
                return Ok(Vec::new());
            }
            let done = self.look("stats", "one of them", self.manner.stats(containers)).await?;
            Ok(parse::stats(&done.out))
        })
    }

    fn exec<'a>(&'a self, container: &'a str, exec: &'a Exec) -> Answer<'a, Executed> {
        Box::pin(async move {
            let arguments = self.manner.exec(container, exec);
            let done = command::run(&self.program, &arguments, exec.limit, PRINTED)
                .await
                .map_err(|trouble| self.troubled("exec", exec.limit, trouble))?;
            let code = done.status.code();
            // The runtime's own failures come with an exit code too; they are told apart by their first words.
            let podman = matches!(code, Some(125 | 255)) && done.err.starts_with(b"Error: ");
            let docker = code == Some(1) && done.err.starts_with(b"Error response from daemon");
            if podman || docker || code.is_none() {
                let command = self.named("exec");
                return Err(classify(&Refused {
                    command: &command,
                    about: container,
                    code,
                    said: &done.err,
                }));
            }
            Ok(Executed {
                exit_code: code.unwrap_or(-1),
                stdout: done.out,
                stderr: done.err,
                truncated: done.truncated,
            })
        })
    }

    fn network<'a>(&'a self, name: &'a str, instance: &'a str) -> Answer<'a, ()> {
        Box::pin(self.make_network(name, instance))
    }

    fn networks<'a>(&'a self, instance: &'a str) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let done = self.look("network ls", "", self.manner.networks(instance)).await?;
            let text = String::from_utf8_lossy(&done.out).into_owned();
            Ok(text.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
        })
    }

    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.known_networks().remove(name);
            match self.change("network rm", name, self.manner.remove_network(name)).await {
                Ok(_) => Ok(()),
                Err(RuntimeError::Failed { said, .. })
                    if ["not found", "being used", "in use", "has active endpoints"]
                        .iter()
                        .any(|part| said.contains(part)) =>
                {
                    Ok(())
                }
                Err(error) => Err(error),
            }
        })
    }
}

/// The next line, without its end, and without what is beyond [`LINE`]; `None` at the end.
async fn next_line(pipe: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let new = pipe.fill_buf().await.ok()?;
        if new.is_empty() {
            return (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned());
        }
        let end = new.iter().position(|byte| *byte == b'\n');
        let count = end.unwrap_or(new.len());
        let room = LINE.saturating_sub(line.len());
        line.extend(new.iter().take(count.min(room)));
        pipe.consume(end.map_or(count, |end| end + 1));
        if end.is_some() {
            return Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
        }
    }
}

/// A runtime for those who share it.
pub type Shared = Arc<dyn Runtime>;

#[cfg(test)]
#[path = "cli_tests.rs"]
mod tests;
