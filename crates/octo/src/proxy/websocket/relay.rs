//! Passes the frames of two WebSockets to each other until one ends.
//!
//! Each direction reads a piece, follows its frames ([`Walk`]), writes it and only then reads the next: a slow end slows
//! the other, and nothing is gathered. Our own frames (pings, the last close) go between two of theirs.

use bytes::Bytes;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::super::target::Use;
use super::super::upload::Meter;
use super::frame::{self, PING, Toward, Walk};
use crate::auth::Lease;

/// A socket at rest has this much for what it reads.
const SMALL: usize = 2 * 1024;
/// One with much to say has this much.
const LARGE: usize = 32 * 1024;
/// Whoever takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(120);
/// A client that answered none of so many pings is gone.
const UNANSWERED: u32 = 3;
/// How long the answer to a close, and the end of the connection, may take.
const PARTING: Duration = Duration::from_secs(2);

/// What kind of service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// What it sends is a sign of use: a build prints.
    Terminal,
    /// What it sends may be sent to nobody.
    Service,
}

/// The two connections, and what was read of them already.
pub(in super::super) struct Ends<C, U> {
    pub(in super::super) client: C,
    pub(in super::super) upstream: U,
    pub(in super::super) from_client: Bytes,
    pub(in super::super) from_upstream: Bytes,
}

/// How one direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    /// A close frame went by.
    Closed,
    /// The end that sends is gone without one.
    Gone,
    /// The end that receives is gone, or takes nothing.
    Stuck,
    /// What came are no frames.
    Broken,
    /// No ping was answered.
    Silent,
    /// The server ends, or the log-in has.
    Ending,
}

/// One direction.
struct Pump<R, W> {
    from: ReadHalf<R>,
    to: WriteHalf<W>,
    early: Bytes,
    walk: Walk,
    toward: Toward,
    /// A write was begun and is not known to have ended.
    torn: bool,
}

/// What both directions are told.
struct Rules<'a> {
    meter: &'a Meter,
    kind: Kind,
    keep_alive: Duration,
    lease: &'a Lease,
    /// Counts what came from the client.
    heard: AtomicU64,
}

/// Passes frames on until one end closes, is gone, or the lease ends.
pub(in super::super) async fn run<C, U>(
    ends: Ends<C, U>,
    kind: Kind,
    meter: &Meter,
    keep_alive: Duration,
    lease: &Lease,
) where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let (from_client, to_client) = tokio::io::split(ends.client);
    let (from_upstream, to_upstream) = tokio::io::split(ends.upstream);
    let mut up = Pump::new(from_client, to_upstream, ends.from_client, Toward::Service);
    let mut down = Pump::new(from_upstream, to_client, ends.from_upstream, Toward::Client);
    let rules = Rules { meter, kind, keep_alive, lease, heard: AtomicU64::new(0) };
    let (toward, done) = {
        let mut upward = pin!(up.run(&rules));
        let mut downward = pin!(down.run(&rules));
        let (toward, done) = tokio::select! {
            done = &mut upward => (Toward::Service, done),
            done = &mut downward => (Toward::Client, done),
        };
        if done == Done::Closed {
            // The answer to it.
            let _ = match toward {
                Toward::Service => timeout(PARTING, downward).await,
                Toward::Client => timeout(PARTING, upward).await,
            };
        }
        (toward, done)
    };
    tracing::debug!(?toward, ?done, "a socket ended");
    let (to_client, to_service) = match (toward, done) {
        (_, Done::Closed) => (None, None),
        (_, Done::Ending) => (Some(lease.farewell()), Some(1001)),
        (Toward::Service, Done::Broken) => (Some((1002, "these are no frames of a WebSocket")), Some(1001)),
        (Toward::Service, Done::Gone | Done::Silent) | (Toward::Client, Done::Stuck | Done::Silent) => {
            (None, Some(1001))
        }
        (Toward::Client, Done::Gone | Done::Broken) | (Toward::Service, Done::Stuck) => {
            (Some((1011, "the service broke off")), Some(1001))
        }
    };
    if let Some((code, reason)) = to_client {
        down.part(&frame::close(code, reason, None)).await;
    }
    if let Some(code) = to_service {
        let mut mask = [0; 4];
        // Without randomness any mask will do: it guards caches between browser and server, and there is none here.
        let _ = getrandom::fill(&mut mask);
        up.part(&frame::close(code, "", Some(mask))).await;
    }
    drop(timeout(PARTING, down.to.shutdown()).await);
    drop(timeout(PARTING, up.to.shutdown()).await);
    if to_client.is_some() {
        // Closing with unread bytes would take the last frame back.
        drop(timeout(PARTING, tokio::io::copy(&mut up.from, &mut tokio::io::sink())).await);
    }
}

impl<R: AsyncRead + AsyncWrite, W: AsyncRead + AsyncWrite> Pump<R, W> {
    const fn new(from: ReadHalf<R>, to: WriteHalf<W>, early: Bytes, toward: Toward) -> Self {
        Self { from, to, early, walk: Walk::new(toward), toward, torn: false }
    }

    async fn run(&mut self, rules: &Rules<'_>) -> Done {
        let mut ticks = interval(rules.keep_alive);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        let mut heard = 0;
        let mut unanswered = 0;
        let mut owed = false;
        let early = std::mem::take(&mut self.early);
        if !early.is_empty()
            && let Some(done) = self.pass(&early, rules).await
        {
            return done;
        }
        drop(early);
        let mut buffer = vec![0; SMALL];
        loop {
            if owed && self.walk.between_frames() {
                owed = false;
                if let Some(done) = self.write(&PING, rules).await {
                    return done;
                }
            }
            let read = tokio::select! {
                biased;
                () = rules.lease.over().cancelled() => return Done::Ending,
                read = self.from.read(&mut buffer) => read,
                _ = ticks.tick(), if self.toward == Toward::Client => {
                    let now = rules.heard.load(Ordering::Relaxed);
                    unanswered = if now == heard { unanswered + 1 } else { 0 };
                    heard = now;
                    if unanswered > UNANSWERED {
                        return Done::Silent;
                    }
                    owed = true;
                    continue;
                }
            };
            let Ok(read @ 1..) = read else { return Done::Gone };
            if let Some(done) = self.pass(buffer.get(..read).unwrap_or_default(), rules).await {
                return done;
            }
            if read == buffer.len() && read < LARGE {
                buffer = vec![0; LARGE];
            } else if read <= SMALL && buffer.len() > SMALL {
                buffer = vec![0; SMALL];
            }
        }
    }

    /// Passes a piece on.
    async fn pass(&mut self, bytes: &[u8], rules: &Rules<'_>) -> Option<Done> {
        if self.toward == Toward::Service {
            rules.heard.fetch_add(1, Ordering::Relaxed);
        }
        let passed = self.walk.clone();
        let Ok(seen) = self.walk.feed(bytes) else {
            // None of this piece goes on.
            self.walk = passed;
            return Some(Done::Broken);
        };
        if seen.data {
            match (self.toward, rules.kind) {
                (Toward::Service, _) => rules.meter.note(Use::Active),
                (Toward::Client, Kind::Terminal) => rules.meter.note(Use::Output),
                (Toward::Client, Kind::Service) => {}
            }
        }
        let written = self.write(bytes.get(..seen.used).unwrap_or_default(), rules).await;
        written.or(seen.closed.then_some(Done::Closed))
    }

    async fn write(&mut self, bytes: &[u8], rules: &Rules<'_>) -> Option<Done> {
        self.torn = true;
        let written = tokio::select! {
            biased;
            written = timeout(STALLED, self.to.write_all(bytes)) => written,
            () = rules.lease.over().cancelled() => return Some(Done::Ending),
        };
        match written {
            Ok(Ok(())) => {
                self.torn = false;
                None
            }
            _ => Some(Done::Stuck),
        }
    }

    /// Says the last word, where it would be understood.
    async fn part(&mut self, close: &[u8]) {
        if !self.torn && self.walk.between_frames() {
            drop(timeout(PARTING, self.to.write_all(close)).await);
        }
        drop(timeout(PARTING, self.to.flush()).await);
    }
}
