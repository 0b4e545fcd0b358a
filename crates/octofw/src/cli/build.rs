//! `octofw build`, and the hidden `octofw session` that runs inside fakeroot.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use serde::Serialize;

use super::lock::LockOptions;
use super::plan::Form;
use super::selection::{FetchingOptions, SelectionOptions};
use super::{Failure, Status, print_json, status_of};
use crate::build::{self, BuildError, Settings, tools};
use crate::lock::observe_files;
use crate::manifest::{Manifest, SCHEMA};
use crate::overlay::OverlayError;
use crate::paint::Paint;

/// Builds a firmware file out of a base and overlays
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: octofw build --base U1_1.3.0.168_upgrade.bin --overlay my-overlay --out firmware.bin\n\
                        octofw build --base BASE --tree COMMUNITYS_TREE --profile extended --out firmware.bin\n\
                        The time of packing is SOURCE_DATE_EPOCH, or that of the base.\n\
                        The manifest lies beside the output: firmware.manifest.json."
)]
pub(super) struct Args {
    /// Firmware file to build on
    #[arg(long, value_name = "FILE")]
    base: PathBuf,
    #[command(flatten)]
    selection: SelectionOptions,
    /// Firmware file to write; the manifest goes beside it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Text to append to the base's version
    #[arg(long, value_name = "TEXT")]
    version_suffix: Option<String>,
    #[command(flatten)]
    fetching: FetchingOptions,
    /// Build also when nothing changed
    #[arg(long)]
    force: bool,
    /// Pack the root anew as a whole: slower, and without the replaced data of the base; for releases
    #[arg(long)]
    repack: bool,
    /// Print what the build would do to every path, and write nothing; scripts do not run (see `octofw plan`)
    #[arg(long, conflicts_with_all = ["force", "repack", "sbom"])]
    dry_run: bool,
    /// Put a bill of materials of the image into this folder of its root, as image.cdx.json and image.spdx.json
    #[arg(long, value_name = "PATH")]
    sbom: Option<String>,
    /// Say nothing but errors and warnings
    #[arg(long, short)]
    quiet: bool,
    /// Say how long each stage took also where standard error is no terminal
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// Print the manifest to standard output
    #[arg(long)]
    json: bool,
    /// Processors that mksquashfs uses (the result does not depend on it)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    processors: Option<u32>,
    /// Version of a tool for the manifest, instead of asking it
    #[arg(long = "tool", value_name = "NAME=VERSION", value_parser = tool)]
    tools: Vec<(String, String)>,
    #[command(flatten)]
    lock: LockOptions,
}

/// The part of a build that runs inside fakeroot
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: fakeroot -- octofw session plan.json (octofw build calls it so)")]
pub(super) struct SessionArgs {
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

impl Args {
    pub(super) fn run(self, paint: Paint) -> Result<Status, Failure> {
        let system = |what: &'static str| move |e| Failure::new(Status::Findings, format!("{what}: {e}"));
        let epoch = epoch_of_environment()?;
        let tools = tools::versions(&self.tools.into_iter().collect()).map_err(BuildError::from)?;
        let lock = self.lock.read()?;
        if let Some(lock) = &lock {
            let mut met = tools::met(&tools);
            observe_files(&mut met, self.lock.repository())?;
            self.lock.admit(lock, &met)?;
        }
        let selected = self.selection.select()?;
        let cache = self.fetching.begin(&selected, !self.dry_run)?;
        let settings = Settings {
            base: self.base,
            overlays: selected.overlays,
            order: selected.order,
            profile: selected.profile,
            out: self.out,
            version_suffix: self.version_suffix,
            offline: self.fetching.offline,
            cache: Some(cache.folder().to_owned()),
            rehearse: false,
            force: self.force,
            repack: self.repack,
            sbom: self.sbom,
            locked: self.lock.is_strict(),
            lock,
            progress: shows_progress(self.quiet, self.verbose),
            epoch,
            processors: self.processors,
            tools,
            directory: selected.directory,
            octofw: std::env::current_exe().map_err(system("cannot find this program's own file"))?,
        };
        if self.dry_run {
            let form = if self.json { Form::Json } else { Form::Text };
            return super::plan::show(&Settings { progress: false, ..settings }, false, form, false, paint);
        }
        let built = build::build(&settings);
        cache.end(settings.offline);
        let finished = built.map_err(|error| offline_hint(error, settings.offline))?;
        if !self.quiet && !settings.progress {
            say(&finished, &settings.out);
        }
        if self.json {
            print_json(&Printed {
                schema: SCHEMA,
                built: finished.built,
                out: settings.out.to_string_lossy().into_owned(),
                manifest: &finished.manifest,
            })?;
        }
        Ok(Status::Fine)
    }
}

/// Whether stages are told as they end: to a person who watches, or who asked for it.
pub(super) fn shows_progress(quiet: bool, verbose: bool) -> bool {
    verbose || (!quiet && io::stderr().is_terminal())
}

/// What is worth knowing about a build whose stages were not told. A closed standard error is no reason to fail.
fn say(finished: &build::Finished, out: &std::path::Path) {
    let mut err = io::stderr().lock();
    if !finished.built {
        let _ = writeln!(err, "octofw: nothing changed: {} is up to date", out.display());
        return;
    }
    for note in &finished.manifest.notes {
        let _ = writeln!(err, "octofw: note: {note}");
    }
}

/// A script that fails without the network does not know why.
fn offline_hint(error: BuildError, offline: bool) -> Failure {
    let of_script = matches!(&error, BuildError::Session { message, .. } if message.contains("scripts/"))
        || matches!(&error, BuildError::Overlay(OverlayError::Failed { .. }));
    let failure = Failure::from(error);
    if !(offline && of_script) {
        return failure;
    }
    let hint = "--offline keeps scripts from the network; if it wanted to fetch something, build once without \
                --offline, which fills its cache";
    failure.with(hint)
}

impl SessionArgs {
    /// What fails is told in the outcome's file, and by `octofw build`.
    pub(super) fn run(self) -> Result<Status, Failure> {
        crate::rootfs::session::run(&self.plan)
            .map_err(|e| Failure::new(Status::Findings, format!("cannot carry out the plan: {e}")))?;
        Ok(Status::Fine)
    }
}

/// The time of the sources, if the caller says it.
pub(super) fn epoch_of_environment() -> Result<Option<u32>, Failure> {
    let value = std::env::var("SOURCE_DATE_EPOCH").ok().filter(|value| !value.is_empty());
    value.map(|value| epoch_of(&value)).transpose()
}

fn epoch_of(value: &str) -> Result<u32, Failure> {
    let wrong = || {
        let text = "but must be a number of seconds since 1970 that fits 32 bits";
        Failure::new(Status::Usage, format!("SOURCE_DATE_EPOCH is {value:?}, {text}"))
    };
    value.parse().map_err(|_| wrong())
}

fn tool(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, version)) if !name.is_empty() => Ok((name.to_owned(), version.trim().to_owned())),
        _ => Err("write it as NAME=VERSION, for example rustc=\"rustc 1.90.0\"".into()),
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let status = if error.is_wrong_usage() { Status::Usage } else { status_of(error.is_wrong_input()) };
        Self::new(status, error)
    }
}
