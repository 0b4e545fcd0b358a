//! Writes all layers of an upgrade file around given contents, in one pass and with bounded memory: sums are taken
//! while the bytes go by, and the outermost header, which needs them, is written last.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};

use super::rkaf::Rkaf;
use super::rkcrc::RkCrc;
use super::rkfw::{self, Rkfw};
use super::upfile::{self, Entry, EntryKind, Upfile};
use super::{FixedText, Span};
use crate::output::AtomicOutput;

/// Bytes to put into a layer.
pub struct Content<'a> {
    /// What it is, for messages.
    pub name: String,
    /// How many bytes `reader` must give.
    pub len: u64,
    /// The bytes.
    pub reader: Box<dyn Read + 'a>,
}

impl<'a> Content<'a> {
    /// Content of a name, a length and a reader.
    pub fn new(name: impl Into<String>, len: u64, reader: impl Read + 'a) -> Self {
        Self { name: name.into(), len, reader: Box::new(reader) }
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

impl Assembly<'_> {
    /// Writes the file to `out`, which appears whole or not at all.
    ///
    /// # Errors
    /// See [`AssembleError`].
    pub fn write(mut self, out: &Path) -> Result<(), AssembleError> {
        let failed = |source| AssembleError::Write { path: out.to_owned(), source };
        let mut output = AtomicOutput::create(out).map_err(failed)?;
        let mut sink = Sink::new(output.file(), out);
        match self.outer.take() {
            None => self.write_update(&mut sink)?,
            Some(outer) => {
                sink.put(&[0; upfile::TABLE_END])?;
                let upfile = self.write_payloads(outer, &mut sink)?;
                sink.rewrite_start(&upfile.encode())?;
            }
        }
        sink.finish()?;
        output.commit().map_err(failed)
    }

    fn write_payloads(self, outer: Outer<'_>, sink: &mut Sink<'_>) -> Result<Upfile, AssembleError> {
        let update = sink.entry(EntryKind::Update, |sink| self.write_update(sink))?;
        let [main, head, desc] = outer.others;
        let entries = [
            update,
            sink.entry(EntryKind::MainMcu, |sink| sink.pour(main, None))?,
            sink.entry(EntryKind::HeadMcu, |sink| sink.pour(head, None))?,
            sink.entry(EntryKind::McuDesc, |sink| sink.pour(desc, None))?,
        ];
        Ok(Upfile {
            container_version: outer.container_version,
            version: outer.version,
            date: outer.date,
            reserved: outer.reserved,
            entries,
        })
    }

    fn write_update(mut self, sink: &mut Sink<'_>) -> Result<(), AssembleError> {
        let Some(update) = self.update.take() else { return self.write_rom(sink) };
        let mut header = update.header;
        let image_len = u64::from(self.rkaf.length).saturating_add(super::rkaf::TRAILER_LEN as u64);
        let end = (rkfw::HEADER_LEN as u64).saturating_add(update.loader.len).saturating_add(image_len);
        if end > u64::from(u32::MAX) {
            return Err(AssembleError::TooLarge { layer: "update.img (RKFW)", bytes: end });
        }
        header.loader = Span::new(rkfw::HEADER_LEN as u64, update.loader.len);
        header.image = Span::new(header.loader.end(), image_len);
        // Inside an upgrade file the sum of the whole begins at the same byte and is only cut earlier here.
        if sink.md5.is_none() {
            sink.md5 = Some(Md5::new());
        }
        sink.put(&header.encode())?;
        sink.pour(update.loader, None)?;
        self.write_rom(sink)?;
        let md5 = sink.md5.clone().map(|md5| md5.finalize().into()).unwrap_or_default();
        sink.put(rkfw::encode_trailer(&md5).as_bytes())
    }

    fn write_rom(mut self, sink: &mut Sink<'_>) -> Result<(), AssembleError> {
        sink.crc = Some(RkCrc::new());
        sink.put(&self.rkaf.encode())?;
        let start = sink.position.saturating_sub(super::rkaf::HEADER_LEN as u64);
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
        let crc = sink.crc.take().map(RkCrc::value).unwrap_or_default();
        sink.put(&crc.to_le_bytes())
    }
}

/// The output with its position and the sums that are being taken.
struct Sink<'a> {
    path: &'a Path,
    file: BufWriter<&'a mut File>,
    position: u64,
    md5: Option<Md5>,
    crc: Option<RkCrc>,
}

impl<'a> Sink<'a> {
    fn new(file: &'a mut File, path: &'a Path) -> Self {
        Self { path, file: BufWriter::new(file), position: 0, md5: None, crc: None }
    }

    fn failed(&self, source: io::Error) -> AssembleError {
        AssembleError::Write { path: self.path.to_owned(), source }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), AssembleError> {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        self.position = self.position.saturating_add(bytes.len() as u64);
        self.file.write_all(bytes).map_err(|source| self.failed(source))
    }

    /// Copies a content and fills up with zeros to an absolute position.
    fn pour(&mut self, mut content: Content<'_>, fill_to: Option<u64>) -> Result<(), AssembleError> {
        let mut buffer = vec![0; 128 * 1024];
        let mut done: u64 = 0;
        loop {
            let read = match content.reader.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(AssembleError::Read {
                        name: content.name,
                        path: self.path.to_owned(),
                        source,
                    });
                }
                Ok(read) => read,
            };
            done = done.saturating_add(read as u64);
            // Not written when too long: a source that grows must not fill the disk.
            if (read == 0 && done != content.len) || done > content.len {
                let name = content.name;
                return Err(AssembleError::Length { name, found: done, expected: content.len });
            }
            match buffer.get(..read) {
                None | Some([]) => break,
                Some(piece) => self.put(piece)?,
            }
        }
        buffer.clear();
        buffer.resize(2048, 0);
        while let Some(left) = fill_to.and_then(|to| to.checked_sub(self.position)).filter(|left| *left > 0) {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            self.put(buffer.get(..most).unwrap_or(&[0]))?;
        }
        Ok(())
    }

    /// Writes one payload and says where it is and what its sum is.
    fn entry(
        &mut self,
        kind: EntryKind,
        write: impl FnOnce(&mut Self) -> Result<(), AssembleError>,
    ) -> Result<Entry, AssembleError> {
        let offset = self.position;
        self.md5 = Some(Md5::new());
        write(self)?;
        let md5 = self.md5.take().map(|md5| md5.finalize().into()).unwrap_or_default();
        let len = self.position.saturating_sub(offset);
        if u32::try_from(len).is_err() {
            return Err(AssembleError::TooLarge { layer: kind.file_name(), bytes: len });
        }
        Ok(Entry { kind, span: Span::new(offset, len), md5 })
    }

    fn rewrite_start(&mut self, bytes: &[u8]) -> Result<(), AssembleError> {
        let write = |file: &mut BufWriter<&mut File>| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(bytes)
        };
        write(&mut self.file).map_err(|source| self.failed(source))
    }

    fn finish(mut self) -> Result<(), AssembleError> {
        self.file.flush().map_err(|source| self.failed(source))
    }
}
