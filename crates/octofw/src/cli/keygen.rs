//! `octofw keygen`.

use std::path::PathBuf;

use serde::Serialize;

use super::sign::Passphrase;
use super::{Failure, Status, print, print_json};
use crate::sign::{self, KeyPair, write_pair};

/// Makes a key to sign with, as `minisign -G` does
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw keygen --secret ~/octofw.key --public octofw.pub\n\
                        Give the public key away, and the secret one to nobody. No file is replaced.")]
pub(super) struct Args {
    /// File of the secret key to write
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
    /// File of the public key to write
    #[arg(long, value_name = "FILE")]
    public: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Leave the secret key without passphrase: whoever reads the file can sign
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
    /// Ask and check everything, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON ("schema": 1); the secret key is not in it
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct JsonReport<'a> {
    schema: u32,
    written: bool,
    secret: String,
    public: String,
    /// The public key, as `minisign -P` and `octofw verify --key` take it; none if it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let passphrase = if self.no_passphrase { None } else { Some(self.passphrase.chosen()?) };
        let pair = KeyPair::generate(passphrase)?;
        if self.dry_run {
            sign::check_places(&self.secret, &self.public)?;
        } else {
            write_pair(&pair, &self.secret, &self.public)?;
        }
        let line = pair.public.lines().nth(1).unwrap_or_default();
        if self.json {
            let shown = |path: &PathBuf| path.display().to_string();
            let (secret, public) = (shown(&self.secret), shown(&self.public));
            let key = (!self.dry_run).then_some(line);
            print_json(&JsonReport { schema: 1, written: !self.dry_run, secret, public, key })?;
        } else if self.dry_run {
            print(&format!("{}, {}: would be written\n", self.secret.display(), self.public.display()))?;
        } else {
            print(&format!("{}: {line}\n", self.public.display()))?;
        }
        Ok(Status::Fine)
    }
}
