//! ttyd's protocol: frames pass as they are, both ways. While the terminal starts, the browser gets pings, and what it
//! sends is kept: a page sends its size at once.

use bytes::{Bytes, BytesMut};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{interval, timeout};

use super::super::service::{Ask, Shared};
use super::super::upload::Meter;
use super::super::websocket::frame::{self, PING, Toward, Walk};
use super::super::websocket::relay::{self, Ends, Kind};
use super::Upstream;
use super::wait::{self, Refused};

/// What a browser may send before there is a terminal.
const EARLY: usize = 64 * 1024;
/// Between two pings while the terminal starts.
const NOTICE: Duration = Duration::from_secs(5);
/// How long a last frame and the end of a connection may take.
const PARTING: Duration = Duration::from_secs(2);

/// Serves one socket until its end.
pub(super) async fn serve<C>(shared: &Arc<Shared>, ask: Ask, mut client: C, upstream: Option<Upstream>)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let mut early = BytesMut::new();
    let upstream = match upstream {
        Some(upstream) => Ok(upstream),
        // On the heap, so that an open terminal does not keep the room that it needed to wait.
        None => Box::pin(waited(shared, &ask, &mut client, &mut early)).await,
    };
    match upstream {
        Ok((upstream, from_upstream)) => {
            let session = match shared.targets.find(&ask.who, &ask.route.session, ask.route.service).await {
                Ok(target) => target.session,
                Err(error) => return refuse(client, &Refused { code: 1011, reason: error.message }).await,
            };
            let lease = ask.hold(shared);
            drop(ask);
            let meter = Meter { targets: Arc::clone(&shared.targets), session };
            let ends = Ends { client, upstream, from_client: early.freeze(), from_upstream };
            relay::run(ends, Kind::Terminal, &meter, shared.limits.keep_alive, &lease).await;
        }
        Err(refused) => refuse(client, &refused).await,
    }
}

/// Waits for the terminal, and keeps what the browser sends meanwhile.
async fn waited<C>(
    shared: &Arc<Shared>,
    ask: &Ask,
    client: &mut C,
    early: &mut BytesMut,
) -> Result<Upstream, Refused>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let gone = || Refused { code: 1000, reason: String::new() };
    let mut terminal = pin!(wait::terminal(shared, ask));
    let mut notices = interval(NOTICE);
    loop {
        tokio::select! {
            biased;
            upstream = &mut terminal => return upstream,
            read = client.read_buf(early), if early.len() < EARLY => match read {
                Ok(1..) => {}
                _ => return Err(gone()),
            },
            _ = notices.tick() => {
                let ping = timeout(PARTING, client.write_all(&PING)).await;
                if !matches!(ping, Ok(Ok(()))) {
                    return Err(gone());
                }
                continue;
            }
        }
        // Followed from the begin each time: it is short.
        match Walk::new(Toward::Service).feed(early) {
            Ok(seen) if seen.closed => return Err(gone()),
            Ok(_) => {}
            Err(_) => {
                return Err(Refused { code: 1002, reason: "these are no frames of a WebSocket".into() });
            }
        }
    }
}

/// Closes the browser's socket.
async fn refuse<C>(mut client: C, refused: &Refused)
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let close = Bytes::from(frame::close(refused.code, &refused.reason, None));
    drop(timeout(PARTING, client.write_all(&close)).await);
    drop(timeout(PARTING, client.shutdown()).await);
    // Closing with unread bytes would take the last frame back.
    drop(timeout(PARTING, tokio::io::copy(&mut client, &mut tokio::io::sink())).await);
}
