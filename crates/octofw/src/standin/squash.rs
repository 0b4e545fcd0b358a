//! Packs entries into a squashfs without privileges: as a tar stream, where owners, device nodes and hard links
//! are only words, into squashfs-tools' `sqfstar`. The same entries give the same bytes anywhere, for equal
//! versions of the tool.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::assemble::{Content, Entries, Entry};
use super::{RootOptions, StandinError, file_error};
use crate::command::Command;
use crate::output::folder_of;

/// The time of every inode and of the image, in seconds since 1970: 2026-01-01.
pub const EPOCH: u64 = 1_767_225_600;

/// Writes the image; an existing file is replaced.
///
/// # Errors
/// When the scratch file cannot be written, or squashfs-tools are missing, too old or fail.
pub(super) fn pack(entries: &Entries, options: &RootOptions, out: &Path) -> Result<(), StandinError> {
    let scratch = tempfile::tempdir_in(folder_of(out));
    let scratch = scratch.map_err(file_error("write beside", out))?;
    let archive = scratch.path().join("root.tar");
    let written = File::create(&archive).and_then(|file| write_tar(entries, BufWriter::new(file)));
    written.map_err(file_error("write", &archive))?;

    let image = scratch.path().join("root.squashfs");
    let root = entries.get("/").map(|entry| entry.owner);
    // sqfstar 4.5 takes the root's owner from nowhere but the user that calls it.
    let owned =
        root.filter(|owner| (owner.uid, owner.gid) == (0, 0)).ok_or_else(|| StandinError::Recipe {
            path: out.to_path_buf(),
            reason: "the root directory must belong to 0:0".to_owned(),
        })?;
    // It also reads its standard input, which only a shell can lead to a file here.
    Command::new("fakeroot")
        .args(["--", "sh", "-c", "exec sqfstar \"$@\" <\"$0\""])
        .arg(&archive)
        .args(["-quiet", "-no-progress", "-no-xattrs", "-comp", options.compressor.name()])
        .args(["-b", &options.block_size.to_string(), "-root-mode", &format!("{:o}", owned.mode)])
        .arg(&image)
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string())
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        // Inside another fakeroot it would refuse to start.
        .without("FAKEROOTKEY")
        .without("FAKED_MODE")
        .without("LD_PRELOAD")
        .remedy("install it with: apt-get install fakeroot")
        .run()
        .map_err(|source| StandinError::Squashfs { source })?;
    std::fs::rename(&image, out).map_err(file_error("write", out))
}

/// The archive: everything by path, then the hard links, whose files must come before them.
fn write_tar(entries: &Entries, to: impl Write) -> io::Result<()> {
    let mut archive = tar::Builder::new(to);
    let is_hard = |entry: &Entry| matches!(entry.content, Content::Hard(_));
    // The root itself is not part of the stream.
    let inner = || entries.iter().filter(|(path, _)| path.as_str() != "/");
    for (path, entry) in inner().filter(|(_, entry)| !is_hard(entry)) {
        add(&mut archive, path, entry)?;
    }
    for (path, entry) in inner().filter(|(_, entry)| is_hard(entry)) {
        add(&mut archive, path, entry)?;
    }
    archive.into_inner()?.flush()
}

fn add(archive: &mut tar::Builder<impl Write>, path: &str, entry: &Entry) -> io::Result<()> {
    let name = path.trim_start_matches('/');
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.owner.mode);
    header.set_uid(entry.owner.uid.into());
    header.set_gid(entry.owner.gid.into());
    header.set_mtime(EPOCH);
    header.set_size(0);
    match &entry.content {
        Content::File(bytes) => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(bytes.len() as u64);
            return archive.append_data(&mut header, name, bytes.as_slice());
        }
        Content::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            return archive.append_link(&mut header, name, target);
        }
        Content::Hard(target) => {
            header.set_entry_type(tar::EntryType::Link);
            return archive.append_link(&mut header, name, target.trim_start_matches('/'));
        }
        Content::Directory => header.set_entry_type(tar::EntryType::Directory),
        Content::Fifo => header.set_entry_type(tar::EntryType::Fifo),
        Content::CharDevice(major, minor) => {
            header.set_entry_type(tar::EntryType::Char);
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
        }
        Content::BlockDevice(major, minor) => {
            header.set_entry_type(tar::EntryType::Block);
            header.set_device_major(*major)?;
            header.set_device_minor(*minor)?;
        }
    }
    archive.append_data(&mut header, name, io::empty())
}
