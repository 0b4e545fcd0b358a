//! `octofw sign`, and how a passphrase comes in.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::writing::WritingOptions;
use super::{Failure, Status, print_json, status_of};
use crate::sign::{SignError, is_encrypted, path_for, secret_key};

/// Signs files, the manifest of an image first of all, as `minisign -S` does
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: octofw sign dist/firmware.manifest.json --key ~/octofw.key\n\
                        The signature goes beside each file: firmware.manifest.json.minisig.\n\
                        Check it with `octofw verify dist/firmware.bin --key octofw.pub`, or \
                        `minisign -Vm dist/firmware.manifest.json -p octofw.pub`.")]
pub(super) struct Args {
    /// Files to sign
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// File of the secret key: one of minisign's
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Text to sign with it, which is shown when the signature is checked (default: the file's name)
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    writing: WritingOptions,
}

/// How the passphrase of a secret key comes in: never as an argument, which other users of the machine could see.
#[derive(Debug, clap::Args)]
pub(super) struct Passphrase {
    /// File whose first line is the passphrase of the secret key (default: ask on the terminal)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Passphrase {
    /// That of the key that there is.
    fn known(&self, key: &Path) -> Result<Option<String>, Failure> {
        if !is_encrypted(key)? {
            return Ok(None);
        }
        match &self.passphrase_file {
            Some(file) => of_file(file).map(Some),
            None if io::stdin().is_terminal() => ask("Passphrase: ").map(Some),
            None => Ok(None),
        }
    }

    /// That of a new key.
    pub(super) fn chosen(&self) -> Result<String, Failure> {
        if let Some(file) = &self.passphrase_file {
            return of_file(file);
        }
        if !io::stdin().is_terminal() {
            let text =
                "there is no terminal to ask for a passphrase: give --passphrase-file or --no-passphrase";
            return Err(Failure::new(Status::Usage, text));
        }
        let passphrase = ask("Passphrase for the new key: ")?;
        if ask("The same again: ")? != passphrase {
            return Err(Failure::new(Status::Findings, "the two passphrases differ; begin again"));
        }
        Ok(passphrase)
    }
}

fn of_file(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::new(Status::Findings, format!("cannot read {}: {error}", file.display()))
    })?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn ask(prompt: &str) -> Result<String, Failure> {
    rpassword::prompt_password(prompt)
        .map_err(|error| Failure::new(Status::Findings, format!("cannot ask for the passphrase: {error}")))
}

#[derive(Serialize)]
struct JsonReport {
    schema: u32,
    written: bool,
    key: String,
    signatures: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Status, Failure> {
        let key = secret_key(&self.key, self.passphrase.known(&self.key)?)?;
        let (mut signatures, mut written) = (Vec::new(), Vec::new());
        for file in &self.files {
            let name = || file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = key.sign(file, &self.comment.clone().unwrap_or_else(name))?;
            let path = path_for(file);
            written.push(self.writing.write(&path, text.as_bytes())?);
            signatures.push(path.display().to_string());
        }
        if self.writing.json {
            let written = !self.writing.dry_run;
            print_json(&JsonReport { schema: 1, written, key: key.public().id(), signatures })?;
            return Ok(Status::Fine);
        }
        self.writing.tell(&written)
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        Self::new(status_of(error.is_wrong_input()), error)
    }
}
