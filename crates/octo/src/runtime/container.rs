//! Containers and images as the runtime tells of them, and how one is asked for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

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

/// A container as it is to be made.
#[derive(Clone, PartialEq, Eq)]
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
    /// Variables; they reach the runtime by a file that only we can read.
    pub env: BTreeMap<String, String>,
    /// The network, where not the runtime's own.
    pub network: Option<String>,
}
