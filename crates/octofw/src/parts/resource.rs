//! What U-Boot needs before there is a file system: logos and device trees, in blocks of 512 bytes (`RSCE`). Source: the
//! header `resource_img.h` of Rockchip's U-Boot.

use serde::Serialize;

use super::PartError;
use super::hash::Hash;
use crate::container::fields::{FieldReader, shown};
use crate::container::{Fault, FormatError, Layer, SourceFile, Span};

/// How one begins.
pub(super) const MAGIC: &[u8; 4] = b"RSCE";
const TAG: &[u8; 4] = b"ENTR";
const BLOCK: u64 = 512;
const NAME_LEN: usize = 220;
const HASH_LEN: usize = 32;
/// Most files that are read; there are a handful.
const MOST_FILES: u32 = 1024;

/// What it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// The files.
    pub files: Vec<ResourceFile>,
}

/// One file of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceFile {
    /// Name.
    pub name: String,
    /// Offset in it, in bytes.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Its sum.
    pub hash: Option<Hash>,
}

/// Reads the one that lies at `at`, and takes the sums that it states where `sums` are wanted.
pub(super) fn read(
    source: &SourceFile,
    at: Span,
    sums: bool,
    wrong: &mut Vec<FormatError>,
) -> Result<Resource, PartError> {
    let header = source.read_up_to(at.offset, BLOCK as usize)?;
    let mut fields = FieldReader::new(Layer::Resource, at.offset, &header);
    let _: [u8; 9] = fields.bytes("header")?;
    let [table, step, _] = fields.bytes("place of the list")?;
    let count_at = fields.offset();
    let count = fields.u32_le("number of files")?;
    if count > MOST_FILES {
        let expected = format!("at most {MOST_FILES}");
        return Err(fields
            .error(Fault::Count, "number of files", count_at, count.to_string(), expected)
            .into());
    }
    let mut files = Vec::new();
    for number in 0..u64::from(count) {
        let block = u64::from(table).saturating_add(number.saturating_mul(u64::from(step)));
        let place = at.offset.saturating_add(block.saturating_mul(BLOCK));
        let entry = match at.part(block.saturating_mul(BLOCK), BLOCK) {
            Some(span) => source.read_up_to(span.offset, BLOCK as usize)?,
            None => Vec::new(),
        };
        let (mut file, data) = parse(&entry, number, place, at)?;
        if let Some(hash) = file.hash.as_mut().filter(|_| sums) {
            hash.check(source, data, (Layer::Resource, &file.name), wrong)?;
        }
        files.push(file);
    }
    Ok(Resource { files })
}

fn parse(entry: &[u8], number: u64, place: u64, at: Span) -> Result<(ResourceFile, Span), FormatError> {
    let mut fields = FieldReader::new(Layer::Resource, place, entry);
    let tag: [u8; 4] = fields.bytes("entry")?;
    if tag != *TAG {
        let field = format!("entry {number}");
        return Err(fields.error(Fault::Magic, field, place, shown(&tag), shown(TAG)));
    }
    let name: [u8; NAME_LEN] = fields.bytes("file name")?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let sum: [u8; HASH_LEN] = fields.bytes("hash")?;
    let sum_len = fields.u32_le("length of the hash")?;
    let offset_at = fields.offset();
    let offset = u64::from(fields.u32_le("place of the file")?).saturating_mul(BLOCK);
    let size = u64::from(fields.u32_le("length of the file")?);
    let name = name.escape_ascii().to_string();
    let Some(data) = at.part(offset, size) else {
        let found = format!("{size} bytes from {offset:#x}");
        let expected = format!("a place within the {} bytes of it", at.len);
        return Err(fields.error(Fault::OutOfBounds, format!("place of {name}"), offset_at, found, expected));
    };
    let algorithm = match sum_len {
        20 => Some("sha1"),
        32 => Some("sha256"),
        _ => None,
    };
    let stated = usize::try_from(sum_len).ok().and_then(|length| sum.get(..length));
    let hash = algorithm.zip(stated).map(|(algorithm, value)| Hash::stated(algorithm, value));
    Ok((ResourceFile { name, offset, size, hash }, data))
}
