//! What is open ends with the log-in that it was opened with.

use futures_util::{SinkExt, StreamExt};
use octo::auth::{LogIn, LogIns, Standing};
use octo::session::State;
use octo::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::bed::{Bed, limits, start_as};
use super::raw::{get, read_chunk, read_head, read_message, service};
use super::sockets::{Socket, accept, closed, connect, next};

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata\n\r\n";

async fn execute(store: &Store, sql: &'static str) {
    let done: Result<(), StoreError> = store
        .write(move |transaction| {
            transaction.execute_batch(sql)?;
            Ok(())
        })
        .await;
    done.unwrap();
}

/// A server whose services answer a handshake with an echo, and any other request with events that never end.
async fn bed(standing: Standing) -> Bed {
    let target = service(|_, mut stream| async move {
        let Some(message) = read_message(&mut stream).await else { return };
        if message.header("upgrade").is_none() {
            stream.write_all(EVENTS.as_bytes()).await.unwrap();
            let mut byte = [0];
            let _ = stream.read(&mut byte).await;
            return;
        }
        accept(&mut stream, &message.head).await;
        let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
        let mut socket = Socket::from_raw_socket(stream, role, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
    .await;
    start_as(State::Running, target, limits(), Some(standing)).await
}

/// A terminal in both dialects, a socket of the file server, and a stream of events.
async fn opened(bed: &Bed) -> (Vec<Socket>, TcpStream) {
    let mut sockets = Vec::new();
    for (path, protocol) in
        [("terminal", Some("tty")), ("terminal", None), ("files/ws/watch", None), ("opencode/pty", None)]
    {
        let headers: Vec<(&'static str, &str)> =
            protocol.map(|protocol| ("sec-websocket-protocol", protocol)).into_iter().collect();
        let path = format!("/sessions/cold-lamp/{path}");
        let mut socket = connect(bed.address, &path, &headers).await.unwrap();
        socket.send(Message::binary(&b"0x"[..])).await.unwrap();
        next(&mut socket).await;
        sockets.push(socket);
    }
    let mut events = TcpStream::connect(bed.address).await.unwrap();
    events.write_all(&get("/sessions/cold-lamp/opencode/event")).await.unwrap();
    read_head(&mut events).await.unwrap();
    assert_eq!(read_chunk(&mut events).await.unwrap(), b"data\n");
    (sockets, events)
}

async fn ends(sockets: Vec<Socket>, mut events: TcpStream) {
    for mut socket in sockets {
        let soon = tokio::time::timeout(Duration::from_secs(30), closed(&mut socket)).await;
        let (code, why) = soon.expect("an end");
        assert_eq!((code, why.as_str()), (1008, "the log-in has ended; log in again"));
    }
    assert_eq!(read_chunk(&mut events).await.unwrap(), b"", "a clean end");
}

/// Protects against somebody who is kept out and goes on typing in a terminal that is open: a shell.
#[tokio::test]
async fn sockets_and_streams_end_with_the_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sessions.db")).unwrap();
    execute(
        &store,
        "INSERT INTO users (id, username, email, display_name, role, created_at, updated_at) VALUES
         ('ann', 'ann', 'ann@x.y', '', 'user', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'), ('bob', 'bob', 'bob@x.y', '', 'user', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')",
    )
    .await;
    let log_ins = Arc::new(LogIns::new(store.clone(), false));
    let of = |user: &str, jti: &str| {
        let log_in = LogIn {
            user: user.into(),
            epoch: Some(0),
            jti: Some(jti.into()),
            exp: Some(jiff::Timestamp::now().as_second() + 600),
        };
        Standing::new(log_in, Arc::clone(&log_ins))
    };
    let (first, second, other) =
        (bed(of("ann", "1")).await, bed(of("ann", "2")).await, bed(of("bob", "3")).await);
    let (of_first, of_second, (mut of_other, _events)) =
        (opened(&first).await, opened(&second).await, opened(&other).await);
    assert_eq!(log_ins.len(), 15);
    // Logged out; nobody tells, as at the command line: it is looked at again and again.
    execute(&store, "INSERT INTO revoked_tokens (jti, expires_at) VALUES ('1', '9999-01-01T00:00:00.000Z')")
        .await;
    ends(of_first.0, of_first.1).await;
    // Kept out by an administrator.
    execute(&store, "UPDATE users SET is_active = 0, token_epoch = token_epoch + 1 WHERE id = 'ann'").await;
    log_ins.look();
    ends(of_second.0, of_second.1).await;
    for socket in &mut of_other {
        socket.send(Message::binary(&b"0y"[..])).await.unwrap();
        assert!(
            matches!(next(socket).await, Message::Binary(_) | Message::Text(_)),
            "somebody else's goes on"
        );
    }
    drop((of_other, _events));
    for _ in 0..500 {
        if log_ins.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{} are still held", log_ins.len());
}
