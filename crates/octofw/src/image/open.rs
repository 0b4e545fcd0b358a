//! Reading the headers of all layers, from the outside in.

use std::borrow::Cow;
use std::path::Path;

use super::{Image, ImageError, ROOTFS};
use crate::container::parameter::{Parameter, WRAPPED_LEN};
use crate::container::rkaf::{self, Rkaf};
use crate::container::rkfw::{self, Rkfw};
use crate::container::upfile::{self, EntryKind, Upfile};
use crate::container::{Fault, FormatError, Kind, Layer, SourceFile, Span, package_file};
use crate::squashfs::{SUPERBLOCK_LEN, Superblock};

const PARAMETER: &str = "parameter.txt";
const PACKAGE_FILE: &str = "package-file";

impl Image {
    /// Reads all layers' headers, without the sums over the payloads; [`Image::check_sums`] does those.
    ///
    /// # Errors
    /// If the file cannot be read or breaks a rule of its format.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let source = SourceFile::open(path).map_err(|source| ImageError::Io {
            action: "open",
            path: path.to_owned(),
            source,
        })?;
        read_layers(source)
    }
}

/// Bytes of a file with errors that name it.
struct Bytes<'a>(&'a SourceFile);

impl Bytes<'_> {
    fn get(&self, at: Span, most: usize) -> Result<Vec<u8>, ImageError> {
        let most = usize::try_from(at.len).unwrap_or(usize::MAX).min(most);
        self.0.read_up_to(at.offset, most).map_err(|source| ImageError::Io {
            action: "read",
            path: self.0.path().to_owned(),
            source,
        })
    }

    fn check<T>(&self, result: Result<T, FormatError>) -> Result<T, ImageError> {
        result.map_err(|source| ImageError::Format { path: self.0.path().to_owned(), source })
    }

    fn magic(&self, at: Span) -> Result<[u8; 4], ImageError> {
        Ok(self.get(at, 4)?.first_chunk().copied().unwrap_or_default())
    }
}

fn read_layers(source: SourceFile) -> Result<Image, ImageError> {
    let bytes = Bytes(&source);
    let whole = source.span();
    let kind = Kind::of(bytes.magic(whole)?);

    let upfile = match kind {
        Some(Kind::Rkfw | Kind::Rkaf) => None,
        // Everything else is held against the outermost format, whose error then says what is wrong.
        _ => {
            let stored = bytes.get(whole, upfile::TABLE_END)?;
            Some(bytes.check(Upfile::parse(&stored, source.len()))?)
        }
    };
    let update = upfile.as_ref().map_or(whole, |upfile| upfile.entry(EntryKind::Update).span);
    let (rkfw, rkfw_md5) = match Kind::of(bytes.magic(update)?) {
        Some(Kind::Rkaf) => (None, [0; 16]),
        _ => {
            let header = bytes.get(update, rkfw::HEADER_LEN)?;
            let rkfw = bytes.check(Rkfw::parse(&header, update))?;
            let trailer = Span::new(rkfw.image.end(), rkfw::TRAILER_LEN as u64);
            let digits = bytes.get(trailer, rkfw::TRAILER_LEN)?;
            let md5 = bytes.check(rkfw::parse_trailer(&digits, trailer.offset))?;
            (Some(rkfw), md5)
        }
    };
    let rkaf_span = rkfw.as_ref().map_or(update, |rkfw| rkfw.image);
    let header = bytes.get(rkaf_span, rkaf::HEADER_LEN)?;
    let rkaf = bytes.check(Rkaf::parse(&header, rkaf_span))?;
    let crc_at = rkaf_span.offset.saturating_add(u64::from(rkaf.length));
    let crc = bytes.get(Span::new(crc_at, rkaf::TRAILER_LEN as u64), rkaf::TRAILER_LEN)?;
    let rkaf_crc = u32::from_le_bytes(crc.first_chunk().copied().unwrap_or_default());

    let find = |file: &'static str| {
        let part = rkaf.part_of_file(file).filter(|part| !part.is_self());
        bytes.check(part.ok_or_else(|| missing(file, rkaf_span)))
    };
    let part = find(PARAMETER)?;
    // The recorded size counts text and wrapper; the block behind it is always whole.
    let at = Span::new(rkaf.data(part, rkaf_span.offset).offset, part.padded_size());
    let stored = bytes.get(at, WRAPPED_LEN)?;
    let parameter = bytes.check(Parameter::unwrap_stored(&stored, at.offset))?;

    let at = rkaf.data(find(PACKAGE_FILE)?, rkaf_span.offset);
    let list = bytes.get(at, package_file::MAX_LEN.saturating_add(1))?;
    let package_file = bytes.check(package_file::parse(&list, at.offset))?;

    let at = rkaf.data(find(ROOTFS)?, rkaf_span.offset);
    let rootfs = bytes.check(Superblock::parse(&bytes.get(at, SUPERBLOCK_LEN)?, at))?;

    Ok(Image {
        upfile,
        rkfw,
        rkfw_span: update,
        rkfw_md5,
        rkaf,
        rkaf_span,
        rkaf_crc,
        parameter,
        package_file,
        rootfs,
        source,
    })
}

fn missing(file: &'static str, at: Span) -> FormatError {
    FormatError {
        layer: Layer::Rkaf,
        fault: Fault::Missing,
        field: Cow::Borrowed("part table"),
        offset: at.offset,
        found: format!("no {file}"),
        expected: format!("a part with the file {file}"),
    }
}
