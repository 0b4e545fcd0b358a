//! What is kept: one SQLite file.
//!
//! One thread writes, so that writers never wait for each other inside SQLite; readers have connections of their own.
//! Text times are RFC 3339 in UTC with milliseconds, so that they sort as text ([`time`]).

pub mod audit;
pub mod id;
pub mod invites;
pub mod migrations;
pub mod sessions;
pub mod time;
pub mod tokens;
pub mod users;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Readers at one time.
const READERS: usize = 4;
/// Readers for [`Store::glance`] at one time.
const GLANCES: usize = 2;
/// Writes that wait their turn; more wait with their callers.
const QUEUE: usize = 256;
/// How long SQLite waits for another process, as `octo invite-codes` beside a server.
const BUSY: Duration = Duration::from_secs(30);

/// Why the database did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("the database {}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// SQLite refused a statement.
    #[error("the database: {0}")]
    Statement(#[from] rusqlite::Error),
    /// The system has no randomness for a name.
    #[error(transparent)]
    Randomness(#[from] id::NoRandomness),
    /// A newer version of octo wrote it.
    #[error(
        "the database {} is of a newer version of octo (schema {found}, this program knows {known}); use that version, or another data folder",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The folder cannot be made.
    #[error("cannot make {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The secret beside the database can be neither read nor made.
    #[error("the secret of the sessions' keys, {}: {source}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// The server is ending.
    #[error("the database is closed")]
    Closed,
}

/// What an error says about writing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// It is not about that.
    Possible,
    /// The disk is full.
    Full,
    /// The file cannot be written now, for another reason.
    Refused,
}

impl StoreError {
    /// Whether another connection was in the way.
    fn is_busy(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        match self {
            Self::Sqlite { source, .. } | Self::Statement(source) => {
                matches!(source.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
            }
            _ => false,
        }
    }

    /// Whether the cause is that nothing can be written: then it may be possible again later, and nothing was changed.
    #[must_use]
    pub fn writes(&self) -> Writes {
        use rusqlite::ErrorCode as Code;
        match self {
            Self::Sqlite { source, .. } | Self::Statement(source) => match source.sqlite_error_code() {
                Some(Code::DiskFull) => Writes::Full,
                Some(
                    Code::ReadOnly
                    | Code::SystemIoFailure
                    | Code::CannotOpen
                    | Code::PermissionDenied
                    | Code::DatabaseBusy,
                ) => Writes::Refused,
                _ => Writes::Possible,
            },
            Self::Folder { source, .. } | Self::Key { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Writes::Full,
                _ => Writes::Refused,
            },
            Self::Randomness(_) | Self::Newer { .. } | Self::Closed => Writes::Possible,
        }
    }
}

/// What sees whether somebody wrote.
struct Changes {
    connection: Connection,
    /// SQLite's own count; it means something on this connection alone.
    seen: i64,
    moment: Moment,
}

/// A stretch of time in which nobody wrote: two that are the same are before and after the same writes, also of other
/// processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(u64);

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    writer: mpsc::Sender<Job>,
    readers: Mutex<Vec<Connection>>,
    /// Readers that wait for nobody.
    glances: Mutex<Vec<Connection>>,
    changes: Mutex<Changes>,
    places: Arc<Semaphore>,
    /// Writes that still happen before one never returns, as when the process is killed there; negative for all.
    #[cfg(test)]
    pub(crate) writes_left: std::sync::atomic::AtomicI64,
}

impl Store {
    /// Opens the file, makes it with its folder where it is missing, and brings its schema up to date.
    ///
    /// # Errors
    /// When the system or SQLite refuses, or the file is of a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
        }
        make_private(path).map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        let failed = |source| StoreError::Sqlite { path: path.to_owned(), source };
        let mut connection = connect(path, OpenFlags::default()).map_err(failed)?;
        migrations::run(&mut connection, path)?;
        let reading = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers =
            (0..READERS).map(|_| connect(path, reading)).collect::<Result<_, _>>().map_err(failed)?;
        let at_once = || {
            let reader = connect(path, reading)?;
            reader.busy_timeout(Duration::ZERO)?;
            Ok(reader)
        };
        let glances = (0..GLANCES).map(|_| at_once()).collect::<Result<_, _>>().map_err(failed)?;
        let changes = Changes { connection: at_once().map_err(failed)?, seen: 0, moment: Moment::default() };
        let (writer, mut jobs) = mpsc::channel::<Job>(QUEUE);
        // Ends when the last clone is dropped; what is queued is written before.
        std::thread::Builder::new()
            .name("database".into())
            .spawn(move || {
                while let Some(job) = jobs.blocking_recv() {
                    // One that panics has undone its transaction, and must not end those of others.
                    let _ = catch_unwind(AssertUnwindSafe(|| job(&mut connection)));
                }
                let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
            })
            .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
        let shared = Shared {
            path: path.to_owned(),
            writer,
            readers: Mutex::new(readers),
            glances: Mutex::new(glances),
            changes: Mutex::new(changes),
            places: Arc::new(Semaphore::new(READERS)),
            #[cfg(test)]
            writes_left: (-1).into(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs `work` in one transaction that holds the write lock from its start; an error undoes all of it.
    ///
    /// # Errors
    /// What `work` gives, or that of the transaction.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    {
        #[cfg(test)]
        self.killed_here().await;
        let (told, result) = oneshot::channel();
        let path = self.shared.path.clone();
        let job: Job = Box::new(move |connection| {
            let failed = |source| E::from(StoreError::Sqlite { path: path.clone(), source });
            let done = (|| {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
                let value = work(&transaction)?;
                transaction.commit().map_err(failed)?;
                Ok(value)
            })();
            let _ = told.send(done);
        });
        if self.shared.writer.send(job).await.is_err() {
            return Err(StoreError::Closed.into());
        }
        result.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Kills the server before the write after so many.
    #[cfg(test)]
    pub(crate) fn kill_after(&self, writes: i64) {
        self.shared.writes_left.store(writes, std::sync::atomic::Ordering::Relaxed);
    }

    /// Whether it was killed.
    #[cfg(test)]
    pub(crate) fn is_killed(&self) -> bool {
        self.shared.writes_left.load(std::sync::atomic::Ordering::Relaxed) == i64::MIN
    }

    #[cfg(test)]
    async fn killed_here(&self) {
        use std::sync::atomic::Ordering;
        let next = |left: i64| match left {
            0 => Some(i64::MIN),
            1.. => Some(left - 1),
            _ => None,
        };
        let before = self.shared.writes_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if matches!(before, Ok(0) | Err(i64::MIN)) {
            std::future::pending::<()>().await;
        }
    }

    /// Brings all that was written into the one file, after what is queued; for the end of the server.
    pub async fn checkpoint(&self) {
        let (told, done) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
            let _ = told.send(());
        });
        if self.shared.writer.send(job).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Which moment it is; what was read since it began and before it ends is still so. `None` where that cannot be told now.
    #[must_use]
    pub fn moment(&self) -> Option<Moment> {
        let mut changes = lock(&self.shared.changes);
        let asked = changes
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)));
        let now: i64 = asked.ok()?;
        if std::mem::replace(&mut changes.seen, now) != now {
            changes.moment.0 += 1;
        }
        Some(changes.moment)
    }

    /// Runs `work`, which takes some microseconds, on a connection that cannot write: here where one is free and nobody is
    /// in its way, else as [`Self::read`]. For what every request asks: a turn on another thread would cost more.
    ///
    /// # Errors
    /// What `work` gives.
    pub async fn glance<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let free = lock(&self.shared.glances).pop();
        if let Some(reader) = free {
            let lent = Lent { shelf: &self.shared.glances, reader: Some(reader) };
            match lent.reader.as_ref().ok_or(StoreError::Closed).and_then(&work) {
                Err(error) if error.is_busy() => {}
                done => return done,
            }
        }
        self.read(work).await
    }

    /// Runs `work` on a connection that cannot write.
    ///
    /// # Errors
    /// What `work` gives.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        let place = Arc::clone(&shared.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        // All on the thread that reads: who asked may be gone before it ends, and the reader must come back all the same.
        tokio::task::spawn_blocking(move || {
            let reader = lock(&shared.readers).pop().ok_or(StoreError::Closed)?;
            let lent = Lent { shelf: &shared.readers, reader: Some(reader) };
            let done = lent.reader.as_ref().ok_or(StoreError::Closed).map(work);
            // Back before somebody else is let in.
            drop(lent);
            drop(place);
            done?
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }

    /// The folder of the database.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.shared.path.parent().unwrap_or(Path::new("."))
    }

    /// An error of SQLite with the file's name, for use inside [`Self::write`] and [`Self::read`].
    pub fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + Send + 'static {
        let path = self.shared.path.clone();
        move |source| StoreError::Sqlite { path: path.clone(), source }
    }
}

/// A reader that comes back also when the work that has it panics.
struct Lent<'a> {
    shelf: &'a Mutex<Vec<Connection>>,
    reader: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        lock(self.shelf).extend(self.reader.take());
    }
}

/// The file holds hashes of passwords; SQLite gives its other files the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path).map(drop)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    if !flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// A reader that panicked has left its list whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
