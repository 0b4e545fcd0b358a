//! The servers of a session from outside: HTTP, WebSockets, processes. Nothing here needs a container.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod archives;
mod bed;
mod cut_off;
mod files;
mod init;
mod keys;
mod pages;
mod terminal;
mod uploads;
mod watch;
