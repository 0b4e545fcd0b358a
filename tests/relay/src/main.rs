//! Relays a Unix socket to a TCP address: `standin-relay SOCKET HOST:PORT`.
//!
//! In the booted guest it stands where Moonraker does: it listens on Moonraker's socket and passes each connection
//! on to the host, where the real Moonraker runs. Bytes are passed as they come, and the end of each direction on its
//! own. When the host refuses, the guest's connection is closed, as it would be by a Moonraker that goes away.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(socket), Some(target), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        return complain("usage: standin-relay SOCKET HOST:PORT", 2);
    };
    match serve(Path::new(&socket), &target) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&format!("standin-relay: {socket}: {error}"), 1),
    }
}

fn complain(text: &str, status: u8) -> ExitCode {
    // There is nobody to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(status)
}

/// Listens until the listener fails. A socket left over from an earlier run is replaced, as Moonraker does.
fn serve(socket: &Path, target: &str) -> std::io::Result<()> {
    if let Some(folder) = socket.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for connection in UnixListener::bind(socket)?.incoming() {
        let (guest, target) = (connection?, target.to_owned());
        std::thread::spawn(move || relay(&guest, &target));
    }
    Ok(())
}

/// Passes both directions on until both have ended. A failure of either ends only this connection.
fn relay(guest: &UnixStream, target: &str) -> Option<()> {
    let host = TcpStream::connect(target).ok()?;
    host.set_nodelay(true).ok()?;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pass(guest, &host);
            host.shutdown(Shutdown::Write)
        });
        pass(&host, guest);
        // The guest may have closed already.
        let _ = guest.shutdown(Shutdown::Write);
    });
    Some(())
}

/// Copies until the source ends or one side fails; then the source is told to say no more.
fn pass(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(buffer.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A relay in a thread, its socket, and the host's listener behind it.
    fn relayed() -> (scratch::Folder, UnixStream, TcpListener) {
        let folder = scratch::Folder::new();
        let host = TcpListener::bind("127.0.0.1:0").unwrap();
        let (socket, target) =
            (folder.0.join("comms/moonraker.sock"), host.local_addr().unwrap().to_string());
        let ours = socket.clone();
        std::thread::spawn(move || serve(&ours, &target).unwrap());
        let guest = loop {
            match UnixStream::connect(&socket) {
                Ok(guest) => break guest,
                Err(_) => std::thread::yield_now(),
            }
        };
        (folder, guest, host)
    }

    /// A folder that goes away by itself, since this package has no dependency.
    mod scratch {
        pub(super) struct Folder(pub(super) std::path::PathBuf);

        impl Folder {
            pub(super) fn new() -> Self {
                use std::sync::atomic::{AtomicU32, Ordering};
                static NUMBER: AtomicU32 = AtomicU32::new(0);
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let path = std::env::temp_dir().join(format!("relay-{}-{number}", std::process::id()));
                std::fs::create_dir_all(&path).unwrap();
                Self(path)
            }
        }

        impl Drop for Folder {
            fn drop(&mut self) {
                let _ = std::fs::remove_dir_all(&self.0);
            }
        }
    }

    #[test]
    fn each_direction_passes_and_ends_on_its_own() {
        let (_folder, mut guest, host) = relayed();
        guest.write_all(b"ask\x03").unwrap();
        guest.shutdown(Shutdown::Write).unwrap();
        let (mut host, _) = host.accept().unwrap();
        let mut asked = Vec::new();
        host.read_to_end(&mut asked).unwrap();
        assert_eq!(asked, b"ask\x03");
        host.write_all(&vec![b'a'; 1 << 20]).unwrap();
        drop(host);
        let mut answer = Vec::new();
        guest.read_to_end(&mut answer).unwrap();
        assert_eq!(answer.len(), 1 << 20);
    }

    #[test]
    fn a_host_that_refuses_ends_the_connection() {
        let (_folder, mut guest, host) = relayed();
        // The first connection is in the listener's queue; closing the listener resets it.
        drop(host);
        let _ = guest.write_all(b"ask\x03");
        assert!(matches!(guest.read(&mut [0; 1]), Ok(0) | Err(_)));
    }
}
