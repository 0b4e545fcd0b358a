//! The protocol between a printer and Prusa Connect. Knows Connect, and nothing of the printer: no Moonraker, no
//! files, no camera.
//!
//! The types are free of the dialect: the HTTP dialect of the official SDK for Python is spoken now, the WebSocket
//! dialect of Prusa's 32-bit firmware would be a second codec of the same events, telemetry and orders.

//!
//! | module | what |
//! |---|---|
//! | [`line`] | the whole: what is sent next, and what an answer means |
//! | [`event`], [`telemetry`], [`state`], [`order`] | the words that the rest of the bridge has in common with it |
//! | [`identity`], [`token`], [`kept`] | who the printer is, and what is kept for good |
//! | [`http`], [`json`] | what requests and answers look like |
//! | [`registration`] | from a code to a token |
//! | [`ledger`], [`catalogue`] | the life of commands |
//! | [`queue`], [`pulse`], [`clock_step`] | events that wait, telemetry, steps of the clock |

pub(crate) mod catalogue;
mod clock_step;
pub(crate) mod event;
pub(crate) mod http;
pub(crate) mod identity;
pub(crate) mod json;
pub(crate) mod kept;
pub(crate) mod ledger;
pub(crate) mod line;
pub(crate) mod order;
mod pulse;
mod queue;
pub(crate) mod registration;
pub(crate) mod state;
pub(crate) mod telemetry;
pub(crate) mod token;
