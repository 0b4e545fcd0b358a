//! The command lines of podman and docker. Pure: what is asked for in, arguments out.
//!
//! Text that came with a request stands behind `--`, or as the value of an option in the same argument, so that it can
//! never be read as an option.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::labels;
use super::{Exec, Kind, Launch};

/// Where the user's home is in the container.
const HOME: &str = "/home/dev";
/// Where the workspace is in the container.
const WORKSPACE: &str = "/home/dev/workspace";
/// What a first process needs that starts services as another user; everything else is taken away.
const CAPABILITIES: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];
/// A container's log never grows beyond this.
const LOG_SIZE: &str = "max-size=10m";

/// How the runtime of this machine is to be called.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    /// Which one it is.
    pub(super) kind: Kind,
    /// Whether podman runs without root.
    pub(super) rootless: bool,
    /// Whether SELinux is on.
    pub(super) selinux: bool,
    /// `UID:GID` of the user inside.
    pub(super) owner: String,
    /// Before every command.
    pub(super) global: Vec<String>,
    /// With `run`; the last word on everything.
    pub(super) run: Vec<String>,
}

/// Arguments that grow.
struct Line(Vec<OsString>);

impl Line {
    fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    fn words(&mut self, words: &[&str]) -> &mut Self {
        self.0.extend(words.iter().map(OsString::from));
        self
    }

    /// `NAME=VALUE` as one argument, so that the value is never read as an option.
    fn set(&mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> &mut Self {
        let mut word = OsString::from(name);
        word.push("=");
        word.push(value);
        self.word(word)
    }
}

impl Manner {
    fn line(&self, words: &[&str]) -> Line {
        let mut line = Line(self.global.iter().map(OsString::from).collect());
        line.words(words);
        line
    }

    /// How the runtime is told to print JSON. Docker before 23 would print the word `json` itself.
    fn json(&self) -> &'static str {
        match self.kind {
            Kind::Podman => "json",
            Kind::Docker => "{{json .}}",
        }
    }

    pub(super) fn version(&self) -> Vec<OsString> {
        self.line(&["version", "--format", self.json()]).0
    }

    pub(super) fn launch(&self, launch: &Launch, env_file: &Path) -> Vec<OsString> {
        let mut line = self.line(&["run", "--detach", "--pull=never"]);
        line.set("--name", &launch.name).set("--hostname", &launch.name);
        for (name, value) in &launch.labels {
            line.set("--label", format!("{name}={value}"));
        }
        for (host, container) in &launch.ports {
            let at = std::net::SocketAddr::new(launch.publish_host, *host);
            line.set("--publish", format!("{at}:{container}"));
        }
        self.volume(&mut line, &launch.home, HOME);
        if let Some(workspace) = &launch.workspace {
            self.volume(&mut line, workspace, WORKSPACE);
        }
        line.set("--env-file", env_file);
        let limits = &launch.limits;
        if !limits.memory.is_empty() {
            line.set("--memory", &limits.memory).set("--memory-swap", &limits.memory);
        }
        if limits.cpus > 0.0 {
            line.set("--cpus", limits.cpus.to_string());
        }
        if limits.pids > 0 {
            line.set("--pids-limit", limits.pids.to_string());
        }
        if let Some(nofile) = &limits.nofile {
            line.set("--ulimit", format!("nofile={nofile}"));
        }
        line.word("--security-opt=no-new-privileges");
        if self.selinux {
            line.set("--security-opt", format!("label=level:{}", level(launch)));
        }
        line.word("--cap-drop=ALL");
        for capability in CAPABILITIES {
            line.set("--cap-add", capability);
        }
        if self.rootless {
            // The user inside is the one outside, so that what it writes belongs to somebody.
            let (uid, gid) = self.owner.split_once(':').unwrap_or((&self.owner, &self.owner));
            line.set("--userns", format!("keep-id:uid={uid},gid={gid}"));
        }
        line.set("--stop-timeout", launch.patience.as_secs().to_string());
        line.set("--log-opt", LOG_SIZE);
        if let Some(network) = &launch.network {
            line.set("--network", network);
        }
        line.0.extend(self.run.iter().map(OsString::from));
        line.words(&["--", &launch.image]);
        line.0
    }

    fn volume(&self, line: &mut Line, from: &Path, to: &str) {
        let mut value = from.as_os_str().to_owned();
        value.push(":");
        value.push(to);
        let mut options = Vec::new();
        if self.selinux {
            options.push("Z");
        }
        if self.kind == Kind::Podman {
            // Beside no-new-privileges, which settings may lift. Docker refuses these words for a folder of the host.
            options.extend(["nosuid", "nodev"]);
        }
        if !options.is_empty() {
            value.push(":");
            value.push(options.join(","));
        }
        line.set("--volume", value);
    }

    pub(super) fn start(&self, container: &str) -> Vec<OsString> {
        self.line(&["start", "--", container]).0
    }

    pub(super) fn stop(&self, container: &str, patience: Duration) -> Vec<OsString> {
        self.line(&["stop", "-t", &patience.as_secs().to_string(), "--", container]).0
    }

    pub(super) fn remove(&self, container: &str) -> Vec<OsString> {
        let mut line = self.line(&["rm", "--force", "--volumes"]);
        if self.kind == Kind::Podman {
            // Podman would wait for it to end; docker kills at once.
            line.words(&["-t", "0"]);
        }
        line.words(&["--", container]);
        line.0
    }

    pub(super) fn list(&self, instance: &str) -> Vec<OsString> {
        let ours = format!("label={}=true", labels::MANAGED);
        let mine = format!("label={}={instance}", labels::INSTANCE);
        let mut line = self.line(&["ps", "--all", "--no-trunc", "--format", self.json()]);
        line.set("--filter", ours).set("--filter", mine);
        line.0
    }

    pub(super) fn inspect(&self, container: &str) -> Vec<OsString> {
        self.line(&["container", "inspect", "--", container]).0
    }

    pub(super) fn image(&self, name: &str) -> Vec<OsString> {
        self.line(&["image", "inspect", "--", name]).0
    }

    pub(super) fn logs(&self, container: &str, lines: u32, follow: bool) -> Vec<OsString> {
        let mut line = self.line(&["logs"]);
        line.set("--tail", lines.to_string());
        if follow {
            line.word("--follow");
        }
        line.words(&["--", container]);
        line.0
    }

    pub(super) fn stats(&self, containers: &[String]) -> Vec<OsString> {
        let mut line = self.line(&["stats", "--no-stream", "--no-trunc", "--format", self.json(), "--"]);
        line.0.extend(containers.iter().map(OsString::from));
        line.0
    }

    pub(super) fn exec(&self, container: &str, exec: &Exec) -> Vec<OsString> {
        let mut line = self.line(&["exec"]);
        line.set("--user", &exec.user);
        if let Some(folder) = &exec.folder {
            line.set("--workdir", folder);
        }
        line.words(&["--", container]);
        line.0.extend(exec.command.iter().map(OsString::from));
        line.0
    }

    pub(super) fn network_there(&self, name: &str) -> Vec<OsString> {
        self.line(&["network", "inspect", "--", name]).0
    }

    pub(super) fn network(&self, name: &str, instance: &str) -> Vec<OsString> {
        let mut line = self.line(&["network", "create"]);
        line.set("--label", format!("{}=true", labels::MANAGED));
        line.set("--label", format!("{}={instance}", labels::INSTANCE));
        if self.kind == Kind::Podman {
            // Docker's own bridges are separated from each other already.
            line.word("--opt=isolate=true");
        }
        line.words(&["--", name]);
        line.0
    }

    pub(super) fn networks(&self, instance: &str) -> Vec<OsString> {
        let mine = format!("label={}={instance}", labels::INSTANCE);
        let mut line = self.line(&["network", "ls", "--format", "{{.Name}}"]);
        line.set("--filter", mine);
        line.0
    }

    pub(super) fn remove_network(&self, name: &str) -> Vec<OsString> {
        self.line(&["network", "rm", "--", name]).0
    }
}

/// SELinux's level of a user's containers: one for all that the user has, since they share the home, and another for
/// other users.
fn level(launch: &Launch) -> String {
    let user = launch.labels.get(labels::USER).map_or("", String::as_str);
    let hash =
        user.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let (first, second) = (hash % 1024, (hash >> 10) % 1023);
    // Two different categories, the lower one first.
    let second = if second >= first { second + 1 } else { second };
    format!("s0:c{},c{}", first.min(second), first.max(second))
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
