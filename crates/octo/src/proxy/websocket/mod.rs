//! WebSockets between a browser and a service: frames are passed on as they come and never gathered, so that a socket
//! needs a few kilobytes whatever goes through it.

pub mod frame;
pub(super) mod handshake;
pub(super) mod relay;
