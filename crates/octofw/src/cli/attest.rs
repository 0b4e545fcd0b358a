//! `octofw attest`.

use std::path::PathBuf;

use super::writing::{WritingOptions, keep_apart};
use super::{Failure, NO_MANIFEST, Status, status_of};
use crate::attest::{AttestError, SOMEBODY, Subject, statement};
use crate::lock::{Lock, observe_sources};
use crate::manifest::Manifest;
use crate::output::folder_of;

/// Writes the provenance of an image: an in-toto statement (v1) with the predicate SLSA Provenance v1
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw attest dist/firmware.bin --lock octofw.lock\n\
                        The same build gives the same bytes: there is no time in it. Sign it with octofw sign.")]
pub(super) struct Args {
    /// The image
    image: PathBuf,
    /// The manifest that `octofw build` wrote, if not beside the image
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Lock file: its packages, and the sources beside it, went into the build
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// A further file that went into the build
    #[arg(long = "input", value_name = "FILE")]
    inputs: Vec<PathBuf>,
    /// A file that was made along with the image, such as its bill of materials
    #[arg(long = "byproduct", value_name = "FILE")]
    byproducts: Vec<PathBuf>,
    /// Commit of the sources
    #[arg(long, value_name = "HEX", value_parser = commit)]
    commit: Option<String>,
    /// URI of who built it
    #[arg(long, value_name = "URI", default_value = SOMEBODY, value_parser = uri)]
    builder: String,
    /// Statement to write, if not beside the image: firmware.provenance.json
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    writing: WritingOptions,
}

/// SLSA wants a URI, and its readers refuse anything else.
fn uri(text: &str) -> Result<String, String> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|one| one.is_ascii_alphanumeric() || "+-.".contains(one))
    };
    let is_plain = |rest: &str| {
        !rest.is_empty() && rest.chars().all(|one| one.is_ascii_graphic() && !"<>\"\\^`{|}".contains(one))
    };
    match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) && is_plain(rest) => Ok(text.to_owned()),
        _ => Err("it must be a URI, such as https://example.org/builder or mailto:me@example.org".into()),
    }
}

fn commit(text: &str) -> Result<String, String> {
    let is_hex = text.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'));
    if is_hex && matches!(text.len(), 40 | 64) {
        Ok(text.to_owned())
    } else {
        Err("it must be a whole commit id".into())
    }
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let manifest = self.manifest.unwrap_or_else(|| Manifest::path_for(&self.image));
        let out = self.out.unwrap_or_else(|| self.image.with_extension("provenance.json"));
        let inputs = [&self.image, &manifest].into_iter().chain(&self.lock).chain(&self.inputs);
        keep_apart([&out], inputs.chain(&self.byproducts))?;
        let lock = self.lock.as_deref().map(Lock::read).transpose()?;
        // What went in is what is there, whatever was locked.
        let observed = |lock: &PathBuf| {
            let mut now = Lock::new();
            observe_sources(&mut now, folder_of(lock)).map(|()| now)
        };
        let sources = self.lock.as_ref().map(observed).transpose()?;
        let made = statement(&Subject {
            image: &self.image,
            manifest: &manifest,
            packages: lock.as_ref(),
            sources: sources.as_ref(),
            inputs: &self.inputs,
            byproducts: &self.byproducts,
            commit: self.commit.as_deref(),
            builder: &self.builder,
        });
        let statement =
            made.map_err(|error| Failure::from(error).with_if(!manifest.exists(), NO_MANIFEST))?;
        let text = serde_json::to_string_pretty(&statement).map_err(|error| {
            Failure::new(Status::Findings, format!("cannot write {}: {error}", out.display()))
        })?;
        self.writing.tell(&[self.writing.write(&out, (text + "\n").as_bytes())?])
    }
}

impl From<AttestError> for Failure {
    fn from(error: AttestError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}
