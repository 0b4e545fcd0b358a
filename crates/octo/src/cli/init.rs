//! `octo init`

use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::output::{Format, show};
use super::{Context, Failure};
use crate::config::{check, sample};

/// Write the settings: every key with its default, and a signing secret of their own.
///
/// Nobody but you can read the file. One that is there stays, unless --force is given; then it is kept as config.toml.bak.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Then make the first administrator with `octo user create --admin`, and start `octo serve`."
)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let path = context.around.config_file(context.global.config.as_deref())?;
        if path.exists() && !context.global.yes {
            return Err(format!(
                "{} exists; `octo init --force` keeps it as {} and writes a new one",
                path.display(),
                backup(&path).display()
            )
            .into());
        }
        let kept = write(&path, context.global.dry_run)?;
        let value = json!({"path": path, "backup": kept, "dry_run": context.global.dry_run});
        show(context.format(), &value, || {
            let kept = kept.map(|kept| format!("The old one is {}.\n", kept.display())).unwrap_or_default();
            if context.global.dry_run {
                return format!("Would write {}.", path.display());
            }
            format!(
                "Wrote {}.\n{kept}Next: octo user create --admin NAME --email ADDRESS, then octo serve",
                path.display()
            )
        })?;
        Ok(())
    }
}

/// The name under which an old file is kept.
pub(super) fn backup(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".bak");
    name.into()
}

/// Writes the file anew, whole or not at all; gives where the old one is kept.
pub(super) fn write(path: &Path, dry_run: bool) -> Result<Option<PathBuf>, Failure> {
    let kept = path.exists().then(|| backup(path));
    if dry_run {
        return Ok(kept);
    }
    let text = sample::with(&check::random()?);
    let told =
        |what: &str, path: &Path, error: io::Error| format!("cannot {what} {}: {error}", path.display());
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| told("make", folder, error))?;
    }
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        if let Some(kept) = &kept {
            fs::copy(path, kept)?;
        }
        fs::rename(&new, path)
    })();
    written.map_err(|error| {
        let _ = fs::remove_file(&new);
        told("write", path, error)
    })?;
    Ok(kept)
}

/// Says what [`write`] did, in the words of `config reset`.
pub(super) fn reset(context: &Context) -> Result<(), Failure> {
    let path = context.around.config_file(context.global.config.as_deref())?;
    let kept = write(&path, context.global.dry_run)?;
    let format: Format = context.format();
    show(format, &json!({"path": path, "backup": kept, "dry_run": context.global.dry_run}), || {
        let verb = if context.global.dry_run { "Would write" } else { "Wrote" };
        let kept = kept.map(|kept| format!("; the old one is {}", kept.display())).unwrap_or_default();
        format!("{verb} {} with the defaults{kept}.", path.display())
    })?;
    Ok(())
}
