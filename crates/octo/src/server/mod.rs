//! The server as a whole: its parts, its start, its end.

mod alone;
pub mod app;
mod checks;
mod end;
pub mod layers;
pub mod listen;
mod patient;
mod places;
mod router;
mod start;
mod unread;

pub use app::{App, Part};
pub use layers::audit::Note;
pub use layers::request_id::RequestId;
pub use router::router;
pub use start::{ServeError, serve};
