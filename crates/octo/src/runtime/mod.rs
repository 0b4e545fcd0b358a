//! The container runtime, podman or docker, by its command line; never through a shell.

mod arguments;
pub mod cli;
mod command;
pub mod container;
mod detect;
mod env_file;
pub mod labels;
mod parse;
mod refusal;
mod units;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use thiserror::Error;

pub use cli::Cli;
pub use container::{Condition, Container, Exec, Executed, Image, Launch, Limits, Lines, Stats};

/// Which runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// podman.
    Podman,
    /// docker.
    Docker,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        })
    }
}

/// Why the runtime did not do it.
#[derive(Debug, Clone, Error)]
pub enum RuntimeError {
    /// No program answers.
    #[error("{0}")]
    Absent(String),
    /// There is no such container.
    #[error("there is no container {0}")]
    NoContainer(String),
    /// There is no such image.
    #[error("there is no image {0} here")]
    NoImage(String),
    /// No image can be called so.
    #[error("{name:?} cannot be the name of an image: {said}")]
    NotAName {
        /// What was asked for.
        name: String,
        /// What the runtime said.
        said: String,
    },
    /// A host port is held by something else.
    #[error("a port is in use: {0}")]
    PortTaken(String),
    /// There is a container of this name.
    #[error("there is a container of this name: {0}")]
    NameTaken(String),
    /// The runtime did not answer in time.
    #[error("{command} did not end within {limit:?}; is the container runtime stuck?")]
    Slow {
        /// What was called.
        command: String,
        /// The time that it had.
        limit: Duration,
    },
    /// Anything else, with the end of what it said.
    #[error("{command} failed ({status}): {said}")]
    Failed {
        /// What was called, without values of the environment.
        command: String,
        /// How it ended.
        status: String,
        /// The end of its standard error.
        said: String,
    },
}

/// What an operation of the runtime gives, some time later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, RuntimeError>> + Send + 'a>>;

/// What the server asks of a container runtime. Every call has a deadline of its own.
pub trait Runtime: Send + Sync {
    /// Which one it is, with its version.
    fn probe(&self) -> Answer<'_, (Kind, String)>;
    /// Makes a container and starts it; gives its full id. What was half made when it fails is removed.
    fn launch<'a>(&'a self, launch: &'a Launch) -> Answer<'a, String>;
    /// Starts one that exited.
    fn start<'a>(&'a self, container: &'a str) -> Answer<'a, ()>;
    /// Asks it to end, and makes it end after `patience`.
    fn stop<'a>(&'a self, container: &'a str, patience: Duration) -> Answer<'a, ()>;
    /// Removes it, running or not. One that is not there is no error.
    fn remove<'a>(&'a self, container: &'a str) -> Answer<'a, ()>;
    /// All containers, ended ones too, that carry the label `octo.instance` with this value.
    fn list<'a>(&'a self, instance: &'a str) -> Answer<'a, Vec<Container>>;
    /// One of them, with its condition now; `None` where there is none.
    fn inspect<'a>(&'a self, container: &'a str) -> Answer<'a, Option<Container>>;
    /// The image that a name means now; `None` where there is none.
    fn image<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Image>>;
    /// The last lines of what it printed.
    fn logs<'a>(&'a self, container: &'a str, lines: u32) -> Answer<'a, String>;
    /// The last lines of what it printed, then what it prints, until the receiver is dropped or the container ends.
    fn follow<'a>(&'a self, container: &'a str, lines: u32) -> Answer<'a, Lines>;
    /// What these containers use now; those that do not run are left out.
    fn stats<'a>(&'a self, containers: &'a [String]) -> Answer<'a, Vec<Stats>>;
    /// Runs a command inside. When its time is up only the waiting ends.
    fn exec<'a>(&'a self, container: &'a str, exec: &'a Exec) -> Answer<'a, Executed>;
    /// Makes the network of this installation where it is missing; isolated from others.
    fn network<'a>(&'a self, name: &'a str, instance: &'a str) -> Answer<'a, ()>;
    /// The networks of this installation.
    fn networks<'a>(&'a self, instance: &'a str) -> Answer<'a, Vec<String>>;
    /// Removes a network. One that is not there, or is in use, is no error.
    fn remove_network<'a>(&'a self, name: &'a str) -> Answer<'a, ()>;
}
