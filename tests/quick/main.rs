//! Tests that need no peer.

mod outbox;
mod telegram;
