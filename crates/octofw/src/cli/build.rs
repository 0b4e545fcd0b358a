//! `octofw build`, and the hidden `octofw session` that runs inside fakeroot.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::build::{self, BuildError, Settings};
use crate::manifest::{Manifest, SCHEMA};
use crate::overlay::Order;

/// Options of `octofw build`.
#[derive(Debug, Args)]
pub struct Build {
    /// Firmware file to build on
    #[arg(long, value_name = "FILE")]
    base: PathBuf,
    /// Overlay folder; give it once per overlay, in the order in which they apply
    #[arg(long = "overlay", value_name = "DIR", num_args = 1..)]
    overlays: Vec<PathBuf>,
    /// Which of scripts/ and root/ of an overlay comes first: classic is scripts, current is root
    #[arg(long, value_enum, default_value_t)]
    order: Order,
    /// Profile that scripts are told as PROFILE
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Firmware file to write; the manifest goes beside it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Text to append to the base's version
    #[arg(long, value_name = "TEXT")]
    version_suffix: Option<String>,
    /// Tell scripts to do without the network
    #[arg(long)]
    offline: bool,
    /// Build also when nothing changed
    #[arg(long)]
    force: bool,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
    /// Print the manifest to standard output
    #[arg(long)]
    json: bool,
    /// Processors that mksquashfs uses (the result does not depend on it)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    processors: Option<u32>,
    /// Version of a tool for the manifest, instead of asking it
    #[arg(long = "tool", value_name = "NAME=VERSION", value_parser = tool)]
    tools: Vec<(String, String)>,
}

/// Options of `octofw session`.
#[derive(Debug, Args)]
pub struct Session {
    /// The plan that `octofw build` wrote
    plan: PathBuf,
}

#[derive(Serialize)]
struct Printed<'a> {
    schema: u32,
    built: bool,
    out: String,
    manifest: &'a Manifest,
}

fn tool(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, version)) if !name.is_empty() => Ok((name.to_owned(), version.trim().to_owned())),
        _ => Err("write it as NAME=VERSION, for example rustc=\"rustc 1.90.0\"".into()),
    }
}

/// Why the command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum BuildCommandError {
    /// The build failed.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// `SOURCE_DATE_EPOCH` cannot be used.
    #[error("SOURCE_DATE_EPOCH is {value:?}, but must be a number of seconds since 1970 that fits 32 bits")]
    Epoch {
        /// What it is.
        value: String,
    },
    /// The system refused.
    #[error("{what}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl BuildCommandError {
    /// Exit code of the contract: 1 failed, 2 wrong usage, 3 the base is not what it claims to be.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Epoch { .. } => 2,
            Self::Build(error) if error.is_wrong_usage() => 2,
            Self::Build(error) if error.is_wrong_input() => 3,
            Self::Build(_) | Self::System { .. } => 1,
        }
    }
}

impl Build {
    /// Builds, and prints what was asked for.
    ///
    /// # Errors
    /// See [`BuildCommandError`].
    pub fn run(self) -> Result<(), BuildCommandError> {
        let system = |what| move |source| BuildCommandError::System { what, source };
        let epoch = match std::env::var("SOURCE_DATE_EPOCH") {
            Ok(value) => Some(value.parse().map_err(|_| BuildCommandError::Epoch { value })?),
            Err(_) => None,
        };
        let settings = Settings {
            base: self.base,
            overlays: self.overlays,
            order: self.order,
            profile: self.profile,
            out: self.out,
            version_suffix: self.version_suffix,
            offline: self.offline,
            force: self.force,
            progress: !self.quiet,
            epoch,
            processors: self.processors,
            tools: self.tools.into_iter().collect(),
            directory: std::env::current_dir().map_err(system("cannot find the current directory"))?,
            octofw: std::env::current_exe().map_err(system("cannot find this program's own file"))?,
        };
        let finished = build::build(&settings)?;
        if self.json {
            let printed = Printed {
                schema: SCHEMA,
                built: finished.built,
                out: settings.out.to_string_lossy().into_owned(),
                manifest: &finished.manifest,
            };
            let mut text = serde_json::to_vec_pretty(&printed)
                .map_err(io::Error::from)
                .map_err(system("cannot write JSON"))?;
            text.push(b'\n');
            io::stdout().write_all(&text).map_err(system("cannot write to standard output"))?;
        }
        Ok(())
    }
}

impl Session {
    /// Carries the plan out; what fails is told in the outcome's file, and by `octofw build`.
    ///
    /// # Errors
    /// When plan or outcome cannot be read or written.
    pub fn run(self) -> Result<(), BuildCommandError> {
        crate::rootfs::session::run(&self.plan)
            .map_err(|source| BuildCommandError::System { what: "cannot carry out the plan", source })
    }
}
