//! How a message gets into the chat: handed in ([`outgoing`]) with its picture ([`darkroom`]), kept by the outbox
//! ([`stored`]), sent ([`sender`], on a [`thread`]) no faster than the chat takes it ([`pace`]), and then what [`decision`]
//! says of the answer. [`moved`] remembers where the chat went.

mod darkroom;
mod decision;
mod moved;
mod outgoing;
mod pace;
mod sender;
mod stored;
mod thread;

pub(super) use darkroom::Darkroom;
pub(super) use decision::{Attempt, Decision, PROBE, Shape, decide};
pub(super) use moved::MovedChat;
pub(super) use outgoing::Outgoing;
pub(super) use pace::Paces;
pub(super) use sender::{Next, Sender};
pub(super) use thread::start;

/// A number from 0 to 1 by chance, for [`decide`]; 0 where the system has none to give.
pub(super) fn chance() -> f64 {
    getrandom::u32().map_or(0.0, |random| f64::from(random) / f64::from(u32::MAX))
}
