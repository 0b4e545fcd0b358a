//! The proxies, between raw clients and services that misbehave on demand.

mod bed;
mod delivery;
mod limits;
mod log_ins;
mod raw;
mod sockets;
mod starting;
mod streams;
mod terminal;
