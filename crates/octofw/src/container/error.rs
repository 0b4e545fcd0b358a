//! What can be wrong with a stored structure: one error type for all layers, so that every message names the
//! layer, the field, the place, what stands there, what should, and what to do.

use std::borrow::Cow;
use std::fmt;

/// The layer in which a fault was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// The outer file.
    Upfile,
    /// `update.img`.
    Rkfw,
    /// The rom image with its part table.
    Rkaf,
    /// The wrapped `parameter.txt`.
    Parameter,
    /// The list of parts.
    PackageFile,
    /// The root file system.
    Squashfs,
    /// The kernel's image.
    Fit,
    /// What U-Boot needs before there is a file system.
    Resource,
    /// A file system for data.
    Ext4,
    /// The boot loader.
    Loader,
}

impl Layer {
    /// Short name, as it begins a stable finding code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Upfile => "upfile",
            Self::Rkfw => "rkfw",
            Self::Rkaf => "rkaf",
            Self::Parameter => "parameter",
            Self::PackageFile => "package-file",
            Self::Squashfs => "squashfs",
            Self::Fit => "fit",
            Self::Resource => "resource",
            Self::Ext4 => "ext4",
            Self::Loader => "loader",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upfile => "UPFILE",
            Self::Rkfw => "RKFW",
            Self::Rkaf => "RKAF",
            Self::Parameter => "parameter.txt",
            Self::PackageFile => "package-file",
            Self::Squashfs => "squashfs",
            Self::Fit => "FIT",
            Self::Resource => "RSCE",
            Self::Ext4 => "ext4",
            Self::Loader => "boot loader",
        })
    }
}

/// The kind of fault. The code of each is stable and may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The bytes end before the structure does.
    Truncated,
    /// There are bytes where the structure has already ended.
    Trailing,
    /// The magic number is another one.
    Magic,
    /// A format version that this program does not know.
    Version,
    /// A check sum, digest or CRC does not match.
    Sum,
    /// A text has characters that are not allowed there, or is missing.
    Text,
    /// A number of things that is not allowed.
    Count,
    /// A thing of another type than its place demands.
    Kind,
    /// Something that must have content has none.
    Empty,
    /// A range reaches beyond what contains it.
    OutOfBounds,
    /// A payload lies in the header or table before it.
    InTable,
    /// Two payloads share bytes.
    Overlap,
    /// A position is not at the boundary that it must be at.
    Misaligned,
    /// Two fields contradict each other.
    Mismatch,
    /// A value is outside the limits of the format.
    Limit,
    /// Something that must be there is not.
    Missing,
}

impl Fault {
    /// Short name, as it ends a stable finding code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::Magic => "magic",
            Self::Version => "version",
            Self::Sum => "sum",
            Self::Text => "text",
            Self::Count => "count",
            Self::Kind => "kind",
            Self::Empty => "empty",
            Self::OutOfBounds => "out-of-bounds",
            Self::InTable => "in-table",
            Self::Overlap => "overlap",
            Self::Misaligned => "misaligned",
            Self::Mismatch => "mismatch",
            Self::Limit => "limit",
            Self::Missing => "missing",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Truncated => "The file was cut short: download or copy it again.",
            Self::Trailing => "The file is longer than its headers say: download or copy it again.",
            Self::Magic => "Give a U1 upgrade file, or the layer of one that the command takes.",
            Self::Version => "This format is newer than this program: use a newer octofw.",
            Self::Sum => "The content was changed or damaged: download or build the file again.",
            Self::Missing => "Give a complete U1 firmware file.",
            Self::Text
            | Self::Count
            | Self::Kind
            | Self::Empty
            | Self::OutOfBounds
            | Self::InTable
            | Self::Overlap
            | Self::Misaligned
            | Self::Mismatch
            | Self::Limit => {
                "The file is damaged or was made by a broken tool: get it from its origin again."
            }
        }
    }
}

/// A stored structure that breaks the rules of its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// Where in the layers.
    pub layer: Layer,
    /// What kind of fault.
    pub fault: Fault,
    /// The field, in words.
    pub field: Cow<'static, str>,
    /// Offset of the field in bytes from the start of the file.
    pub offset: u64,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
}

impl FormatError {
    /// The stable code, for example `rkaf-overlap`.
    #[must_use]
    pub fn code(&self) -> String {
        format!("{}-{}", self.layer.code(), self.fault.code())
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, field, offset, found, expected, fault } = self;
        write!(
            f,
            "{layer}, {field} at byte {offset:#x}: found {found}, expected {expected}. {}",
            fault.remedy()
        )
    }
}

impl std::error::Error for FormatError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_everything_a_person_needs() {
        let error = FormatError {
            layer: Layer::Rkaf,
            fault: Fault::Misaligned,
            field: "position of part 5 (misc.img)".into(),
            offset: 0x1234,
            found: "2049".into(),
            expected: "a multiple of 2048".into(),
        };
        assert_eq!(error.code(), "rkaf-misaligned");
        assert_eq!(
            error.to_string(),
            "RKAF, position of part 5 (misc.img) at byte 0x1234: found 2049, expected a multiple of 2048. \
             The file is damaged or was made by a broken tool: get it from its origin again."
        );
    }
}
