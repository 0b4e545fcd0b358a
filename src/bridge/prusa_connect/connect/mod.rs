//! The protocol between a printer and Prusa Connect. Knows Connect, and nothing of the printer: no Moonraker, no
//! files, no camera.
//!
//! The types are free of the dialect: the HTTP dialect of the official SDK for Python is spoken now, the WebSocket
//! dialect of Prusa's 32-bit firmware would be a second codec of the same events, telemetry and orders.

pub(crate) mod event;
pub(crate) mod order;
pub(crate) mod state;
pub(crate) mod telemetry;
