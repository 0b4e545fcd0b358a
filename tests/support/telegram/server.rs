//! The stand-in's port, its certificate, and one thread for each connection.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::listening::Listening as Port;
use super::Shared;
use super::conversation::answer_all;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long a connection may be silent before the stand-in closes it, as the service does.
const SILENCE: Duration = Duration::from_secs(60);

/// A test authority as PEM, valid from 2025 on, and a server with a certificate of it for these names and years.
pub(crate) fn certificates(names: &[&str], years: (i32, i32)) -> (String, Arc<ServerConfig>) {
    // OpenSSL finds an issuer by its name, so that no two authorities may have the same.
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    let name = format!("test authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.not_before = date_time_ymd(2025, 1, 1);
    let authority_key = KeyPair::generate().unwrap();
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut server = CertificateParams::new(names).unwrap();
    server.distinguished_name.push(DnType::CommonName, "stand-in");
    server.use_authority_key_identifier_extension = true;
    server.not_before = date_time_ymd(years.0, 1, 1);
    server.not_after = date_time_ymd(years.1, 1, 1);
    let server_key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let certificate = server.signed_by(&server_key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority_certificate.pem(), Arc::new(config))
}

/// The open connections, by their other ends.
type Connections = Mutex<HashMap<SocketAddr, TcpStream>>;

/// An open port, and the connections that were opened through it.
#[derive(Debug)]
pub(super) struct Listening {
    port: Port,
    connections: Arc<Connections>,
}

impl Listening {
    pub(super) fn port(&self) -> u16 {
        self.port.address.port()
    }

    /// Breaks all connections.
    pub(super) fn break_connections(&self) {
        for stream in self.connections.lock().unwrap_or_else(PoisonError::into_inner).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

pub(super) fn listen(port: u16, tls: Option<Arc<ServerConfig>>, shared: Arc<Shared>) -> Listening {
    let connections = Arc::new(Connections::default());
    let opened = Arc::clone(&connections);
    let port = Port::open(port, move |stream| {
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        let (opened, key) = (Arc::clone(&opened), stream.peer_addr());
        if let (Ok(key), Ok(stream)) = (&key, stream.try_clone()) {
            opened.lock().unwrap_or_else(PoisonError::into_inner).insert(*key, stream);
        }
        std::thread::spawn(move || {
            // A mistake of the stand-in's own must fail the test, and not only end a thread that nobody watches.
            if catch_unwind(AssertUnwindSafe(|| converse(stream, tls, &shared))).is_err() {
                shared.state().violate("the stand-in panicked".to_owned());
            }
            // Only then is the connection closed.
            if let Ok(key) = key {
                opened.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            }
        });
    });
    Listening { port, connections }
}

fn converse(mut stream: TcpStream, tls: Option<Arc<ServerConfig>>, shared: &Shared) {
    shared.state().connections += 1;
    let _ = stream.set_read_timeout(Some(SILENCE));
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        answer_all(&mut BufReader::new(stream), shared);
        return;
    };
    if shared.state().break_handshake() {
        // No record of TLS: the caller's side gives up at its first byte.
        let _ = stream.write_all(b"this is no TLS\r\n");
        return;
    }
    let mut connection = ServerConnection::new(tls).unwrap();
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            shared.state().handshakes.push(error.to_string());
            shared.changed.notify_all();
            return;
        }
    }
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    answer_all(&mut stream, shared);
    let stream = stream.get_mut();
    stream.conn.send_close_notify();
    let _ = stream.flush();
}
