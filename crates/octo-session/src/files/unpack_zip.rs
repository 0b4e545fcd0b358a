//! The entries of a zip file, with the modes and links that Info-ZIP and this program write.

use std::io::{Read, Seek, SeekFrom};

use super::refusal::{Code, Refusal};
use super::settings::Limits;
use super::unpack::{Content, Entry, bad, broken};

/// The longest target of a link, in bytes.
const LONGEST_TARGET: u64 = 4096;
/// How far from its end a zip file may tell where its directory is.
const TAIL: u64 = 66_000;

/// Calls `each` for every entry.
pub(crate) fn each(
    file: &mut std::fs::File,
    limits: &Limits,
    each: &mut dyn FnMut(Entry<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    // The library reads the whole directory at once, so its length is looked at before.
    let count = announced(file)?;
    if count > limits.max_archive_entries {
        let text = format!("the archive has more than {} entries", limits.max_archive_entries);
        return Err(Refusal::new(Code::FileTooLarge, text));
    }
    let damaged = |error: zip::result::ZipError| bad(format!("the archive is damaged: {error}"));
    let mut zip = zip::ZipArchive::new(file).map_err(damaged)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(damaged)?;
        let name = entry.name_raw().to_vec();
        let whole = entry.unix_mode();
        let is_folder = name.ends_with(b"/");
        let is_link = whole.is_some_and(|mode| mode & 0o170_000 == 0o120_000);
        let mode = whole.map_or(if is_folder { 0o755 } else { 0o644 }, |mode| mode & 0o7777);
        let content = if is_folder {
            Content::Folder
        } else if is_link {
            let mut target = Vec::new();
            entry
                .by_ref()
                .take(LONGEST_TARGET + 1)
                .read_to_end(&mut target)
                .map_err(|error| broken(&error))?;
            if target.len() as u64 > LONGEST_TARGET {
                return Err(bad("the target of a link in the archive is longer than any can be"));
            }
            Content::Link(target)
        } else {
            Content::File(&mut entry)
        };
        each(Entry { name, mode, modified: None, content })?;
    }
    Ok(())
}

/// How many entries the file says that it has: the most of all places where it may say so.
fn announced(file: &mut std::fs::File) -> Result<u64, Refusal> {
    let unreadable = |error: std::io::Error| broken(&error);
    let size = file.seek(SeekFrom::End(0)).map_err(unreadable)?;
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL))).map_err(unreadable)?;
    file.by_ref().take(TAIL).read_to_end(&mut tail).map_err(unreadable)?;
    let mut most = None;
    for start in 0..tail.len() {
        let Some(rest) = tail.get(start..) else { break };
        if rest.starts_with(b"PK\x05\x06") {
            most = most.max(little(rest, 10, 2));
        } else if rest.starts_with(b"PK\x06\x06") {
            most = most.max(little(rest, 32, 8));
        } else if rest.starts_with(b"PK\x06\x07")
            && let Some(place) = little(rest, 8, 8)
        {
            let mut record = Vec::new();
            file.seek(SeekFrom::Start(place)).map_err(unreadable)?;
            file.by_ref().take(56).read_to_end(&mut record).map_err(unreadable)?;
            if record.starts_with(b"PK\x06\x06") {
                most = most.max(little(&record, 32, 8));
            }
        }
    }
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    most.ok_or_else(|| bad("the zip file has no directory at its end; it is not whole"))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}
