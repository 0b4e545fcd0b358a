//! The tables that are found by an index of their blocks: ids, fragments, export, extended attributes.

use super::metadata::{MOST, read_block};
use super::{DATA_PLAIN, Filesystem, METADATA_BLOCK, ReadError};
use crate::container::Fault;

/// Bytes of a fragment's record.
pub(super) const FRAGMENT_LEN: usize = 16;
/// Bytes of the record that says where the attributes of an inode are.
const XATTR_LEN: usize = 16;
/// Bytes of the head of the attributes' table.
pub(super) const XATTR_HEAD_LEN: usize = 16;

/// A block that holds the ends of several files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FragmentBlock {
    /// Where it is stored, in bytes from the start of the file system.
    pub(super) start: u64,
    /// Its length there, and whether it is stored as it is, as for a data block.
    pub(super) size: u32,
}

/// Where the tables of extended attributes are. They are kept as they are: everything in them is relative to `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Xattrs {
    /// Names and values, from here to `records`.
    pub(super) data: u64,
    /// The first block of the records.
    pub(super) records: u64,
    /// The end of their last block.
    pub(super) end: u64,
    /// Where each of their blocks is.
    pub(super) index: Vec<u64>,
    /// Number of records.
    pub(super) count: u32,
}

/// Bytes that a block of data takes on the disk.
pub(super) fn stored_len(size: u32) -> u64 {
    u64::from(size & (DATA_PLAIN - 1))
}

/// Whether the length of a data block is one that can be.
pub(super) fn is_block_size(size: u32, block_size: u32) -> bool {
    size & !(DATA_PLAIN | (DATA_PLAIN - 1)) == 0 && stored_len(size) <= u64::from(block_size)
}

pub(super) fn ids(filesystem: &Filesystem) -> Result<Vec<u32>, ReadError> {
    let superblock = filesystem.superblock();
    let bytes = indexed(filesystem, "id table", superblock.tables.ids, u64::from(superblock.ids), 4)?;
    Ok(bytes.chunks_exact(4).filter_map(|id| id.first_chunk().copied()).map(u32::from_le_bytes).collect())
}

pub(super) fn fragments(filesystem: &Filesystem) -> Result<Vec<FragmentBlock>, ReadError> {
    let superblock = filesystem.superblock();
    let (Some(start), count @ 1..) = (superblock.tables.fragments, superblock.fragments) else {
        return Ok(Vec::new());
    };
    let bytes = indexed(filesystem, "fragment table", start, u64::from(count), FRAGMENT_LEN)?;
    let mut fragments = Vec::with_capacity(bytes.len() / FRAGMENT_LEN);
    for record in bytes.chunks_exact(FRAGMENT_LEN) {
        let start_at = record.first_chunk().copied().map(u64::from_le_bytes).unwrap_or_default();
        let size = record.get(8..).and_then(|rest| rest.first_chunk().copied()).map(u32::from_le_bytes);
        let size = size.unwrap_or_default();
        let end = start_at.checked_add(stored_len(size));
        // One in the superblock would be another once that is written anew.
        let behind = start_at >= filesystem.first_data();
        let inside = behind && end.is_some_and(|end| end <= superblock.tables.inodes) && stored_len(size) > 0;
        if !inside || !is_block_size(size, superblock.block_size) {
            let found = format!("a block of {} bytes at {start_at:#x}", stored_len(size));
            let expected = "a block between the superblock and the first table";
            return Err(filesystem.fault(Fault::OutOfBounds, "fragment table", start, found, expected));
        }
        fragments.push(FragmentBlock { start: start_at, size });
    }
    Ok(fragments)
}

pub(super) fn xattrs(filesystem: &Filesystem) -> Result<Option<Xattrs>, ReadError> {
    const FIELD: &str = "xattr table";
    let Some(start) = filesystem.superblock().tables.xattrs else { return Ok(None) };
    let head = filesystem.bytes(FIELD, start, XATTR_HEAD_LEN)?;
    let data = head.first_chunk().copied().map(u64::from_le_bytes).unwrap_or_default();
    let count = head.get(8..).and_then(|rest| rest.first_chunk().copied()).map(u32::from_le_bytes);
    let count = count.unwrap_or_default();
    let index = index(filesystem, FIELD, start + XATTR_HEAD_LEN as u64, u64::from(count), XATTR_LEN)?;
    // `indexed` proves that the blocks can be read; what they say is the kernel's business.
    records(filesystem, FIELD, &index, u64::from(count), XATTR_LEN)?;
    let records = index.first().copied().unwrap_or(start);
    let ordered = data <= records && records <= start && index.is_sorted();
    if !ordered || data < filesystem.superblock().tables.inodes {
        let found = format!("attributes at {data:#x}, records at {records:#x}");
        let expected = "attributes behind the inodes, then the records, then their index";
        return Err(filesystem.fault(Fault::OutOfBounds, FIELD, start, found, expected));
    }
    Ok(Some(Xattrs { data, records, end: start, index, count }))
}

/// Where the table ends that begins at `start`: where the next thing begins.
pub(super) fn end_of(filesystem: &Filesystem, start: u64) -> Result<u64, ReadError> {
    let superblock = filesystem.superblock();
    let tables = &superblock.tables;
    let mut places = vec![tables.inodes, tables.directories, tables.ids, superblock.bytes_used];
    let indexes = [
        (Some(tables.ids), u32::from(superblock.ids)),
        (tables.fragments, superblock.fragments),
        (tables.export, superblock.inodes),
    ];
    for (table, count) in indexes {
        let Some(table) = table else { continue };
        places.push(table);
        if count > 0 {
            places.extend(index(filesystem, "table index", table, 1, 1)?);
        }
    }
    if let Some(xattrs) = &filesystem.xattrs {
        places.extend([xattrs.data, xattrs.records, xattrs.end]);
    }
    Ok(places.into_iter().filter(|place| *place > start).min().unwrap_or(superblock.bytes_used))
}

fn indexed(
    filesystem: &Filesystem,
    field: &'static str,
    start: u64,
    count: u64,
    size: usize,
) -> Result<Vec<u8>, ReadError> {
    let index = index(filesystem, field, start, count, size)?;
    records(filesystem, field, &index, count, size)
}

/// Where the blocks are that hold `count` records of `size` bytes.
fn index(
    filesystem: &Filesystem,
    field: &'static str,
    start: u64,
    count: u64,
    size: usize,
) -> Result<Vec<u64>, ReadError> {
    let bytes = count.saturating_mul(size as u64);
    if bytes > MOST as u64 {
        let expected = format!("at most {MOST} bytes in all its blocks");
        return Err(filesystem.fault(Fault::Limit, field, start, format!("{bytes} bytes"), expected));
    }
    let blocks = usize::try_from(bytes.div_ceil(METADATA_BLOCK as u64)).unwrap_or(usize::MAX);
    let stored = filesystem.bytes(field, start, blocks.saturating_mul(8))?;
    Ok(stored.chunks_exact(8).filter_map(|at| at.first_chunk().copied()).map(u64::from_le_bytes).collect())
}

/// The records in the blocks of an index.
fn records(
    filesystem: &Filesystem,
    field: &'static str,
    index: &[u64],
    count: u64,
    size: usize,
) -> Result<Vec<u8>, ReadError> {
    let end = filesystem.superblock().bytes_used;
    let mut left = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(size);
    let mut bytes = Vec::with_capacity(left.min(MOST));
    for at in index {
        let Some(span) = filesystem.span(*at, end.saturating_sub(*at)) else {
            let expected = "a block inside the file system";
            return Err(filesystem.fault(Fault::OutOfBounds, field, *at, format!("{at:#x}"), expected));
        };
        let mut reader = filesystem.file().reader(span);
        let (block, _) = read_block(filesystem, &mut reader, field, *at, end)?;
        let expected = left.min(METADATA_BLOCK);
        if block.len() != expected {
            let (found, expected) = (format!("{} bytes", block.len()), format!("{expected} bytes"));
            return Err(filesystem.fault(Fault::Mismatch, field, *at, found, expected));
        }
        left = left.saturating_sub(block.len());
        bytes.extend_from_slice(&block);
    }
    Ok(bytes)
}
