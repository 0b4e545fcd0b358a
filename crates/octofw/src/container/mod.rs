//! The layers of a Snapmaker U1 upgrade file, each with a reader and a writer of its own:
//!
//! ```text
//! U1_…_upgrade.bin   UPFILE   [upfile], stored through [substitution]
//! └ update.img       RKFW     [rkfw]
//!   └ rom image      RKAF     [rkaf], [parameter], [package_file], summed with [rkcrc]
//! ```
//!
//! The readers here look at headers only: they take a few kilobytes and say where the rest lies ([`Span`]).
//! Checking sums over the payloads, and copying them, is the work of [`crate::image`].
//! [`assemble`] writes all layers around given contents.

mod ahead;
pub mod assemble;
mod error;
pub(crate) mod fields;
mod fixed_text;
pub(crate) mod md5;
pub mod package_file;
pub mod parameter;
pub mod rkaf;
pub mod rkcrc;
pub mod rkfw;
mod source;
pub mod substitution;
pub(crate) mod sums;
pub mod upfile;

pub use error::{Fault, FormatError, Layer};
pub use fixed_text::FixedText;
pub use source::{SourceFile, Span, SpanReader};

/// What a file is, judged by its first four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole upgrade file as the printer takes it.
    Upgrade,
    /// A bare `update.img`.
    Rkfw,
    /// A bare rom image, as it lies inside `update.img`.
    Rkaf,
    /// A root file system.
    Squashfs,
}

impl Kind {
    /// Tells the kind by the magic; `None` if it is none of ours.
    #[must_use]
    pub fn of(first: [u8; 4]) -> Option<Self> {
        if substitution::decoded(first) == *upfile::MAGIC {
            return Some(Self::Upgrade);
        }
        match &first {
            rkfw::MAGIC => Some(Self::Rkfw),
            rkaf::MAGIC => Some(Self::Rkaf),
            b"hsqs" => Some(Self::Squashfs),
            _ => None,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Upgrade => "U1 upgrade file (UPFILE)",
            Self::Rkfw => "Rockchip update image (RKFW)",
            Self::Rkaf => "Rockchip rom image (RKAF)",
            Self::Squashfs => "squashfs file system",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_kinds_by_their_first_bytes() {
        let table = [
            ([0x88, 0x1a, 0x47, 0xdf], Some(Kind::Upgrade)),
            (*b"RKFW", Some(Kind::Rkfw)),
            (*b"RKAF", Some(Kind::Rkaf)),
            (*b"hsqs", Some(Kind::Squashfs)),
            (*b"SNMK", None),
            (*b"sqsh", None),
            ([0; 4], None),
        ];
        for (first, kind) in table {
            assert_eq!(Kind::of(first), kind, "{first:02x?}");
        }
    }
}
