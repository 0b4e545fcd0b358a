//! The log: lines in UTC, into a file that is rotated by size, so that it never fills the printer's storage.

mod recent;

pub use recent::{Line, Recent};

use log::LevelFilter;
use simplelog::{ConfigBuilder, SharedLogger, WriteLogger};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the log in the log folder.
pub const NAME: &str = "octoapp.log";
/// The log is at most this large, and so is the one older copy beside it.
const LIMIT: u64 = 1024 * 1024;

/// A log file that renames itself to `NAME.1` when it has reached its limit.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
}

impl RotatingFile {
    /// Opens or creates the file, to append.
    ///
    /// # Errors
    ///
    /// What the system says, when the folder is missing or cannot be written.
    pub fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = append_to(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written, limit })
    }

    fn rotate(&mut self) -> io::Result<()> {
        let mut old = self.path.clone().into_os_string();
        old.push(".1");
        std::fs::rename(&self.path, old)?;
        self.file = append_to(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

/// Opens a regular file to append. Without blocking, so that a pipe in its place cannot hold up the start.
fn append_to(path: &Path) -> io::Result<File> {
    let no_waiting = nix::fcntl::OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().create(true).append(true).custom_flags(no_waiting).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + line.len() as u64 > self.limit {
            // Where renaming fails, a log that is cut short beats one that grows for ever.
            if self.rotate().is_err() {
                self.file.set_len(0)?;
                self.written = 0;
            }
        }
        let n = self.file.write(line)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A file.
    File(PathBuf),
    /// Standard error, because there is no folder that can be written.
    Stderr,
}

impl Destination {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Stderr => None,
        }
    }
}

/// Starts logging: into the first of `folders` that can be written, and to standard error where a person
/// watches or no folder can be written. Call once. The last lines stay in memory, too.
pub fn start(folders: &[&Path], level: LevelFilter) -> (Destination, Recent) {
    // simplelog writes a line in many pieces: gather them, so that rotation never cuts one. It takes all lines, since
    // the level may change while the program runs: `log::set_max_level` holds the others back.
    let all = LevelFilter::Trace;
    // Nothing of the libraries: the HTTP client's lines have whole addresses, and one of Telegram's holds the token.
    let config =
        ConfigBuilder::new().set_time_format_rfc3339().add_filter_allow_str(env!("CARGO_CRATE_NAME")).build();
    let file = folders.iter().find_map(|folder| {
        let path = folder.join(NAME);
        RotatingFile::open(&path, LIMIT).ok().map(|file| (path, file))
    });
    let logger = |inner: Box<dyn Write + Send>| -> Box<dyn SharedLogger> {
        WriteLogger::new(all, config.clone(), LineWriter::new(inner))
    };
    let recent = Recent::default();
    let mut loggers: Vec<Box<dyn SharedLogger>> = vec![Box::new(recent.clone())];
    if file.is_none() || io::stderr().is_terminal() {
        loggers.push(logger(Box::new(io::stderr())));
    }
    let destination = match file {
        Some((path, file)) => {
            loggers.push(logger(Box::new(file)));
            Destination::File(path)
        }
        None => Destination::Stderr,
    };
    // The only error is that a logger is there already; that one then serves.
    let _ = simplelog::CombinedLogger::init(loggers);
    log::set_max_level(level);
    (destination, recent)
}

/// Hands whole lines to what is below it.
#[derive(Debug)]
struct LineWriter<W> {
    inner: W,
    line: Vec<u8>,
}

impl<W: Write> LineWriter<W> {
    fn new(inner: W) -> Self {
        Self { inner, line: Vec::new() }
    }
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(piece);
        if self.line.ends_with(b"\n") {
            let line = std::mem::take(&mut self.line);
            self.inner.write_all(&line)?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_two_files_below_the_limit_and_never_cuts_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let mut log = LineWriter::new(RotatingFile::open(&path, 100).unwrap());
        for n in 0..50 {
            write!(log, "line {n:03} ").unwrap();
            writeln!(log, "end").unwrap();
        }
        let newest = std::fs::read_to_string(&path).unwrap();
        let older = std::fs::read_to_string(dir.path().join("octoapp.log.1")).unwrap();
        assert!(newest.len() <= 100 && older.len() <= 100);
        assert!(newest.ends_with("line 049 end\n"), "{newest}");
        for line in older.lines().chain(newest.lines()) {
            assert!(line.starts_with("line ") && line.ends_with(" end"), "{line}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_pipe_in_its_place_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(RotatingFile::open(&path, 100).is_err());
        // One that is read by somebody, too.
        let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
        let _reader = OpenOptions::new().read(true).custom_flags(flags).open(&path).unwrap();
        assert!(RotatingFile::open(&path, 100).is_err());
    }

    #[test]
    fn goes_on_where_it_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        for _ in 0..2 {
            RotatingFile::open(&path, 100).unwrap().write_all(b"same\n").unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "same\nsame\n");
    }
}
