//! A print on the real Moonraker and Klipper host, four updates a second, told to three stand-ins for Telegram, to
//! OctoApp's phones and to Prusa Connect by five bridges: the processor's time that it takes, and how soon an event is on
//! the wire to a chat. The peer is a Python client that tells the chats alone with a package from PyPI, on the same print
//! at the same time.

use crate::processes::Family;
use crate::report::Row;
use crate::support::bed::{Bed, Job};
use crate::support::phones::Phones;
use crate::support::prusa_connect::{Connect, registered};
use crate::support::telegram::Telegram;
use crate::support::wait;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TOKEN: &str = "1:bench";
const CHAT: i64 = 5;
/// How long the processor's time is counted.
const COUNTED: Duration = Duration::from_secs(120);
/// How often the print is paused and goes on in a round: each gives an event for each of three chats.
const TURNS: usize = 20;
/// How often that is repeated. What else the machine does makes single requests late, those of the peer as well: the
/// round that counts is the one with the least of it, for each of the two.
const ROUNDS: usize = 3;
/// A chat takes a message a second.
const PACE: Duration = Duration::from_millis(1200);

/// Each pause is told at once, however short, and nothing between two: the peer tells no progress and takes no photos.
const EACH_TURN: &str = "short_pause_seconds: 0\nevents: start,pause,end\n";

/// Moonraker sends four updates a second; with fewer the processor's time would say little.
const LEAST_UPDATES: usize = 35 * COUNTED.as_secs() as usize / 10;

/// A client of Moonraker with its three chats.
struct Client {
    child: Child,
    chats: [Telegram; 3],
    traffic: Arc<Mutex<Traffic>>,
}

/// What went by on the way to a client.
#[derive(Debug, Default)]
struct Traffic {
    /// How many updates.
    updates: usize,
    /// When the print was seen in another state, and in which.
    states: Vec<(Instant, &'static str)>,
}

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let bed = Bed::up();
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (phones, connect) = (Phones::start(), Connect::start());
    phones.register(&bed);
    let ours = start(&bed, folder.path(), "ours", &|socket, folder, chats| {
        start_us(socket, folder, chats, &phones, &connect)
    })?;
    let peer = start(&bed, folder.path(), "peer", &start_python)?;
    bed.start_print("traffic.gcode", Job { layers: 400, ..Job::LONG });
    for (client, whose) in [(&ours, "our"), (&peer, "the peer's")] {
        for chat in &client.chats {
            wait::until(&format!("{whose} first message"), Duration::from_secs(30), || {
                (!chat.done("").is_empty()).then_some(())
            });
        }
    }
    wait::until("the first push", Duration::from_secs(30), || (!phones.pushes().is_empty()).then_some(()));
    wait::until("the print in Connect", Duration::from_secs(30), || {
        (connect.last_telemetry()["state"] == "PRINTING").then_some(())
    });
    let told = connect.requests().len();
    let (before, updates) = ((ours.seconds()?, peer.seconds()?), (ours.updates(), peer.updates()));
    std::thread::sleep(COUNTED);
    let after = (ours.seconds()?, peer.seconds()?);
    let told = connect.requests().len() - told;
    if (told as u64) < COUNTED.as_secs() * 9 / 10 {
        return Err(format!("Connect was told only {told} times in {COUNTED:?}"));
    }
    for (client, before) in [(&ours, updates.0), (&peer, updates.1)] {
        let updates = client.updates() - before;
        if updates < LEAST_UPDATES {
            return Err(format!("Moonraker sent only {updates} updates in {COUNTED:?}"));
        }
    }
    let percent = |before: f64, after: f64| (after - before) / COUNTED.as_secs_f64() * 100.0;

    let (mut best, mut best_of_peer) = (Delays::WORST, Delays::WORST);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..TURNS {
            bed.pause_print();
            std::thread::sleep(PACE);
            bed.resume_print();
            std::thread::sleep(PACE);
        }
        best = best.or_better(ours.delays(begun)?);
        best_of_peer = best_of_peer.or_better(peer.delays(begun)?);
    }
    let of_peer = |value| Some((value, "aiohttp client".to_owned()));
    Ok(vec![
        Row {
            what: "processor, printing, three chats, OctoApp and Prusa Connect".into(),
            unit: "%",
            ours: percent(before.0, after.0),
            peer: of_peer(percent(before.1, after.1)),
            budget: Some(0.5),
        },
        Row {
            what: format!("event to request, 99th percentile of {}, best of {ROUNDS}", 6 * TURNS),
            unit: "ms",
            ours: best.late,
            peer: of_peer(best_of_peer.late),
            budget: Some(5.0),
        },
        Row {
            what: "event to request, median of the same".into(),
            unit: "ms",
            ours: best.median,
            peer: of_peer(best_of_peer.median),
            budget: None,
        },
    ])
}

/// The delays of a round, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Delays {
    median: f64,
    /// The 99th percentile.
    late: f64,
}

impl Delays {
    const WORST: Self = Self { median: f64::INFINITY, late: f64::INFINITY };

    fn of(mut delays: Vec<f64>) -> Self {
        delays.sort_by(f64::total_cmp);
        let percentile = |part: f64| delays[(delays.len() as f64 * part).ceil() as usize - 1];
        Self { median: percentile(0.5), late: percentile(0.99) }
    }

    fn or_better(self, other: Self) -> Self {
        if other.late < self.late { other } else { self }
    }
}

/// Three stand-ins of one service, as all bots of Telegram are at one address.
fn three_chats() -> [Telegram; 3] {
    let first = Telegram::start(TOKEN, CHAT);
    [first.another(CHAT), first.another(CHAT), first]
}

type Start<'s> = &'s dyn Fn(&Path, &Path, &[Telegram; 3]) -> Result<Child, String>;

fn start(bed: &Bed, folder: &Path, name: &str, start: Start<'_>) -> Result<Client, String> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let chats = three_chats();
    let socket = folder.join("moonraker.sock");
    let traffic = listen_between(&socket, bed.socket())?;
    let child = start(&socket, &folder, &chats)?;
    Ok(Client { child, chats, traffic })
}

fn start_us(
    socket: &Path,
    folder: &Path,
    chats: &[Telegram; 3],
    phones: &Phones,
    connect: &Connect,
) -> Result<Child, String> {
    let write = |path: PathBuf, text: &str| std::fs::write(path, text).map_err(|e| e.to_string());
    let extended = folder.join("config/extended");
    std::fs::create_dir_all(&extended).map_err(|e| e.to_string())?;
    std::fs::create_dir_all(folder.join("octoapp")).map_err(|e| e.to_string())?;
    write(folder.join("ca.pem"), &format!("{}{}", chats[0].ca(), phones.ca()))?;
    let mut settings = format!(
        "[octobridge]\nmoonraker_url: unix:{}\nextra_ca_file: {}\nport: 0\n",
        socket.display(),
        folder.join("ca.pem").display()
    );
    for (chat, name) in chats.iter().zip(["", "two", "three"]) {
        let section = format!("telegram {name}");
        settings += &format!(
            "[{}]\nenabled: true\nchat_id: {CHAT}\napi_url: {}\n{EACH_TURN}",
            section.trim(),
            chat.url()
        );
        let secret = format!("telegram_{name}_bot_token").replace("__", "_");
        write(folder.join("octoapp").join(secret), TOKEN)?;
    }
    settings += &phones.section("127.0.0.1");
    settings += &connect.register("127.0.0.1");
    let token = folder.join("octoapp/prusa_connect_token");
    write(token.clone(), registered::TOKEN)?;
    std::fs::set_permissions(token, std::fs::Permissions::from_mode(0o600)).map_err(|e| e.to_string())?;
    write(extended.join("extended2.cfg"), &settings)?;
    Command::new(env!("CARGO_BIN_EXE_octobridge"))
        .arg("run")
        .env_clear()
        .env("PRINTER_DATA", folder)
        .env("OCTOBRIDGE_RUN_DIR", folder.join("run"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())
}

fn start_python(socket: &Path, folder: &Path, chats: &[Telegram; 3]) -> Result<Child, String> {
    std::fs::write(folder.join("ca.pem"), chats[0].ca()).map_err(|e| e.to_string())?;
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(project.join(".cache/python/peer/bin/python3"))
        .arg(project.join("benches/telegram_client.py"))
        .arg(socket)
        .arg(folder.join("ca.pem"))
        .arg(CHAT.to_string())
        .args(chats.iter().map(|chat| format!("{}/bot{TOKEN}/sendMessage", chat.url())))
        .stdin(Stdio::null())
        .spawn()
        .map_err(|e| format!("the Python peer: {e}"))
}

impl Client {
    /// Processor time of the client's processes so far, in seconds.
    fn seconds(&self) -> Result<f64, String> {
        Family::of(self.child.id())?.seconds()
    }

    fn updates(&self) -> usize {
        self.traffic.lock().map_or(0, |traffic| traffic.updates)
    }

    /// From each event on the socket since then to its request at each chat. No event and no request is left out.
    fn delays(&self, since: Instant) -> Result<Delays, String> {
        let traffic = self.traffic.lock().map_err(|e| e.to_string())?;
        let events: Vec<Instant> =
            traffic.states.iter().map(|(at, _)| *at).filter(|at| *at > since).collect();
        let mut delays = Vec::new();
        for chat in &self.chats {
            let calls: Vec<Instant> =
                chat.calls().into_iter().map(|call| call.at).filter(|at| *at > since).collect();
            if events.len() != 2 * TURNS || calls.len() != events.len() {
                return Err(format!(
                    "{} events of {} led to {} requests",
                    events.len(),
                    2 * TURNS,
                    calls.len()
                ));
            }
            // They alternate, or a delay is longer than a turn.
            delays.extend(calls.iter().zip(&events).map(|(call, event)| {
                call.checked_duration_since(*event).unwrap_or(PACE).as_secs_f64() * 1e3
            }));
        }
        Ok(Delays::of(delays))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

/// Passes a connection on to Moonraker, and notes what goes by.
fn listen_between(at: &Path, moonraker: PathBuf) -> Result<Arc<Mutex<Traffic>>, String> {
    let listener = UnixListener::bind(at).map_err(|e| e.to_string())?;
    let traffic = Arc::new(Mutex::new(Traffic::default()));
    let noted = Arc::clone(&traffic);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = UnixStream::connect(&moonraker) else { continue };
            let (Ok(client2), Ok(server2)) = (client.try_clone(), server.try_clone()) else { continue };
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || pass(client, server2, |_| {}));
            std::thread::spawn(move || {
                pass(server, client2, |bytes| noted.lock().expect("no thread panics with it").note(bytes));
            });
        }
    });
    Ok(traffic)
}

impl Traffic {
    /// Notes an update just before it is passed on. Moonraker writes each at once, so that none comes in two parts.
    fn note(&mut self, bytes: &[u8]) {
        const STATES: [&str; 2] = ["\"state\":\"paused\"", "\"state\":\"printing\""];
        let text = String::from_utf8_lossy(bytes).replace(' ', "");
        self.updates += text.matches("notify_status_update").count();
        let state = STATES.into_iter().find(|state| text.contains(state));
        if let Some(state) = state.filter(|state| self.states.last().map(|(_, last)| last) != Some(state)) {
            self.states.push((Instant::now(), state));
        }
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, mut tell: impl FnMut(&[u8])) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 {
            break;
        }
        tell(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
