//! The real program under siege: a thousand indecent clients of its REST server, while a printer prints.

use crate::support::camera::picture;
use crate::support::feed::{Connection, Feed, Heard};
use crate::support::program::{CHAT, Program, TOKEN};
use crate::support::siege::{MANNERS, Siege, visit};
use crate::support::telegram::{Call, Outcome, Telegram};
use crate::support::wait;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

const IMAGE: &str = "/api/printer/A1M-1/image";
/// Bytes of a picture.
const PIXELS: usize = 1_000_000;
/// Far longer than anything takes in peace.
const SOON: Duration = Duration::from_secs(20);
/// An event is told within this time, on a machine that has a thousand clients to run besides.
const TOLD: Duration = Duration::from_secs(1);
/// From one turn of the print to the next. A person's chat takes a message a second.
const TURN: Duration = Duration::from_millis(1100);

/// Memory that a siege may cost: the three pictures of a megabyte that slow readers keep from being forgotten, one that
/// is on its way as text, and little for each of 32 connections.
const MEMORY: u64 = 8 * 1024;
/// Connections at a time, as the server takes them, and one that is turned away.
const CONNECTIONS: usize = 33;

/// A printer behind a feed that tells of itself four times a second and shows another picture each second.
struct Printer {
    words: Option<tokio::sync::mpsc::UnboundedSender<&'static str>>,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// Starts it; gives the address of its feed.
    fn start() -> (Self, String) {
        let (tell, hear) = mpsc::channel();
        let (words, turns) = tokio::sync::mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(print(turns, &tell));
        });
        (Self { words: Some(words), thread: Some(thread) }, hear.recv().unwrap())
    }

    /// Tells another state of the job from now on.
    fn turn(&self, word: &'static str) -> Instant {
        let at = Instant::now();
        self.words.as_ref().unwrap().send(word).unwrap();
        at
    }
}

impl Drop for Printer {
    fn drop(&mut self) {
        self.words = None;
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the feed was left");
    }
}

async fn print(mut turns: tokio::sync::mpsc::UnboundedReceiver<&'static str>, tell: &Sender<String>) {
    let feed = Feed::plain().await;
    tell.send(feed.address()).unwrap();
    let mut connection = tokio::select! {
        connection = feed.accept() => connection,
        // The test failed before.
        _ = turns.recv() => return,
    };
    let (mut updates, mut pictures) =
        (interval(Duration::from_millis(250)), interval(Duration::from_secs(1)));
    for interval in [&mut updates, &mut pictures] {
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let (mut word, mut count) = ("IDLE", 0);
    loop {
        tokio::select! {
            turn = turns.recv() => match turn {
                Some(turn) => word = turn,
                None => return,
            },
            _ = updates.tick() => {}
            _ = pictures.tick() => {
                count += 1;
                connection.picture(&picture(1280, 720, PIXELS + count)).await;
                continue;
            }
            heard = connection.heard() => {
                assert_eq!(heard, Heard::Ping, "the program leaves its feed");
                continue;
            }
        }
        show(&mut connection, word).await;
    }
}

async fn show(connection: &mut Connection, word: &str) {
    let object = json!({ "gcode_state": word, "subtask_name": "cube", "mc_percent": 0, "layer_num": 3 });
    connection.status(&object).await;
}

/// A program with one chat and this printer, which prints.
fn printing() -> (Printer, [Telegram; 1], Program) {
    let (printer, feed) = Printer::start();
    let chats = [Telegram::start(TOKEN, CHAT)];
    let program = Program::start(&format!("source: feed\nws_url: {feed}"), &chats);
    // Without a look at the printer before it the job would be one that was found under way.
    visit(program.address, "/api/health/ready", SOON);
    visit(program.address, IMAGE, SOON);
    printer.turn("RUNNING");
    chats[0].wait_for_message("Started", Outcome::Done, SOON);
    (printer, chats, program)
}

fn allow_many_files() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(8192), most).unwrap();
}

#[test]
fn a_siege_delays_no_event_and_leaves_nothing_behind() {
    allow_many_files();
    let (printer, [telegram], program) = printing();
    let address = program.address;
    let files = program.files();
    program.forget_most_memory();
    let memory = program.most_memory();

    let siege = Siege::begin(address, 1000, &MANNERS);
    let mut expected = vec!["Started: cube"];
    let (mut turns, mut most_files) = (Vec::new(), files);
    for turn in 0..6 {
        let (word, said) = [("PAUSE", "Paused: cube at 0%"), ("RUNNING", "Resumed: cube at 0%")][turn % 2];
        turns.push(printer.turn(word));
        expected.push(said);
        // A decent client gets its answer though it may have to ask twice.
        visit(address, "/api/health/live", SOON);
        most_files = most_files.max(program.files());
        std::thread::sleep(TURN.saturating_sub(turns[turn].elapsed()));
    }
    let connections = siege.end();
    let peace = visit(address, "/api/health/live", SOON);
    assert!(connections > 2000 && peace < TOLD, "{connections} connections, then an answer after {peace:?}");

    let calls = telegram
        .wait_for("every event", SOON, |calls| (calls.len() >= expected.len()).then(|| calls.to_vec()));
    assert_eq!(calls.iter().map(Call::text).collect::<Vec<_>>(), expected, "each once, in order");
    let delays = calls[1..].iter().zip(&turns).map(|(call, turn)| call.at.saturating_duration_since(*turn));
    let longest = delays.max().unwrap();
    assert!(longest < TOLD, "an event was told after {longest:?}");

    let grown = program.most_memory().saturating_sub(memory);
    assert!(grown <= MEMORY, "{grown} kB more memory than the {memory} kB before");
    assert!(most_files <= files + CONNECTIONS, "{most_files} files open instead of {files}");
    wait::until("the files to be closed", SOON, || (program.files() <= files).then_some(()));
    let before = program.processor();
    std::thread::sleep(Duration::from_secs(1));
    // It still reads a picture of a megabyte each second, unoptimised.
    let taken = program.processor() - before;
    assert!(taken < Duration::from_millis(300), "{taken:?} of the processor's time in a second of peace");
    assert_eq!(telegram.calls().len(), expected.len(), "an event came twice");
    eprintln!(
        "siege: {connections} connections; told after {longest:?} at most; {memory} + {grown} kB; {files} to {most_files} files; {taken:?}"
    );
    // Neither did the worker start again nor the feed lose it.
    program.worker();
    drop(printer);
}
