//! Directories on their way out: zip and tar, with modes and links, made while they are sent.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use axum::body::{Body, Bytes};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use rustix::fs::Stat;
use tokio::sync::mpsc;
use zip::write::SimpleFileOptions;

use super::inside::Inside;
use super::jail::{self, Jail};
use super::refusal::{Code, Refusal};
use super::walk::{Item, walk};

/// What a directory is packed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Zip,
    Tar,
    TarGz,
}

impl Format {
    /// Reads the word of a request.
    pub(crate) fn named(word: Option<&str>) -> Result<Format, Refusal> {
        match word {
            None | Some("tar.gz" | "tgz") => Ok(Format::TarGz),
            Some("tar") => Ok(Format::Tar),
            Some("zip") => Ok(Format::Zip),
            Some(_) => Err(Refusal::new(Code::InvalidRequest, "format: it must be tar.gz, tar or zip")),
        }
    }

    /// How names of such files end.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Format::Zip => ".zip",
            Format::Tar => ".tar",
            Format::TarGz => ".tar.gz",
        }
    }

    /// The type of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Zip => "application/zip",
            Format::Tar => "application/x-tar",
            Format::TarGz => "application/gzip",
        }
    }
}

/// Packs `paths` into `out`.
pub(crate) fn pack<W: Write>(
    jail: &Jail,
    paths: &[Inside],
    format: Format,
    most: u64,
    out: W,
) -> Result<W, Refusal> {
    match format {
        Format::Zip => pack_zip(jail, paths, most, out),
        Format::Tar => pack_tar(jail, paths, most, out),
        Format::TarGz => {
            let gz = pack_tar(jail, paths, most, GzEncoder::new(out, Compression::default()))?;
            gz.finish().map_err(|error| sending(&error))
        }
    }
}

fn sending(error: &io::Error) -> Refusal {
    Refusal::new(Code::IoError, format!("the archive could not be sent: {error}"))
}

fn pack_zip<W: Write>(jail: &Jail, paths: &[Inside], most: u64, out: W) -> Result<W, Refusal> {
    let mut zip = zip::ZipWriter::new_stream(out);
    let failed = |error: zip::result::ZipError| {
        Refusal::new(Code::IoError, format!("the archive could not be made: {error}"))
    };
    for path in paths {
        walk(jail, path, most, &mut |name, status, item| {
            let options = SimpleFileOptions::default()
                .unix_permissions(jail::permissions(status))
                .last_modified_time(zip_time(status))
                .large_file(jail::size(status) >= 0xffff_0000);
            let name = name.to_string();
            match item {
                Item::Folder => zip.add_directory(name, options).map_err(failed),
                Item::Link(target) => {
                    zip.add_symlink(name, target.to_string_lossy(), options).map_err(failed)
                }
                Item::File(file) => {
                    zip.start_file(name, options).map_err(failed)?;
                    // No more than was announced, should the file grow meanwhile.
                    io::copy(&mut file.take(jail::size(status)), &mut zip)
                        .map(|_| ())
                        .map_err(|error| sending(&error))
                }
            }
        })?;
    }
    zip.finish().map(|stream| stream.into_inner()).map_err(failed)
}

/// Zip knows local time in steps of two seconds; UTC stands for it.
fn zip_time(status: &Stat) -> zip::DateTime {
    // Days since 0000-03-01 to a date, by Howard Hinnant's civil_from_days.
    let days = status.st_mtime.div_euclid(86_400) + 719_468;
    let second = status.st_mtime.rem_euclid(86_400);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |number: i64| u8::try_from(number).unwrap_or_default();
    let parts = u16::try_from(year).ok().map(|year| {
        zip::DateTime::from_date_and_time(
            year,
            small(month),
            small(day),
            small(second / 3600),
            small(second / 60 % 60),
            small(second % 60),
        )
    });
    parts.and_then(Result::ok).unwrap_or_default()
}

fn pack_tar<W: Write>(jail: &Jail, paths: &[Inside], most: u64, out: W) -> Result<W, Refusal> {
    let mut tar = tar::Builder::new(out);
    for path in paths {
        walk(jail, path, most, &mut |name, status, item| {
            let mut header = tar::Header::new_gnu();
            header.set_mode(jail::permissions(status));
            header.set_mtime(u64::try_from(status.st_mtime).unwrap_or_default());
            header.set_uid(u64::from(status.st_uid));
            header.set_gid(u64::from(status.st_gid));
            let name = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
            match item {
                Item::Folder => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_size(0);
                    tar.append_data(&mut header, name, io::empty())
                }
                Item::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    tar.append_link(&mut header, name, &target)
                }
                Item::File(file) => {
                    let size = jail::size(status);
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_size(size);
                    // Exactly what was announced: a file that shrinks meanwhile must not shift all that follows.
                    let body = file.take(size).chain(io::repeat(0)).take(size);
                    tar.append_data(&mut header, name, body)
                }
            }
            .map_err(|error| sending(&error))
        })?;
    }
    tar.into_inner().map_err(|error| sending(&error))
}

/// How many pieces wait for a slow reader, and how large one is.
const WAITING: usize = 4;
const PIECE: usize = 64 << 10;

/// Hands what is written to a body that is being sent; waits while that is behind.
struct Pipe {
    piece: Vec<u8>,
    to: mpsc::Sender<io::Result<Bytes>>,
}

impl Pipe {
    fn pass_on(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        if piece.is_empty() {
            return Ok(());
        }
        self.to.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE.saturating_sub(self.piece.len()).max(1));
        self.piece.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.piece.len() >= PIECE {
            self.pass_on()?;
        }
        Ok(taken.min(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A body that is packed while it is sent. If that fails half-way the connection breaks, so that nobody takes what came
/// for the whole.
pub(crate) fn body(
    jail: Jail,
    paths: Vec<Inside>,
    format: Format,
    most: u64,
    turn: tokio::sync::OwnedSemaphorePermit,
) -> Body {
    let (to, from) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        let pipe = Pipe { piece: Vec::with_capacity(PIECE), to: to.clone() };
        let end = pack(&jail, &paths, format, most, pipe)
            .and_then(|mut pipe| pipe.pass_on().map_err(|error| sending(&error)));
        if let Err(refusal) = end {
            tracing::warn!("{refusal}");
            let _ = to.blocking_send(Err(io::Error::other(refusal.message)));
        }
    });
    Body::from_stream(stream::unfold(
        from,
        |mut from| async move { from.recv().await.map(|piece| (piece, from)) },
    ))
}
