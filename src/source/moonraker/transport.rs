//! Bytes to and from Moonraker: its Unix socket, or its WebSocket. Knows framing and limits, nothing of JSON.

use super::framing::{Decoder, END, MOST_PASSED_OVER, refusal};
use super::session::ApiKey;
use super::{Endpoint, MAX_MESSAGE};
use crate::source::stream::Stream;
use futures_util::{SinkExt, StreamExt};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Time for connecting and for the WebSocket's handshake together.
const CONNECT: Duration = Duration::from_secs(10);
/// Time for a message to leave; a peer that does not read for so long is dead.
const SEND: Duration = Duration::from_secs(10);
/// Time for the farewell; nobody waits longer for a peer that is being left.
const FAREWELL: Duration = Duration::from_secs(1);
/// Size of the read buffers. An update is below 1 kB.
const BUFFER: usize = 8 * 1024;

/// What is wrong with a connection.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nobody listens, or the way there is barred.
    #[error(
        "cannot connect to Moonraker at {endpoint}: {error}; check that Moonraker runs (systemctl status moonraker, or /etc/init.d)"
    )]
    Connect {
        /// The address.
        endpoint: String,
        /// The system's words.
        error: io::Error,
    },
    /// No connection in time.
    #[error("no connection to Moonraker at {endpoint} within {} s: check the address and the network", CONNECT.as_secs())]
    ConnectTimeout {
        /// The address.
        endpoint: String,
    },
    /// Something answers, but not as a WebSocket does.
    #[error(
        "what answers at {endpoint} refuses a WebSocket ({why}): check host, port and path of MOONRAKER_URL, and MOONRAKER_API_KEY if it says 401"
    )]
    Handshake {
        /// The address.
        endpoint: String,
        /// In words.
        why: String,
    },
    /// The key cannot be sent.
    #[error("MOONRAKER_API_KEY holds characters that no key has: copy it from Moonraker anew")]
    ApiKey,
    /// A message is longer than can be passed over.
    #[error("a message from Moonraker is longer than {} KiB: what answers there is not Moonraker, or it is broken; check MOONRAKER_URL", MOST_PASSED_OVER / 1024)]
    TooLong,
    /// The peer closed the connection.
    #[error("Moonraker closed the connection{detail}")]
    Closed {
        /// Code and reason, where it gave some.
        detail: String,
    },
    /// The connection broke.
    #[error("the connection to Moonraker broke: {0}")]
    Broken(String),
    /// Nothing leaves any more.
    #[error("Moonraker takes no more data: it hangs or the connection is dead")]
    SendStalled,
}

/// An open connection.
pub(super) enum Transport {
    Unix { stream: UnixStream, decoder: Decoder, chunk: Box<[u8; BUFFER]> },
    WebSocket { stream: Box<WebSocketStream<Stream>>, message: Bytes },
}

impl Transport {
    /// Connects; bounded in time.
    pub(super) async fn connect(endpoint: &Endpoint, key: Option<&ApiKey>) -> Result<Self, TransportError> {
        match timeout(CONNECT, Self::open(endpoint, key)).await {
            Ok(opened) => opened,
            Err(_) => Err(TransportError::ConnectTimeout { endpoint: endpoint.to_string() }),
        }
    }

    async fn open(endpoint: &Endpoint, key: Option<&ApiKey>) -> Result<Self, TransportError> {
        let refused = |error| TransportError::Connect { endpoint: endpoint.to_string(), error };
        match endpoint {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(refused)?;
                Ok(Self::Unix { stream, decoder: Decoder::default(), chunk: Box::new([0; BUFFER]) })
            }
            Endpoint::WebSocket { host, port, .. } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(refused)?;
                // Requests are small and few; none should wait for another.
                let _ = stream.set_nodelay(true);
                let why = |error: WsError| TransportError::Handshake {
                    endpoint: endpoint.to_string(),
                    why: match error {
                        WsError::Http(response) => format!("HTTP {}", response.status()),
                        other => other.to_string(),
                    },
                };
                let mut request = endpoint.to_string().into_client_request().map_err(why)?;
                if let Some(key) = key {
                    let mut value =
                        HeaderValue::from_str(key.reveal()).map_err(|_| TransportError::ApiKey)?;
                    value.set_sensitive(true);
                    request.headers_mut().insert("X-Api-Key", value);
                }
                let config = WebSocketConfig::default()
                    .read_buffer_size(BUFFER)
                    .write_buffer_size(0)
                    .max_write_buffer_size(MAX_MESSAGE)
                    .max_message_size(Some(MOST_PASSED_OVER))
                    .max_frame_size(Some(MOST_PASSED_OVER));
                let (stream, _) = client_async_with_config(request, Stream::plain(stream), Some(config))
                    .await
                    .map_err(why)?;
                Ok(Self::WebSocket { stream: Box::new(stream), message: Bytes::new() })
            }
        }
    }

    /// The next message. May be dropped while it waits without losing anything.
    pub(super) async fn receive(&mut self) -> Result<&[u8], TransportError> {
        match self {
            Self::Unix { stream, decoder, chunk } => {
                loop {
                    // Asked twice, since a loan that is returned cannot also be let go in a loop.
                    if decoder.has_message().map_err(|_| TransportError::TooLong)? {
                        break;
                    }
                    let count = stream.read(&mut chunk[..]).await.map_err(broken)?;
                    if count == 0 {
                        let inside = decoder.is_inside_message();
                        let detail = if inside { " in the middle of a message" } else { "" };
                        return Err(TransportError::Closed { detail: detail.to_owned() });
                    }
                    decoder.push(chunk.get(..count).unwrap_or_default());
                }
                Ok(decoder.take_message().unwrap_or_default())
            }
            Self::WebSocket { stream, message } => loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => {
                        *message = text.into();
                        if fits(message) {
                            return Ok(message);
                        }
                    }
                    Some(Ok(Message::Binary(bytes))) => {
                        *message = bytes;
                        if fits(message) {
                            return Ok(message);
                        }
                    }
                    // Pings are answered by the library while it reads.
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Ok(Message::Close(frame))) => {
                        let detail = frame.map_or_else(String::new, |frame| {
                            let reason: String = frame.reason.chars().take(100).collect();
                            format!(" with code {} {reason:?}", u16::from(frame.code))
                        });
                        return Err(TransportError::Closed { detail });
                    }
                    Some(Err(WsError::Capacity(CapacityError::MessageTooLong { .. }))) => {
                        return Err(TransportError::TooLong);
                    }
                    Some(Err(error)) => return Err(TransportError::Broken(error.to_string())),
                    None => return Err(TransportError::Closed { detail: String::new() }),
                }
            },
        }
    }

    /// Sends a message; bounded in time.
    pub(super) async fn send(&mut self, text: String) -> Result<(), TransportError> {
        let sent = timeout(SEND, async {
            match self {
                Self::Unix { stream, .. } => {
                    let mut bytes = text.into_bytes();
                    bytes.push(END);
                    stream.write_all(&bytes).await.map_err(broken)
                }
                Self::WebSocket { stream, .. } => match stream.send(Message::text(text)).await {
                    Ok(()) => Ok(()),
                    Err(error) => Err(TransportError::Broken(error.to_string())),
                },
            }
        });
        sent.await.unwrap_or(Err(TransportError::SendStalled))
    }

    /// Leaves politely, but does not wait for an answer for long.
    pub(super) async fn close(mut self) {
        let farewell = async {
            match &mut self {
                Self::Unix { stream, .. } => {
                    let _ = stream.shutdown().await;
                }
                Self::WebSocket { stream, .. } => {
                    let _ = WebSocketStream::close(stream, None).await;
                }
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }
}

/// Whether a message is to be read: one that is too long is replaced by a refusal, if it is an answer.
fn fits(message: &mut Bytes) -> bool {
    if message.len() <= MAX_MESSAGE {
        return true;
    }
    match refusal(message) {
        Some(refusal) => *message = refusal.into(),
        None => *message = Bytes::new(),
    }
    !message.is_empty()
}

#[expect(clippy::needless_pass_by_value, reason = "shape of map_err")]
fn broken(error: io::Error) -> TransportError {
    TransportError::Broken(error.to_string())
}
