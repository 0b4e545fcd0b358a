//! Time that a test drives, for the real code over real sockets.

use octobridge::clock::{Clock, Moment};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

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
