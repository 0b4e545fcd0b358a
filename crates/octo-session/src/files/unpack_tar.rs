//! The entries of a tar file, in the dialects that GNU tar, bsdtar and BusyBox write. Long names are read here, and not
//! by the library, since that takes them for as long as they say they are.

use std::io::{self, Read};

use tar::EntryType;

use super::refusal::{Code, Refusal};
use super::settings::Limits;
use super::unpack::{Content, Entry, bad, broken};

/// The longest name, target, or list of attributes, in bytes.
const LONGEST: u64 = 64 << 10;

/// What a header says of the entry that follows it.
#[derive(Default)]
struct Said {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
    modified: Option<u64>,
}

/// Calls `each` for every entry.
pub(crate) fn each<R: Read>(
    source: R,
    limits: &Limits,
    each: &mut dyn FnMut(Entry<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    // Headers and what fills blocks up come on top of the content.
    let most = limits.max_extract_size.saturating_add(limits.max_archive_entries.saturating_mul(4096));
    let mut archive = tar::Archive::new(source.take(most));
    let mut said = Said::default();
    let mut count: u64 = 0;
    for entry in archive.entries().map_err(|error| broken(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| broken(&error))?;
        count += 1;
        if count > limits.max_archive_entries.saturating_mul(3) {
            let text = format!("the archive has more than {} entries", limits.max_archive_entries);
            return Err(Refusal::new(Code::FileTooLarge, text));
        }
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName => said.name = Some(text_of(&mut entry)?),
            EntryType::GNULongLink => said.target = Some(text_of(&mut entry)?),
            EntryType::XHeader => attributes(&content_of(&mut entry)?, &mut said)?,
            EntryType::XGlobalHeader => {}
            EntryType::GNUSparse => {
                return Err(bad("the archive has sparse files; pack it without --sparse"));
            }
            _ => {
                let told = std::mem::take(&mut said);
                one(&mut entry, kind, told, each)?;
            }
        }
    }
    Ok(())
}

fn one<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    kind: EntryType,
    said: Said,
    each: &mut dyn FnMut(Entry<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let name = said.name.unwrap_or_else(|| entry.header().path_bytes().into_owned());
    let target = said.target.or_else(|| entry.header().link_name_bytes().map(std::borrow::Cow::into_owned));
    let mode = entry.header().mode().map_err(|error| broken(&error))? & 0o7777;
    let modified = said.modified.or_else(|| entry.header().mtime().ok());
    let content = match kind {
        EntryType::Directory => Content::Folder,
        // Old archives mark a directory by a slash alone.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => Content::Folder,
        EntryType::Regular | EntryType::Continuous => Content::File(entry),
        EntryType::Symlink => Content::Link(target.unwrap_or_default()),
        EntryType::Link => Content::Same(target.unwrap_or_default()),
        _ => Content::Other,
    };
    each(Entry { name, mode, modified, content })
}

fn content_of(entry: &mut impl Read) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    entry.take(LONGEST + 1).read_to_end(&mut content).map_err(|error: io::Error| broken(&error))?;
    if content.len() as u64 > LONGEST {
        return Err(bad("a name in the archive is longer than any can be"));
    }
    Ok(content)
}

fn text_of(entry: &mut impl Read) -> Result<Vec<u8>, Refusal> {
    let mut text = content_of(entry)?;
    while text.last() == Some(&0) {
        text.pop();
    }
    Ok(text)
}

fn attributes(content: &[u8], said: &mut Said) -> Result<(), Refusal> {
    for attribute in tar::PaxExtensions::new(content) {
        let attribute = attribute.map_err(|error| broken(&error))?;
        let value = attribute.value_bytes().to_vec();
        match attribute.key_bytes() {
            b"path" => said.name = Some(value),
            b"linkpath" => said.target = Some(value),
            b"mtime" => {
                // Seconds with a fraction, which is not kept.
                let text = String::from_utf8_lossy(&value).into_owned();
                said.modified = text.split('.').next().and_then(|seconds| seconds.parse().ok());
            }
            b"size" => return Err(bad("a file in the archive is larger than 8 GiB")),
            key if key.starts_with(b"GNU.sparse") => {
                return Err(bad("the archive has sparse files; pack it without --sparse"));
            }
            _ => {}
        }
    }
    Ok(())
}
