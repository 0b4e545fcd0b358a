//! `octofw licences`.

use std::path::PathBuf;

use serde::Serialize;

use super::writing::{WritingOptions, keep_apart};
use super::{Failure, Status, print, print_json, status_of};
use crate::licences::policy::{Policy, Violation};
use crate::licences::{LicenceError, texts};
use crate::sbom::{program, read};

/// Holds bills of materials against a policy of licences, or collects the texts of the crates in a program
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw licences check --policy licences.toml dist/sbom/image.cdx.json\n\
                        Example: octofw licences texts --package octobridge --target aarch64-unknown-linux-musl \
                        --out licences.txt\n\
                        check ends with 1 if something is not allowed.")]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Check(Check),
    Texts(Texts),
}

/// Names every component that the policy does not allow
#[derive(Debug, clap::Args)]
struct Check {
    /// Bills of materials in CycloneDX
    #[arg(required = true, value_name = "FILE")]
    bills: Vec<PathBuf>,
    /// The policy: allowed SPDX identifiers, and exceptions with a reason
    #[arg(long, value_name = "FILE", default_value = "licences.toml")]
    policy: PathBuf,
    /// Print JSON ("schema": 1)
    #[arg(long)]
    json: bool,
}

/// Collects the licences of a program and of every crate that is linked into it
#[derive(Debug, clap::Args)]
struct Texts {
    /// Manifest of the workspace
    #[arg(long, value_name = "FILE", default_value = "Cargo.toml")]
    manifest_path: PathBuf,
    /// The program's package
    #[arg(long, value_name = "NAME")]
    package: String,
    /// What it is built for
    #[arg(long, value_name = "TRIPLE")]
    target: String,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    writing: WritingOptions,
}

#[derive(Serialize)]
struct JsonReport {
    schema: u32,
    ok: bool,
    violations: Vec<Violation>,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        match self.what {
            What::Check(args) => args.run(),
            What::Texts(args) => args.run(),
        }
    }
}

impl Check {
    fn run(self) -> Result<Status, Failure> {
        let policy = Policy::read(&self.policy).map_err(|error| {
            let hint = "name the policy with --policy";
            Failure::from(error).with_if(!self.policy.exists(), hint)
        })?;
        let mut violations = Vec::new();
        for bill in &self.bills {
            violations.extend(policy.violations(&read(bill)?));
        }
        let ok = violations.is_empty();
        if self.json {
            print_json(&JsonReport { schema: 1, ok, violations })?;
        } else {
            let lines: String = violations.iter().map(|violation| format!("{violation}\n")).collect();
            let verdict = if ok {
                "every licence is allowed".into()
            } else {
                format!("not allowed: {}", violations.len())
            };
            print(&format!("{lines}{}: {verdict}\n", self.policy.display()))?;
        }
        Ok(if ok { Status::Fine } else { Status::Findings })
    }
}

impl Texts {
    fn run(self) -> Result<Status, Failure> {
        keep_apart([&self.out], [&self.manifest_path])?;
        // The time in the bill does not matter here.
        let bill = program::bill(&self.manifest_path, &self.package, &self.target, 0)?;
        let sources = program::sources(&self.manifest_path, &self.target)?;
        let text = texts::collect(&bill, &sources)?;
        self.writing.tell(&[self.writing.write(&self.out, text.as_bytes())?])
    }
}

impl From<LicenceError> for Failure {
    fn from(error: LicenceError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}
