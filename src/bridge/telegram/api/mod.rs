//! What speaks the Bot API: a call and its answer as they go over the wire ([`wire`]), the form that carries a file
//! ([`form`]), and the connection ([`client`]), which is the bridge's only one to the network.

mod client;
mod form;
mod wire;

#[cfg(test)]
pub(super) use client::Fetched;
pub(super) use client::{Api, Client, Interrupt};
pub(super) use wire::{Answer, Call, File, Moved, Stored, keyboard};
#[cfg(test)]
pub(super) use wire::{Envelope, Parameters};
