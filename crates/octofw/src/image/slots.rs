//! The partitions into which a part is written, and how much they hold.

use super::Image;
use crate::container::rkaf::{NO_PARTITION, REST};

/// A partition that takes a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Name, for example `system_a`.
    pub name: String,
    /// Bytes it holds; `None` means the rest of the flash.
    pub limit: Option<u64>,
}

impl Image {
    /// The partitions of a part's file. The limit is that of `mtdparts=`, or of the part table where that is less.
    #[must_use]
    pub fn slots(&self, file: &str) -> Vec<Slot> {
        let parts = self.rkaf.parts.iter().filter(|part| part.file.text() == file);
        parts
            .filter(|part| part.flash_address != NO_PARTITION)
            .map(|part| {
                let name = part.name.text();
                let in_table =
                    (part.flash_size != REST).then(|| u64::from(part.flash_size).saturating_mul(512));
                let in_mtdparts = self.parameter.partition(name).and_then(|partition| partition.bytes());
                let limit = match (in_table, in_mtdparts) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
                Slot { name: name.to_owned(), limit }
            })
            .collect()
    }
}
