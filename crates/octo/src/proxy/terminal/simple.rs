//! Serves the simple dialect ([`super::dialect`]) over ttyd's protocol.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::super::service::{Ask, Shared};
use super::super::target::Use;
use super::super::upload::Meter;
use super::Upstream;
use super::dialect::{self, Notice, Said};
use super::wait::{self, Refused};

/// Longest message, either way.
const LONGEST: usize = 1024 * 1024;
/// What a client may type before there is a terminal, in bytes.
const EARLY: usize = 64 * 1024;
/// Between two notices while the terminal starts.
const NOTICE: Duration = Duration::from_secs(5);
/// How long the last messages may take.
const PARTING: Duration = Duration::from_secs(2);
/// Whoever takes nothing for so long is gone.
const STALLED: Duration = Duration::from_secs(120);
/// A client that answered none of so many pings is gone.
const UNANSWERED: u32 = 3;

/// Small buffers: tungstenite's own choice is 128 KiB for every socket.
fn sizes() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(2 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * LONGEST)
        .max_message_size(Some(LONGEST))
        .max_frame_size(Some(LONGEST))
}

/// Serves one socket until its end.
pub(super) async fn serve<C>(shared: &Arc<Shared>, ask: Ask, client: C, upstream: Option<Upstream>)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut client = WebSocketStream::from_raw_socket(client, Role::Server, Some(sizes())).await;
    let mut early = VecDeque::new();
    let upstream = match upstream {
        Some(upstream) => Ok(upstream),
        // On the heap, so that an open terminal does not keep the room that it needed to wait.
        None => Box::pin(waited(shared, &ask, &mut client, &mut early)).await,
    };
    let end = match upstream {
        Ok(upstream) => joined(shared, ask, &mut client, upstream, early).await,
        Err(refused) => refused,
    };
    let frame = CloseFrame { code: CloseCode::from(end.code), reason: cut(&end.reason).into() };
    drop(timeout(PARTING, client.close(Some(frame))).await);
    // The client's own close, and what is left of a message that was too long: closing with unread bytes would take ours
    // back.
    let rest = async {
        while let Some(Ok(_)) = client.next().await {}
        let client = client.get_mut();
        client.shutdown().await?;
        tokio::io::copy(client, &mut tokio::io::sink()).await
    };
    drop(timeout(PARTING, rest).await);
}

/// Fits into a close frame.
fn cut(reason: &str) -> &str {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default()
}

fn left() -> Refused {
    Refused { code: 1000, reason: String::new() }
}

/// Waits for the terminal, tells so, and keeps what the client says meanwhile.
async fn waited<C>(
    shared: &Arc<Shared>,
    ask: &Ask,
    client: &mut WebSocketStream<C>,
    early: &mut VecDeque<Message>,
) -> Result<Upstream, Refused>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut terminal = pin!(wait::terminal(shared, ask));
    let mut notices = interval(NOTICE);
    let mut kept = 0;
    loop {
        tokio::select! {
            biased;
            upstream = &mut terminal => return upstream,
            _ = notices.tick() => {
                let notice = Notice::Waiting { message: "the session is starting; the terminal comes in a moment" };
                let sent = timeout(PARTING, client.send(Message::text(notice.json()))).await;
                if !matches!(sent, Ok(Ok(()))) {
                    return Err(left());
                }
            }
            message = client.next(), if kept < EARLY => match message {
                Some(Ok(message @ (Message::Binary(_) | Message::Text(_)))) => {
                    // An empty message counts too.
                    kept += message.len() + 16;
                    early.push_back(message);
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return Err(left()),
            },
        }
    }
}

/// Joins both until one ends; tells how to close the client.
async fn joined<C>(
    shared: &Arc<Shared>,
    ask: Ask,
    client: &mut WebSocketStream<C>,
    (stream, sent): Upstream,
    early: VecDeque<Message>,
) -> Refused
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let session = match shared.targets.find(&ask.who, &ask.route.session, ask.route.service).await {
        Ok(target) => target.session,
        Err(error) => return Refused { code: 1011, reason: error.message },
    };
    let first = dialect::first(ask.route.query());
    let lease = ask.hold(shared);
    drop(ask);
    let meter = Meter { targets: Arc::clone(&shared.targets), session };
    let mut upstream =
        WebSocketStream::from_partially_read(stream, sent.to_vec(), Role::Client, Some(sizes())).await;
    let begun = async {
        upstream.send(Message::text(first)).await?;
        client.send(Message::text(Notice::Ready.json())).await?;
        for message in early {
            if let Err(notice) = typed(&mut upstream, message, &meter).await? {
                client.send(Message::text(notice.json())).await?;
            }
        }
        Ok::<(), Error>(())
    };
    if !matches!(Box::pin(timeout(STALLED, begun)).await, Ok(Ok(()))) {
        return Refused { code: 1011, reason: "the terminal broke off".into() };
    }
    let (mut to_client, mut from_client) = client.split();
    let (mut to_upstream, mut from_upstream) = upstream.split();
    let heard = AtomicU64::new(0);
    let (notices, told) = tokio::sync::mpsc::channel(4);
    let end = tokio::select! {
        biased;
        () = lease.over().cancelled() => {
            let (code, reason) = lease.farewell();
            Refused { code, reason: reason.into() }
        }
        end = downward(&mut from_upstream, &mut to_client, told, &meter, shared.limits.keep_alive, &heard) => end,
        end = upward(&mut from_client, &mut to_upstream, &notices, &meter, &heard) => end,
    };
    drop(timeout(PARTING, to_upstream.close()).await);
    end
}

/// One message of the client's to ttyd. The inner error is what the client is to be told.
async fn typed<S>(to: &mut S, message: Message, meter: &Meter) -> Result<Result<(), Notice<'static>>, Error>
where
    S: SinkExt<Message, Error = Error> + Unpin,
{
    let message = match message {
        Message::Binary(bytes) => Message::Binary(Bytes::from(dialect::input(&bytes))),
        Message::Text(text) => match dialect::control(&text) {
            Ok(control) => Message::Binary(Bytes::from(control)),
            Err(notice) => return Ok(Err(notice)),
        },
        _ => return Ok(Ok(())),
    };
    meter.note(Use::Active);
    to.send(message).await?;
    Ok(Ok(()))
}

async fn upward<C>(
    from: &mut SplitStream<&mut WebSocketStream<C>>,
    to: &mut SplitSink<WebSocketStream<TcpStream>, Message>,
    notices: &tokio::sync::mpsc::Sender<String>,
    meter: &Meter,
    heard: &AtomicU64,
) -> Refused
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = from.next().await {
        heard.fetch_add(1, Ordering::Relaxed);
        match message {
            Ok(Message::Close(_)) => return left(),
            Ok(message) => match timeout(STALLED, typed(to, message, meter)).await {
                Ok(Ok(Ok(()))) => {}
                // Whoever sends nonsense faster than it reads the answers has enough of them.
                Ok(Ok(Err(notice))) => drop(notices.try_send(notice.json())),
                _ => return Refused { code: 1011, reason: "the terminal takes nothing more".into() },
            },
            Err(Error::Capacity(_)) => {
                return Refused { code: 1009, reason: "a message is longer than 1 MiB".into() };
            }
            Err(_) => return left(),
        }
    }
    left()
}

async fn downward<C>(
    from: &mut SplitStream<WebSocketStream<TcpStream>>,
    to: &mut SplitSink<&mut WebSocketStream<C>, Message>,
    mut told: tokio::sync::mpsc::Receiver<String>,
    meter: &Meter,
    keep_alive: Duration,
    heard: &AtomicU64,
) -> Refused
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut ticks = interval(keep_alive);
    ticks.reset();
    let (mut last, mut unanswered) = (0, 0);
    loop {
        let message = tokio::select! {
            biased;
            Some(notice) = told.recv() => Message::text(notice),
            message = from.next() => match message {
                Some(Ok(Message::Binary(bytes))) => match spoken(&bytes, meter) {
                    Some(message) => message,
                    None => continue,
                },
                Some(Ok(Message::Text(text))) => match spoken(&Bytes::from(text), meter) {
                    Some(message) => message,
                    None => continue,
                },
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Refused { code: frame.code.into(), reason: frame.reason.to_string() };
                }
                Some(Ok(Message::Close(None))) => return left(),
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return Refused { code: 1011, reason: "the terminal broke off".into() },
            },
            _ = ticks.tick() => {
                let now = heard.load(Ordering::Relaxed);
                unanswered = if now == last { unanswered + 1 } else { 0 };
                last = now;
                if unanswered > UNANSWERED {
                    return Refused { code: 1001, reason: "nobody answers".into() };
                }
                Message::Ping(Bytes::new())
            }
        };
        if !matches!(timeout(STALLED, to.send(message)).await, Ok(Ok(()))) {
            return left();
        }
    }
}

/// What ttyd says, for the client.
fn spoken(bytes: &Bytes, meter: &Meter) -> Option<Message> {
    match dialect::said(bytes) {
        Said::Output(bytes) => {
            meter.note(Use::Output);
            Some(Message::Binary(bytes))
        }
        Said::Notice(text) => Some(Message::text(text)),
        Said::Nothing => None,
    }
}
