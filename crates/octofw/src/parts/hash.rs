//! A sum that a part states of something in it.

use std::io;

use serde::Serialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::container::md5::Md5;
use crate::container::{Fault, FormatError, Layer, SourceFile, Span};
use crate::digest::hex;

/// A stated sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hash {
    /// How it is taken, in the part's own words.
    pub algorithm: String,
    /// The sum, in hexadecimal digits.
    pub value: String,
    /// Whether it is that of the content; `null` where no sums were taken, or nobody here knows how.
    pub ok: Option<bool>,
}

impl Hash {
    pub(super) fn stated(algorithm: impl Into<String>, value: &[u8]) -> Self {
        Self { algorithm: algorithm.into(), value: hex(value), ok: None }
    }

    /// Takes the sum over `data`; another one is added to `wrong`. `of` names what it is the sum of.
    pub(super) fn check(
        &mut self,
        source: &SourceFile,
        data: Span,
        (layer, of): (Layer, &str),
        wrong: &mut Vec<FormatError>,
    ) -> io::Result<()> {
        let taken = match self.algorithm.as_str() {
            "sha256" => take::<Sha256>(source, data)?,
            "sha1" => take::<Sha1>(source, data)?,
            "md5" => {
                let mut md5 = Md5::new();
                source.for_each_piece(data, |piece| md5.update(piece))?;
                hex(&md5.finalize())
            }
            _ => return Ok(()),
        };
        self.ok = Some(taken == self.value);
        if taken != self.value {
            wrong.push(FormatError {
                layer,
                fault: Fault::Sum,
                field: format!("{} of {of}", self.algorithm).into(),
                offset: data.offset,
                found: self.value.clone(),
                expected: format!("{taken}, the sum of the content"),
            });
        }
        Ok(())
    }
}

fn take<D: Digest>(source: &SourceFile, data: Span) -> io::Result<String> {
    let mut digest = D::new();
    source.for_each_piece(data, |piece| digest.update(piece))?;
    Ok(hex(&digest.finalize()))
}
