//! Ports of 127.0.0.1 for each bed: none that the system gives away, and none of another bed's, in this process or in
//! another.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::OnceLock;

const FIRST: u16 = 10_000;
/// Processes of these tests that may run at one time.
const SHARES: u16 = 8;
/// Beds of a process that have ports of their own.
const BEDS: u16 = 42;
/// Ports of a bed: its pool, and the server's own.
const PORTS: u16 = 31;

/// The first of the bed's pool, and the server's own.
pub(super) fn of(bed: u16) -> (u16, u16) {
    let base = FIRST + (share() * BEDS + bed % BEDS) * PORTS;
    (base, base + PORTS - 1)
}

/// Which share of the ports is this process's, until it ends.
fn share() -> u16 {
    static SHARE: OnceLock<(u16, UnixListener)> = OnceLock::new();
    let claim = |share: u16| {
        let name = SocketAddr::from_abstract_name(format!("octo-test-ports-{share}")).unwrap();
        Some((share, UnixListener::bind_addr(&name).ok()?))
    };
    SHARE.get_or_init(|| (0..SHARES).find_map(claim).expect("too many of these tests run at one time")).0
}
