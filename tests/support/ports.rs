//! Ports for whoever is told of one and listens on it later, or again.
//!
//! A port that the system picks belongs to nobody once its listener is closed: the next connection of anybody, or the
//! next stand-in, may get it. These are none that the system picks, and no two of them are the same, in all test programs
//! of this machine.

use std::net::{Ipv4Addr, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

/// The ports of 127.0.0.1 that may be given. The workshop's beds have those below; systems pick theirs from 32768 on,
/// unless told otherwise.
const FIRST: u16 = 20_500;
const END: u16 = 32_700;
/// So many belong to a process at a time.
const BLOCK: u16 = 50;

/// What this process may still give, and what keeps others from its blocks: a name for each, until the process ends.
#[derive(Debug)]
struct Ours {
    free: std::ops::Range<u16>,
    claims: Vec<UnixListener>,
}

static OURS: Mutex<Ours> = Mutex::new(Ours { free: 0..0, claims: Vec::new() });

/// A port of 127.0.0.1 that nobody listens on, and that nobody else is given as long as this process lives.
pub(crate) fn free_port() -> u16 {
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        // Somebody may have been told to listen there. To listen there for a trial would leave a trace: what another
        // thread is about to start has it, too, for a moment.
        let free = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err();
        if let Some(port) = ours.free.find(free) {
            return port;
        }
        ours.claim();
    }
}

impl Ours {
    /// Takes another block.
    fn claim(&mut self) {
        let claimed = (FIRST..END - BLOCK).step_by(usize::from(BLOCK)).find_map(|first| {
            let name = SocketAddr::from_abstract_name(format!("octobridge-tests-{first}")).unwrap();
            Some((first, UnixListener::bind_addr(&name).ok()?))
        });
        let (first, claim) = claimed.expect("all ports for tests are taken");
        self.free = first..first + BLOCK;
        self.claims.push(claim);
    }
}
