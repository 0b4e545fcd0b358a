//! Whose the bytes of a squashfs are: those of some files, those of the rest, and those of nobody.

use std::collections::BTreeMap;

use super::tables::stored_len;
use super::tree::{Form, NodeId, Tree};
use super::{Filesystem, Superblock};

/// How the bytes of a squashfs are shared out. They add up to its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    /// Bytes as they are stored, by the number of the owner.
    pub owned: Vec<u64>,
    /// Bytes of all other files.
    pub rest: u64,
    /// Bytes that belong to no file.
    pub dead: u64,
    /// Superblock, tables and what fills the last page up.
    pub tables: u64,
}

/// The end of a file in a block that it shares with others: its length, and its owner.
type End = (u64, Option<usize>);

impl Filesystem {
    /// Shares the bytes out among the `owners` to whom inodes belong. What lies before the byte `kept`, and what a file
    /// of nobody needs too, counts to the rest; of a block that holds the ends of several files each gets its part.
    #[must_use]
    pub fn shares(&self, tree: &Tree, owner: &BTreeMap<NodeId, usize>, owners: usize, kept: u64) -> Shares {
        let mut runs: BTreeMap<u64, (u64, Option<usize>)> = BTreeMap::new();
        let mut blocks: BTreeMap<u32, BTreeMap<u32, End>> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for (_, id) in tree.paths() {
            let Some(Form::File(stored)) = tree.node(id).map(|node| &node.form) else { continue };
            if !seen.insert(id) {
                continue;
            }
            let owner = owner.get(&id).copied();
            let length: u64 = stored.blocks.iter().map(|size| stored_len(*size)).sum();
            if length > 0 {
                let run = runs.entry(stored.start).or_insert((length, owner));
                *run = (run.0.max(length), shared(run.1, owner));
            }
            if let Some(fragment) = stored.fragment {
                let whole = u64::from(self.superblock().block_size).max(1);
                let ends = blocks.entry(fragment.block).or_default();
                let end = ends.entry(fragment.offset).or_insert((stored.size % whole, owner));
                end.1 = shared(end.1, owner);
            }
        }
        let mut owned = vec![0u64; owners];
        let mut give = |owner: Option<usize>, bytes: u64| {
            if let Some(sum) = owner.and_then(|owner| owned.get_mut(owner)) {
                *sum = sum.saturating_add(bytes);
            }
        };
        for (_, (length, owner)) in runs.into_iter().filter(|(start, _)| *start >= kept) {
            give(owner, length);
        }
        for (number, ends) in blocks {
            let block = usize::try_from(number).ok().and_then(|number| self.fragments.get(number));
            if let Some(block) = block.filter(|block| block.start >= kept) {
                parts(stored_len(block.size), &ends)
                    .into_iter()
                    .for_each(|(owner, bytes)| give(owner, bytes));
            }
        }
        let Superblock { tables, .. } = *self.superblock();
        let dead = self.dead_bytes(tree);
        let data = tables.inodes.saturating_sub(self.first_data());
        let rest = data.saturating_sub(dead).saturating_sub(owned.iter().sum());
        Shares { owned, rest, dead, tables: self.whole().len.saturating_sub(data) }
    }
}

/// What two have in common belongs to the first of them, unless it belongs to nobody.
fn shared(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    one.zip(other).map(|(one, other)| one.min(other))
}

/// The parts of a block of `length` bytes, by the lengths of the ends that it holds; they add up to it.
fn parts(length: u64, ends: &BTreeMap<u32, End>) -> BTreeMap<Option<usize>, u64> {
    let mut plain: BTreeMap<Option<usize>, u64> = BTreeMap::new();
    for (bytes, owner) in ends.values() {
        *plain.entry(*owner).or_default() += bytes;
    }
    let whole = u128::from(plain.values().sum::<u64>()).max(1);
    let mut left = length;
    let mut parts = BTreeMap::new();
    for (owner, bytes) in &plain {
        let part = u128::from(length) * u128::from(*bytes) / whole;
        let part = u64::try_from(part).unwrap_or(length).min(left);
        left -= part;
        parts.insert(*owner, part);
    }
    // What is lost in rounding goes to the first.
    if let Some(mut first) = parts.first_entry() {
        *first.get_mut() += left;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_block_add_up_to_it() {
        let ends = |list: &[(u32, u64, Option<usize>)]| {
            list.iter().map(|(at, length, owner)| (*at, (*length, *owner))).collect::<BTreeMap<_, _>>()
        };
        let all_of_one = ends(&[(0, 10, Some(0)), (10, 20, Some(0))]);
        assert_eq!(parts(7, &all_of_one), BTreeMap::from([(Some(0), 7)]));
        let mixed = ends(&[(0, 10, None), (10, 10, Some(0)), (20, 10, Some(1))]);
        assert_eq!(parts(100, &mixed), BTreeMap::from([(None, 34), (Some(0), 33), (Some(1), 33)]));
        assert_eq!(parts(5, &ends(&[(0, 0, Some(1))])), BTreeMap::from([(Some(1), 5)]));
        assert!(parts(5, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn what_is_shared_with_nobody_is_nobodys() {
        for (one, other, expected) in
            [(Some(2), Some(1), Some(1)), (Some(0), None, None), (None, Some(0), None), (None, None, None)]
        {
            assert_eq!(shared(one, other), expected);
        }
    }
}
