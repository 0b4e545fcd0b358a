//! Lets a guest reach a Unix socket of the host: a TCP port on loopback, each connection passed on to the socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// The forwarder; its port stays open until the process ends.
#[derive(Debug)]
pub(crate) struct Forward {
    port: u16,
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Forward {
    /// Listens on a free port of 127.0.0.1.
    pub(crate) fn to(socket: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let (ours, socket) = (Arc::clone(&connections), socket.to_owned());
        std::thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                ours.lock().unwrap().push(guest.try_clone().unwrap());
                let socket: PathBuf = socket.clone();
                std::thread::spawn(move || pass_both(&guest, &socket));
            }
        });
        Self { port, connections }
    }

    /// The port on the host; a guest reaches it at 10.0.2.2.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }
}

fn pass_both(guest: &TcpStream, socket: &Path) {
    // A socket that is not there closes the guest's connection, as a server does that is not there.
    let Ok(server) = UnixStream::connect(socket) else { return };
    let _ = guest.set_nodelay(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pass(guest, &server);
            server.shutdown(Shutdown::Write)
        });
        pass(&server, guest);
        let _ = guest.shutdown(Shutdown::Write);
    });
}

fn pass(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
}
