//! The tools of squashfs, for a root that is packed or unpacked as a whole.

use std::fs;
use std::path::Path;

use super::super::listing;
use super::super::packing::Packing;
use super::super::snapshot::Snapshot;
use super::error::system;
use super::{Plan, SessionError};
use crate::command::{Command, CommandError};
use crate::container::Span;

/// Unpacks the base to the tree.
pub(super) fn unpack(plan: &Plan) -> Result<(), SessionError> {
    squashfs_tool("unsquashfs")
        .args(["-no-progress", "-quiet", "-no-xattrs", "-d"])
        .arg(&plan.tree)
        .args(["-offset", &plan.base_at.offset.to_string()])
        .arg(&plan.base)
        .run()
        .map(drop)
        .map_err(|source| match &source {
            CommandError::Failed { tail, .. } if !tail.contains("No space left") => {
                SessionError::Unpack { source }
            }
            _ => source.into(),
        })
}

/// Packs the tree the way the base is packed; returns the bytes of the new squashfs.
pub(super) fn pack(plan: &Plan, packing: &Packing) -> Result<u64, SessionError> {
    let mut command = squashfs_tool("mksquashfs")
        .arg(&plan.tree)
        .arg(&plan.result)
        .args(packing.options())
        .args(["-mkfs-time", &plan.epoch.to_string()])
        .args(["-offset", &plan.result_offset.to_string()])
        .args(["-noappend", "-no-progress", "-quiet", "-no-recovery", "-exit-on-error"]);
    if let Some(processors) = plan.processors {
        command = command.args(["-processors", &processors.to_string()]);
    }
    command.run()?;
    let made =
        fs::metadata(&plan.result).map_err(system(format!("cannot read {}", plan.result.display())))?;
    Ok(made.len().saturating_sub(plan.result_offset))
}

/// SOURCE_DATE_EPOCH would clamp the times of files that did not change; the time of packing is given as an option.
fn squashfs_tool(program: &str) -> Command {
    Command::new(program)
        .without("SOURCE_DATE_EPOCH")
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .remedy("install it with: apt-get install squashfs-tools")
}

/// Shows that a squashfs and its tree hold the same, hard links included.
pub(super) fn prove_equal(
    squashfs: &Path,
    at: Span,
    packing: &Packing,
    tree: &Snapshot,
) -> Result<(), SessionError> {
    listing::compare(squashfs, at.offset, tree)?;
    let (there, here) = (u64::from(packing.superblock.inodes), tree.inodes());
    if there == here {
        return Ok(());
    }
    let squashfs = squashfs.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(SessionError::Inodes { squashfs, there, here })
}
