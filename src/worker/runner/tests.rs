//! Bridges that panic, hang and die, beside one that works.

use super::*;
use crate::printer::EventKind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// Longer than anything takes here.
const SOON: Duration = Duration::from_secs(10);

/// A bridge that tells what it is told, and does at an event what its key says.
struct Odd {
    told: Sender<String>,
    life: u32,
    hold: Arc<(Mutex<bool>, Condvar)>,
    dead: Arc<AtomicBool>,
}

impl Bridge for Odd {
    fn on_event(&mut self, event: &Event) {
        let word = event.key.as_str();
        match word {
            "panic" => panic!("as asked"),
            "panic once" if self.life == 1 => panic!("as asked"),
            "hang" => {
                let (held, changed) = &*self.hold;
                drop(changed.wait_while(held.lock().unwrap(), |held| *held));
            }
            _ => {}
        }
        self.told.send(format!("{}:{word}", self.life)).unwrap();
    }

    fn on_console(&mut self, line: &str, _at: Moment) {
        self.told.send(line.to_owned()).unwrap();
    }

    fn reporter(&self) -> Reporter {
        Box::new(|| Some(plain(BridgeState::Connected, Health::Ok, "works")))
    }

    fn is_alive(&self) -> bool {
        !self.dead.load(Ordering::Relaxed)
    }

    fn stop(&mut self, _grace: Duration) {
        let _ = self.told.send("stopped".to_owned());
    }
}

struct Rig {
    runner: Runner,
    told: Receiver<String>,
    hold: Arc<(Mutex<bool>, Condvar)>,
    dead: Arc<AtomicBool>,
    number: u64,
}

impl Rig {
    fn new() -> Self {
        let (told, heard) = channel();
        let hold = Arc::new((Mutex::new(true), Condvar::new()));
        let dead = Arc::new(AtomicBool::new(false));
        let (lives, held, died) = (AtomicU32::new(0), Arc::clone(&hold), Arc::clone(&dead));
        let factory: Factory = Box::new(move || {
            let life = lives.fetch_add(1, Ordering::Relaxed) + 1;
            let (told, hold) = (told.clone(), Arc::clone(&held));
            // Only the first life ends inside.
            let dead = if life == 1 { Arc::clone(&died) } else { Arc::default() };
            Ok(Box::new(Odd { told, life, hold, dead }))
        });
        let runner = Runner::start("odd", factory, Arc::default(), None).unwrap();
        Self { runner, told: heard, hold, dead, number: 0 }
    }

    fn event(&mut self, key: &str) {
        self.number += 1;
        let event = Event { kind: EventKind::Finished, job: None, at: Duration::ZERO, key: key.to_owned() };
        self.runner.push_event(self.number, &Arc::new(event));
    }

    fn hears(&self, expected: &str) {
        assert_eq!(self.told.recv_timeout(SOON).as_deref(), Ok(expected));
    }

    fn waits_until(&self, what: &str, test: impl Fn(&Runner) -> bool) {
        let deadline = Instant::now() + SOON;
        while !test(&self.runner) {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }
}

#[test]
fn events_are_taken_in_order_and_acknowledged() {
    let mut rig = Rig::new();
    rig.event("a");
    rig.event("b");
    rig.hears("1:a");
    rig.hears("1:b");
    rig.waits_until("both taken", |runner| runner.has_taken(2));
    assert!(rig.runner.has_taken(3), "nothing waits");
    let shown = rig.runner.show();
    assert_eq!((shown.status.state, shown.restarts), (BridgeState::Connected, 0));
    rig.runner.stop(SOON);
    rig.hears("stopped");
}

#[test]
fn a_panic_starts_the_bridge_anew_and_the_event_is_told_again() {
    let mut rig = Rig::new();
    rig.event("panic once");
    rig.event("after");
    rig.hears("2:panic once");
    rig.hears("2:after");
    assert_eq!(rig.runner.show().restarts, 1);
}

#[test]
fn an_event_at_which_the_bridge_always_panics_is_given_up() {
    let mut rig = Rig::new();
    rig.event("panic");
    rig.event("after");
    rig.hears("3:after");
    rig.waits_until("all taken", |runner| runner.has_taken(2));
    assert_eq!(rig.runner.show().restarts, 2);
}

#[test]
fn a_bridge_that_hangs_keeps_its_events_and_holds_up_nobody() {
    let mut rig = Rig::new();
    rig.event("hang");
    rig.waits_until("at it", |runner| runner.shared.lock().busy_since.is_some());
    for _ in 0..1000 {
        rig.event("more");
    }
    assert!(!rig.runner.has_taken(1), "it is still at it");
    assert_eq!(rig.runner.show().restarts, 0);
    let asked = Instant::now();
    rig.runner.stop(Duration::from_millis(50));
    assert!(asked.elapsed() < Duration::from_secs(3), "left behind after its grace: {:?}", asked.elapsed());
    let (held, changed) = &*rig.hold;
    *held.lock().unwrap() = false;
    changed.notify_all();
    rig.hears("1:hang");
}

#[test]
fn what_waited_for_a_bridge_waits_for_the_one_that_takes_its_place() {
    let mut rig = Rig::new();
    rig.event("hang");
    rig.event("left over");
    let (told, heard) = channel();
    let factory: Factory = Box::new(move || {
        Ok(Box::new(Odd { told: told.clone(), life: 9, hold: Arc::default(), dead: Arc::default() }))
    });
    rig.waits_until("at the first", |runner| runner.shared.lock().busy_since.is_some());
    let grace = Duration::from_millis(20);
    let next = Runner::start("odd", factory, Arc::default(), Some((rig.runner, grace))).unwrap();
    let event = Event { kind: EventKind::Finished, job: None, at: Duration::ZERO, key: "new".into() };
    next.push_event(3, &Arc::new(event));
    for expected in ["9:left over", "9:new"] {
        assert_eq!(heard.recv_timeout(SOON).as_deref(), Ok(expected));
    }
}

#[test]
fn a_bridge_that_died_inside_is_started_anew() {
    let mut rig = Rig::new();
    rig.event("a");
    rig.hears("1:a");
    rig.dead.store(true, Ordering::Relaxed);
    rig.hears("stopped");
    rig.event("b");
    rig.hears("2:b");
}

#[test]
fn one_that_cannot_start_says_why_and_takes_nothing() {
    let factory: Factory = Box::new(|| Err(StartError::Unpaired("no token; get one".to_owned())));
    let rig = Rig { runner: Runner::start("odd", factory, Arc::default(), None).unwrap(), ..Rig::new() };
    rig.waits_until("refused", |runner| runner.show().status.state == BridgeState::NeedsPairing);
    assert_eq!(rig.runner.show().status.text, "no token; get one");
    assert!(rig.runner.has_taken(7), "nobody waits for it");
}
