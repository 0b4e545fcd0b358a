//! Requests one after the other on some connections at once.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What is asked for.
pub(crate) struct Load {
    pub(crate) path: &'static str,
    pub(crate) connections: usize,
    /// Lines of the request's head.
    pub(crate) headers: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    requests_per_second: f64,
    p99: Duration,
}

impl Figures {
    /// Time of the machine for each request.
    pub(crate) fn milliseconds_each(&self) -> f64 {
        1000.0 / self.requests_per_second
    }

    pub(crate) fn p99_microseconds(&self) -> f64 {
        self.p99.as_secs_f64() * 1e6
    }

    /// The median of each figure.
    fn median(mut all: Vec<Self>) -> Self {
        let middle = all.len() / 2;
        all.sort_by(|a, b| a.requests_per_second.total_cmp(&b.requests_per_second));
        let requests_per_second = all[middle].requests_per_second;
        all.sort_by_key(|figures| figures.p99);
        Self { requests_per_second, p99: all[middle].p99 }
    }
}

const ROUNDS: usize = 5;

/// Two servers by turns, so that what else the machine does hits both; the median of the rounds.
pub(crate) fn both(load: &Load, ours: (SocketAddr, &str), theirs: (SocketAddr, &str)) -> (Figures, Figures) {
    let seconds = std::env::var("OCTO_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let time = Duration::from_secs_f64(seconds);
    let (mut us, mut them) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        us.push(run(load, ours.0, ours.1, time));
        them.push(run(load, theirs.0, theirs.1, time));
    }
    (Figures::median(us), Figures::median(them))
}

/// Asks for so long.
fn run(load: &Load, server: SocketAddr, prefix: &str, time: Duration) -> Figures {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let request = format!("GET {prefix}{} HTTP/1.1\r\nHost: bench\r\n{}\r\n", load.path, load.headers);
    runtime.block_on(async {
        let begin = Instant::now();
        let tasks: Vec<_> =
            (0..load.connections).map(|_| tokio::spawn(one(server, request.clone(), begin + time))).collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        let requests_per_second = all.len() as f64 / begin.elapsed().as_secs_f64();
        all.sort();
        Figures { requests_per_second, p99: all[all.len() * 99 / 100] }
    })
}

async fn one(server: SocketAddr, request: String, until: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    while Instant::now() < until {
        let begin = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut have = 0;
        let head = loop {
            have += read(&mut stream, &mut buffer[have..]).await;
            if let Some(end) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&buffer[..head]).unwrap().to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()).unwrap();
        let mut left = length.parse::<usize>().unwrap() + head - have;
        while left > 0 {
            let most = left.min(buffer.len());
            left -= read(&mut stream, &mut buffer[..most]).await;
        }
        times.push(begin.elapsed());
    }
    times
}

async fn read(stream: &mut TcpStream, into: &mut [u8]) -> usize {
    let read = stream.read(into).await.unwrap();
    assert!(read > 0, "the connection closed");
    read
}
