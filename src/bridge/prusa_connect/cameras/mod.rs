//! The printer's cameras, each registered with Connect, and their pictures.
//!
//! [`Course`] decides what is due, `trigger` when; neither knows a camera or a server.

mod course;
mod trigger;

pub(crate) use course::{Answer, Condition, Course, Sent, Step};
pub(crate) use trigger::Trigger;
