//! The tables behind the data, in the order of mksquashfs, and the superblock that says where they are.

use std::io::{self, Write};

use super::super::tables::{FRAGMENT_LEN, FragmentBlock, Xattrs};
use super::super::{Filesystem, Flags, ReadError, Superblock};
use super::inodes::Laid;
use super::metadata::Table;

/// A table offset that means "there is none".
const NO_TABLE: u64 = u64::MAX;

/// Writes tables one behind the other.
pub(super) struct Writer<'a, W> {
    pub(super) base: &'a Filesystem,
    pub(super) out: W,
    /// Where the next byte goes.
    pub(super) at: u64,
}

/// Why they could not be written.
pub(super) enum Failed {
    Io(io::Error),
    Read(ReadError),
    Limit(&'static str),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<W: Write> Writer<'_, W> {
    /// Writes all tables; returns the superblock.
    pub(super) fn write(
        &mut self,
        laid: &Laid,
        fragments: &[FragmentBlock],
        made: u32,
    ) -> Result<Vec<u8>, Failed> {
        let superblock = *self.base.superblock();
        let flags = superblock.flags;
        let inodes = self.at;
        self.put(&laid.inodes)?;
        let directories = self.at;
        self.put(&laid.directories)?;

        let records: Vec<u8> = fragments.iter().flat_map(record).collect();
        let fragment_table = match (fragments, superblock.tables.fragments) {
            ([], None) => NO_TABLE,
            _ => self.table(&records, flags.has(Flags::PLAIN_FRAGMENTS))?,
        };
        let export = match superblock.tables.export {
            None => NO_TABLE,
            Some(_) => {
                let places: Vec<u8> = laid.places.iter().flat_map(|place| place.to_le_bytes()).collect();
                self.table(&places, flags.has(Flags::PLAIN_INODES))?
            }
        };
        let ids: Vec<u8> = laid.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let id_table = self.table(&ids, flags.has(Flags::PLAIN_IDS))?;
        let xattrs = match &self.base.xattrs {
            None => NO_TABLE,
            Some(xattrs) => self.xattrs(xattrs)?,
        };

        let count = |number: usize, what| u32::try_from(number).map_err(|_| Failed::Limit(what));
        let ids = u16::try_from(laid.ids.len()).map_err(|_| Failed::Limit("owners"))?;
        let Superblock { block_size, compressor, .. } = superblock;
        let mut bytes = b"hsqs".to_vec();
        let inode_count = count(laid.places.len(), "inodes")?;
        for field in [inode_count, made, block_size, count(fragments.len(), "fragments")?] {
            bytes.extend(field.to_le_bytes());
        }
        let log = block_size.trailing_zeros() as u16;
        for field in [compressor as u16, log, flags.0, ids, 4, 0] {
            bytes.extend(field.to_le_bytes());
        }
        for field in [laid.root, self.at, id_table, xattrs, inodes, directories, fragment_table, export] {
            bytes.extend(field.to_le_bytes());
        }
        Ok(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.at = self.at.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Writes records and the index of their blocks; returns where the index is.
    fn table(&mut self, records: &[u8], plain: bool) -> io::Result<u64> {
        let mut table = Table::new(self.base.codec(), plain);
        table.write(records);
        let (bytes, starts) = table.finish();
        let start = self.at;
        self.put(&bytes)?;
        let index = self.at;
        for block in starts {
            self.put(&start.saturating_add(block).to_le_bytes())?;
        }
        Ok(index)
    }

    /// Copies the base's extended attributes and says where they are now.
    fn xattrs(&mut self, xattrs: &Xattrs) -> Result<u64, Failed> {
        let (from, start) = (xattrs.data, self.at);
        let moved = |place: u64| place.saturating_sub(from).saturating_add(start);
        let length = usize::try_from(xattrs.end.saturating_sub(from)).unwrap_or(usize::MAX);
        let bytes = self.base.bytes("xattr table", from, length).map_err(Failed::Read)?;
        self.put(&bytes)?;
        let head = self.at;
        self.put(&start.to_le_bytes())?;
        self.put(&xattrs.count.to_le_bytes())?;
        self.put(&[0; 4])?;
        for place in &xattrs.index {
            self.put(&moved(*place).to_le_bytes())?;
        }
        Ok(head)
    }
}

fn record(fragment: &FragmentBlock) -> [u8; FRAGMENT_LEN] {
    let mut bytes = [0; FRAGMENT_LEN];
    let fields = fragment.start.to_le_bytes().into_iter().chain(fragment.size.to_le_bytes());
    for (place, byte) in bytes.iter_mut().zip(fields) {
        *place = byte;
    }
    bytes
}
