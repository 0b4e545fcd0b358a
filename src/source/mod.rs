//! Where the view of the printer comes from. Knows connections and wire formats; never a bridge.

mod bounds;
pub mod control;
pub mod feed;
pub mod moonraker;
mod stream;

use crate::clock::{Clock, Moment};
use crate::printer::{Klippy, Observation, Timed};
use control::{ControlError, Requests};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// A source, and what it needs to know.
#[derive(Debug, Clone)]
pub enum SourceConfig {
    /// Moonraker, on the printer itself or beside it.
    Moonraker(moonraker::Config),
    /// A realtime feed.
    Feed(feed::Config),
}

/// Takes the pictures that a source pushes: whole JPEG files, and when they came. Called between two messages, so it
/// must not wait for anything.
pub type Pictures = Box<dyn FnMut(Vec<u8>, Moment) + Send>;

/// Watches the printer until `shutdown` is true or dropped, or until nobody takes observations any more.
///
/// Observations are sent in order and none is left out; a receiver that is slow makes the source read slowly.
/// `status` always holds the present state. Only a feed pushes pictures; Moonraker's cameras are asked. `requests` are
/// answered as far as the source can, and given back at the end, for the source that follows.
pub async fn run(
    config: SourceConfig,
    clock: impl Clock,
    observations: mpsc::Sender<Timed<Observation>>,
    pictures: Pictures,
    status: watch::Sender<SourceStatus>,
    mut requests: Requests,
    shutdown: watch::Receiver<bool>,
) -> Requests {
    match config {
        SourceConfig::Moonraker(config) => {
            moonraker::run(config, clock, observations, status, requests, shutdown).await
        }
        SourceConfig::Feed(config) => {
            let (commands, received) = mpsc::channel(1);
            let source = feed::run(config, clock, observations, pictures, received, status.clone(), shutdown);
            tokio::select! {
                () = source => {}
                () = command(&mut requests, &commands, &status) => {}
            }
            requests
        }
    }
}

/// Ends when the program is to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever could want us to run.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Hands on what a feed can be asked for, and refuses the rest; never ends.
async fn command(
    requests: &mut Requests,
    commands: &mpsc::Sender<feed::Order>,
    status: &watch::Sender<SourceStatus>,
) {
    loop {
        let request = requests.next().await;
        let Some(what) = request.ask().command() else {
            request.unsupported();
            continue;
        };
        let wanted = feed::Order { what, by: request.by().cloned() };
        let away = {
            let status = status.borrow();
            (status.link != LinkState::Connected).then(|| status.last_error.clone().unwrap_or_default())
        };
        match away {
            Some(why) => request.answer(Err(ControlError::NotConnected { why })),
            None if commands.try_send(wanted).is_ok() => request.done(),
            None => request.answer(Err(ControlError::Busy)),
        }
    }
}

/// What a source tells of itself, for the status report.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceStatus {
    /// The address in use, or tried last; without secrets.
    pub endpoint: Option<String>,
    /// The connection.
    pub link: LinkState,
    /// Since when it is connected or not, as time since the Unix epoch; wrong while the clock is not set.
    pub since: Duration,
    /// Klipper's state as told over this connection; none while not connected.
    pub klippy: Option<Klippy>,
    /// Version of Moonraker, once known.
    pub moonraker_version: Option<String>,
    /// The last error in words, with the remedy; stays until the connection works again.
    pub last_error: Option<String>,
    /// What the source's server said last to people; only a feed does.
    pub notice: Option<Notice>,
    /// Messages that were not understood and ignored, since the start.
    pub ignored_messages: u64,
}

/// Words of a source's server to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether it calls itself an error.
    pub is_error: bool,
    /// The words: one line, bounded, without control characters.
    pub text: String,
    /// When it came, as time since the Unix epoch.
    pub at: Duration,
}

/// State of a source's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkState {
    /// Nothing was tried yet, or the first attempt runs.
    #[default]
    Connecting,
    /// The printer was seen over the present connection.
    Connected,
    /// The connection failed or was lost; it is tried again and again.
    Retrying,
}
