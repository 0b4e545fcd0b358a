//! A thousand clients that each do something indecent to a REST server, again and again.

use super::http::{self, Message};
use super::program::Program;
use super::wait;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// What a client does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Sends nothing.
    Silent,
    /// Sends a byte of a request's head each second.
    Drips,
    /// Asks for the picture and never reads it.
    NeverReads,
    /// Asks for the picture and reads a little of it each tenth of a second.
    ReadsSlowly,
    /// Says that it will send no more, before or behind a request, and stays.
    HalfCloses,
    /// Sends what is no HTTP.
    Garbage,
    /// Sends a header of two megabytes.
    HugeHeader,
    /// Sends a hundred requests at once and reads no answer.
    Pipelines,
    /// Asks for the figures five times a second over one connection, for ever.
    Polls,
    /// Asks for the figures again as soon as it has them, over one connection, for ever.
    Hammers,
    /// Closes at once, and breaks every second connection.
    ComesAndGoes,
}

/// Those that a thousand clients may have at once: a hundred that hammer would leave the processor to nobody.
pub(crate) const MANNERS: [Manner; 10] = [
    Manner::Silent,
    Manner::Drips,
    Manner::NeverReads,
    Manner::ReadsSlowly,
    Manner::HalfCloses,
    Manner::Garbage,
    Manner::HugeHeader,
    Manner::Pipelines,
    Manner::Polls,
    Manner::ComesAndGoes,
];

/// A client comes again so long after its connection ended.
const PAUSE: Duration = Duration::from_millis(700);
/// It leaves a connection after this time by itself.
const LEAVES: Duration = Duration::from_secs(30);

const IMAGE: &str = "GET /api/printer/A1M-1/image HTTP/1.1\r\nHost: x\r\n\r\n";
const FIGURES: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// An event is usually told within this time, on a machine that has a thousand clients to run besides.
const TOLD: Duration = Duration::from_secs(1);
/// And always within this one, apart from times at which the machine runs nobody.
const TOLD_AT_LAST: Duration = Duration::from_secs(5);
/// An answer or an event comes at all within this time.
const SOON: Duration = Duration::from_secs(20);
/// Memory that a siege may cost, in kB: the three pictures of a megabyte that slow readers keep from being forgotten,
/// one that is on its way as text, and little for each of 32 connections.
const MEMORY: u64 = 8 * 1024;
/// Most connections at a time: as many as the server takes, eight that are turned away and heard out and one that is not,
/// one to each of two chats, one to a camera.
const CONNECTIONS: usize = 32 + 8 + 1 + 2 + 1;
/// Files that are written or read for a moment meanwhile: each chat's outbox and its folder, as a message goes in or out.
const FILES: usize = 2 * 2;
/// The processor's time that a second may take when it is over; a picture of a megabyte may come in it, and is read
/// unoptimised.
const PEACE: Duration = Duration::from_millis(300);

/// What a program was like before a siege, and what is to become of it.
pub(crate) struct Toll {
    files: usize,
    most_files: usize,
    memory: u64,
    pulse: Pulse,
}

impl Toll {
    /// Before the siege.
    pub(crate) fn before(program: &Program) -> Self {
        program.forget_most_memory();
        let (files, memory) = (program.files(), program.most_memory());
        Self { files, most_files: files, memory, pulse: Pulse::begin() }
    }

    /// In the middle of it: a decent client gets its answer, though it may have to ask again.
    pub(crate) fn look(&mut self, program: &Program) {
        visit(program.address, "/api/health/live", SOON);
        self.most_files = self.most_files.max(program.files());
    }

    /// When all clients are gone: fails where the program is not as it was before. `delays` are those of the events
    /// that were told meanwhile.
    pub(crate) fn check(self, name: &str, program: &Program, connections: u64, delays: &[Duration]) {
        let Self { files, most_files, memory, pulse } = self;
        let stopped = pulse.end();
        let peace = (0..3).map(|_| visit(program.address, "/api/health/live", SOON)).min().unwrap();
        assert!(peace < TOLD, "an answer only {peace:?} after the siege");
        let mut sorted = delays.to_vec();
        sorted.sort();
        let (usual, longest) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        assert!(
            usual < TOLD && longest < TOLD_AT_LAST + stopped,
            "events were told after {usual:?}, one after {longest:?}, and the machine stood still for {stopped:?}: \
             {delays:?}"
        );
        let grown = program.most_memory().saturating_sub(memory);
        assert!(grown <= MEMORY, "{grown} kB more memory than the {memory} kB before");
        assert!(most_files <= files + CONNECTIONS + FILES, "{most_files} files open instead of {files}");
        wait::until("the files to be closed", SOON, || (program.files() <= files).then_some(()));
        let (before, begun) = (program.processor(), Instant::now());
        std::thread::sleep(Duration::from_secs(1));
        let (taken, peace) = (program.processor() - before, begun.elapsed());
        assert!(
            taken < PEACE.mul_f64(peace.as_secs_f64()),
            "{taken:?} of the processor's time in {peace:?} of peace"
        );
        // It was not started again meanwhile.
        program.worker();
        eprintln!(
            "{name}: {connections} connections; {} events told after {longest:?} at most; {grown} kB more than {memory} \
             kB; {most_files} files instead of {files}; {taken:?} in {peace:?} of peace",
            delays.len()
        );
    }
}

/// Notes how long this machine ran nobody at most, by how much too long a short sleep took.
struct Pulse {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Pulse {
    const SLEEP: Duration = Duration::from_millis(5);

    fn begin() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let goes_on = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !goes_on.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(Self::SLEEP);
                longest = longest.max(begun.elapsed().saturating_sub(Self::SLEEP));
            }
            longest
        });
        Self { over, thread }
    }

    fn end(self) -> Duration {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Clients that come again and again until this is dropped or ended.
pub(crate) struct Siege {
    over: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Siege {
    /// Begins with so many clients at once; each has one of these manners.
    pub(crate) fn begin(address: SocketAddr, count: usize, manners: &[Manner]) -> Self {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, most.min(8192), most).unwrap();
        let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let manners = manners.to_vec();
        let (goes_on, counted) = (Arc::clone(&over), Arc::clone(&made));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for (number, manner) in manners.into_iter().cycle().take(count).enumerate() {
                    let made = Arc::clone(&counted);
                    tokio::spawn(async move {
                        for turn in number.. {
                            if let Some(stream) = connect(address, manner).await {
                                made.fetch_add(1, Ordering::Relaxed);
                                let _ = timeout(LEAVES, misbehave(stream, manner, turn)).await;
                            }
                            sleep(PAUSE).await;
                        }
                    });
                }
                while !goes_on.load(Ordering::Relaxed) {
                    sleep(Duration::from_millis(20)).await;
                }
            });
        });
        Self { over, made, thread: Some(thread) }
    }

    /// How many connections were made so far.
    pub(crate) fn connections(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// Has all clients close what they have; gives the number of connections.
    pub(crate) fn end(self) -> u64 {
        self.connections()
    }
}

impl Drop for Siege {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn connect(address: SocketAddr, manner: Manner) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    if matches!(manner, Manner::NeverReads | Manner::ReadsSlowly | Manner::Pipelines) {
        // The less fits in here, the more is kept there.
        socket.set_recv_buffer_size(4096).ok()?;
    }
    timeout(LEAVES, socket.connect(address)).await.ok()?.ok()
}

async fn misbehave(mut stream: TcpStream, manner: Manner, turn: usize) -> std::io::Result<()> {
    let mut some = [0; 4096];
    match manner {
        Manner::Silent => {}
        Manner::Drips => {
            for byte in FIGURES.bytes() {
                stream.write_all(&[byte]).await?;
                sleep(Duration::from_secs(1)).await;
            }
        }
        Manner::NeverReads => {
            stream.write_all(IMAGE.as_bytes()).await?;
            sleep(LEAVES).await;
        }
        Manner::ReadsSlowly => {
            stream.write_all(IMAGE.as_bytes()).await?;
            while stream.read(&mut some).await? > 0 {
                sleep(Duration::from_millis(100)).await;
            }
        }
        Manner::HalfCloses => {
            let request = [IMAGE, "", "GET /api/ HT"][turn % 3];
            stream.write_all(request.as_bytes()).await?;
            stream.shutdown().await?;
        }
        Manner::Garbage => {
            let bytes: Vec<u8> = (0..8192_usize).map(|n| (n * n * 31 + turn * 7) as u8).collect();
            stream.write_all(&bytes).await?;
            stream.write_all(b"\r\n\r\n").await?;
        }
        Manner::HugeHeader => {
            stream.write_all(b"GET /api/ HTTP/1.1\r\nX: ").await?;
            for _ in 0..500 {
                stream.write_all(&[b'y'; 4096]).await?;
            }
        }
        Manner::Pipelines => {
            stream.write_all(FIGURES.repeat(100).as_bytes()).await?;
            sleep(LEAVES).await;
        }
        Manner::Hammers => loop {
            stream.write_all(FIGURES.as_bytes()).await?;
            if stream.read(&mut some).await? == 0 {
                break;
            }
        },
        Manner::Polls => loop {
            stream.write_all(FIGURES.as_bytes()).await?;
            if stream.read(&mut some).await? == 0 {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        },
        Manner::ComesAndGoes => {
            #[expect(deprecated, reason = "to break the connection is what this is for")]
            if turn.is_multiple_of(2) {
                let _ = stream.set_linger(Some(Duration::ZERO));
            }
            return Ok(());
        }
    }
    // Until the server closes.
    while stream.read(&mut some).await? > 0 {}
    Ok(())
}

/// The answer that a decent client gets, if any.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Option<Message> {
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LEAVES)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    http::read(&mut BufReader::new(stream)).ok()?
}

/// Asks as a decent client does, and again when there is no room, until the answer is 200; gives how long that took.
pub(crate) fn visit(address: SocketAddr, path: &str, within: Duration) -> Duration {
    let begin = Instant::now();
    wait::until(&format!("{path} from {address}"), within, || {
        ask(address, path).filter(|answer| answer.first_line.starts_with("HTTP/1.1 200 "))
    });
    begin.elapsed()
}
