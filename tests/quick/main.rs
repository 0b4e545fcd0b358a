//! Tests that need no peer.

mod transcripts;
