//! Relays a Unix socket to a TCP address.
fn main() {}
