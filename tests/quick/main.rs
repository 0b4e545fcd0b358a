//! Tests that need no peer.

mod moonraker_connection;
mod transcripts;
