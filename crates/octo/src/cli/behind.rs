//! Lines about requests are written behind them, by a thread and many at a time: a request must not wait for a disk, and to
//! write its line costs as much as to pass on a small answer. All other lines are written at once, after those that wait, so
//! that the order stays, and that what is said before the process dies is there. A process that is killed loses the lines of
//! its last requests.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use crate::server::layers::request_id;

/// How long lines are gathered.
const GATHERED: Duration = Duration::from_millis(50);
/// Bytes that wait. When there are more, who says something writes them: a slow disk slows requests down then, and nothing
/// is lost.
const MOST: usize = 256 * 1024;

/// A writer, and what is still to be written by it.
pub(super) struct Behind<W> {
    shared: Arc<Shared<W>>,
}

struct Shared<W> {
    waiting: Mutex<Waiting>,
    /// Something waits, or all is over.
    changed: Condvar,
    /// Locked before what waits is taken, so that nobody overtakes.
    writer: Mutex<W>,
    gathered: Duration,
    most: usize,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Whether the thread must be woken.
    asleep: bool,
    over: bool,
}

impl<W: Write + Send + 'static> Behind<W> {
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn new(writer: W) -> io::Result<Self> {
        Self::with(writer, GATHERED, MOST)
    }

    fn with(writer: W, gathered: Duration, most: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            writer: Mutex::new(writer),
            gathered,
            most,
        });
        let his = Arc::clone(&shared);
        std::thread::Builder::new().name("log".into()).spawn(move || his.work())?;
        Ok(Self { shared })
    }
}

impl<W> Drop for Behind<W> {
    fn drop(&mut self) {
        lock(&self.shared.waiting).over = true;
        self.shared.changed.notify_one();
    }
}

impl<W: Write> Shared<W> {
    fn work(&self) {
        loop {
            let mut waiting = lock(&self.waiting);
            while waiting.lines.is_empty() {
                if waiting.over {
                    return;
                }
                waiting.asleep = true;
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            waiting.asleep = false;
            drop(waiting);
            std::thread::sleep(self.gathered);
            self.write(&[]);
        }
    }

    /// Writes what waits, and this. What cannot be written is lost.
    fn write(&self, line: &[u8]) {
        let mut writer = lock(&self.writer);
        let mut lines = std::mem::take(&mut lock(&self.waiting).lines);
        lines.extend_from_slice(line);
        let _ = writer.write_all(&lines);
    }

    /// Leaves a line to the thread. Gives whether there is room for more.
    fn leave(&self, line: &[u8]) -> bool {
        let mut waiting = lock(&self.waiting);
        waiting.lines.extend_from_slice(line);
        let room = waiting.lines.len() < self.most;
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            self.changed.notify_one();
        }
        room
    }
}

/// For one event.
pub(super) struct Writer<'a, W> {
    shared: &'a Shared<W>,
    /// Whether it is about a request.
    later: bool,
}

impl<'a, W: Write + Send + 'static> MakeWriter<'a> for Behind<W> {
    type Writer = Writer<'a, W>;

    fn make_writer(&'a self) -> Self::Writer {
        Writer { shared: &self.shared, later: false }
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Self::Writer {
        Writer { shared: &self.shared, later: about.target() == request_id::TARGET }
    }
}

impl<W: Write> Write for Writer<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.later {
            self.shared.write(line);
        } else if !self.shared.leave(line) {
            self.shared.write(&[]);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whoever panicked left whole lines.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// Patience with a busy machine.
    const PATIENCE: Duration = Duration::from_secs(60);
    const NEVER: Duration = Duration::from_secs(3600);

    /// Gives each piece away; waits before it where it is told to.
    struct Disk {
        written: Sender<String>,
        turns: Option<Receiver<()>>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(turns) = &self.turns {
                turns.recv_timeout(PATIENCE).unwrap();
            }
            self.written.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logging(behind: Behind<Disk>, work: impl FnOnce()) {
        let subscriber =
            tracing_subscriber::fmt().without_time().with_ansi(false).with_target(false).with_writer(behind);
        tracing::subscriber::with_default(subscriber.finish(), work);
    }

    fn request(number: usize) {
        tracing::info!(target: request_id::TARGET, "request {number}");
    }

    #[test]
    fn a_request_s_line_is_written_without_another_word() {
        let (written, disk) = channel();
        let behind = Behind::with(Disk { written, turns: None }, Duration::ZERO, MOST).unwrap();
        logging(behind, || {
            request(1);
            assert_eq!(disk.recv_timeout(PATIENCE).unwrap(), " INFO request 1\n");
            request(2);
            assert_eq!(disk.recv_timeout(PATIENCE).unwrap(), " INFO request 2\n");
        });
    }

    /// Protects against requests that wait for a disk, and lines of the log in another order than what happened.
    #[test]
    fn requests_do_not_wait_and_all_else_is_written_at_once() {
        let (written, disk) = channel();
        let behind = Behind::with(Disk { written, turns: None }, NEVER, MOST).unwrap();
        logging(behind, || {
            (0..1000).for_each(request);
            assert!(disk.try_recv().is_err(), "a request's line went to the disk");
            tracing::info!("the end");
            let all = disk.try_recv().unwrap();
            let lines: Vec<&str> = all.lines().collect();
            assert_eq!(lines.len(), 1001);
            assert_eq!(
                (lines[0], lines[999], lines[1000]),
                (" INFO request 0", " INFO request 999", " INFO the end")
            );
        });
    }

    #[test]
    fn while_the_disk_hangs_requests_go_on_and_nothing_is_lost() {
        let (written, disk) = channel();
        let (turn, turns) = channel();
        let behind = Behind::with(Disk { written, turns: Some(turns) }, Duration::ZERO, MOST).unwrap();
        logging(behind, || {
            // The thread waits for its turn with some of them meanwhile.
            (0..1000).for_each(request);
            assert!(disk.try_recv().is_err());
            let mut lines = String::new();
            while !lines.ends_with("request 999\n") {
                turn.send(()).unwrap();
                lines += &disk.recv_timeout(PATIENCE).unwrap();
            }
            assert!(
                lines.lines().enumerate().all(|(number, line)| line == format!(" INFO request {number}"))
            );
        });
    }

    /// Protects memory against a disk that is slower than requests come.
    #[test]
    fn what_waits_is_bounded() {
        let (written, disk) = channel();
        let behind = Behind::with(Disk { written, turns: None }, NEVER, 40).unwrap();
        logging(behind, || {
            request(1);
            request(2);
            assert!(disk.try_recv().is_err());
            request(3);
            assert_eq!(disk.try_recv().unwrap(), " INFO request 1\n INFO request 2\n INFO request 3\n");
        });
    }

    #[test]
    fn what_waits_at_the_end_is_written() {
        let (written, disk) = channel();
        let behind = Behind::with(Disk { written, turns: None }, Duration::ZERO, MOST).unwrap();
        logging(behind, || request(1));
        assert_eq!(disk.recv_timeout(PATIENCE).unwrap(), " INFO request 1\n");
    }
}
