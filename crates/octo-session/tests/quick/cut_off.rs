//! Senders that go away in the middle.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::Bed;

/// Waits until `done` or fails.
async fn until(mut done: impl FnMut() -> bool) {
    for _ in 0..200 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it did not come to pass");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_and_changes_nothing() {
    let bed = Bed::new();
    bed.put("f", "old");
    let address = bed.listen().await;
    for request in [
        "PUT /file?path=f HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".to_owned(),
        "POST /file?path=g HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"g\"\r\n\r\n".to_owned(),
        "POST /extract HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".to_owned(),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        socket.write_all(&[b'x'; 100_000]).await.unwrap();
        drop(socket);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    until(|| bed.all() == ["f"]).await;
    assert_eq!(bed.read("f"), b"old");
}

#[tokio::test]
async fn a_part_that_breaks_off_counts_as_far_as_it_came() {
    let bed = Bed::new();
    let address = bed.listen().await;
    let begun = bed.send("POST", "/uploads?path=f&size=200000", "").await.fine();
    let at = format!("/{}", begun.header("location"));
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head =
        format!("PATCH {at} HTTP/1.1\r\nHost: x\r\nUpload-Offset: 0\r\nContent-Length: 200000\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&[b'a'; 50_000]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(socket);
    let mut offset = 0;
    for _ in 0..200 {
        let reply = bed.get(&at).await;
        if reply.status.is_success() {
            offset = reply.header("upload-offset").parse().unwrap();
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(offset, 50_000);
    let rest = "b".repeat(150_000);
    bed.ask("PATCH", &at, &[("upload-offset", "50000")], rest.clone()).await.fine();
    assert_eq!(bed.read("f"), ["a".repeat(50_000), rest].concat().as_bytes());
}

#[tokio::test]
async fn an_archive_for_a_reader_that_goes_away_is_given_up() {
    let bed = Bed::new();
    bed.put("large", &"0123456789abcdef".repeat(1 << 19));
    let address = bed.listen().await;
    // More than may be packed at a time; if those that are gone did not make room, the last would wait for ever.
    for _ in 0..12 {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"GET /archive?format=tar HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut some = [0; 1000];
        tokio::time::timeout(Duration::from_secs(20), socket.read_exact(&mut some)).await.unwrap().unwrap();
        assert!(some.starts_with(b"HTTP/1.1 200"));
    }
}
