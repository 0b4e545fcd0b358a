//! `octofw keygen`.

use std::path::PathBuf;

use super::sign::Passphrase;
use super::{Failure, Status, print};
use crate::sign::{KeyPair, write_pair};

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
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let passphrase = if self.no_passphrase { None } else { Some(self.passphrase.chosen()?) };
        let pair = KeyPair::generate(passphrase)?;
        write_pair(&pair, &self.secret, &self.public)?;
        let line = pair.public.lines().nth(1).unwrap_or_default();
        print(&format!("{}: {line}\n", self.public.display()))?;
        Ok(Status::Fine)
    }
}
