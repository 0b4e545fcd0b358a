//! Moonraker as a source: JSON-RPC over its Unix socket or its WebSocket.
//!
//! [`session`] holds the talk itself and does no I/O; [`transport`] carries bytes; [`run`](run()) joins the two
//! and reconnects for ever. The protocol's facts are Moonraker's documentation and recordings of version 0.11.

mod any;
mod api;
mod console;
mod endpoint;
mod faults;
mod file_news;
mod framing;
mod head;
mod history;
mod http;
mod lenient;
mod metadata;
mod objects;
mod prompt;
mod run;
#[cfg(test)]
mod run_tests;
mod session;
mod transport;
mod webcams;
mod wire;

pub use endpoint::{Endpoint, EndpointError};
pub(super) use endpoint::{split_port, without_secrets};
pub use framing::{Decoder, TooLong};
pub use http::{Progress, TransferError, Upload, Web};
pub use run::{Config, run};
pub use session::{Action, ApiKey, Session, SessionError, SessionOptions};
pub use transport::TransportError;

/// Longest message that is read. Moonraker's own messages stay below 100 kB; a longer one is the answer to a call that
/// asked for too much, and must not fill the printer's memory. It is passed over, and its call refused.
pub const MAX_MESSAGE: usize = 1024 * 1024;
