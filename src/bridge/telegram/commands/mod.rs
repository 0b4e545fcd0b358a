//! Commands from the chat: what people write and press, who may do what, and what the printer is told.
//!
//! [`update`] reads, [`clerk`] decides, both without talking to anybody; [`poller`] asks Telegram what there is, [`desk`]
//! sees to what takes its time, [`voice`] speaks. Nothing of it exists unless the settings name chats and people.

mod access;
mod clerk;
mod desk;
mod errand;
mod files;
mod listener;
mod menu;
mod order;
mod poller;
#[cfg(test)]
mod tests;
mod token;
mod update;
mod voice;
mod wording;

pub(super) use access::Right;
pub(super) use listener::{Listener, Parts};
pub(super) use menu::needed;
pub(super) use update::{Incoming, read};
