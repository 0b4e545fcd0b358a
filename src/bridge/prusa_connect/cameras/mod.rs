//! The printer's cameras, each registered with Connect, and their pictures.
//!
//! [`Course`] decides what is due, `trigger` when; neither knows a camera or a server. `set` says which cameras there
//! are, `request` what is sent of them, and `round` does it.

mod course;
mod handle;
pub(super) mod rehearsal;
mod request;
mod round;
mod set;
mod trigger;

pub(crate) use course::Condition;
pub(crate) use handle::{Cameras, Means};
pub(crate) use trigger::Trigger;
