//! Checking every sum over the payloads while the file is read once.

use std::borrow::Cow;
use std::io;

use super::{Image, ImageError};
use crate::container::md5::Md5;
use crate::container::sums::{self, Sums, Wanted};
use crate::container::upfile::EntryKind;
use crate::container::{Fault, FormatError, Layer, Span, upfile};
use crate::digest::hex;

impl Image {
    /// Checks the CRC of the rom image, the MD5 of `update.img` and those of the payloads, the innermost first.
    /// The headers' own sums were checked when they were read.
    ///
    /// # Errors
    /// If the file cannot be read. Wrong sums are the result, not an error.
    pub fn check_sums(&self) -> Result<Vec<FormatError>, ImageError> {
        let mut wrong = Vec::new();
        self.check_all(None, &mut wrong).map_err(|source| self.unreadable(source))?;
        Ok(wrong)
    }

    /// As [`Image::check_sums`], and the SHA-256 of the whole file, in lower-case hex, while that is read, where it is
    /// asked for.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn check_sums_with(&self, digest: bool) -> io::Result<(Vec<FormatError>, Option<String>)> {
        let mut wrong = Vec::new();
        let sha256 = self.check_all(digest.then(|| self.source.span()), &mut wrong)?;
        Ok((wrong, sha256.map(|sha256| hex(&sha256))))
    }

    fn check_all(&self, sha256: Option<Span>, wrong: &mut Vec<FormatError>) -> io::Result<Option<[u8; 32]>> {
        let update = self.rkfw_span;
        let image_end = self.rkaf_span.offset.saturating_add(u64::from(self.rkaf.length));
        let between = |from: u64, to: u64| Span::new(from, to.saturating_sub(from));
        let source = &self.source;

        let with_md5 = self.upfile.is_some() || self.rkfw.is_some();
        let rom = between(self.rkaf_span.offset, image_end);
        let wanted = Wanted { md5: with_md5.then(|| between(update.offset, image_end)), crc: rom, sha256 };
        let Sums { crc, mut md5, sha256 } = sums::take(source, wanted, None)?;
        source.for_each_piece(between(image_end, self.rkaf_span.end()), |piece| md5.update(piece))?;
        let inner = md5.clone().finalize();
        source.for_each_piece(between(self.rkaf_span.end(), update.end()), |piece| md5.update(piece))?;

        if crc != self.rkaf_crc {
            let (found, expected) = (format!("{:#010x}", self.rkaf_crc), format!("{:#010x}", crc));
            wrong.push(mismatch(Layer::Rkaf, "CRC".into(), image_end, found, expected));
        }
        if self.rkfw.is_some() && inner != self.rkfw_md5 {
            let at = self.rkaf_span.end();
            let (found, expected) = (hex(&self.rkfw_md5), hex(&inner));
            wrong.push(mismatch(Layer::Rkfw, "MD5 trailer".into(), at, found, expected));
        }

        let Some(upfile) = &self.upfile else { return Ok(sha256) };
        for entry in &upfile.entries {
            let mut sum = Md5::new();
            if entry.kind == EntryKind::Update {
                sum = md5.clone();
            } else {
                source.for_each_piece(entry.span, |piece| sum.update(piece))?;
            }
            let computed = sum.finalize();
            if computed != entry.md5 {
                let at = upfile::HEADER_LEN + upfile::ENTRY_LEN * entry.kind as usize + 16;
                let field = format!("MD5 of {}", entry.kind.file_name());
                let (found, expected) = (hex(&entry.md5), hex(&computed));
                wrong.push(mismatch(Layer::Upfile, field.into(), at as u64, found, expected));
            }
        }
        Ok(sha256)
    }
}

fn mismatch(
    layer: Layer,
    field: Cow<'static, str>,
    offset: u64,
    found: String,
    computed: String,
) -> FormatError {
    let expected = format!("{computed}, the sum of the content");
    FormatError { layer, fault: Fault::Sum, field, offset, found, expected }
}
