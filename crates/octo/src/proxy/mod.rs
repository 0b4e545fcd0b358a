//! What goes between a browser and the services of a session: requests, event streams and WebSockets.
//!
//! A request's way: [`route`] says which session and service its path means, [`Targets`] whether there is one for this
//! user, [`framing`] whether its length is beyond doubt. Then [`http`] or [`upgrade`] connects, again and again while the
//! session starts ([`reach`]), and only then sends; [`request`] and [`response`] say which headers pass, [`credentials`]
//! which never do. Bodies are streamed both ways by [`exchange`], which holds no more than a piece of them.
//! [`terminal`] is the one WebSocket that is accepted before its service listens.
//!
//! Not here: who may ask and from which pages (layers of [`crate::server`]), what a session is ([`crate::session`]).

pub mod backoff;
pub mod credentials;
mod exchange;
pub mod framing;
mod hop;
mod http;
mod pool;
mod reach;
mod relayed;
pub mod request;
pub mod response;
pub mod route;
mod service;
pub mod target;
pub mod terminal;
mod upgrade;
mod upload;
pub mod websocket;
mod wire;

pub use service::{Limits, Proxies, routes};
pub use target::{Target, Targets, Use};
