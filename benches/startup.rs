//! From exec to the first snapshot, against a ready Moonraker on loopback. The peer is the smallest Python client that
//! does the same with the standard library alone, run in turn with us.

use crate::report::Row;
use crate::support::bed::Bed;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

const RUNS: usize = 9;
const LONGEST: Duration = Duration::from_secs(20);

/// What the listener in between sees.
enum Sight {
    Subscribe(Instant),
    Snapshot(Instant),
}

/// Starts a client `RUNS` times against one Moonraker.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let bed = Bed::up();
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let socket = folder.path().join("moonraker.sock");
    let sights = listen_between(&socket, bed.socket())?;
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        ours.push(time(&sights, || start_us(&socket, &folder.path().join(format!("run{run}"))))?);
        peers.push(time(&sights, || start_python(&socket))?);
    }
    let row = |what: &str, budget, pick: fn(&(f64, f64)) -> f64| Row {
        what: what.into(),
        unit: "ms",
        ours: median(ours.iter().map(pick)),
        peer: Some((median(peers.iter().map(pick)), "Python client".into())),
        budget: Some(budget),
    };
    Ok(vec![
        row("exec to subscribe request", 100.0, |run| run.0),
        row("exec to first snapshot", 400.0, |run| run.1),
    ])
}

/// Milliseconds from the start to the subscribe request and to its answer.
fn time(sights: &Receiver<Sight>, start: impl Fn() -> Result<Child, String>) -> Result<(f64, f64), String> {
    while sights.try_recv().is_ok() {}
    let started = Instant::now();
    let mut child = start()?;
    let (mut subscribed, mut seen) = (None, None);
    while seen.is_none() {
        match sights.recv_timeout(LONGEST) {
            Ok(Sight::Subscribe(at)) => subscribed = subscribed.or(Some(at)),
            Ok(Sight::Snapshot(at)) if subscribed.is_some() => seen = Some(at),
            Ok(Sight::Snapshot(_)) => {}
            Err(_) => break,
        }
    }
    end(&mut child);
    let since = |at: Option<Instant>| at.map(|at| (at - started).as_secs_f64() * 1e3);
    since(subscribed).zip(since(seen)).ok_or_else(|| "the client did not subscribe".to_owned())
}

fn end(child: &mut Child) {
    let id = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
    let _ = child.wait();
}

fn start_us(socket: &Path, folder: &Path) -> Result<Child, String> {
    let extended = folder.join("config/extended");
    std::fs::create_dir_all(&extended).map_err(|e| e.to_string())?;
    let settings = format!(
        "[octobridge]\nmoonraker_url: unix:{}\n[telegram]\nenabled: true\nchat_id: 5\n",
        socket.display()
    );
    std::fs::write(extended.join("extended2.cfg"), settings).map_err(|e| e.to_string())?;
    Command::new(env!("CARGO_BIN_EXE_octobridge"))
        .arg("run")
        .env_clear()
        .env("PRINTER_DATA", folder)
        .env("OCTOBRIDGE_RUN_DIR", folder.join("run"))
        .env("TELEGRAM_BOT_TOKEN", "1:nobody")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())
}

fn start_python(socket: &Path) -> Result<Child, String> {
    Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/moonraker_client.py"))
        .arg(socket)
        .stdout(Stdio::null())
        .spawn()
        .map_err(|e| format!("python3: {e}"))
}

/// Passes connections on to Moonraker, and tells when the subscription and its answer went by.
fn listen_between(at: &Path, moonraker: std::path::PathBuf) -> Result<Receiver<Sight>, String> {
    let listener = UnixListener::bind(at).map_err(|e| e.to_string())?;
    let (tell, sights) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(server) = UnixStream::connect(&moonraker) else { continue };
            let (Ok(client2), Ok(server2)) = (client.try_clone(), server.try_clone()) else { continue };
            let (up, down) = (tell.clone(), tell.clone());
            std::thread::spawn(move || {
                pass(client, server2, &up, b"printer.objects.subscribe", Sight::Subscribe)
            });
            std::thread::spawn(move || pass(server, client2, &down, b"\"status\"", Sight::Snapshot));
        }
    });
    Ok(sights)
}

fn pass(
    mut from: UnixStream,
    mut to: UnixStream,
    tell: &Sender<Sight>,
    needle: &[u8],
    sight: fn(Instant) -> Sight,
) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 {
            break;
        }
        let at = Instant::now();
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
        if buffer[..n].windows(needle.len()).any(|window| window == needle) {
            let _ = tell.send(sight(at));
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
