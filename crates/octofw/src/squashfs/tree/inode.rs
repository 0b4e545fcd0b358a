//! One inode as it is stored: in the basic and in the extended form.

use super::super::metadata::Cursor;
use super::super::tables::{is_block_size, stored_len};
use super::super::{Filesystem, NONE, ReadError};
use super::{Form, Fragment, Node, Stored};
use crate::container::Fault;

/// Added to the number of a basic type for the extended one.
pub(in crate::squashfs) const EXTENDED: u16 = 7;
/// Longest target of a link that Linux follows.
const MOST_TARGET: u32 = 65_535;

/// Where a directory's entries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listing {
    /// The block, in bytes from the start of the table.
    pub(super) block: u32,
    /// The first byte in it.
    pub(super) offset: u16,
    /// Bytes of all entries.
    pub(super) size: u32,
}

/// Reads an inode. A directory comes without its entries, and with where they are.
pub(super) fn read(
    filesystem: &Filesystem,
    cursor: &mut Cursor<'_>,
) -> Result<(Node, Option<Listing>), ReadError> {
    let kind = cursor.u16()?;
    let mode = cursor.u16()?;
    let (uid, gid) = (cursor.u16()?, cursor.u16()?);
    let modified = cursor.u32()?;
    let _number = cursor.u32()?;
    let (Some(uid), Some(gid)) = (filesystem.id(uid), filesystem.id(gid)) else {
        let expected = format!("below {}", filesystem.superblock().ids);
        return Err(cursor.wrong(Fault::OutOfBounds, format!("ids {uid} and {gid}"), expected));
    };
    let mut xattrs = NONE;
    let mut listing = None;
    let form = match kind {
        1 => {
            let block = cursor.u32()?;
            let _links = cursor.u32()?;
            let size = u32::from(cursor.u16()?);
            let offset = cursor.u16()?;
            let _parent = cursor.u32()?;
            listing = Some((block, offset, size));
            Form::Directory(Default::default())
        }
        8 => {
            let _links = cursor.u32()?;
            let size = cursor.u32()?;
            let block = cursor.u32()?;
            let _parent = cursor.u32()?;
            let _index = cursor.u16()?;
            let offset = cursor.u16()?;
            xattrs = cursor.u32()?;
            listing = Some((block, offset, size));
            Form::Directory(Default::default())
        }
        2 => {
            let start = u64::from(cursor.u32()?);
            let fragment = (cursor.u32()?, cursor.u32()?);
            let size = u64::from(cursor.u32()?);
            Form::File(file(filesystem, cursor, Stored { size, start, ..Stored::default() }, fragment)?)
        }
        9 => {
            let (start, size, sparse) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
            let _links = cursor.u32()?;
            let fragment = (cursor.u32()?, cursor.u32()?);
            xattrs = cursor.u32()?;
            Form::File(file(
                filesystem,
                cursor,
                Stored { size, start, sparse, ..Stored::default() },
                fragment,
            )?)
        }
        3 | 10 => {
            let _links = cursor.u32()?;
            let length = cursor.u32()?;
            if length == 0 || length > MOST_TARGET {
                let found = format!("a link of {length} bytes");
                return Err(cursor.wrong(Fault::Limit, found, format!("1 to {MOST_TARGET} bytes")));
            }
            let target = cursor.take(usize::try_from(length).unwrap_or(usize::MAX))?.to_vec();
            if kind == 10 {
                xattrs = cursor.u32()?;
            }
            Form::Link(target)
        }
        4 | 5 | 11 | 12 => {
            let _links = cursor.u32()?;
            let number = cursor.u32()?;
            if kind > EXTENDED {
                xattrs = cursor.u32()?;
            }
            if matches!(kind, 4 | 11) { Form::BlockDevice(number) } else { Form::CharacterDevice(number) }
        }
        6 | 7 | 13 | 14 => {
            let _links = cursor.u32()?;
            if kind > EXTENDED {
                xattrs = cursor.u32()?;
            }
            if matches!(kind, 6 | 13) { Form::Fifo } else { Form::Socket }
        }
        other => return Err(cursor.wrong(Fault::Kind, format!("inode type {other}"), "1 to 14")),
    };
    let count = filesystem.xattrs.as_ref().map_or(0, |xattrs| xattrs.count);
    if xattrs != NONE && xattrs >= count {
        let found = format!("extended attributes {xattrs}");
        return Err(cursor.wrong(Fault::OutOfBounds, found, format!("below {count}")));
    }
    let listing = listing.map(|(block, offset, size)| match size.checked_sub(3) {
        // The three bytes stand for "." and "..", which are not stored.
        Some(size) => Ok(Listing { block, offset, size }),
        None => Err(cursor.wrong(Fault::Limit, format!("a directory of {size} bytes"), "at least 3")),
    });
    let xattrs = (xattrs != NONE).then_some(xattrs);
    Ok((Node { mode: mode & 0o7777, uid, gid, modified, xattrs, form }, listing.transpose()?))
}

/// The blocks of a file, which follow its inode.
fn file(
    filesystem: &Filesystem,
    cursor: &mut Cursor<'_>,
    mut stored: Stored,
    (block, offset): (u32, u32),
) -> Result<Stored, ReadError> {
    let block_size = filesystem.superblock().block_size;
    let whole = u64::from(block_size);
    let rest = stored.size % whole;
    let blocks = stored.size / whole + u64::from(block == NONE && rest > 0);
    let length = usize::try_from(blocks).unwrap_or(usize::MAX).saturating_mul(4);
    let mut end = stored.start;
    for size in cursor.take(length)?.chunks_exact(4) {
        let size = size.first_chunk().copied().map(u32::from_le_bytes).unwrap_or_default();
        if !is_block_size(size, block_size) {
            let found = format!("a block of {size:#x}");
            return Err(cursor.wrong(Fault::Limit, found, format!("at most {block_size} bytes")));
        }
        end = end.saturating_add(stored_len(size));
        stored.blocks.push(size);
    }
    let first = filesystem.first_data();
    let data_end = filesystem.superblock().tables.inodes;
    if end > stored.start && (stored.start < first || end > data_end) {
        let found = format!("blocks from {:#x} to {end:#x}", stored.start);
        return Err(cursor.wrong(Fault::OutOfBounds, found, format!("inside {first:#x} to {data_end:#x}")));
    }
    if block == NONE {
        return Ok(stored);
    }
    let known = usize::try_from(block).is_ok_and(|block| block < filesystem.fragments.len());
    if !known || rest == 0 || u64::from(offset).saturating_add(rest) > whole {
        let found = format!("{rest} bytes at {offset} of fragment {block}");
        let expected = format!("bytes inside one of the {} fragments", filesystem.fragments.len());
        return Err(cursor.wrong(Fault::OutOfBounds, found, expected));
    }
    stored.fragment = Some(Fragment { block, offset });
    Ok(stored)
}
