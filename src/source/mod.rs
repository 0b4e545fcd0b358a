//! Where the view of the printer comes from. Knows connections and wire formats; never a bridge.

pub mod control;
pub mod moonraker;

use crate::printer::Klippy;
use std::time::Duration;

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
