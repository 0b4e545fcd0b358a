//! The realtime feed as a source: a WebSocket over which a server pushes a printer's status and camera pictures.
//!
//! [`session`] holds the talk itself and does no I/O; [`transport`] carries bytes; [`run`](run()) joins the two and
//! reconnects for ever. There is no subprotocol and no time stamp: what comes is dated when it comes.

mod address;
mod heartbeat;
mod picture;
mod run;
mod session;
mod transport;
mod watchdog;
mod wire;

pub use address::{Address, AddressError, DEFAULT_ADDRESS};
pub use run::{Config, run};
pub use session::{Action, Session, SessionError};
pub use transport::TransportError;
pub use watchdog::{Watchdog, WatchdogSettings};
pub use wire::Order;

/// Longest message that is taken: a picture of 3 MB in base64. A longer one breaks the connection.
pub const MAX_MESSAGE: usize = 4 * 1024 * 1024;
