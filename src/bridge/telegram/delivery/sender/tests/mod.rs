//! The whole sender against a scripted server, on a clock that the test turns: no socket, no waiting.

mod arriving;
mod chat;
mod late;
mod order;
mod pictures;
mod trouble;
mod world;
