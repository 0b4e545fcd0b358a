//! Told to stop while something hangs, the program ends in time, keeps what waits, and does not grow.

use crate::idle_moonraker::IdleMoonraker;
use crate::support::camera::{Answer, Camera};
use crate::support::feed::printing::Printer;
use crate::support::program::{CHAT, PRINTER, Program, TOKEN};
use crate::support::telegram::{Behaviour, Outcome, Telegram, Which};
use crate::support::wait;
use octobridge::outbox::{Entry, Importance, Limits, Outbox};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
/// A stop that takes two seconds by design, and one for the machine. After 3.5 s the program is killed.
const IN_TIME: Duration = Duration::from_secs(3);
/// In kB: stacks of threads that were not used yet, and pages that are read for the first time.
const GROWTH: u64 = 700;

/// Takes connections and never says anything.
fn silent() -> TcpListener {
    TcpListener::bind(("127.0.0.1", 0)).unwrap()
}

fn journal(data: &Path) -> Vec<String> {
    let (outbox, _) = Outbox::open(&data.join("octoapp/outbox/telegram.journal"), Limits::default());
    outbox.waiting().map(|held| String::from_utf8(held.entry.body.clone()).unwrap()).collect()
}

fn leave_messages(data: &Path, count: usize) {
    let (mut outbox, _) = Outbox::open(&data.join("octoapp/outbox/telegram.journal"), Limits::default());
    for number in 0..count {
        let (importance, at) = (Importance::Terminal, Duration::from_secs(9));
        let body = format!(r#"{{"text":"message {number}"}}"#).into_bytes();
        outbox.push(Entry { key: number.to_string(), importance, at, slot: None, body });
    }
}

/// Plays a scene that gives whether the program ended in time, and once more if it did not: a busy machine may not manage
/// it each time.
fn ends_in_time(scene: impl Fn() -> bool) {
    assert!(scene() || scene(), "not in time");
}

/// Ends it; gives whether it did so by itself and in time, and the messages that it has kept.
fn end(name: &str, program: &mut Program) -> (bool, Vec<String>) {
    let data = program.data();
    let (took, growth) = program.stop();
    let killed = !program.log().contains("[INFO] stopped");
    println!("{name}: ended in {took:?}, killed: {killed}, grew by {growth} kB");
    assert!(growth < GROWTH, "{name}: {growth} kB");
    (!killed && took < IN_TIME, journal(&data))
}

#[test]
fn while_a_photo_is_uploaded() {
    ends_in_time(|| {
        let (printer, feed) = Printer::start();
        let chats = [Telegram::start(TOKEN, CHAT)];
        chats[0].misbehave(Which::Method("sendPhoto"), 99, Behaviour::Stall);
        let mut program = Program::prepared(&format!("source: feed\nws_url: {feed}"), &chats, |data| {
            let settings = data.join("config/extended/extended2.cfg");
            let text = std::fs::read_to_string(&settings).unwrap();
            std::fs::write(settings, text.replace("\nevents: ", "\nevents: photo,")).unwrap();
        });
        crate::support::siege::visit(program.address, &format!("/api/printer/{PRINTER}/image"), SOON);
        printer.turn("RUNNING");
        chats[0].wait_for_message("Started", Outcome::Done, SOON);
        chats[0]
            .wait_for("a photo", SOON, |calls| calls.iter().find(|call| call.method == "sendPhoto").cloned());
        printer.turn("FINISH");
        wait::until("the end in the log", SOON, || {
            program.log().contains(": the print is finished").then_some(())
        });
        drop(printer);
        let (in_time, left) = end("photo", &mut program);
        assert!(left.iter().any(|body| body.contains("Completed: cube")), "{left:?}");
        chats[0].release();
        in_time
    });
}

#[test]
fn while_the_outbox_is_full() {
    ends_in_time(|| {
        let chats = [Telegram::start(TOKEN, CHAT)];
        chats[0].usually(Behaviour::Stall);
        let feed = silent();
        let source = format!("source: feed\nws_url: ws://{}/x", feed.local_addr().unwrap());
        let most = Limits::default().entries;
        let mut program = Program::prepared(&source, &chats, |data| leave_messages(data, most));
        chats[0].wait_for("a message", SOON, |calls| calls.first().cloned());
        let (in_time, left) = end("full outbox and silent feed", &mut program);
        assert_eq!(left.len(), most);
        chats[0].release();
        in_time
    });
}

#[test]
fn while_the_camera_hangs() {
    ends_in_time(|| {
        let camera = Camera::start("/webcam/snapshot.jpg", &[Answer::Hang]);
        let chats = [Telegram::start(TOKEN, CHAT)];
        chats[0].usually(Behaviour::Stall);
        let mut program = Program::prepared("source: moonraker", &chats, |data| leave_messages(data, 1));
        let webcams = serde_json::json!([{"name": "case", "snapshot_url": camera.url()}]);
        let moonraker = IdleMoonraker::start(&program.data(), &webcams);
        wait::until("the printer", SOON, || program.report()["connected"].as_bool().filter(|is| *is));
        // Asked, and never answered.
        let mut client = TcpStream::connect(program.address).unwrap();
        write!(client, "GET /api/printer/{PRINTER}/image HTTP/1.1\r\nHost: {}\r\n\r\n", program.address)
            .unwrap();
        wait::until("the camera asked", SOON, || (!camera.requests().is_empty()).then_some(()));
        chats[0].wait_for("a message", SOON, |calls| calls.first().cloned());
        let (in_time, left) = end("camera", &mut program);
        assert_eq!(left.len(), 1);
        chats[0].release();
        // Its socket is in the program's folder.
        drop(moonraker);
        in_time
    });
}

#[test]
fn while_moonraker_hangs() {
    ends_in_time(|| {
        let chats = [Telegram::start(TOKEN, CHAT)];
        chats[0].usually(Behaviour::Stall);
        let moonraker = silent();
        let source = format!("moonraker_url: ws://{}/websocket", moonraker.local_addr().unwrap());
        let mut program = Program::prepared(&source, &chats, |data| leave_messages(data, 3));
        let (_connection, _) = moonraker.accept().unwrap();
        chats[0].wait_for("a message", SOON, |calls| calls.first().cloned());
        let (in_time, left) = end("Moonraker", &mut program);
        assert_eq!(left.len(), 3);
        chats[0].release();
        in_time
    });
}
