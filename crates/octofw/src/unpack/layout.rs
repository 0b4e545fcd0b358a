//! The description of an unpacked file: the headers as they were, and the parts.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{LAYOUT, UnpackError};

/// The only form so far.
pub(super) const SCHEMA: u32 = 1;
/// Longer than any layout: the headers have 2 kB, and there are 16 parts.
const MOST: u64 = 1 << 20;

/// `layout.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) schema: u32,
    /// `upgrade`, `rkfw`, `rkaf` or `squashfs`.
    pub(super) kind: String,
    /// The fields of the outermost layer that may be edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) upfile: Option<UpfileFields>,
    /// The header of `update.img` in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rkfw: Option<String>,
    /// The header of the rom image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rkaf: Option<String>,
}

/// The outermost header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct UpfileFields {
    pub(super) container_version: u16,
    /// May be edited: 24 letters, digits and `+ . _ -` at most.
    pub(super) version: String,
    /// As it is stored, for all behind its end.
    pub(super) version_field: String,
    pub(super) date: String,
    pub(super) reserved: String,
}

impl Layout {
    pub(super) fn read(folder: &Path) -> Result<Self, UnpackError> {
        let path = folder.join(LAYOUT);
        let length = fs::metadata(&path).map_err(UnpackError::io("read", &path))?.len();
        let text = match length {
            0..MOST => fs::read(&path).map_err(UnpackError::io("read", &path))?,
            _ => Vec::new(),
        };
        let layout: Self = serde_json::from_slice(&text).map_err(|error| UnpackError::Folder {
            path: path.clone(),
            problem: format!("this is no layout of an unpacked file ({error}); unpack the file again"),
        })?;
        match layout.schema {
            SCHEMA => Ok(layout),
            other => Err(UnpackError::Folder {
                path,
                problem: format!("schema {other} is not known here; use a newer octofw"),
            }),
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), UnpackError> {
        let path = folder.join(LAYOUT);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| UnpackError::Folder { path: path.clone(), problem: error.to_string() })?;
        fs::write(&path, text + "\n").map_err(UnpackError::io("write", &path))
    }
}

/// Bytes of hexadecimal digits; `None` where they are none, or not so many.
pub(super) fn bytes(digits: &str, length: usize) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != length {
        return None;
    }
    pairs.iter().map(|[high, low]| u8::try_from(value(high)? * 16 + value(low)?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_bytes_where_they_are_right() {
        assert_eq!(bytes("00ffA1", 3), Some(vec![0, 0xff, 0xa1]));
        for (digits, length) in [("00f", 1), ("00ff", 1), ("0g", 1), ("", 1), ("+1", 1), ("é", 1)] {
            assert_eq!(bytes(digits, length), None, "{digits}");
        }
    }
}
