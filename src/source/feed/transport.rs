//! Bytes to and from the feed's server. Knows the WebSocket, its limits and its errors, and nothing of JSON.

use super::{Address, MAX_MESSAGE};
use crate::source::stream::Stream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{FutureExt, SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Time for name, connection, encryption and the WebSocket's handshake together.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for a message to leave; a server that does not read for so long is dead.
const SEND: Duration = Duration::from_secs(10);
/// Time for the farewell; nobody waits longer for a server that is being left.
const FAREWELL: Duration = Duration::from_secs(2);
/// Size of the buffers. A great message gets room of its own.
const BUFFER: usize = 16 * 1024;
/// What is sent is short.
const MAX_UNSENT: usize = 64 * 1024;
/// A message of so many bytes leaves no room behind in which the next one would only lie: pictures are the greatest
/// things in the program.
const GREAT: usize = 64 * 1024;

/// What is wrong with a connection.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nobody listens, or the way there is barred.
    #[error("cannot connect to the feed at {address}: {error}; check WS_URL and the network")]
    Connect {
        /// The address.
        address: String,
        /// The system's words.
        error: io::Error,
    },
    /// No connection in time.
    #[error("no connection to the feed at {address} within {} s: check WS_URL and the network", CONNECT.as_secs())]
    ConnectTimeout {
        /// The address.
        address: String,
    },
    /// The server cannot be trusted, or does not speak TLS.
    #[error(
        "no encrypted connection to the feed at {address}: {error}; check WS_URL, the clock, and EXTRA_CA_FILE if the server's certificate is your own"
    )]
    Encryption {
        /// The address.
        address: String,
        /// The error in words.
        error: io::Error,
    },
    /// The server knows no such printer.
    #[error("the feed at {address} does not know this printer (HTTP 403): check PRINTER_ID, and WS_URL")]
    UnknownPrinter {
        /// The address.
        address: String,
    },
    /// Something answers, but not as a WebSocket does.
    #[error(
        "what answers at {address} refuses a WebSocket ({why}): check WS_URL, or try later if it says 5xx"
    )]
    Handshake {
        /// The address.
        address: String,
        /// In words.
        why: String,
    },
    /// A message is longer than [`MAX_MESSAGE`].
    #[error("a message of the feed is longer than {} MiB: let its camera send smaller pictures", MAX_MESSAGE / 1024 / 1024)]
    TooLong,
    /// The server closed the connection.
    #[error("the feed closed the connection{detail}")]
    Closed {
        /// Code and reason, where it gave some.
        detail: String,
    },
    /// The connection broke.
    #[error("the connection to the feed broke: {0}")]
    Broken(String),
    /// Nothing leaves any more.
    #[error("the feed takes no more data: it hangs or the connection is dead")]
    SendStalled,
}

/// What came.
pub(super) enum Incoming {
    Text(Bytes),
    Binary,
    /// Pings are answered while they are read.
    Nothing,
}

/// An open connection.
pub(super) struct Transport(Box<WebSocketStream<Stream>>);

impl Transport {
    /// Connects; bounded in time.
    pub(super) async fn connect(address: &Address, tls: &Arc<ClientConfig>) -> Result<Self, TransportError> {
        match timeout(CONNECT, Self::open(address, tls)).await {
            Ok(opened) => opened,
            Err(_) => Err(TransportError::ConnectTimeout { address: address.to_string() }),
        }
    }

    async fn open(address: &Address, tls: &Arc<ClientConfig>) -> Result<Self, TransportError> {
        let request = request(address)?;
        let shown = || address.to_string();
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
        let stream = stream.map_err(|error| TransportError::Connect { address: shown(), error })?;
        // Heartbeats are small and few; none should wait for another to be acknowledged.
        let _ = stream.set_nodelay(true);
        let stream = if address.encrypted {
            let failed = |error| TransportError::Encryption { address: shown(), error };
            let name = ServerName::try_from(address.host.clone());
            let name = name.map_err(|error| failed(io::Error::other(error)))?;
            let connector = TlsConnector::from(Arc::clone(tls));
            Stream::encrypted(connector.connect(name, stream).await.map_err(failed)?)
        } else {
            Stream::plain(stream)
        };
        match client_async_with_config(request, stream, Some(config())).await {
            Ok((stream, _)) => Ok(Self(Box::new(stream))),
            Err(error) => Err(refused(address, error)),
        }
    }

    /// What comes next. May be dropped while it waits without losing anything.
    pub(super) async fn receive(&mut self) -> Result<Incoming, TransportError> {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => {
                if text.len() >= GREAT {
                    self.give_room_back().await;
                }
                Ok(Incoming::Text(text.into()))
            }
            Some(Ok(Message::Binary(_))) => Ok(Incoming::Binary),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Incoming::Nothing),
            Some(Ok(Message::Close(frame))) => {
                let detail = frame.map_or_else(String::new, |frame| {
                    let reason: String = frame.reason.chars().take(100).collect();
                    format!(" with code {} {reason:?}", u16::from(frame.code))
                });
                Err(TransportError::Closed { detail })
            }
            Some(Err(WsError::Capacity(CapacityError::MessageTooLong { .. }))) => {
                Err(TransportError::TooLong)
            }
            Some(Err(error)) => Err(TransportError::Broken(error.to_string())),
            None => Err(TransportError::Closed { detail: String::new() }),
        }
    }

    /// Goes on with a WebSocket that has no buffers yet: the present one's are as great as the message that came last,
    /// and stay so. Never waits.
    async fn give_room_back(&mut self) {
        // The answer to a ping may still be in it.
        if matches!(self.0.flush().now_or_never(), Some(Ok(())))
            && let Some(stream) = self.0.get_mut().take()
        {
            *self.0 = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config())).await;
        }
    }

    /// For how long nothing came, be it a part of a message.
    pub(super) fn silence(&self) -> Duration {
        self.0.get_ref().silence()
    }

    /// Sends a message; bounded in time.
    pub(super) async fn send(&mut self, text: &'static str) -> Result<(), TransportError> {
        self.put(Message::Text(Utf8Bytes::from_static(text))).await
    }

    /// Asks whether the other side is there; bounded in time.
    pub(super) async fn ping(&mut self) -> Result<(), TransportError> {
        self.put(Message::Ping(Bytes::new())).await
    }

    async fn put(&mut self, message: Message) -> Result<(), TransportError> {
        match timeout(SEND, self.0.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(TransportError::Broken(error.to_string())),
            Err(_) => Err(TransportError::SendStalled),
        }
    }

    /// Leaves politely, but does not wait for an answer for long.
    pub(super) async fn close(mut self) {
        let farewell = async {
            let normal = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
            if WebSocketStream::close(&mut self.0, Some(normal)).await.is_ok() {
                while let Some(Ok(_)) = self.0.next().await {}
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNSENT)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

fn request(address: &Address) -> Result<Request<()>, TransportError> {
    let mut request = address.request().into_client_request().map_err(|error| refused(address, error))?;
    if let Some(login) = &address.login {
        let mut login = percent_decoded(login);
        if !login.contains(&b':') {
            login.push(b':');
        }
        let value = format!("Basic {}", STANDARD.encode(login));
        let mut value = HeaderValue::from_str(&value).map_err(|error| refused(address, error.into()))?;
        value.set_sensitive(true);
        request.headers_mut().insert("Authorization", value);
    }
    Ok(request)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((byte, behind)) = rest.split_first() {
        let digit = |at: usize| behind.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let coded = if *byte == b'%' { digit(0).zip(digit(1)) } else { None };
        let coded = coded.and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        decoded.push(coded.unwrap_or(*byte));
        rest = behind.get(if coded.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    decoded
}

fn refused(address: &Address, error: WsError) -> TransportError {
    let address = address.to_string();
    match error {
        WsError::Http(response) if response.status() == 403 => TransportError::UnknownPrinter { address },
        WsError::Http(response) => {
            TransportError::Handshake { address, why: format!("HTTP {}", response.status()) }
        }
        other => TransportError::Handshake { address, why: other.to_string() },
    }
}
