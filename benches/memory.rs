//! Memory of all our processes in the booted guest, with three bridges connected to three stand-ins, on Moonraker one
//! for OctoApp's phones, one for a chat and one for Prusa Connect, on a feed three for chats: after ten idle minutes, and
//! at its peak while pictures of 2 MB come from a camera or through a feed; and what one open set-up page adds. Measured
//! there since the printer is what the budgets are about: another processor, C library and kernel give other figures. The
//! peer is a Python client that only watches, on this machine: without any bridge or camera.

use crate::report::Row;
use crate::support::bed::{Bed, Job, Setup};
use crate::support::camera::{Answer, Camera, picture_of};
use crate::support::feed::{Connection, Feed, Heard};
use crate::support::forward::Forward;
use crate::support::phones::Phones;
use crate::support::printer::{self, Booted, Moonraker, Printer};
use crate::support::prusa_connect::Connect;
use crate::support::telegram::Telegram;
use crate::support::wait;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The file that prints.
const JOB: &str = "cube.gcode";
/// For a print and its message.
const LONGEST: Duration = Duration::from_secs(120);
/// As the budget says; `IDLE_MINUTES` shortens a trial.
const IDLE_MINUTES: u32 = 10;
/// Lengths of the pictures, in bytes: no two pictures of a camera are equally long, and a buffer that fits one of them
/// fits another badly.
const PICTURES: [usize; 6] = [1_900_000, 2_000_000, 1_960_000, 1_990_000, 1_700_000, 2_000_000];
/// From one picture of the feed to the next.
const APART: Duration = Duration::from_secs(2);

/// Boots the image twice: on Moonraker, and on a feed.
pub(crate) fn measure() -> Result<Vec<Row>, String> {
    let mut rows = on_moonraker()?;
    rows.push(on_a_feed()?);
    Ok(rows)
}

fn chats() -> [Telegram; 3] {
    [(); 3].map(|()| Telegram::start(printer::TOKEN, printer::CHAT))
}

fn row(what: String, kib: u64, budget: f64) -> Row {
    Row { what, unit: "MB", ours: kib as f64 * 1024.0 / 1e6, peer: None, budget: Some(budget) }
}

fn on_moonraker() -> Result<Vec<Row>, String> {
    let minutes =
        std::env::var("IDLE_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(IDLE_MINUTES);
    // The bridges have some of the first ones, of their job.
    let pictures = [PICTURES, PICTURES].concat();
    let answers: Vec<Answer> = pictures.iter().map(|length| Answer::Whole(picture_of(*length))).collect();
    let camera = Camera::start("/picture.jpg", &answers);
    let port = camera.base().rsplit(':').next().unwrap_or_default().to_owned();
    let webcam =
        format!("[webcam large]\nstream_url: /stream\nsnapshot_url: http://10.0.2.2:{port}/picture.jpg\n");
    let bed = Bed::up_with(Setup { moonraker_conf: webcam.leak(), ..Setup::default() });
    let forward = Forward::to(&bed.socket());
    let [chat, ..] = chats();
    let (chats, phones, connect) = ([chat], Phones::start(), Connect::start());
    phones.register(&bed);
    let others = Some((&phones, &connect));
    let moonraker = Moonraker::Socket(forward.port());
    let machine = Printer::new(&printer::with_all(&chats, others, moonraker));
    let mut booted = machine.boot();
    booted.wait_for_service(Duration::from_secs(30));
    booted.forget_peaks();
    // A bridge that has never spoken is not connected: a short print makes it.
    bed.start_print(JOB, Job::SHORT);
    bed.hurry();
    bed.wait_for("complete", LONGEST);
    wait_until_connected(&mut booted, &chats, others)?;
    let idle = booted.resident_after(minutes);
    wait_until_connected(&mut booted, &chats, others)?;
    tell(&mut booted, "idle");
    let page = open_page(&mut booted)?;

    let before = camera.requests().len();
    for (number, length) in pictures.into_iter().skip(before).take(PICTURES.len()).enumerate() {
        if camera.requests().len() != before + number {
            return Err(format!(
                "the camera was asked {} times, not {number}",
                camera.requests().len() - before
            ));
        }
        fetch(&mut booted, "$(hostname)", length)?;
        // A younger picture would be given again.
        booted.done("sleep 2");
    }
    tell(&mut booted, "with a camera");
    let peak = peak(&mut booted);
    booted.power_off();
    Ok(vec![
        Row {
            peer: Some((python_resident(&bed)?, "Python client".into())),
            ..row(format!("resident after {minutes} idle minutes, all three bridges"), idle, 4.5)
        },
        Row { unit: "kB", ours: page * 1.024, ..row("one open set-up page adds".into(), 0, 100.0) },
        row("peak with 2 MB pictures of a camera".into(), peak, 8.0),
    ])
}

/// Opens the set-up page in the guest as a browser does, but for the camera's picture, and leaves it open for a minute;
/// gives by how many KiB all processes have grown. Where they shrank meanwhile, that is below zero.
fn open_page(booted: &mut Booted) -> Result<f64, String> {
    let before = booted.resident();
    for file in ["", "page/page.css", "page/page.js"] {
        booted.done(&format!("wget -q -O /dev/null http://127.0.0.1:8000/{file}"));
    }
    booted.done(
        "wget -q -O /tmp/page http://127.0.0.1:8000/page/live >/dev/null 2>&1 & echo $! >/tmp/page.pid",
    );
    let after = booted.resident_after(1);
    tell(booted, "with the page open");
    // It is still open, and the whole page came.
    booted.done("kill $(cat /tmp/page.pid)");
    let parts = booted.done("grep -c '^event: part' /tmp/page");
    match parts.trim().parse::<u32>() {
        Ok(5..) => Ok(after as f64 - before as f64),
        _ => Err(format!("{} parts of the page came", parts.trim())),
    }
}

fn on_a_feed() -> Result<Row, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    let feed = runtime.block_on(Feed::plain());
    let chats = chats();
    let machine = Printer::new(&printer::with_feed(&chats, feed.port()));
    let mut booted = machine.boot();
    booted.wait_for_service(Duration::from_secs(30));
    booted.forget_peaks();
    let (next, pictures) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || runtime.block_on(serve(feed, pictures)));
    wait_until_connected(&mut booted, &chats, None)?;
    for length in PICTURES {
        next.blocking_send(length).map_err(|e| format!("the feed ended: {e}"))?;
        wait::until("the picture", LONGEST, || fetch(&mut booted, "A1M-1", length).ok());
    }
    tell(&mut booted, "with a feed");
    let peak = peak(&mut booted);
    booted.power_off();
    Ok(row("peak with 2 MB pictures through a feed".into(), peak, 12.0))
}

/// A feed of a printer that has just finished a job, with pictures as they are asked for.
async fn serve(feed: Feed, mut pictures: tokio::sync::mpsc::Receiver<usize>) {
    let mut connection = feed.accept().await;
    for state in ["RUNNING", "FINISH"] {
        status(&mut connection, state).await;
        tokio::time::sleep(APART).await;
    }
    loop {
        tokio::select! {
            heard = connection.heard() => if heard != Heard::Ping {
                return;
            },
            Some(length) = pictures.recv() => {
                connection.picture(&picture_of(length)).await;
                status(&mut connection, "FINISH").await;
            }
        }
    }
}

async fn status(connection: &mut Connection, state: &str) {
    connection.status(&json!({"gcode_state": state, "subtask_name": JOB, "mc_percent": 99})).await;
}

/// Has the picture fetched in the guest, over REST.
fn fetch(booted: &mut Booted, printer: &str, length: usize) -> Result<(), String> {
    let come = booted.run(&format!("wget -q -O - http://127.0.0.1:8000/api/printer/{printer}/image | wc -c"));
    match come.text.trim().parse::<usize>() {
        Ok(come) if come == length => Ok(()),
        _ => Err(format!("a picture of {length} bytes came as {}", come.text.trim())),
    }
}

fn wait_until_connected(
    booted: &mut Booted,
    chats: &[Telegram],
    others: Option<(&Phones, &Connect)>,
) -> Result<(), String> {
    wait::until("the job in every chat, on the phones and in Connect", LONGEST, || {
        let told = chats.iter().all(|chat| !chat.done(JOB).is_empty());
        let shows = |connect: &Connect| connect.telemetry().iter().any(|told| told["state"] == "FINISHED");
        (told && others.is_none_or(|(phones, connect)| phones.done() && shows(connect))).then_some(())
    });
    wait::until("connected bridges", LONGEST, || {
        let states = booted.bridge_states();
        let all = chats.len() + if others.is_some() { 2 } else { 0 };
        (states.len() == all && states.iter().all(|state| state == "connected")).then_some(())
    });
    Ok(())
}

/// The most that was resident. The kernel notes it by its quick figure, which may be too low: what is there now counts
/// as well.
fn peak(booted: &mut Booted) -> u64 {
    booted.memory("VmHWM").iter().sum::<u64>().max(booted.resident())
}

/// What each process has, for whoever looks for where the memory is.
fn tell(booted: &mut Booted, when: &str) {
    let counted = booted.resident();
    let [resident, own, files, peak] =
        ["VmRSS", "RssAnon", "RssFile", "VmHWM"].map(|field| booted.memory(field));
    eprintln!(
        "  {when}: {counted} KiB page by page; quickly, resident {resident:?} KiB (own {own:?}, of files {files:?}), peak {peak:?} KiB"
    );
}

fn python_resident(bed: &Bed) -> Result<f64, String> {
    let mut peer = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/moonraker_client.py"))
        .arg(bed.socket())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("python3: {e}"))?;
    // Once it has printed something it is connected and has everything loaded.
    let mut byte = [0];
    let read = peer.stdout.as_mut().map(|out| std::io::Read::read_exact(out, &mut byte));
    let status = std::fs::read_to_string(format!("/proc/{}/status", peer.id()));
    let _ = peer.kill();
    let _ = peer.wait();
    read.transpose().map_err(|e| e.to_string())?;
    let status = status.map_err(|e| e.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: f64 =
        line.trim().trim_end_matches(" kB").parse().map_err(|_| format!("no VmRSS in {status}"))?;
    Ok(kib * 1024.0 / 1e6)
}
