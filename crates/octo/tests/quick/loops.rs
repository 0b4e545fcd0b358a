//! The threads that serve connections.

use axum::Router;
use axum::routing::get;
use octo::server::listen::{self, Limits, Loops};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Who answers a request on this connection.
fn thread(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let (mut said, mut buffer) = (String::new(), [0; 1024]);
    while !said.ends_with('.') {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "it closed after {said}");
        said.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    said.rsplit("\r\n").next().unwrap().to_owned()
}

/// Protects what the loops are for: one that hopped from thread to thread would wake each of them.
#[test]
fn a_connection_stays_with_one_loop_and_the_next_gets_another() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(|| async { format!("{:?}.", std::thread::current().id()) }));
    let ending = CancellationToken::new();
    let (loops, end) = (Loops::start().unwrap(), ending.clone());
    let served = runtime
        .spawn(async move { listen::serve_on(&loops, listener, router, Limits::default(), end).await });
    let mut open: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in &open {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    }
    let first: Vec<String> = open.iter_mut().map(thread).collect();
    let second: Vec<String> = open.iter_mut().map(thread).collect();
    assert_eq!(first, second);
    if std::thread::available_parallelism().unwrap().get() > 1 {
        assert_ne!(first[0], first[1]);
    }
    // The end waits for connections, also for those of the loops, and closes those that are idle.
    ending.cancel();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), served).await }).unwrap().unwrap();
    for stream in &mut open {
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    }
}
