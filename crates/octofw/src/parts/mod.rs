//! What is in the parts around the root file system: the kernel's image, the boot loader, the file systems for data,
//! the texts. It is read to be shown; nothing here writes.

mod ext4;
mod fdt;
mod fit;
mod hash;
mod loader;
mod resource;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use crate::container::package_file::{self, Line};
use crate::container::parameter::{self, Parameter};
use crate::container::{FormatError, SourceFile, Span};

pub use ext4::Ext4;
pub use fit::{Fit, FitImage};
pub use hash::Hash;
pub use loader::{Loader, LoaderEntry};
pub use resource::{Resource, ResourceFile};

const MISC: &str = "misc.img";
/// Where the debug record of `misc.img` is, and how it begins.
const DEBUG_RECORD_AT: u64 = 0x6400;
const DEBUG_RECORD: [u8; 4] = [0x12, 0x7E, 0x84, 0xCB];

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Content {
    /// The settings of the flash.
    Parameter {
        /// The values of its lines, by their keys.
        values: BTreeMap<String, String>,
    },
    /// The list of parts.
    PackageFile {
        /// Each part with its file.
        parts: Vec<Listed>,
    },
    /// A flattened image tree, as U-Boot starts it.
    Fit(Fit),
    /// A file system of the second, third or fourth extended kind.
    Ext4(Ext4),
    /// Logos and device trees for U-Boot.
    Resource(Resource),
    /// The boot loader.
    Loader(Loader),
    /// What is between the boot loader and the system.
    Misc {
        /// Whether it has the record that opens the vendor's debugging.
        debug_record: bool,
    },
}

/// A line of the list of parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Name of the part.
    pub name: String,
    /// Its file.
    pub file: String,
}

/// What came of looking into a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// What it is.
    pub content: Content,
    /// Every sum in it that is wrong.
    pub wrong: Vec<FormatError>,
}

/// Why a part cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It begins as one of its kind, and breaks the rules of it.
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl Content {
    /// The kind, as `inspect` names a file that is nothing else.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Parameter { .. } => "parameter",
            Self::PackageFile { .. } => "package-file",
            Self::Fit(_) => "fit",
            Self::Ext4(_) => "ext4",
            Self::Resource(_) => "resource",
            Self::Loader(_) => "loader",
            Self::Misc { .. } => "misc",
        }
    }

    /// `parameter.txt`.
    #[must_use]
    pub fn of_parameter(parameter: &Parameter) -> Self {
        let line = |line: &str| {
            let (key, value) = line.split_once(':')?;
            Some((key.trim().to_owned(), value.trim().to_owned()))
        };
        Self::Parameter { values: parameter.text.lines().filter_map(line).collect() }
    }

    /// `package-file`.
    #[must_use]
    pub fn of_list(lines: &[Line]) -> Self {
        let listed = |line: &Line| Listed { name: line.name.clone(), file: line.file.clone() };
        Self::PackageFile { parts: lines.iter().map(listed).collect() }
    }
}

/// Looks into the part `name` of a rom image, which lies at `at`; `None` if it is nothing that is known here. `sums` tells
/// whether its content is summed, where it states sums.
///
/// # Errors
/// See [`PartError`].
pub fn of_part(source: &SourceFile, at: Span, name: &str, sums: bool) -> Result<Option<Look>, PartError> {
    if name == MISC {
        let Some(record) = at.part(DEBUG_RECORD_AT, DEBUG_RECORD.len() as u64) else { return Ok(None) };
        let found = source.read_up_to(record.offset, DEBUG_RECORD.len())?;
        let content = Content::Misc { debug_record: found == DEBUG_RECORD };
        return Ok(Some(Look { content, wrong: Vec::new() }));
    }
    by_magic(source, at, sums)
}

/// Looks into a file that is a part by itself.
///
/// # Errors
/// See [`PartError`].
pub fn of_file(source: &SourceFile, sums: bool) -> Result<Option<(Look, Option<Parameter>)>, PartError> {
    let whole = source.span();
    if let Some(look) = by_magic(source, whole, sums)? {
        return Ok(Some((look, None)));
    }
    let bytes = source.read_up_to(0, package_file::MAX_LEN.saturating_add(1))?;
    let sound = |content| Look { content, wrong: Vec::new() };
    if bytes.starts_with(parameter::MAGIC) {
        let parameter = Parameter::unwrap_stored(&bytes, 0)?;
        return Ok(Some((sound(Content::of_parameter(&parameter)), Some(parameter))));
    }
    // Texts have no magic: only what is sound is one of them.
    if let Ok(parameter) = Parameter::parse(&bytes, 0) {
        return Ok(Some((sound(Content::of_parameter(&parameter)), Some(parameter))));
    }
    let list = package_file::parse(&bytes, 0).unwrap_or_default();
    let lists_itself = list.iter().any(|line| line.file == "package-file");
    Ok(lists_itself.then(|| (sound(Content::of_list(&list)), None)))
}

fn by_magic(source: &SourceFile, at: Span, sums: bool) -> Result<Option<Look>, PartError> {
    let most = usize::try_from(at.len).unwrap_or(usize::MAX);
    let first = source.read_up_to(at.offset, most.min(ext4::HEAD_LEN))?;
    let mut wrong = Vec::new();
    let content = match first.first_chunk::<4>() {
        Some(&fdt::MAGIC) => Content::Fit(fit::read(source, at, sums, &mut wrong)?),
        Some(resource::MAGIC) => Content::Resource(resource::read(source, at, sums, &mut wrong)?),
        Some(magic) if loader::MAGICS.contains(&magic) => {
            Content::Loader(loader::read(source, at, sums, &mut wrong)?)
        }
        _ if ext4::is_one(&first) => Content::Ext4(ext4::parse(&first, at, &mut wrong)?),
        _ => return Ok(None),
    };
    Ok(Some(Look { content, wrong }))
}
