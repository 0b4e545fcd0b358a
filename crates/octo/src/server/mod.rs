//! The server as a whole: its parts, its start, its end.

pub mod app;

pub use app::App;
