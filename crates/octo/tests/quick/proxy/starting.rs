//! Services that do not listen yet.

use octo::session::State;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::bed::{listen, nowhere, start};
use super::raw::{ask, get, post, read_message, serve, service};

/// Listens there after so many seconds.
fn listen_after(seconds: u64, address: std::net::SocketAddr) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        serve(listen(address), |_, mut stream| async move {
            while let Some(message) = read_message(&mut stream).await {
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", message.body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.write_all(&message.body).await.unwrap();
            }
        });
    });
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_a_service_that_refuses() {
    super::bed::pace(50);
    for state in [State::Pending, State::Starting] {
        let target = nowhere();
        let bed = start(state, target).await;
        listen_after(6, target);
        let answer = ask(bed.address, &post("/sessions/cold-lamp/files/x", b"content")).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, "content"), "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_ends_with_a_refusal_that_may_be_retried() {
    super::bed::pace(50);
    let bed = start(State::Starting, nowhere()).await;
    let before = Instant::now();
    let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
    assert_eq!((answer.status(), answer.code().as_str()), (503, "SERVICE_UNAVAILABLE"));
    assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
    let waited = before.elapsed();
    assert!(waited >= Duration::from_secs(15) && waited < Duration::from_secs(40), "{waited:?}");
}

/// Some container runtimes accept for a service that does not listen, and then break off.
#[tokio::test(start_paused = true)]
async fn a_service_behind_a_forwarder_is_waited_for_too() {
    super::bed::pace(50);
    let large = vec![b'x'; 3 * 1024 * 1024];
    for body in [&b""[..], b"short", &large] {
        let tries = Arc::new(AtomicUsize::new(0));
        let count = tries.clone();
        let target = service(move |number, mut stream| {
            let count = count.clone();
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                if number < 3 {
                    return;
                }
                let message = read_message(&mut stream).await.unwrap();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", message.body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
                stream.write_all(&message.body).await.unwrap();
            }
        })
        .await;
        let bed = start(State::Starting, target).await;
        let answer = ask(bed.address, &post("/sessions/cold-lamp/files/x", body)).await;
        assert_eq!((answer.status(), answer.body.len()), (200, body.len()));
        assert!(answer.body == body);
        assert_eq!(tries.load(Ordering::Relaxed), 4);
    }
}

/// A body that was sent and is gone must not be sent a second time, nor half of it.
#[tokio::test(start_paused = true)]
async fn a_long_body_is_sent_once_at_most() {
    super::bed::pace(50);
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let target = service(move |_, mut stream| {
        let count = count.clone();
        async move {
            count.fetch_add(1, Ordering::Relaxed);
            super::raw::read_head(&mut stream).await;
        }
    })
    .await;
    let bed = start(State::Starting, target).await;
    let answer = ask(bed.address, &post("/sessions/cold-lamp/files/x", &vec![0; 100_000])).await;
    assert_eq!((answer.status(), answer.header("retry-after").as_deref()), (503, Some("1")));
    assert_eq!(tries.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_fails_meanwhile_ends_the_wait() {
    super::bed::pace(50);
    let bed = start(State::Starting, nowhere()).await;
    bed.sessions.0.lock().unwrap().next =
        [State::Pending, State::Starting, State::Starting, State::Failed].into();
    let before = Instant::now();
    let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.text().contains("failed"), "{}", answer.text());
    assert!(before.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn sessions_that_do_not_run_have_no_services() {
    for (state, code) in [
        (State::Stopping, "SERVICE_UNAVAILABLE"),
        (State::Stopped, "SESSION_STOPPED"),
        (State::Failed, "SERVICE_UNAVAILABLE"),
    ] {
        let bed = start(state, nowhere()).await;
        let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
        assert_eq!((answer.status(), answer.code().as_str()), (503, code), "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_the_server_ends() {
    super::bed::pace(50);
    let bed = start(State::Starting, nowhere()).await;
    let ending = bed.ending.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        ending.cancel();
    });
    let before = Instant::now();
    let answer = ask(bed.address, &get("/sessions/cold-lamp/files/x")).await;
    assert_eq!(answer.status(), 503);
    assert!(before.elapsed() < Duration::from_secs(13));
    // And so is who comes later on a connection that was kept.
    assert_eq!(ask(bed.address, &get("/sessions/cold-lamp/files/x")).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_not_waited_for() {
    super::bed::pace(50);
    let bed = start(State::Starting, nowhere()).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    stream.write_all(&get("/sessions/cold-lamp/files/x")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let found = Arc::strong_count(&bed.sessions);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(Arc::strong_count(&bed.sessions) <= found);
}
