//! Bodies that are too large, and lengths that could be read in two ways.

use octo::session::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::bed::{start, start_with};
use super::raw::{OK, answering, ask, read_message};

const HEAD: &str = "POST /sessions/cold-lamp/files/x HTTP/1.1\r\nHost: h\r\nX-Test-User: ann\r\n";

#[tokio::test]
async fn a_body_that_declares_too_much_is_refused_before_anything_is_sent() {
    let (target, seen) = answering(OK).await;
    let bed = start(State::Running, target).await;
    let request = format!("{HEAD}Content-Length: {}\r\n\r\n", 4 * 1024 * 1024 + 1);
    let answer = ask(bed.address, request.as_bytes()).await;
    assert_eq!((answer.status(), answer.code().as_str()), (413, "PAYLOAD_TOO_LARGE"));
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_body_without_a_length_is_counted() {
    let (target, seen) = answering(OK).await;
    let mut small = super::bed::limits();
    small.body = 100_000;
    let bed = start_with(State::Running, target, small).await;
    for (pieces, status) in [(10, 200), (11, 413)] {
        let mut request = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
        for _ in 0..pieces {
            request.extend(b"2710\r\n");
            request.extend([b'x'; 10_000]);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        assert_eq!(ask(bed.address, &request).await.status(), status, "{pieces}");
    }
    assert!(seen.lock().unwrap().iter().all(|message| message.body.len() <= 100_000));
}

#[tokio::test]
async fn a_request_with_two_meanings_never_becomes_two_requests() {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    let long = hidden.len();
    for lengths in [
        format!("Content-Length: 0\r\nContent-Length: {long}\r\n"),
        format!("Content-Length: {long}\r\nContent-Length: 0\r\n"),
        format!("Content-Length: 0, {long}\r\n"),
        format!("Content-Length: +{long}\r\n"),
        format!("Content-Length: {long}\r\nTransfer-Encoding: xchunked\r\n"),
        "Transfer-Encoding: gzip, chunked\r\n".into(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".into(),
        "Transfer-Encoding:\x0bchunked\r\n".into(),
        "Transfer-Encoding : chunked\r\n".into(),
        format!("Content-Length : {long}\r\n"),
        "X-Any: 1\r\n Transfer-Encoding: chunked\r\n".into(),
    ] {
        let (target, seen) = answering(OK).await;
        let bed = start(State::Running, target).await;
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        stream.write_all(format!("{HEAD}{lengths}\r\n0\r\n\r\n{hidden}").as_bytes()).await.unwrap();
        let answer = read_message(&mut stream).await;
        assert!(answer.is_none_or(|answer| answer.status() == 400), "{lengths:?}");
        assert!(seen.lock().unwrap().is_empty(), "{lengths:?}");
    }
}

/// Chunks win, as HTTP says; the service gets one request whose length is beyond doubt.
#[tokio::test]
async fn chunks_beside_a_length_reach_the_service_as_chunks_alone() {
    for headers in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
    ] {
        let (target, seen) = answering(OK).await;
        let bed = start(State::Running, target).await;
        let mut stream = TcpStream::connect(bed.address).await.unwrap();
        let request = format!("{HEAD}Connection: close\r\n{headers}\r\n5\r\nhello\r\n0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let seen = seen.lock().unwrap();
        assert!(seen.len() <= 1);
        for message in seen.iter() {
            assert!(message.header("content-length").is_none(), "{}", message.head);
            assert_eq!((message.text().as_str(), message.whole), ("hello", true));
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_does_not_look_whole() {
    let (target, seen) = answering(OK).await;
    let bed = start(State::Running, target).await;
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    stream.write_all(format!("{HEAD}Content-Length: 1000\r\n\r\nhalf").as_bytes()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(stream);
    for _ in 0..500 {
        if !seen.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].text().as_str(), seen[0].whole), ("half", false));
}
