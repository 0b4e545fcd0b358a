//! Bodies that flow: event streams, slow ends, both ways.

use octo::proxy::Use;
use octo::session::State;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

use super::bed::{start, start_with};
use super::raw::{get, read_chunk, read_head, read_message, service};

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A service that sends what a test gives it as events, and tells when its client is gone.
async fn events() -> (std::net::SocketAddr, mpsc::UnboundedSender<String>, oneshot::Receiver<()>) {
    let (give, taken) = mpsc::unbounded_channel::<String>();
    let (gone, told) = oneshot::channel();
    let once = std::sync::Mutex::new(Some((taken, gone)));
    let target = service(move |_, mut stream| {
        let taken = once.lock().unwrap().take();
        async move {
            let (mut taken, gone) = taken.unwrap();
            read_message(&mut stream).await;
            stream.write_all(EVENTS.as_bytes()).await.unwrap();
            let mut byte = [0];
            loop {
                tokio::select! {
                    event = taken.recv() => {
                        let event = event.unwrap();
                        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                        stream.write_all(chunk.as_bytes()).await.unwrap();
                    }
                    _ = stream.read(&mut byte) => break,
                }
            }
            gone.send(()).unwrap();
        }
    })
    .await;
    (target, give, told)
}

async fn open(server: std::net::SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.write_all(&get("/sessions/cold-lamp/opencode/event")).await.unwrap();
    let head = read_head(&mut stream).await.unwrap();
    (stream, head.to_ascii_lowercase())
}

#[tokio::test(start_paused = true)]
async fn events_come_one_by_one_for_as_long_as_it_takes() {
    super::bed::pace(30000);
    let (target, give, _gone) = events().await;
    let bed = start(State::Running, target).await;
    let (mut stream, head) = open(bed.address).await;
    assert!(head.contains("x-accel-buffering: no") && head.contains("cache-control: no-cache"), "{head}");
    for number in 0..5 {
        let event = format!("data: {number}\n\n");
        give.send(event.clone()).unwrap();
        assert_eq!(read_chunk(&mut stream).await.unwrap(), event.as_bytes());
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
    // Events that nobody asked for are no sign of use.
    assert_eq!(bed.used(), [Use::Active]);
}

#[tokio::test]
async fn the_service_sees_its_client_leave() {
    let (target, give, gone) = events().await;
    let bed = start(State::Running, target).await;
    let (mut stream, _) = open(bed.address).await;
    give.send("data: 1\n\n".into()).unwrap();
    read_chunk(&mut stream).await.unwrap();
    drop(stream);
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap().unwrap();
}

#[tokio::test]
async fn events_end_cleanly_with_the_server() {
    let (target, give, gone) = events().await;
    let bed = start(State::Running, target).await;
    let (mut stream, _) = open(bed.address).await;
    give.send("data: 1\n\n".into()).unwrap();
    read_chunk(&mut stream).await.unwrap();
    bed.ending.cancel();
    assert_eq!(read_chunk(&mut stream).await, Some(Vec::new()));
    tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap().unwrap();
}

#[tokio::test]
async fn another_endless_body_breaks_off_with_the_server() {
    let target = service(|_, mut stream| async move {
        read_message(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
        while stream.write_all(b"1\r\nx\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let bed = start(State::Running, target).await;
    let (mut stream, _) = open(bed.address).await;
    read_chunk(&mut stream).await.unwrap();
    bed.ending.cancel();
    let end = tokio::time::timeout(Duration::from_secs(10), async {
        while let Some(chunk) = read_chunk(&mut stream).await {
            assert!(!chunk.is_empty(), "an end that looks clean");
        }
    });
    end.await.unwrap();
}

/// Waits until a count stands still.
async fn settled(count: &AtomicUsize) -> usize {
    let mut before = usize::MAX;
    loop {
        let now = count.load(Ordering::Relaxed);
        if now == before && now > 0 {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Sockets of the kernel hold some, we next to nothing.
const HELD: usize = 24 * 1024 * 1024;

#[tokio::test]
async fn a_slow_client_slows_its_service() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    let target = service(move |_, mut stream| {
        let count = count.clone();
        async move {
            read_message(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            let piece = vec![7; 64 * 1024];
            while stream.write_all(&piece).await.is_ok() {
                count.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    })
    .await;
    let bed = start(State::Running, target).await;
    let (mut stream, _) = open(bed.address).await;
    let held = settled(&sent).await;
    assert!(held < HELD, "{held}");
    // It goes on once the client reads.
    let mut piece = vec![0; 64 * 1024];
    for _ in 0..2 * HELD / piece.len() {
        stream.read_exact(&mut piece).await.unwrap();
    }
    assert!(sent.load(Ordering::Relaxed) > held);
}

#[tokio::test]
async fn a_slow_service_slows_its_client() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let target = service(move |_, mut stream| {
        let mut wait = wait.clone();
        async move {
            wait.wait_for(|go| *go).await.unwrap();
            let message = read_message(&mut stream).await.unwrap();
            let text = message.body.len().to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let mut limits = super::bed::limits();
    limits.body = 1024 * 1024 * 1024;
    let bed = start_with(State::Running, target, limits).await;
    let stream = TcpStream::connect(bed.address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    const ALL: usize = 100 * 1024 * 1024;
    tokio::spawn(async move {
        let head = format!(
            "PUT /sessions/cold-lamp/files/x HTTP/1.1\r\nHost: h\r\nX-Test-User: ann\r\nConnection: close\r\n\
             Content-Length: {ALL}\r\n\r\n"
        );
        write.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![7; 64 * 1024];
        for _ in 0..ALL / piece.len() {
            write.write_all(&piece).await.unwrap();
            count.fetch_add(piece.len(), Ordering::Relaxed);
        }
        std::future::pending::<()>().await;
    });
    let held = settled(&sent).await;
    assert!(held < HELD, "{held}");
    go.send(true).unwrap();
    let mut answer = String::new();
    read.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(&format!("\r\n\r\n{ALL}")), "{answer}");
}
