//! A printer behind a feed that prints: it tells of itself four times a second and shows another picture each second.

use super::{Connection, Feed, Heard};
use crate::support::camera::picture;
use serde_json::json;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// Bytes of a picture.
const PIXELS: usize = 1_000_000;

/// The printer; panics when it ends, if its client left it before.
pub(crate) struct Printer {
    words: Option<tokio::sync::mpsc::UnboundedSender<&'static str>>,
    thread: Option<JoinHandle<()>>,
}

impl Printer {
    /// Starts it; gives the address of its feed.
    pub(crate) fn start() -> (Self, String) {
        let (tell, hear) = mpsc::channel();
        let (words, turns) = tokio::sync::mpsc::unbounded_channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(print(turns, &tell));
        });
        (Self { words: Some(words), thread: Some(thread) }, hear.recv().unwrap())
    }

    /// Tells another state of the job from now on.
    pub(crate) fn turn(&self, word: &'static str) -> Instant {
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
