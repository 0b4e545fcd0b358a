//! Time that a test drives: at a stroke, or in a flow for the real code over real sockets.

use octobridge::clock::{Clock, Moment};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A clock that the test turns. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Turned {
    /// What the wall clock shows at first, as time since the Unix epoch.
    start: Duration,
    passed: Arc<Mutex<Duration>>,
}

impl Turned {
    /// One that shows so many seconds since the Unix epoch at first.
    pub(crate) fn from(start: u64) -> Self {
        Self { start: Duration::from_secs(start), passed: Arc::default() }
    }

    /// Turns both clocks to so much after the start.
    pub(crate) fn turn(&self, passed: Duration) {
        *self.passed.lock().unwrap() = passed;
    }
}

impl Clock for Turned {
    fn now(&self) -> Moment {
        let monotonic = *self.passed.lock().unwrap();
        Moment { monotonic, unix: self.start + monotonic }
    }
}

/// Tokio's clock, which stands still while anything happens.
#[derive(Clone)]
pub(crate) struct VirtualClock(pub(crate) Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        let passed = self.0.elapsed();
        Moment { monotonic: passed, unix: Duration::from_secs(1_795_222_000) + passed }
    }
}

/// Lets virtual time flow, some fifty times as fast as real time. Tokio's own way, to jump to the next timer as
/// soon as nothing is ready, would jump while the kernel still carries bytes from one socket to the other.
pub(crate) struct Flow(JoinHandle<()>);

impl Flow {
    pub(crate) fn begin() -> Self {
        Self(tokio::spawn(async {
            loop {
                // Tokio does not jump while a blocking task runs.
                let rest = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_micros(300)));
                rest.await.unwrap();
                tokio::time::advance(Duration::from_millis(20)).await;
            }
        }))
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.0.abort();
    }
}
