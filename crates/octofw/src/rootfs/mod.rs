//! The unpacked root: what is in it, where its links lead, and how it is packed again.
//!
//! Owners, device nodes and setuid bits live in one fakeroot session ([`session`]); nothing here needs privileges.
//! Not here: the container around the squashfs, and what an overlay is.

pub mod architecture;
mod checks;
mod contents;
pub(crate) mod faked;
pub mod inside;
pub(crate) mod lacking;
pub mod listing;
pub mod packing;
mod partial;
pub mod session;
pub mod snapshot;
pub mod splicing;
pub mod startable;
pub mod steps;
pub(crate) mod unpacking;
pub mod watch;
