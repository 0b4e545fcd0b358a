//! Connections to services that wait for the next request. Only requests that may be sent twice use them: a service may
//! close one at the moment that it is used.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::{Handle, Id};
use tokio::time::Instant;
use uuid::Uuid;

use super::exchange::Line;

/// An unused connection is closed after this; services wait five seconds or longer.
const KEPT_FOR: Duration = Duration::from_secs(4);

/// All services together keep no more.
const MOST: usize = 128;

/// A session and the address of its service, since a port may be another session's later; and the loop that drives the
/// connection, since another one's answers come by way of two threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    session: Uuid,
    address: SocketAddr,
    driver: Option<Id>,
}

impl Key {
    /// For connections that are made here.
    pub(super) fn here(session: Uuid, address: SocketAddr) -> Self {
        let driver = Handle::try_current().ok().map(|handle| handle.id());
        Self { session, address, driver }
    }
}

/// The connections.
#[derive(Debug)]
pub(super) struct Pool {
    each: usize,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    lines: HashMap<Key, Vec<(Instant, Line)>>,
    all: usize,
    /// Whether a task closes old ones.
    swept: bool,
}

impl Idle {
    fn drop_old(&mut self) {
        let now = Instant::now();
        self.lines.retain(|_, lines| {
            lines.retain(|(since, _)| now.duration_since(*since) < KEPT_FOR);
            !lines.is_empty()
        });
        self.all = self.lines.values().map(Vec::len).sum();
    }
}

impl Pool {
    /// Keeps at most `each` connections of every service.
    pub(super) fn new(each: usize) -> Self {
        Self { each, idle: Mutex::default() }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is still open, the last used first.
    pub(super) fn take(&self, key: &Key) -> Option<Line> {
        let mut idle = self.idle();
        loop {
            let (_, mut line) = idle.lines.get_mut(key)?.pop()?;
            idle.all = idle.all.saturating_sub(1);
            if line.is_ready() {
                return Some(line);
            }
        }
    }

    /// Keeps one, unless it is closed or there are enough.
    pub(super) fn put(self: &Arc<Self>, key: Key, mut line: Line) {
        if self.each == 0 || !line.is_ready() {
            return;
        }
        let mut idle = self.idle();
        if idle.all >= MOST {
            return;
        }
        let lines = idle.lines.entry(key).or_default();
        if lines.len() >= self.each {
            return;
        }
        lines.push((Instant::now(), line));
        idle.all += 1;
        if !std::mem::replace(&mut idle.swept, true) {
            drop(tokio::spawn(sweep(Arc::downgrade(self))));
        }
    }
}

/// Closes old connections until there are none.
async fn sweep(pool: std::sync::Weak<Pool>) {
    loop {
        tokio::time::sleep(KEPT_FOR).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut idle = pool.idle();
        idle.drop_old();
        if idle.all == 0 {
            idle.swept = false;
            return;
        }
    }
}
