//! What is kept between runs, in small files in the data folder, readable by their owner alone.
//!
//! Each file has one writer, so that `octobridge pair` and the service never undo each other's work. The printer's token
//! is none of them: it is a secret like others (`prusa_connect_token`), and comes with the settings.

mod cameras;
mod commands;
mod drawer;
mod registration;

pub(crate) use cameras::CameraTokens;
pub(crate) use commands::{Commands, CommandsFile};
pub(crate) use drawer::{Drawer, StoreError};
pub(crate) use registration::{Pending, Registered, Registration};
