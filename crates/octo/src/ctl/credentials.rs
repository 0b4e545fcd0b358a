//! What octoctl proves itself with, and where `login` keeps it: a file of the user alone.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use super::Global;
use super::client::Credential;
use super::failure::Failure;
use crate::config::{Secret, Surroundings};

/// Tokens by the URL of their server.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    servers: BTreeMap<String, String>,
}

/// The credential: of the command line, of the environment, or kept for this server; in this order.
pub(super) fn find(global: &Global, around: &Surroundings) -> Result<Option<Credential>, Failure> {
    if let Some(token) = &global.token {
        return Ok(Some(Credential::Bearer(Secret::new(token.trim()))));
    }
    if let Some(file) = &global.token_file {
        let text = fs::read_to_string(file)
            .map_err(|why| Failure::new(format!("cannot read the token of {}: {why}", file.display())))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.is_empty() {
            return Err(Failure::new(format!("there is no token in the first line of {}", file.display())));
        }
        return Ok(Some(Credential::Bearer(Secret::new(token))));
    }
    if let Some(token) = around.variable("OCTO_AUTH_TOKEN") {
        return Ok(Some(Credential::Bearer(Secret::new(token.trim()))));
    }
    if let Some(name) = around.variable("OCTO_DEV_USER") {
        return Ok(Some(Credential::DevUser(name.to_owned())));
    }
    kept(global, around)
}

/// The one that is kept for this server.
pub(super) fn kept(global: &Global, around: &Surroundings) -> Result<Option<Credential>, Failure> {
    Ok(read(around)?.servers.remove(&key(&global.server)).map(|token| Credential::Bearer(Secret::new(token))))
}

/// Keeps a token, or forgets it.
pub(super) fn keep(global: &Global, around: &Surroundings, token: Option<&Secret>) -> Result<(), Failure> {
    let mut kept = read(around)?;
    let before = match token {
        Some(token) => kept.servers.insert(key(&global.server), token.reveal().to_owned()),
        None => kept.servers.remove(&key(&global.server)),
    };
    if token.is_some() || before.is_some() {
        write(around, &kept)?;
    }
    Ok(())
}

fn key(server: &str) -> String {
    server.trim_end_matches('/').to_owned()
}

fn file(around: &Surroundings) -> Result<PathBuf, Failure> {
    let folder = around.state_dir().map_err(|why| Failure::new(why.to_string()))?;
    Ok(folder.join("octoctl-tokens.json"))
}

fn read(around: &Surroundings) -> Result<Kept, Failure> {
    let file = file(around)?;
    match fs::read_to_string(&file) {
        Ok(text) => serde_json::from_str(&text).map_err(|why| {
            Failure::new(format!("cannot understand {}: {why}; remove it and log in again", file.display()))
        }),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(Kept::default()),
        Err(why) => Err(Failure::new(format!("cannot read {}: {why}", file.display()))),
    }
}

/// Writes a new file beside the old one, so that there is always a whole one, and nobody else can read either.
fn write(around: &Surroundings, kept: &Kept) -> Result<(), Failure> {
    let file = file(around)?;
    let failed = |why: std::io::Error| Failure::new(format!("cannot write {}: {why}", file.display()));
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let beside = file.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut new| {
            new.write_all(serde_json::to_string_pretty(kept)?.as_bytes())?;
            new.write_all(b"\n")?;
            new.sync_all()
        })
        .and_then(|()| fs::rename(&beside, &file));
    if written.is_err() {
        drop(fs::remove_file(&beside));
    }
    written.map_err(failed)
}
