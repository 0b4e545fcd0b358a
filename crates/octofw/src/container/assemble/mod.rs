//! Writes all layers of an upgrade file around given contents, with bounded memory: first everything that is not a sum,
//! while sums are taken from the file itself, and then the headers that hold them.

mod lay;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;

use super::md5::Md5;
use super::rkaf::{self, Rkaf};
use super::rkfw::{self, Rkfw};
use super::sums::{self, Reached, Wanted};
use super::upfile::{self, Entry, EntryKind, Upfile};
use super::{FixedText, SourceFile, Span};
use crate::output::AtomicOutput;
use lay::Sink;

/// Bytes to put into a layer.
pub struct Content<'a> {
    /// What it is, for messages.
    pub name: String,
    /// How many bytes `reader` must give.
    pub len: u64,
    /// The bytes; `None` where they are in the output already, in their place.
    pub reader: Option<Box<dyn Read + 'a>>,
}

impl<'a> Content<'a> {
    /// Content of a name, a length and a reader.
    pub fn new(name: impl Into<String>, len: u64, reader: impl Read + 'a) -> Self {
        Self { name: name.into(), len, reader: Some(Box::new(reader)) }
    }

    /// Content that was written to the output before, where it belongs.
    #[must_use]
    pub fn in_place(name: impl Into<String>, len: u64) -> Self {
        Self { name: name.into(), len, reader: None }
    }

    /// Content that is at hand.
    #[must_use]
    pub fn of_bytes(name: impl Into<String>, bytes: &'a [u8]) -> Self {
        Self::new(name, bytes.len() as u64, bytes)
    }
}

/// The UPFILE layer.
pub struct Outer<'a> {
    /// 1 or 2.
    pub container_version: u16,
    /// Firmware version.
    pub version: FixedText<{ upfile::VERSION_LEN }>,
    /// Build date, 14 digits.
    pub date: FixedText<14>,
    /// The header's reserved bytes.
    pub reserved: [u8; 16],
    /// Payloads 1 to 3, in the order of [`EntryKind::ALL`].
    pub others: [Content<'a>; 3],
}

/// The RKFW layer.
pub struct Update<'a> {
    /// Header fields; the places of loader and image are set anew.
    pub header: Rkfw,
    /// The boot loader.
    pub loader: Content<'a>,
}

/// A file to be written. A layer that is `None` is left out, from the outside in.
pub struct Assembly<'a> {
    /// UPFILE.
    pub outer: Option<Outer<'a>>,
    /// RKFW.
    pub update: Option<Update<'a>>,
    /// RKAF header, already arranged.
    pub rkaf: Rkaf,
    /// The data of every file of the RKAF header, as long as the part's size or padded to its blocks.
    pub files: Vec<Content<'a>>,
    /// The range of the output of which the SHA-256 is wanted.
    pub sha256_of: Option<Span>,
}

/// Why a file could not be written. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The output cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The output.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A content cannot be read.
    #[error("cannot read {name} while writing {path}")]
    Read {
        /// The content.
        name: String,
        /// The output.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A content does not have the promised number of bytes.
    #[error("{name} has {found} bytes where {expected} were expected: it changed meanwhile; start again")]
    Length {
        /// The content.
        name: String,
        /// Bytes there are.
        found: u64,
        /// Bytes that were promised or fit.
        expected: u64,
    },
    /// The part table names a file of which no content was given.
    #[error("no content for {0}, which the part table names")]
    NoContent(String),
    /// A layer exceeds what its header can say.
    #[error("{layer} would have {bytes} bytes, more than the 4294967295 that its header can say")]
    TooLarge {
        /// The layer.
        layer: &'static str,
        /// Its size.
        bytes: u64,
    },
}

/// The sums of a file that was written, and over what each was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The rom image, without its CRC.
    pub rom: Span,
    /// RKCRC of the rom image.
    pub crc: u32,
    /// The MD5 at the end of `update.img`, where that is a layer.
    pub update_md5: Option<[u8; 16]>,
    /// The payloads of an upgrade file; none in the other kinds.
    pub payloads: Vec<Entry>,
    /// SHA-256 of [`Assembly::sha256_of`].
    pub sha256: Option<[u8; 32]>,
}

/// Where the layers are in a file that is laid out.
#[derive(Debug, Clone, Copy)]
struct Places {
    /// `update.img`, sums included.
    update: Span,
    /// The rom image, without its CRC.
    rom: Span,
}

/// What was laid out and waits for its sums.
struct Laid {
    /// The payloads of the upgrade file.
    payloads: Vec<(EntryKind, Span)>,
    /// Its header.
    header: Option<Header>,
}

impl Assembly<'_> {
    /// Writes the file to `out`, which appears whole or not at all.
    ///
    /// # Errors
    /// See [`AssembleError`].
    pub fn write(self, out: &Path) -> Result<Written, AssembleError> {
        let failed = |source| AssembleError::Write { path: out.to_owned(), source };
        let mut output = AtomicOutput::create(out).map_err(failed)?;
        let written = self.write_into(output.file(), out)?;
        output.commit().map_err(failed)?;
        Ok(written)
    }

    /// Writes the file into one that is open for reading and writing, and keeps what is in place already. `path` is for
    /// messages. That all bytes reach the disk is the caller's matter.
    ///
    /// # Errors
    /// See [`AssembleError`].
    pub fn write_into(mut self, file: &mut File, path: &Path) -> Result<Written, AssembleError> {
        let failed = |source| AssembleError::Write { path: path.to_owned(), source };
        let places = self.places()?;
        let has_trailer = self.update.is_some();
        let md5_of = (self.outer.is_some() || has_trailer)
            .then(|| Span::new(places.update.offset, places.rom.end().saturating_sub(places.update.offset)));
        let wanted = Wanted { md5: md5_of, crc: places.rom, sha256: self.sha256_of };
        let source = SourceFile::of(path, file.try_clone().map_err(failed)?).map_err(failed)?;
        let written = file.try_clone().map_err(failed)?;
        let reached = Reached::default();
        let (laid, sums) = thread::scope(|scope| {
            let sums = scope.spawn(|| sums::take(&source, wanted, Some(&reached)));
            let laid = self.lay(&places, Sink::new(file, path).telling(&reached));
            reached.end();
            // What is on its way to the disk while sums are taken need not be waited for later. Without such a thread it
            // is waited for then.
            let _ = thread::Builder::new().spawn(move || written.sync_data());
            (laid, sums.join())
        });
        let laid = laid?;
        let sums = sums.map_err(|_| failed(io::Error::other("a thread that takes sums ended early")))?;
        let sums = sums.map_err(failed)?;
        let mut md5 = sums.md5;
        let mut at = places.rom.end();
        let crc = sums.crc.to_le_bytes();
        let mut written = Written {
            rom: places.rom,
            crc: sums.crc,
            update_md5: None,
            payloads: Vec::new(),
            sha256: sums.sha256,
        };
        md5.update(&crc);
        let mut sink = Sink::new(file, path);
        sink.put_at(at, &crc)?;
        at = at.saturating_add(crc.len() as u64);
        if has_trailer {
            let sum = md5.clone().finalize();
            let digits = rkfw::encode_trailer(&sum);
            written.update_md5 = Some(sum);
            sink.put_at(at, digits.as_bytes())?;
            md5.update(digits.as_bytes());
        }
        if let Some(header) = laid.header {
            let entries = laid.payloads.iter().map(|(kind, span)| {
                let mut sum = Md5::new();
                match kind {
                    EntryKind::Update => sum = md5.clone(),
                    _ => source.for_each_piece(*span, |piece| sum.update(piece)).map_err(failed)?,
                }
                Ok(Entry { kind: *kind, span: *span, md5: sum.finalize() })
            });
            written.payloads = entries.collect::<Result<Vec<Entry>, AssembleError>>()?;
            sink.put_at(0, &header.with(&written.payloads))?;
        }
        sink.finish()?;
        Ok(written)
    }

    /// Where the layers will be.
    fn places(&self) -> Result<Places, AssembleError> {
        let start = self.outer.as_ref().map_or(0, |_| upfile::TABLE_END as u64);
        let image = u64::from(self.rkaf.length).saturating_add(rkaf::TRAILER_LEN as u64);
        let mut before = 0;
        let mut behind = 0;
        if let Some(update) = &self.update {
            before = (rkfw::HEADER_LEN as u64).saturating_add(update.loader.len);
            behind = rkfw::TRAILER_LEN as u64;
            let end = before.saturating_add(image);
            if end > u64::from(u32::MAX) {
                return Err(AssembleError::TooLarge { layer: "update.img (RKFW)", bytes: end });
            }
        }
        let update = Span::new(start, before.saturating_add(image).saturating_add(behind));
        if u32::try_from(update.len).is_err() {
            let layer = EntryKind::Update.file_name();
            return Err(AssembleError::TooLarge { layer, bytes: update.len });
        }
        Ok(Places { update, rom: Span::new(start.saturating_add(before), u64::from(self.rkaf.length)) })
    }

    /// Lays all layers out, with room for sums.
    fn lay(&mut self, places: &Places, mut sink: Sink<'_>) -> Result<Laid, AssembleError> {
        let outer = self.outer.take();
        if outer.is_some() {
            sink.put(&[0; upfile::TABLE_END])?;
        }
        let mut room = rkaf::TRAILER_LEN;
        if let Some(update) = self.update.take() {
            let mut header = update.header;
            let image_len = places.rom.len.saturating_add(rkaf::TRAILER_LEN as u64);
            header.loader = Span::new(rkfw::HEADER_LEN as u64, update.loader.len);
            header.image = Span::new(header.loader.end(), image_len);
            sink.put(&header.encode())?;
            sink.pour(update.loader, None)?;
            room = room.saturating_add(rkfw::TRAILER_LEN);
        }
        self.lay_rom(&mut sink)?;
        if sink.position() != places.rom.end() {
            let found = sink.position().saturating_sub(places.rom.offset);
            let name = "the rom image".to_owned();
            return Err(AssembleError::Length { name, found, expected: places.rom.len });
        }
        sink.put(&vec![0; room])?;
        let mut payloads = vec![(EntryKind::Update, places.update)];
        let header = outer.map(|outer| lay_payloads(outer, &mut payloads, &mut sink)).transpose()?;
        sink.finish()?;
        Ok(Laid { payloads, header })
    }

    /// Lays the rom image out, without its CRC.
    fn lay_rom(&mut self, sink: &mut Sink<'_>) -> Result<(), AssembleError> {
        let start = sink.position();
        sink.put(&self.rkaf.encode())?;
        for part in self.rkaf.files() {
            let name = part.file.text();
            let Some(at) = self.files.iter().position(|content| content.name == name) else {
                return Err(AssembleError::NoContent(name.to_owned()));
            };
            let content = self.files.swap_remove(at);
            let (size, padded) = (u64::from(part.size), part.padded_size());
            if content.len != size && content.len != padded {
                let name = name.to_owned();
                return Err(AssembleError::Length { name, found: content.len, expected: size });
            }
            sink.pour(content, Some(start.saturating_add(u64::from(part.position)).saturating_add(padded)))?;
        }
        Ok(())
    }
}

/// The header of the upgrade file, which waits for the sums.
struct Header {
    container_version: u16,
    version: FixedText<{ upfile::VERSION_LEN }>,
    date: FixedText<14>,
    reserved: [u8; 16],
}

impl Header {
    fn with(self, entries: &[Entry]) -> Vec<u8> {
        let Self { container_version, version, date, reserved } = self;
        // There are four: one for each kind was laid.
        <[Entry; 4]>::try_from(entries)
            .map(|entries| Upfile { container_version, version, date, reserved, entries }.encode())
            .unwrap_or_default()
    }
}

fn lay_payloads(
    outer: Outer<'_>,
    payloads: &mut Vec<(EntryKind, Span)>,
    sink: &mut Sink<'_>,
) -> Result<Header, AssembleError> {
    let [_, kinds @ ..] = EntryKind::ALL;
    for (kind, content) in kinds.into_iter().zip(outer.others) {
        let start = sink.position();
        sink.pour(content, None)?;
        let span = Span::new(start, sink.position().saturating_sub(start));
        if u32::try_from(span.len).is_err() {
            return Err(AssembleError::TooLarge { layer: kind.file_name(), bytes: span.len });
        }
        payloads.push((kind, span));
    }
    let Outer { container_version, version, date, reserved, .. } = outer;
    Ok(Header { container_version, version, date, reserved })
}
