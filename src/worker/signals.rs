//! What the worker is asked from outside.

use crate::supervisor::unblock_signals;
use std::os::fd::AsFd;
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the worker is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To end.
    Stop,
    /// To read the settings again.
    Reload,
    /// Nothing, but the supervising process is gone.
    SupervisorDied,
}

/// The ways in which the worker is asked.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// The pipe from the supervising process; none in a worker that somebody started by hand.
    supervisor: Option<pipe::Receiver>,
}

impl Signals {
    /// Takes the signals over from the system's own treatment, and then lets through what came since the start: the
    /// supervising process starts a worker with all of them held back, since an early hangup would kill it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn take() -> std::io::Result<Self> {
        let signals = Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            supervisor: std::io::stdin()
                .as_fd()
                .try_clone_to_owned()
                .and_then(pipe::Receiver::from_owned_fd)
                .ok(),
        };
        unblock_signals()?;
        Ok(signals)
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
            () = dies(self.supervisor.as_ref()) => Asked::SupervisorDied,
        }
    }
}

/// Ends when the pipe from the supervising process closes.
async fn dies(pipe: Option<&pipe::Receiver>) {
    // Nothing is ever written into it: that it can be read means that it is closed.
    match pipe {
        Some(pipe) if pipe.readable().await.is_ok() => {}
        _ => std::future::pending().await,
    }
}
