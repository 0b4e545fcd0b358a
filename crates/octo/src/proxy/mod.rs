//! What goes between a browser and the services of a session.

pub mod target;

pub use target::{Target, Targets};
