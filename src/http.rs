//! The blocking HTTP client of bridges and camera: small buffers, bounded times, the program's one TLS set-up.
//!
//! Knows no service. ureq's own TLS layer cannot take a ready rustls set-up, so a connector of 60 lines does;
//! it stands on ureq's `unversioned` interfaces, which may change with a minor release.

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::{Config, ConfigBuilder};
use ureq::http::Uri;
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, TcpConnector, Transport,
    TransportAdapter,
    time::{self, Instant},
};
use ureq::{Agent, Error};

/// Size of the buffer on each side of a connection, in bytes; bounds the header of an answer, too.
const BUFFER: usize = 8 * 1024;

/// Whether a host is in a local network, by its address or the form of its name: plain HTTP, with its secrets, goes no
/// further.
pub(crate) fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
        Err(_) => {
            let zones = [".local", ".lan", ".home", ".home.arpa", ".internal", ".localhost"];
            let name = bare.to_ascii_lowercase();
            !name.contains('.') || zones.iter().any(|zone| name.ends_with(zone))
        }
    }
}

/// A client for one conversation partner: statuses are answers, not errors, and nothing is redirected, since
/// a redirection would carry secrets elsewhere.
///
/// `connect` bounds the set-up of a connection with TLS, `whole` a request from name resolution to the last
/// byte of the answer.
pub fn agent(tls: Arc<ClientConfig>, connect: Duration, whole: Duration) -> Agent {
    let config = config()
        .timeout_connect(Some(connect))
        .timeout_global(Some(whole))
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(Duration::from_secs(10))
        .build();
    let connector = ().chain(TcpConnector::default()).chain(TlsConnector { tls: Some(tls) });
    Agent::with_parts(config, connector, SameThreadResolver::default())
}

/// The same, but each step of a request has `step` besides: the set-up of a connection with TLS, and each wait until more
/// can be written or read. So a partner that does not answer is given up early, and a long body can still be sent.
pub(crate) fn stepwise(tls: Arc<ClientConfig>, step: Duration, whole: Duration) -> Agent {
    let config = config()
        .timeout_connect(Some(step))
        .timeout_per_read(Some(step))
        .timeout_per_write(Some(step))
        .timeout_global(Some(whole))
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(Duration::from_secs(10))
        .build();
    let connector = ().chain(TcpConnector::default()).chain(TlsConnector { tls: Some(tls) });
    Agent::with_parts(config, connector, SameThreadResolver::default())
}

/// A client for one large file: `step` bounds the set-up of a connection with TLS, and each wait for more, but nothing
/// the whole. Without `tls` it can only speak plain HTTP.
pub(crate) fn streaming(tls: Option<Arc<ClientConfig>>, step: Duration, resolver: impl Resolver) -> Agent {
    let config = config()
        .timeout_connect(Some(step))
        .timeout_per_read(Some(step))
        .timeout_per_write(Some(step))
        .max_idle_connections(0)
        .build();
    Agent::with_parts(config, ().chain(TcpConnector::default()).chain(TlsConnector { tls }), resolver)
}

/// What all clients have in common.
fn config() -> ConfigBuilder<AgentScope> {
    Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("octobridge/", env!("CARGO_PKG_VERSION")))
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_response_header_size(BUFFER)
}

/// The TLS error at the root of `error`, if there is one.
pub fn tls_cause(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Io(error) => error.get_ref()?.downcast_ref(),
        Error::Other(error) => error.downcast_ref(),
        _ => None,
    }
}

/// A name that nobody knows, or no name server to ask.
const NO_HOST: &str = "no such host; check the name and the network's DNS";

/// Why a request had no answer and what to do about it, in words for people.
pub fn reason(error: &Error) -> String {
    match tls_cause(error) {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            return "its certificate is from an unknown issuer; for a server of your own set EXTRA_CA_FILE"
                .to_owned();
        }
        Some(rustls::Error::InvalidCertificate(reason)) if is_too_early(reason) => {
            return "its certificate is not valid yet; check the clocks of the printer and the server"
                .to_owned();
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => {
            return "its certificate has expired; check the printer's clock and the server's certificate"
                .to_owned();
        }
        Some(error) => return format!("TLS failed: {error}"),
        None => {}
    }
    match error {
        Error::Timeout(step) => format!("no answer in time ({step}); check the network"),
        Error::HostNotFound => NO_HOST.to_owned(),
        // So the standard library words a failed look-up, which has no kind of its own.
        Error::Io(error) if error.to_string().starts_with("failed to lookup address") => NO_HOST.to_owned(),
        Error::Io(error) => format!("{error}; check the network"),
        error => error.to_string(),
    }
}

/// Whether a certificate is refused because it becomes valid later, by the clock of this machine.
pub fn is_too_early(reason: &CertificateError) -> bool {
    matches!(reason, CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })
}

/// Resolves names on the calling thread. ureq would start a thread for each name; a bridge's thread may
/// block, and the C library bounds the time.
// It would panic, too, where no thread is to be had.
#[derive(Debug, Default)]
pub(crate) struct SameThreadResolver(DefaultResolver);

impl Resolver for SameThreadResolver {
    fn resolve(&self, uri: &Uri, config: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.0.resolve(uri, config, NextTimeout::default())
    }
}

/// Wraps what connects to an `https` address in TLS.
#[derive(Debug)]
struct TlsConnector {
    tls: Option<Arc<ClientConfig>>,
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let tls = self.tls.as_ref().ok_or(Error::TlsRequired)?;
        let host = details.uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| Error::Other(Box::new(error)))?;
        let connection = ClientConnection::new(Arc::clone(tls), name);
        let connection = connection.map_err(|error| Error::Other(Box::new(error)))?;
        let mut socket = TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        socket.set_timeout(remaining(details));
        let mut stream = StreamOwned::new(connection, socket);
        stream.conn.complete_io(&mut stream.sock)?;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers, stream })))
    }
}

/// What the connection to the server's port left of the time for the set-up.
fn remaining(details: &ConnectionDetails) -> NextTimeout {
    let mut timeout = details.timeout;
    let clock = ((details.current_time)(), details.now);
    if let (Instant::Exact(now), Instant::Exact(start), time::Duration::Exact(limit)) =
        (clock.0, clock.1, timeout.after)
    {
        let left = limit.saturating_sub(now.saturating_duration_since(start));
        // Zero would mean no limit at all to the socket.
        timeout.after = time::Duration::Exact(left.max(Duration::from_millis(1)));
    }
    timeout
}

/// A connection inside TLS.
struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl std::fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsTransport").field("inner", self.stream.sock.inner()).finish()
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.set_timeout(timeout);
        let output = self.buffers.output();
        let output = output.get(..amount).ok_or(Error::ConnectionFailed)?;
        self.stream.write_all(output)?;
        Ok(self.stream.flush()?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
