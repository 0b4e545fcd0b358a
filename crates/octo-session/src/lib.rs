//! What runs inside a workshop's container: `octo-init`, its first process; `octo-files`, the workspace over HTTP; and
//! `octo-terminal`, a shell over a WebSocket.

pub mod files;
pub mod init;
pub mod keys;
pub mod pages;
mod same;
pub mod server;
pub mod terminal;
