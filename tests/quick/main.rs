//! Tests that need no peer.

#[cfg(test)]
mod init;
