//! What the running service tells about itself: the report, the socket that serves it, and its reader.

mod query;
mod report;
mod server;

pub use query::{State, ask};
pub use report::{BridgeLine, Health, ProblemLine, Report, SCHEMA, render};
pub use server::{bind, serve};
