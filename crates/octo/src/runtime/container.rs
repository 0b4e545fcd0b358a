//! Containers and images as the runtime tells of them, and how one is asked for.

use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use utoipa::ToSchema;

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It was made and not started, or starts.
    Starting,
    /// It runs.
    Running,
    /// It is held.
    Paused,
    /// It ended with this code; 137 is a kill, perhaps for want of memory.
    Exited {
        /// Of its first process.
        code: i32,
        /// Whether the runtime says that it had no memory left.
        out_of_memory: bool,
    },
    /// Something that the runtime calls so.
    Other(String),
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The full id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The id of its image.
    pub image_id: String,
    /// What it does.
    pub condition: Condition,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its id, which changes with its content.
    pub id: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What a container may use of the machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// Memory with swap, as the runtime writes it; empty: no limit.
    pub memory: String,
    /// Processors; 0: no limit.
    pub cpus: f64,
    /// Processes; 0: no limit.
    pub pids: i64,
    /// Open files, `SOFT:HARD`; `None`: the runtime's.
    pub nofile: Option<String>,
}

/// A container as it is to be made. No `Debug`: it holds the user's variables.
#[derive(Clone, PartialEq)]
pub struct Launch {
    /// Its name and host name.
    pub name: String,
    /// The image's name; never pulled.
    pub image: String,
    /// `octo.managed`, `octo.instance`, `octo.session`, `octo.user`, `octo.image-id`.
    pub labels: BTreeMap<String, String>,
    /// Ports: host to container.
    pub ports: Vec<(u16, u16)>,
    /// Address on which they are published.
    pub publish_host: IpAddr,
    /// Folder of the host that is the user's home in the container.
    pub home: PathBuf,
    /// Folder of the host that is the workspace in the container, where it is not the one in the home.
    pub workspace: Option<PathBuf>,
    /// Variables; they reach the runtime by a file that only we can read.
    pub env: BTreeMap<String, String>,
    /// The network, where not the runtime's own.
    pub network: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// From SIGTERM to SIGKILL, where somebody else stops it.
    pub patience: Duration,
}

/// A command to run inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The program and its arguments; never read by a shell.
    pub command: Vec<String>,
    /// As whom, `UID:GID`.
    pub user: String,
    /// The folder in which it starts; `None`: the container's.
    pub folder: Option<String>,
    /// How long it may take.
    pub limit: Duration,
}

/// What came of a command inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// How it ended.
    pub exit_code: i32,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained.
    pub stderr: Vec<u8>,
    /// Whether it printed more than is kept.
    pub truncated: bool,
}

/// What a container uses at one moment. What the runtime did not say in a form that is understood is `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct Stats {
    /// The container's id, perhaps only its start.
    #[serde(skip)]
    pub id: String,
    /// Share of one processor, in percent, as the runtime says it; podman means since the start.
    pub cpu_percent: Option<f64>,
    /// Seconds of a processor since the start.
    pub cpu_seconds: Option<f64>,
    /// Memory in use, in bytes.
    pub memory_bytes: Option<u64>,
    /// Its limit, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Bytes that it received.
    pub received_bytes: Option<u64>,
    /// Bytes that it sent.
    pub sent_bytes: Option<u64>,
    /// Bytes that it read from disk.
    pub read_bytes: Option<u64>,
    /// Bytes that it wrote to disk.
    pub written_bytes: Option<u64>,
    /// Its processes.
    pub processes: Option<u64>,
}

/// What a container prints from now on; dropping it ends the watching.
pub type Lines = tokio::sync::mpsc::Receiver<String>;
