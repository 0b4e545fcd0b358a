//! The end in order: nobody is let in, streams end, containers stop, requests are answered, the database is closed.

use std::fs;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::App;

/// What is left for requests once containers have stopped.
const LAST: Duration = Duration::from_secs(1);

/// The signals that end the server.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// The terminal is gone; `None` where whoever started the server lets it live on, as nohup does.
    hangup: Option<Signal>,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        // Before the handler stands in its place.
        let outlives = hangup_ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: if outlives { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    /// The name of the first one.
    pub(super) async fn first(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = hangup => "SIGHUP",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// The next one ends the process at once, with the exit code that is a shell's custom. Containers may stay; the next
    /// start looks at them. Not SIGHUP: who closes a terminal has not asked twice, but the kernel and the shell both send it.
    pub(super) fn leave_at_next(mut self) {
        tokio::spawn(async move {
            let code = tokio::select! {
                _ = self.terminate.recv() => 143,
                _ = self.interrupt.recv() => 130,
            };
            tracing::warn!("a second signal: the server ends at once");
            std::process::exit(code);
        });
    }
}

/// Whether SIGHUP is ignored, by what the kernel says of a process.
fn hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Signal 1 has the lowest bit.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Ends the server within its grace. `served` ends when the last connection has.
pub(super) async fn in_order(app: App, served: JoinHandle<()>, grace: Duration) {
    let deadline = Instant::now() + grace;
    // No new connections, 503 on those that are open; streams and sockets end, starts are cancelled.
    app.ending.cancel();
    if let Some(lifecycle) = &app.lifecycle {
        let stopped = lifecycle.end(deadline.checked_sub(LAST).unwrap_or(deadline)).await;
        tracing::info!("{stopped} sessions stopped");
    }
    if timeout_at(deadline, served).await.is_err() {
        tracing::warn!("requests were not answered in time");
    }
    app.tasks.close();
    if timeout_at(deadline, app.tasks.wait()).await.is_err() {
        tracing::warn!("{} tasks did not end in time", app.tasks.len());
    }
    app.store.checkpoint().await;
}

#[cfg(test)]
mod tests {
    use super::hangup_ignored;

    #[test]
    fn what_is_ignored_is_read_from_the_kernel_s_words() {
        let status =
            |mask: &str| format!("Name:\tocto\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t1\n");
        for (mask, expected) in
            [("0000000000000001", true), ("0000000000001005", true), ("0000000000001000", false), ("", false)]
        {
            assert_eq!(hangup_ignored(&status(mask)), expected, "{mask}");
        }
        assert!(!hangup_ignored(""));
    }
}
