//! Commands from the chat: what people write and press, who may do what, and what the printer is told.
//!
//! [`update`] reads, [`clerk`] decides, both without talking to anybody; [`poller`] asks Telegram what there is, [`desk`]
//! sees to what takes its time, [`voice`] speaks. Nothing of it exists unless the settings name chats and people, but for
//! the message that is kept up to date ([`board`]), which the settings may ask for as well.

mod access;
mod board;
mod clerk;
mod desk;
mod errand;
mod files;
mod keeper;
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
pub(super) use clerk::Checks;
pub(super) use keeper::Keeper;
pub(super) use listener::{Listener, Parts};
pub(super) use menu::needed;
pub(super) use update::{Incoming, read};

use token::{Button, mark};

/// The buttons below an alert about the job of that key.
pub(super) fn below_an_alert(job: &str) -> Vec<(String, String)> {
    let mark = mark(job);
    let all = [("Pause", Button::Pause), ("Cancel", Button::Cancel), ("False alarm", Button::Quiet)];
    all.map(|(label, button)| (label.to_owned(), button.data("", &mark))).to_vec()
}

/// The button below the end of a job, by which its file is printed once more.
pub(super) fn below_an_end(file: &str) -> Vec<(String, String)> {
    vec![("Print again".to_owned(), Button::Again.data("", &mark(file)))]
}
