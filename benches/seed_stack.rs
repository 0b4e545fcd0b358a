//! A whole job of the vectors through a feed, at a chat and at a REST server, in the memory and the processor's time
//! that it takes. The peer is a Python program on aiohttp and FastAPI that does the same, on the same job at the same
//! time.

use crate::processes::Family;
use crate::report::Row;
use crate::support::bed::free_port;
use crate::support::camera::picture_of;
use crate::support::feed::{Feed, Heard};
use crate::support::http;
use crate::support::telegram::Telegram;
use crate::support::wait;
use crate::vector::{Vector, What, texts};
use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const VECTOR: &str = "n01-full-job";
const TOKEN: &str = "1:bench";
/// A person's chat: a group would take fewer messages a minute than the hurried job has.
const CHAT: i64 = 5;
const PRINTER: &str = "A1M-1";
/// So much faster than in the vector time passes.
const HURRY: u32 = 30;
/// How often the feed tells the printer's status, which the vector does once a minute of its own.
const TOLD: Duration = Duration::from_millis(500);
/// Each so manieth time it shows a picture as well.
const SHOWN: usize = 2;
/// Bytes of a picture: about those of the vectors, and those of a camera, for which both programs mostly move bytes.
const PICTURES: [(&str, usize); 2] = [("the vector's pictures", 1_200), ("pictures of 200 kB", 200_000)];
/// Seconds between two photos, since an hour would be longer than the job.
const PHOTOS: &str = "30";
/// Somebody looks at the REST server that often, and each so manieth time at the picture.
const LOOKS: Duration = Duration::from_secs(1);
const LOOKS_AT_PICTURE: usize = 5;
/// For a program to start.
const SOON: Duration = Duration::from_secs(30);

/// What the feed does, and when.
type Course = Arc<Vec<(Duration, Shown)>>;

#[derive(Debug, Clone)]
enum Shown {
    Status(String),
    /// Of so many bytes.
    Picture(usize),
}

/// A program with its feed, its chat and its port.
struct Client {
    child: Child,
    chat: Telegram,
    port: u16,
    feed: Option<JoinHandle<Result<(), String>>>,
    connected: Receiver<()>,
    begin: Option<tokio::sync::oneshot::Sender<Instant>>,
}

/// What a client took.
#[derive(Debug)]
struct Taken {
    seconds: f64,
    start: f64,
    resident: u64,
    proportional: u64,
    peak: u64,
}

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let path = format!("tests/vectors/telegram/{VECTOR}.json");
    let vector = Vector::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(path));
    let mut rows = Vec::new();
    for (name, size) in PICTURES {
        rows.extend(with_pictures(&vector, name, size)?);
    }
    Ok(rows)
}

fn with_pictures(vector: &Vector, name: &str, size: usize) -> Result<Vec<Row>, String> {
    let course = course(vector, size);
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (us, python) = (us()?, python()?);
    let mut clients = [
        Client::start(&folder.path().join("ours"), &course, us)?,
        Client::start(&folder.path().join("peer"), &course, python)?,
    ];
    for client in &clients {
        client.connected.recv_timeout(SOON).map_err(|_| "nobody connects to the feed".to_owned())?;
        wait::until("the REST server", SOON, || TcpStream::connect(("127.0.0.1", client.port)).ok());
    }
    let starts = clients.each_ref().map(|client| client.family()?.seconds());
    let begun = Instant::now();
    for begin in clients.iter_mut().filter_map(|client| client.begin.take()) {
        let _ = begin.send(begun);
    }
    let length = course.last().map(|(at, _)| *at).unwrap_or_default();
    let looks = look(&clients, begun, length, size)?;
    let taken = [(&clients[0], starts[0].clone()?), (&clients[1], starts[1].clone()?)]
        .map(|(client, start)| client.taken(start));
    let [ours, peer] = taken;
    let (ours, peer) = (ours?, peer?);
    for (client, whose) in clients.iter_mut().zip(["we", "the peer"]) {
        client.finish().map_err(|e| format!("{whose}: {e}"))?;
        let (messages, photos) = client.check(vector).map_err(|e| format!("{whose}: {e}"))?;
        eprintln!("  {whose} sent {messages} messages and {photos} photos, answered {looks} looks");
    }
    eprintln!("  ours {ours:?}\n  peer {peer:?}");
    Ok(rows(name, length, &ours, &peer))
}

fn rows(name: &str, length: Duration, ours: &Taken, peer: &Taken) -> Vec<Row> {
    let row = |what: &str, unit, pick: &dyn Fn(&Taken) -> f64| Row {
        what: what.to_owned(),
        unit,
        ours: pick(ours),
        peer: Some((pick(peer), "aiohttp, FastAPI".to_owned())),
        // What is aimed for, 15 times less memory and 10 times less of the processor's time, binds nobody.
        budget: None,
    };
    let megabytes = |kib: u64| kib as f64 * 1024.0 / 1e6;
    let seconds = length.as_secs();
    vec![
        row(&format!("a vector's job, {name}, resident after it"), "MB", &|taken| megabytes(taken.resident)),
        row("the same, shared pages in parts", "MB", &|taken| megabytes(taken.proportional)),
        row("the same, peak since the start", "MB", &|taken| megabytes(taken.peak)),
        row(&format!("its processor time in {seconds} s"), "s", &|taken| taken.seconds),
        row("the same with the start", "s", &|taken| taken.seconds + taken.start),
    ]
}

/// The vector's job, hurried: what it tells is told again until there is more, as a printer does.
fn course(vector: &Vector, size: usize) -> Course {
    let statuses: Vec<(Duration, &String)> = vector
        .events
        .iter()
        .filter_map(|event| match &event.what {
            What::Text(text) => Some((event.at / HURRY, text)),
            _ => None,
        })
        .collect();
    let end = vector.events.last().map_or(Duration::ZERO, |event| event.at / HURRY);
    let mut course = Vec::new();
    let mut at = statuses.first().map_or(end, |(at, _)| *at);
    for tick in 0.. {
        if at > end {
            break;
        }
        if let Some((_, text)) = statuses.iter().rev().find(|(since, _)| *since <= at) {
            course.push((at, Shown::Status((*text).clone())));
        }
        if tick % SHOWN == 0 {
            // No two are equally long, as with a camera.
            course.push((at, Shown::Picture(size + tick)));
        }
        at += TOLD;
    }
    Arc::new(course)
}

/// Plays the feed for one client.
async fn play(
    feed: Feed,
    course: Course,
    connected: std::sync::mpsc::Sender<()>,
    begin: tokio::sync::oneshot::Receiver<Instant>,
) -> Result<(), String> {
    let mut connection = feed.accept().await;
    let _ = connected.send(());
    let Ok(begun) = begin.await else { return Ok(()) };
    for (at, shown) in course.iter() {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until((begun + *at).into()) => break,
                heard = connection.heard() => match heard {
                    Heard::Ping => {}
                    other => return Err(format!("the feed heard {other:?}")),
                },
            }
        }
        match shown {
            Shown::Status(text) => connection.text(text).await,
            Shown::Picture(length) => connection.picture(&picture_of(*length)).await,
        }
    }
    // Until the client leaves.
    connection.farewell().await;
    Ok(())
}

/// Looks at the REST servers until that time; gives how often.
fn look(clients: &[Client; 2], begun: Instant, length: Duration, size: usize) -> Result<usize, String> {
    let mut looks = 0_usize;
    loop {
        let next = begun + LOOKS * (u32::try_from(looks).unwrap_or(u32::MAX) + 1);
        if next > begun + length {
            break;
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        looks += 1;
        for client in clients {
            let status = get(client.port, "")?;
            if !status.starts_with(b"{\"") {
                return Err(format!("no status: {}", String::from_utf8_lossy(&status)));
            }
            if looks.is_multiple_of(LOOKS_AT_PICTURE) && get(client.port, "/image")?.len() < size {
                return Err("no picture".to_owned());
            }
        }
    }
    // A moment after the end, so that the last message of the feed is read.
    std::thread::sleep((begun + length + TOLD).saturating_duration_since(Instant::now()));
    Ok(looks)
}

fn get(port: u16, what: &str) -> Result<Vec<u8>, String> {
    let ask = || -> std::io::Result<_> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(SOON))?;
        write!(
            stream,
            "GET /api/printer/{PRINTER}{what} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        )?;
        http::read(&mut BufReader::new(stream))
    };
    let answer = ask().map_err(|e| e.to_string())?.ok_or("no answer")?;
    match answer.first_line.contains(" 200 ") {
        true => Ok(answer.body),
        false => Err(format!("`{}` for the printer's {what:?}", answer.first_line)),
    }
}

/// Our program as it is shipped, static, but for this machine: as in the container image. Shared libraries would count
/// for each process.
pub(crate) fn us() -> Result<Command, String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let built = Command::new(project.join("pre-scripts/01-build-program.sh"))
        .arg(&triple)
        .envs([("CROSS", "native"), ("MAKE_TARGET", "bench")])
        .stdin(Stdio::null())
        .status();
    if !built.map_err(|e| e.to_string())?.success() {
        return Err(format!("cannot build the program for {triple}"));
    }
    let mut command = Command::new(project.join(".cache/program").join(triple).join("octobridge"));
    command.arg("run").stderr(Stdio::null());
    Ok(command)
}

fn python() -> Result<Command, String> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(project.join(".cache/python/peer/bin/python3"));
    command.arg(project.join("benches/seed_stack.py"));
    Ok(command)
}

impl Client {
    fn start(folder: &Path, course: &Course, mut program: Command) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        let chat = Telegram::start(TOKEN, CHAT);
        let authority = folder.join("ca.pem");
        std::fs::write(&authority, chat.ca()).map_err(|e| e.to_string())?;
        let (address, told) = channel();
        let (connects, connected) = channel();
        let (begin, begins) = tokio::sync::oneshot::channel();
        let course = Arc::clone(course);
        let feed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|e| e.to_string())?.block_on(async {
                let feed = Feed::plain().await;
                let _ = address.send(feed.address());
                play(feed, course, connects, begins).await
            })
        });
        let port = free_port();
        let child = program
            .env_clear()
            .envs([("PRINTER_ID", PRINTER), ("SOURCE", "feed"), ("BIND", "127.0.0.1")])
            .envs([("TELEGRAM_BOT_TOKEN", TOKEN), ("PHOTO_INTERVAL_SECONDS", PHOTOS)])
            .env("WS_URL", told.recv().map_err(|e| e.to_string())?)
            .env("PORT", port.to_string())
            .env("TELEGRAM_CHAT_ID", CHAT.to_string())
            .env("TELEGRAM_API_URL", chat.url())
            .env("EXTRA_CA_FILE", &authority)
            .env("DATA_DIR", folder.join("data"))
            .env("PRINTER_DATA", folder.join("printer"))
            .env("OCTOBRIDGE_RUN_DIR", folder.join("run"))
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| e.to_string())?;
        Ok(Self { child, chat, port, feed: Some(feed), connected, begin: Some(begin) })
    }

    fn family(&self) -> Result<Family, String> {
        Family::of(self.child.id())
    }

    fn taken(&self, start: f64) -> Result<Taken, String> {
        let family = self.family()?;
        Ok(Taken {
            seconds: family.seconds()? - start,
            start,
            resident: family.resident()?,
            proportional: family.proportional()?,
            peak: family.peak()?,
        })
    }

    /// Ends the program; an error if it left the feed before.
    fn finish(&mut self) -> Result<(), String> {
        self.end();
        let feed = self.feed.take().ok_or("the feed has ended")?;
        feed.join().map_err(|_| "the feed panicked".to_owned())?
    }

    fn end(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }

    /// How many messages and photos came. What the vector expects must be among them.
    fn check(&self, vector: &Vector) -> Result<(usize, usize), String> {
        let calls = self.chat.done("");
        let of = |method: &str| calls.iter().filter(|call| call.method == method).count();
        let all: String = calls.iter().map(|call| format!("{}\n", call.text())).collect();
        for part in vector.expected("text").iter().flat_map(|group| texts(&group["all_of"])) {
            if !all.contains(&part) {
                return Err(format!("`{part}` was never told:\n{all}"));
            }
        }
        match (of("sendMessage"), of("sendPhoto")) {
            (_, 0..=2) => Err(format!("hardly a photo came:\n{all}")),
            counts => Ok(counts),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}
