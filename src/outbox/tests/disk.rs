//! A disk in memory that records what is written to it, and that fails and loses power on demand.

use super::super::OutboxError;
use super::super::store::{Read, Store};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a medium writes as a whole, in bytes. Small, so that a record spans several.
pub(super) const SECTOR: usize = 64;

/// One write.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Append { bytes: Vec<u8>, flush: bool },
    Replace(Vec<u8>),
}

/// What became of one sector that was not flushed when the power went away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// It was written.
    Whole,
    /// It was not: what was flushed before is there, and nothing else.
    Lost,
    /// It was written up to here.
    Torn(usize),
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) content: Vec<u8>,
    /// How much of `content` is on the medium for certain.
    pub(super) flushed: usize,
    /// Bytes left until it fails for good; none: it does not.
    pub(super) budget: Option<usize>,
    /// Everything that was written.
    pub(super) writes: Vec<Write>,
}

impl Disk {
    /// Takes up to `wanted` bytes, and says how many.
    fn spend(&mut self, wanted: usize) -> usize {
        let granted = self.budget.map_or(wanted, |left| left.min(wanted));
        if let Some(left) = &mut self.budget {
            *left -= granted;
        }
        granted
    }

    pub(super) fn is_dead(&self) -> bool {
        self.budget == Some(0)
    }

    /// Takes the power away. The file ends after `kept` of the bytes that were not flushed, and `fate` says what
    /// became of each sector.
    pub(super) fn lose_power(&mut self, kept: usize, mut fate: impl FnMut(usize) -> Fate) {
        let end = self.content.len().min(self.flushed + kept);
        self.content.truncate(end);
        for sector in self.flushed / SECTOR..end.div_ceil(SECTOR) {
            let (start, stop) = (self.flushed.max(sector * SECTOR), end.min((sector + 1) * SECTOR));
            let written = match fate(sector) {
                Fate::Whole => stop,
                Fate::Lost => start,
                Fate::Torn(at) => (sector * SECTOR + at).clamp(start, stop),
            };
            self.content[written..stop].fill(0);
        }
        self.flushed = self.content.len();
        self.budget = None;
    }
}

/// Handles to one disk.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeStore(Arc<Mutex<Disk>>);

impl FakeStore {
    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }
}

fn dead() -> OutboxError {
    OutboxError::Write { path: PathBuf::from("fake"), source: std::io::ErrorKind::Other.into() }
}

impl Store for FakeStore {
    fn release(&mut self) {}

    fn prepare(&mut self) -> Result<(), OutboxError> {
        Ok(())
    }

    fn read(&mut self, most: usize) -> Result<Option<Read>, OutboxError> {
        let disk = self.disk();
        let bytes = disk.content[..disk.content.len().min(most)].to_vec();
        Ok(Some(Read { cut: bytes.len() < disk.content.len(), bytes }))
    }

    fn append(&mut self, bytes: &[u8], flush: bool) -> Result<(), OutboxError> {
        let mut disk = self.disk();
        if disk.is_dead() {
            return Err(dead());
        }
        disk.writes.push(Write::Append { bytes: bytes.to_vec(), flush });
        let granted = disk.spend(bytes.len());
        disk.content.extend_from_slice(&bytes[..granted]);
        if disk.is_dead() {
            return Err(dead());
        }
        if flush {
            disk.flushed = disk.content.len();
        }
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> Result<(), OutboxError> {
        let mut disk = self.disk();
        disk.writes.push(Write::Replace(bytes.to_vec()));
        // One more than the bytes: the crash may come between the last byte and the renaming.
        if disk.is_dead() || disk.spend(bytes.len() + 1) < bytes.len() + 1 {
            return Err(dead());
        }
        disk.content = bytes.to_vec();
        disk.flushed = bytes.len();
        Ok(())
    }

    fn set_aside(&mut self, label: &str) -> Result<PathBuf, OutboxError> {
        let mut disk = self.disk();
        disk.content.clear();
        disk.flushed = 0;
        Ok(PathBuf::from(label))
    }
}
