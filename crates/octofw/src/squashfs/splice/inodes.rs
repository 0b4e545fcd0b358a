//! The tables of inodes and directories.
//!
//! The inodes of one directory stand together, and what it holds before the directory itself: its entries say where
//! they are. All are numbered anew, from the root down, so that the numbers have no gaps.

use std::collections::HashMap;

use super::super::tree::{Form, Node, NodeId, Stored, Tree};
use super::super::{Filesystem, Flags, METADATA_BLOCK, NONE};
use super::metadata::{Place, Table};

/// Added to the number of a basic type for the extended one.
const EXTENDED: u16 = 7;
/// Entries of one run.
const MOST_IN_RUN: usize = 256;
/// Longest listing of a basic directory.
const MOST_BASIC: u32 = u16::MAX as u32;

/// The finished tables.
#[derive(Debug)]
pub(super) struct Laid {
    pub(super) inodes: Vec<u8>,
    pub(super) directories: Vec<u8>,
    /// Where each inode is, by its number, beginning with 1.
    pub(super) places: Vec<u64>,
    /// Where the root's inode is.
    pub(super) root: u64,
    /// Every owner and group that is in use.
    pub(super) ids: Vec<u32>,
}

/// Lays the tables of a tree out, where the fragment blocks have the numbers that `fragments` gives to the old ones; the
/// error says what there is too much of.
pub(super) fn lay_out(
    base: &Filesystem,
    tree: &Tree,
    fragments: &HashMap<u32, u32>,
) -> Result<Laid, &'static str> {
    let plain = base.superblock().flags.has(Flags::PLAIN_INODES);
    let folders = tree.directories();
    let mut layout = Layout {
        tree,
        fragments,
        inodes: Table::new(base.codec(), plain),
        directories: Table::new(base.codec(), plain),
        names: HashMap::new(),
        numbers: HashMap::new(),
        places: HashMap::new(),
        ids: Vec::new(),
        id_places: HashMap::new(),
    };
    layout.number(&folders)?;
    let mut parents: HashMap<NodeId, NodeId> = HashMap::new();
    for folder in &folders {
        parents.extend(tree.children(*folder).map(|(_, child)| (child, *folder)));
    }
    // What a directory holds comes after it in this list, so the list is walked backwards.
    for folder in folders.iter().rev() {
        layout.folder(*folder, parents.get(folder).copied())?;
    }
    let count = layout.numbers.len();
    let mut places = vec![0; count];
    for (id, place) in &layout.places {
        let number = layout.numbers.get(id).copied().unwrap_or_default() as usize;
        if let Some(slot) = number.checked_sub(1).and_then(|index| places.get_mut(index)) {
            *slot = place.number();
        }
    }
    let root = layout.places.get(&tree.root()).copied().map(Place::number).unwrap_or_default();
    let (inodes, _) = layout.inodes.finish();
    let (directories, _) = layout.directories.finish();
    Ok(Laid { inodes, directories, places, root, ids: layout.ids })
}

struct Layout<'a> {
    tree: &'a Tree,
    fragments: &'a HashMap<u32, u32>,
    inodes: Table,
    directories: Table,
    /// How many names each inode has.
    names: HashMap<NodeId, u32>,
    numbers: HashMap<NodeId, u32>,
    places: HashMap<NodeId, Place>,
    ids: Vec<u32>,
    id_places: HashMap<u32, u16>,
}

impl Layout<'_> {
    fn number(&mut self, folders: &[NodeId]) -> Result<(), &'static str> {
        self.numbers.insert(self.tree.root(), 1);
        for folder in folders {
            for (_, child) in self.tree.children(*folder) {
                *self.names.entry(child).or_default() += 1;
                let next = u32::try_from(self.numbers.len() + 1).map_err(|_| "inodes")?;
                self.numbers.entry(child).or_insert(next);
            }
        }
        Ok(())
    }

    fn folder(&mut self, folder: NodeId, parent: Option<NodeId>) -> Result<(), &'static str> {
        let tree = self.tree;
        for (_, child) in tree.children(folder) {
            let Some(node) = tree.node(child) else { continue };
            if !matches!(node.form, Form::Directory(_)) && !self.places.contains_key(&child) {
                self.inode(child, node, None)?;
            }
        }
        let listing = self.listing(folder)?;
        let Some(node) = tree.node(folder) else { return Ok(()) };
        let parent = match parent {
            Some(parent) => self.numbers.get(&parent).copied().unwrap_or_default(),
            // The root's parent is a number that no inode has.
            None => u32::try_from(self.numbers.len() + 1).map_err(|_| "inodes")?,
        };
        self.inode(folder, node, Some((listing, parent)))
    }

    /// Writes the entries of a directory.
    fn listing(&mut self, folder: NodeId) -> Result<Listing, &'static str> {
        let start = self.directories.place().ok_or("directories")?;
        let tree = self.tree;
        let mut listing = Listing { start, size: 0, links: 2, index: Vec::new() };
        let mut run: Vec<Entry<'_>> = Vec::new();
        let mut indexed = start.block;
        for (name, child) in tree.children(folder) {
            let (Some(node), Some(place)) = (tree.node(child), self.places.get(&child).copied()) else {
                continue;
            };
            let number = self.numbers.get(&child).copied().unwrap_or_default();
            let kind = node.form.number();
            if kind == 1 {
                listing.links += 1;
            }
            let fits = run.first().is_none_or(|first| {
                let apart = i64::from(number) - i64::from(first.number);
                place.block == first.place.block && i16::try_from(apart).is_ok() && run.len() < MOST_IN_RUN
            });
            if !fits {
                self.run(&run, &mut listing, &mut indexed)?;
                run.clear();
            }
            run.push(Entry { name, place, number, kind });
        }
        self.run(&run, &mut listing, &mut indexed)?;
        Ok(listing)
    }

    /// Writes a run of entries whose inodes are in one block. The first that begins in another block of the table than
    /// those before it is noted in the index, by which the kernel finds its way in large directories.
    fn run(
        &mut self,
        run: &[Entry<'_>],
        listing: &mut Listing,
        indexed: &mut u32,
    ) -> Result<(), &'static str> {
        let Some(first) = run.first() else { return Ok(()) };
        let place = self.directories.place().ok_or("directories")?;
        if place.block != *indexed {
            *indexed = place.block;
            let name = first.name.to_vec();
            listing.index.push(Index { offset: listing.size, block: place.block, name });
        }
        let count = u32::try_from(run.len().saturating_sub(1)).map_err(|_| "entries of a directory")?;
        let mut bytes = Vec::new();
        for field in [count, first.place.block, first.number] {
            bytes.extend(field.to_le_bytes());
        }
        for entry in run {
            let apart = i64::from(entry.number) - i64::from(first.number);
            let apart = i16::try_from(apart).map_err(|_| "entries of a directory")?;
            let length = u16::try_from(entry.name.len().saturating_sub(1)).map_err(|_| "bytes of a name")?;
            bytes.extend(entry.place.offset.to_le_bytes());
            bytes.extend(apart.to_le_bytes());
            bytes.extend(entry.kind.to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.extend(entry.name);
        }
        let length = u32::try_from(bytes.len()).map_err(|_| "entries of a directory")?;
        listing.size = listing.size.checked_add(length).ok_or("entries of a directory")?;
        self.directories.write(&bytes);
        Ok(())
    }

    fn inode(&mut self, id: NodeId, node: &Node, folder: Option<(Listing, u32)>) -> Result<(), &'static str> {
        let place = self.inodes.place().ok_or("inodes")?;
        self.places.insert(id, place);
        let names = self.names.get(&id).copied().unwrap_or(1);
        let body = self.body(node, names, folder.as_ref())?;
        let mut bytes = Vec::new();
        let kind = node.form.number() + if body.extended { EXTENDED } else { 0 };
        let (uid, gid) = (self.id(node.uid)?, self.id(node.gid)?);
        for field in [kind, node.mode, uid, gid] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(node.modified.to_le_bytes());
        bytes.extend(self.numbers.get(&id).copied().unwrap_or_default().to_le_bytes());
        bytes.extend(body.bytes);
        self.inodes.write(&bytes);
        Ok(())
    }

    fn body(&self, node: &Node, names: u32, folder: Option<&(Listing, u32)>) -> Result<Body, &'static str> {
        let mut bytes = Vec::new();
        let xattrs = node.xattrs.unwrap_or(NONE);
        let mut extended = node.xattrs.is_some();
        let mut put = |fields: &[u32]| bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        match &node.form {
            Form::Directory(_) => {
                let Some((listing, parent)) = folder else { return Err("directories") };
                // The three bytes stand for "." and "..", which are not stored.
                let size = listing.size.checked_add(3).ok_or("entries of a directory")?;
                extended |= size > MOST_BASIC || !listing.index.is_empty();
                let Place { block, offset } = listing.start;
                if extended {
                    let count = u16::try_from(listing.index.len()).map_err(|_| "entries of a directory")?;
                    put(&[listing.links, size, block, *parent]);
                    bytes.extend(count.to_le_bytes());
                    bytes.extend(offset.to_le_bytes());
                    bytes.extend(xattrs.to_le_bytes());
                    for index in &listing.index {
                        let length = u32::try_from(index.name.len().saturating_sub(1))
                            .map_err(|_| "bytes of a name")?;
                        for field in [index.offset, index.block, length] {
                            bytes.extend(field.to_le_bytes());
                        }
                        bytes.extend(&index.name);
                    }
                } else {
                    put(&[block, listing.links]);
                    bytes.extend((size as u16).to_le_bytes());
                    bytes.extend(offset.to_le_bytes());
                    bytes.extend(parent.to_le_bytes());
                }
            }
            Form::File(stored) => {
                let Stored { size, start, sparse, blocks, fragment } = stored;
                let (fragment, offset) = match fragment {
                    None => (NONE, 0),
                    Some(fragment) => {
                        (*self.fragments.get(&fragment.block).ok_or("fragments")?, fragment.offset)
                    }
                };
                let basic = (u32::try_from(*start), u32::try_from(*size));
                match basic {
                    (Ok(start), Ok(size)) if !extended && names == 1 && *sparse == 0 => {
                        put(&[start, fragment, offset, size]);
                    }
                    _ => {
                        extended = true;
                        bytes.extend([*start, *size, *sparse].iter().flat_map(|field| field.to_le_bytes()));
                        for field in [names, fragment, offset, xattrs] {
                            bytes.extend(field.to_le_bytes());
                        }
                    }
                }
                bytes.extend(blocks.iter().flat_map(|size| size.to_le_bytes()));
            }
            Form::Link(target) => {
                put(&[names, u32::try_from(target.len()).map_err(|_| "bytes of a link")?]);
                bytes.extend(target);
                if extended {
                    bytes.extend(xattrs.to_le_bytes());
                }
            }
            Form::CharacterDevice(number) | Form::BlockDevice(number) => {
                put(&[names, *number]);
                if extended {
                    bytes.extend(xattrs.to_le_bytes());
                }
            }
            Form::Fifo | Form::Socket => {
                put(&[names]);
                if extended {
                    bytes.extend(xattrs.to_le_bytes());
                }
            }
        }
        Ok(Body { extended, bytes })
    }

    fn id(&mut self, id: u32) -> Result<u16, &'static str> {
        if let Some(place) = self.id_places.get(&id) {
            return Ok(*place);
        }
        let place = u16::try_from(self.ids.len()).ok().filter(|place| *place < u16::MAX).ok_or("owners")?;
        self.ids.push(id);
        self.id_places.insert(id, place);
        Ok(place)
    }
}

struct Entry<'a> {
    name: &'a [u8],
    place: Place,
    number: u32,
    kind: u16,
}

/// The entries of a directory as they were written.
struct Listing {
    start: Place,
    size: u32,
    links: u32,
    index: Vec<Index>,
}

/// The first entry of a block of the directory table.
struct Index {
    /// Bytes of the listing before it.
    offset: u32,
    block: u32,
    name: Vec<u8>,
}

/// What follows the common fields of an inode.
struct Body {
    extended: bool,
    bytes: Vec<u8>,
}

const _: () = assert!(METADATA_BLOCK <= u16::MAX as usize);
