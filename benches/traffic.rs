//! A print on the real Moonraker and Klipper host, four updates a second, told to three stand-ins for Telegram by three
//! bridges: the processor's time that it takes, and how soon an event is on the wire. The peer is a Python client that
//! does the same with a package from PyPI, on the same print at the same time.

use crate::report::Row;
use crate::support::bed::{Bed, Job};
use crate::support::telegram::Telegram;
use crate::support::wait;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TOKEN: &str = "1:bench";
const CHAT: i64 = 5;
/// How long the processor's time is counted.
const COUNTED: Duration = Duration::from_secs(60);
/// How often the print is paused and goes on: each gives an event for each of three chats.
const TURNS: usize = 30;
/// A chat takes a message a second.
const PACE: Duration = Duration::from_millis(1200);

/// A client of Moonraker with its three chats.
struct Client {
    child: Child,
    chats: [Telegram; 3],
    /// When messages went by that tell of another state of the print.
    events: Arc<Mutex<Vec<Instant>>>,
}

pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let bed = Bed::up();
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let ours = start(&bed, folder.path(), "ours", start_us)?;
    let peer = start(&bed, folder.path(), "peer", start_python)?;
    bed.start_print("traffic.gcode", Job { layers: 400, ..Job::LONG });
    for client in [&ours, &peer] {
        for chat in &client.chats {
            wait::until("the first message", Duration::from_secs(30), || {
                (!chat.done("").is_empty()).then_some(())
            });
        }
    }
    let before = (ours.seconds()?, peer.seconds()?);
    std::thread::sleep(COUNTED);
    let after = (ours.seconds()?, peer.seconds()?);
    let percent = |before: f64, after: f64| (after - before) / COUNTED.as_secs_f64() * 100.0;

    for _ in 0..TURNS {
        bed.pause_print();
        std::thread::sleep(PACE);
        bed.resume_print();
        std::thread::sleep(PACE);
    }
    let (delays, peer_delays) = (ours.delays(), peer.delays());
    let of_peer = |value| Some((value, "aiohttp client".to_owned()));
    Ok(vec![
        Row {
            what: "processor, printing, three chats".into(),
            unit: "%",
            ours: percent(before.0, after.0),
            peer: of_peer(percent(before.1, after.1)),
            budget: Some(0.5),
        },
        Row {
            what: format!("event to request, 99th percentile of {}", delays.len()),
            unit: "ms",
            ours: percentile(&delays, 0.99)?,
            peer: of_peer(percentile(&peer_delays, 0.99)?),
            budget: Some(5.0),
        },
        Row {
            what: "event to request, median".into(),
            unit: "ms",
            ours: percentile(&delays, 0.5)?,
            peer: of_peer(percentile(&peer_delays, 0.5)?),
            budget: None,
        },
    ])
}

type Start = fn(&Path, &Path, &[Telegram; 3]) -> Result<Child, String>;

fn start(bed: &Bed, folder: &Path, name: &str, start: Start) -> Result<Client, String> {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let chats = [(); 3].map(|()| Telegram::start(TOKEN, CHAT));
    let socket = folder.join("moonraker.sock");
    let events = listen_between(&socket, bed.socket())?;
    let child = start(&socket, &folder, &chats)?;
    Ok(Client { child, chats, events })
}

fn start_us(socket: &Path, folder: &Path, chats: &[Telegram; 3]) -> Result<Child, String> {
    let write = |path: PathBuf, text: &str| std::fs::write(path, text).map_err(|e| e.to_string());
    let extended = folder.join("config/extended");
    std::fs::create_dir_all(&extended).map_err(|e| e.to_string())?;
    std::fs::create_dir_all(folder.join("octoapp")).map_err(|e| e.to_string())?;
    let authorities: String = chats.iter().map(Telegram::ca).collect();
    write(folder.join("ca.pem"), &authorities)?;
    let mut settings = format!(
        "[octobridge]\nmoonraker_url: unix:{}\nextra_ca_file: {}\nport: 0\n",
        socket.display(),
        folder.join("ca.pem").display()
    );
    for (chat, name) in chats.iter().zip(["", "two", "three"]) {
        let section = format!("telegram {name}");
        settings +=
            &format!("[{}]\nenabled: true\nchat_id: {CHAT}\napi_url: {}\n", section.trim(), chat.url());
        let secret = format!("telegram_{name}_bot_token").replace("__", "_");
        write(folder.join("octoapp").join(secret), TOKEN)?;
    }
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
    let authorities: String = chats.iter().map(Telegram::ca).collect();
    std::fs::write(folder.join("ca.pem"), authorities).map_err(|e| e.to_string())?;
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
        let root = self.child.id();
        let mut ticks = 0;
        for entry in std::fs::read_dir("/proc").map_err(|e| e.to_string())?.flatten() {
            let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
            // Behind the name, which may hold blanks: state, parent, …, and as 12th and 13th the times.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            let own = entry.file_name().to_str() == Some(root.to_string().as_str());
            if own || fields.get(1) == Some(&root.to_string().as_str()) {
                let number =
                    |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
                ticks += number(11) + number(12);
            }
        }
        Ok(ticks as f64 / 100.0)
    }

    /// Milliseconds from each event on the socket to its request at each chat.
    fn delays(&self) -> Vec<f64> {
        let events = self.events.lock().map(|events| events.clone()).unwrap_or_default();
        let mut delays = Vec::new();
        for chat in &self.chats {
            for event in &events {
                let next = chat.calls().into_iter().map(|call| call.at).filter(|at| at > event).min();
                let delay = next.map(|at| (at - *event).as_secs_f64() * 1e3);
                // The start of the print has its request later, once its record is known.
                delays.extend(delay.filter(|delay| *delay < 500.0));
            }
        }
        delays.sort_by(f64::total_cmp);
        delays
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(self.child.id().cast_signed());
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn percentile(sorted: &[f64], part: f64) -> Result<f64, String> {
    if sorted.len() < TURNS * 3 {
        return Err(format!("only {} of {} events were told", sorted.len(), TURNS * 6));
    }
    let index = (sorted.len() as f64 * part).ceil() as usize - 1;
    sorted.get(index).copied().ok_or_else(|| "no delay".to_owned())
}

/// Passes a connection on to Moonraker, and notes when a message goes by that tells of another state of the print.
fn listen_between(at: &Path, moonraker: PathBuf) -> Result<Arc<Mutex<Vec<Instant>>>, String> {
    let listener = UnixListener::bind(at).map_err(|e| e.to_string())?;
    let events = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&events);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = UnixStream::connect(&moonraker) else { continue };
            let (Ok(client2), Ok(server2)) = (client.try_clone(), server.try_clone()) else { continue };
            let noted = Arc::clone(&noted);
            std::thread::spawn(move || pass(client, server2, |_| {}));
            std::thread::spawn(move || {
                pass(server, client2, |bytes| {
                    let text = String::from_utf8_lossy(bytes);
                    let tells = ["\"state\":\"paused\"", "\"state\":\"printing\""];
                    let update = text.contains("notify_status_update");
                    if update && tells.iter().any(|needle| text.replace(' ', "").contains(needle)) {
                        noted.lock().expect("no thread panics with it").push(Instant::now());
                    }
                });
            });
        }
    });
    Ok(events)
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
