//! What the guest's serial console has said, and waiting for it to say something.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Error;

/// A guest that floods its console must not fill the host's memory: older bytes are forgotten.
const KEPT: usize = 4 << 20;

/// How much of the end an error shows, in bytes.
const TAIL: usize = 3000;

#[derive(Debug, Default)]
struct Transcript {
    bytes: Vec<u8>,
    /// How many bytes came before `bytes`.
    forgotten: u64,
    ended: bool,
}

/// The output of a guest, collected by a thread of its own as it comes.
#[derive(Debug, Clone, Default)]
pub struct Console {
    shared: Arc<(Mutex<Transcript>, Condvar)>,
}

/// A place in the output, counted in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position(u64);

impl Console {
    /// Starts to collect `source` until it ends.
    pub fn collect(mut source: impl Read + Send + 'static) -> Self {
        let console = Self::default();
        let ours = console.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match source.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => ours.add(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            ours.lock().ended = true;
            ours.shared.1.notify_all();
        });
        console
    }

    fn lock(&self) -> MutexGuard<'_, Transcript> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, bytes: &[u8]) {
        let mut transcript = self.lock();
        transcript.bytes.extend_from_slice(bytes);
        if let Some(excess) = transcript.bytes.len().checked_sub(KEPT).filter(|excess| *excess > KEPT / 4) {
            transcript.bytes.drain(..excess);
            transcript.forgotten += excess as u64;
        }
        drop(transcript);
        self.shared.1.notify_all();
    }

    /// The present end of the output.
    pub fn end(&self) -> Position {
        let transcript = self.lock();
        Position(transcript.forgotten + transcript.bytes.len() as u64)
    }

    /// The output from `from` on, as far as it has come, with plain line ends.
    pub fn since(&self, from: Position) -> String {
        plain(self.lock().since(from))
    }

    /// The bytes behind `from` and the position behind them; waits at most `within` for some to come.
    pub fn news(&self, from: Position, within: Duration) -> (Vec<u8>, Position) {
        let nothing_new =
            |transcript: &mut Transcript| transcript.since(from).is_empty() && !transcript.ended;
        let waited = self.shared.1.wait_timeout_while(self.lock(), within, nothing_new);
        let transcript = waited.unwrap_or_else(PoisonError::into_inner).0;
        let end = Position(transcript.forgotten + transcript.bytes.len() as u64);
        (transcript.since(from).to_vec(), end)
    }

    /// The end of the output, for an error.
    pub fn tail(&self) -> String {
        let transcript = self.lock();
        let from = transcript.bytes.len().saturating_sub(TAIL);
        plain(transcript.bytes.get(from..).unwrap_or_default())
    }

    /// Whether the guest can say nothing more.
    pub fn ended(&self) -> bool {
        self.lock().ended
    }

    /// Waits until `text` comes at or after `from`, and gives the position behind it.
    ///
    /// Errors: it does not come within `within`, or the output ends without it.
    #[cfg(test)]
    fn wait_for(&self, text: &str, from: Position, within: Duration) -> Result<Position, Error> {
        self.wait_until(&format!("`{}`", text.escape_debug()), from, within, |output| {
            find(output, text.as_bytes()).map(|at| at + text.len())
        })
    }

    /// Waits until `pattern` finds in the output from `from` on what it looks for and gives its end, an offset.
    pub(super) fn wait_until(
        &self,
        awaited: &str,
        from: Position,
        within: Duration,
        pattern: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<Position, Error> {
        let deadline = Instant::now() + within;
        let mut transcript = self.lock();
        loop {
            let start = from.0.max(transcript.forgotten);
            if let Some(end) = pattern(transcript.since(from)) {
                return Ok(Position(start + end as u64));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if transcript.ended || left.is_zero() {
                let (awaited, ended) = (awaited.to_owned(), transcript.ended);
                drop(transcript);
                let tail = self.tail();
                return Err(if ended {
                    Error::Ended { awaited, tail }
                } else {
                    Error::TimedOut { awaited, within, tail }
                });
            }
            transcript =
                self.shared.1.wait_timeout(transcript, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Transcript {
    fn since(&self, from: Position) -> &[u8] {
        let skip = usize::try_from(from.0.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        self.bytes.get(skip..).unwrap_or_default()
    }
}

/// Where `needle` begins in `hay`.
pub(super) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// Text with `\n` for the serial line's `\r\n`.
fn plain(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn finds_what_comes_in_pieces_and_goes_on_behind_it() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let console = Console::collect(reader);
        writer.write_all(b"one lo").unwrap();
        writer.write_all(b"gin: two login: ").unwrap();
        let first = console.wait_for("login:", Position::default(), SOON).unwrap();
        let second = console.wait_for("login:", first, SOON).unwrap();
        assert!(second > first);
        drop(writer);
        let error = console.wait_for("login:", second, SOON).unwrap_err().to_string();
        assert!(error.contains("QEMU ended") && error.contains("two login"), "{error}");
        assert!(console.ended());
    }

    #[test]
    fn waits_no_longer_than_told() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let console = Console::collect(reader);
        let error = console.wait_for("never", Position::default(), Duration::from_millis(1)).unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    }

    #[test]
    fn a_flood_is_forgotten_from_its_start() {
        let console = Console::default();
        for _ in 0..40 {
            console.add(&vec![b'x'; KEPT / 10]);
        }
        console.add(b"end\r\n");
        assert!(console.lock().bytes.len() <= KEPT + KEPT / 4);
        assert_eq!(console.end().0, (KEPT / 10 * 40 + 5) as u64);
        let from = Position(console.end().0 - 5);
        assert_eq!(console.since(from), "end\n");
        assert_eq!(console.wait_for("end", Position::default(), SOON).unwrap().0, console.end().0 - 2);
    }
}
