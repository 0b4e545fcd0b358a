//! A port in front of a service that passes everything on, and counts it: what goes over the wire is counted as it is
//! there, encrypted, without what TCP and IP add.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The port; open until the process ends.
#[derive(Debug)]
pub(crate) struct Counted {
    service: u16,
    port: u16,
    bytes: Arc<AtomicU64>,
}

impl Counted {
    /// Opens one in front of the service whose address this is.
    pub(crate) fn before(url: &str) -> Result<Self, String> {
        let port = url.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
        let service: u16 = port.ok_or_else(|| format!("{url} names no port"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&bytes);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, service)) else { continue };
                let (Ok(up), Ok(down)) = (client.try_clone(), server.try_clone()) else { continue };
                for (from, to) in [(up, server), (down, client)] {
                    let counted = Arc::clone(&counted);
                    std::thread::spawn(move || pass(from, to, &counted));
                }
            }
        });
        Ok(Self { service, port, bytes })
    }

    /// The same settings, leading through here.
    pub(crate) fn through(&self, settings: &str) -> String {
        settings.replace(&format!(":{}", self.service), &format!(":{}", self.port))
    }

    /// Bytes that went through so far, in both directions.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, counted: &AtomicU64) {
    let _ = to.set_nodelay(true);
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        counted.fetch_add(count as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
