//! Tests that need no peer.
