//! How a message gets into the chat: handed in ([`outgoing`]) with its picture ([`darkroom`]), kept by the outbox, sent
//! ([`sender`]) no faster than the chat takes it ([`pace`]), as [`decision`] says after each answer. [`moved`] remembers
//! where the chat went.

mod darkroom;
mod decision;
mod moved;
mod outgoing;
mod pace;
mod sender;
mod stored;

pub(super) use darkroom::Darkroom;
pub(super) use decision::{Attempt, Decision, PROBE, Shape, decide};
pub(super) use moved::MovedChat;
pub(super) use outgoing::Outgoing;
pub(super) use pace::Paces;
pub(super) use sender::{Next, Sender};
