//! What speaks the Bot API: a call and its answer as they go over the wire ([`wire`]), the form that carries a file
//! ([`form`]), and the connection ([`client`]), which is the bridge's only one to the network. What came of a call
//! ([`outcome`]) is given a meaning ([`class`]) and words for people ([`explain`]).

mod class;
mod client;
mod explain;
mod form;
mod outcome;
mod wire;

pub(super) use class::{Class, classify};
#[cfg(test)]
pub(super) use client::Fetched;
pub(super) use client::{Api, Client, Interrupt};
pub(super) use explain::explain;
pub(super) use outcome::{Fault, FaultKind, Outcome};
pub(super) use wire::{Answer, Call, File, keyboard};
#[cfg(test)]
pub(super) use wire::{Envelope, Parameters};
