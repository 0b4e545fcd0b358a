//! Bridges that work, hang, cannot start, and take each other's place.

use super::*;
use crate::printer::EventKind;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

/// Longer than anything takes here.
const SOON: Duration = Duration::from_secs(10);

/// A bridge that tells what it is told, and does at an event what its key says.
struct Odd {
    told: Sender<String>,
    life: u32,
    hold: Arc<(Mutex<bool>, Condvar)>,
    wants: Wants,
}

impl Bridge for Odd {
    fn on_event(&mut self, event: &Event) {
        let word = event.key.as_str();
        if word == "hang" {
            let (held, changed) = &*self.hold;
            drop(changed.wait_while(held.lock().unwrap(), |held| *held));
        }
        self.told.send(format!("{}:{word}", self.life)).unwrap();
    }

    fn on_console(&mut self, line: &str, _at: Moment) {
        self.told.send(line.to_owned()).unwrap();
    }

    fn on_files(&mut self, change: &FileChange) {
        self.told.send(format!("{change:?}")).unwrap();
    }

    fn on_sight(&mut self, sight: &Sight) {
        self.told.send(format!("state {}", sight.at.monotonic.as_secs())).unwrap();
    }

    fn wants(&self) -> Wants {
        self.wants
    }

    fn reporter(&self) -> Reporter {
        Box::new(|| Some(plain(BridgeState::Connected, Health::Ok, "works")))
    }

    fn stop(&mut self, _grace: Duration) {
        let _ = self.told.send("stopped".to_owned());
    }
}

struct Rig {
    runner: Runner,
    told: Receiver<String>,
    hold: Arc<(Mutex<bool>, Condvar)>,
    number: u64,
}

/// A bridge that hangs at nothing, and what it tells.
fn other(life: u32) -> (Factory, Receiver<String>) {
    let (told, heard) = channel();
    let (hold, wants) = (Arc::default(), Wants::default());
    (Box::new(move || Ok(Box::new(Odd { told, life, hold, wants }))), heard)
}

impl Rig {
    fn new() -> Self {
        Self::wanting(Wants::default())
    }

    fn wanting(wants: Wants) -> Self {
        let (told, heard) = channel();
        let hold = Arc::new((Mutex::new(true), Condvar::new()));
        let held = Arc::clone(&hold);
        let factory: Factory = Box::new(move || Ok(Box::new(Odd { told, life: 1, hold: held, wants })));
        let runner = Runner::start("odd", factory, Arc::default(), None, None).unwrap();
        let rig = Self { runner, told: heard, hold, number: 0 };
        rig.waits_until("begun", |runner| matches!(runner.shared.lock().life, Life::Running(..)));
        rig
    }

    fn let_go(&self) {
        let (held, changed) = &*self.hold;
        *held.lock().unwrap() = false;
        changed.notify_all();
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
    assert_eq!(shown.status.state, BridgeState::Connected);
    rig.runner.stop(SOON);
    rig.hears("stopped");
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
    let asked = Instant::now();
    rig.runner.stop(Duration::from_millis(50));
    assert!(asked.elapsed() < Duration::from_secs(3), "left behind after its grace: {:?}", asked.elapsed());
    rig.let_go();
    rig.hears("1:hang");
}

#[test]
fn what_waited_for_a_bridge_waits_for_the_one_that_takes_its_place() {
    let mut rig = Rig::new();
    rig.event("hang");
    rig.event("left over");
    let (factory, heard) = other(9);
    rig.waits_until("at the first", |runner| runner.shared.lock().busy_since.is_some());
    let grace = Duration::from_millis(20);
    let next = Runner::start("odd", factory, Arc::default(), Some((rig.runner, grace)), None).unwrap();
    assert!(!next.has_taken(2), "they are not on disk while the first has them");
    let event = Event { kind: EventKind::Finished, job: None, at: Duration::ZERO, key: "new".into() };
    next.push_event(3, &Arc::new(event));
    for expected in ["9:hang", "9:left over", "9:new"] {
        assert_eq!(heard.recv_timeout(SOON).as_deref(), Ok(expected));
    }
    // The first goes on at last, and takes nothing more.
    let (held, changed) = &*rig.hold;
    *held.lock().unwrap() = false;
    changed.notify_all();
    for expected in ["1:hang", "stopped"] {
        assert_eq!(rig.told.recv_timeout(SOON).as_deref(), Ok(expected));
    }
}

/// A bridge with an outbox that hangs at an event before it has put it there.
struct Stuck {
    queue: crate::outbox::Queue,
    hold: Receiver<()>,
    went_on: Sender<crate::outbox::Pushed>,
}

impl Bridge for Stuck {
    fn on_event(&mut self, event: &Event) {
        let _ = self.hold.recv();
        let _ = self.went_on.send(self.queue.push(entry(&event.key)));
    }

    fn reporter(&self) -> Reporter {
        let queue = self.queue.clone();
        Box::new(move || {
            let persistence = format!("{:?}", queue.glance()?.persistence);
            Some(plain(BridgeState::Connected, Health::Ok, &persistence))
        })
    }

    fn fence(&self) -> Fence {
        let queue = self.queue.clone();
        Box::new(move || assert!(queue.fence(Duration::ZERO)))
    }

    fn stop(&mut self, _grace: Duration) {}
}

fn entry(key: &str) -> crate::outbox::Entry {
    let (importance, at) = (crate::outbox::Importance::Terminal, Duration::from_secs(9));
    crate::outbox::Entry { key: key.to_owned(), importance, at, slot: None, body: Vec::new() }
}

#[test]
fn one_that_hangs_lets_its_successor_have_the_outbox() {
    let place = tempfile::tempdir().unwrap();
    let journal = place.path().join("odd.journal");
    let stuck = |journal: std::path::PathBuf| {
        let ((let_go, hold), (went_on, goes_on)) = (channel(), channel());
        let factory: Factory = Box::new(move || {
            let (outbox, _) = crate::outbox::Outbox::open(&journal, crate::outbox::Limits::default());
            Ok(Box::new(Stuck { queue: crate::outbox::Queue::new(outbox), hold, went_on }))
        });
        (factory, let_go, goes_on)
    };
    let (factory, let_go, old) = stuck(journal.clone());
    let first = Runner::start("odd", factory, Arc::default(), None, None).unwrap();
    let event = Event { kind: EventKind::Finished, job: None, at: Duration::ZERO, key: "end".to_owned() };
    first.push_event(1, &Arc::new(event));
    let deadline = Instant::now() + SOON;
    while first.shared.lock().busy_since.is_none() {
        assert!(Instant::now() < deadline);
    }
    let (factory, go_on, new) = stuck(journal.clone());
    let grace = Duration::from_millis(20);
    let next = Runner::start("odd", factory, Arc::default(), Some((first, grace)), None).unwrap();
    go_on.send(()).unwrap();
    let queued = crate::outbox::Pushed::Queued { replaced: 0, dropped: 0 };
    assert_eq!(new.recv_timeout(SOON), Ok(queued), "what the first had not done");
    assert_eq!(next.show().status.text, "Disk");
    let_go.send(()).unwrap();
    assert_eq!(old.recv_timeout(SOON), Ok(crate::outbox::Pushed::Refused), "what the first does later");
    drop(next);
    assert!(std::fs::read(&journal).unwrap().windows(3).filter(|three| three == b"end").count() == 1);
}

#[test]
fn one_that_cannot_start_says_why_and_takes_nothing() {
    let factory: Factory = Box::new(|| Err(StartError::Unpaired("no token; get one".to_owned())));
    let rig =
        Rig { runner: Runner::start("odd", factory, Arc::default(), None, None).unwrap(), ..Rig::new() };
    rig.waits_until("refused", |runner| runner.show().status.state == BridgeState::NeedsPairing);
    assert_eq!(rig.runner.show().status.text, "no token; get one");
    assert!(rig.runner.has_taken(7), "nobody waits for it");
}

#[test]
fn one_that_failed_before_is_held_back_and_its_events_wait() {
    let (factory, heard) = other(2);
    let event = Event { kind: EventKind::Finished, job: None, at: Duration::ZERO, key: "waited".into() };
    let hold = Hold::For(Duration::from_millis(300), 2);
    let runner = Runner::start("odd", factory, Arc::default(), None, Some(hold)).unwrap();
    runner.push_event(1, &Arc::new(event));
    assert!(!runner.has_taken(1));
    assert!(runner.show().status.text.starts_with("failed 2 times in a row"), "{:?}", runner.show());
    assert_eq!(heard.recv_timeout(SOON).as_deref(), Ok("2:waited"));

    let off = Runner::start("odd", other(3).0, Arc::default(), None, Some(Hold::Off(10))).unwrap();
    let deadline = Instant::now() + SOON;
    while !off.show().status.text.contains("left off") {
        assert!(Instant::now() < deadline, "{:?}", off.show());
    }
    assert!(off.has_taken(9), "nobody waits for it");
}

#[test]
fn a_bridge_is_told_besides_events_what_it_wants_and_nothing_else() {
    let none = Wants::default();
    let kinds = [
        none,
        Wants { snapshots: true, ..none },
        Wants { console: true, ..none },
        Wants { files: true, ..none },
    ];
    for wants in kinds {
        let mut rig = Rig::wanting(wants);
        let at = Moment { monotonic: Duration::from_secs(7), unix: Duration::ZERO };
        // Nothing is taken out of the inbox while it hangs, so that the order is known.
        rig.event("hang");
        rig.waits_until("at it", |runner| runner.shared.lock().busy_since.is_some());
        rig.runner.push_sight(&Sight { snapshot: Arc::default(), job: None, at });
        rig.runner.push_line(&"// hello".into(), at);
        rig.runner.push_files(&FileChange::Everything.into());
        rig.let_go();
        rig.hears("1:hang");
        if wants.console {
            rig.hears("// hello");
        }
        if wants.files {
            rig.hears("Everything");
        }
        if wants.snapshots {
            rig.hears("state 7");
        }
        rig.event("last");
        rig.hears("1:last");
    }
}

#[test]
fn one_that_waited_for_a_person_tells_no_old_news() {
    let unpaired: Factory = Box::new(|| Err(StartError::Unpaired("no token; get one".to_owned())));
    let runner = Runner::start("odd", unpaired, Arc::default(), None, None).unwrap();
    let mut rig = Rig { runner, ..Rig::new() };
    rig.waits_until("refused", |runner| runner.show().status.state == BridgeState::NeedsPairing);
    rig.event("old");
    let (factory, heard) = other(9);
    let next = Runner::start("odd", factory, Arc::default(), Some((rig.runner, SOON)), None).unwrap();
    let event = Event { kind: EventKind::Finished, job: None, at: Duration::ZERO, key: "new".into() };
    next.push_event(2, &Arc::new(event));
    assert_eq!(heard.recv_timeout(SOON).as_deref(), Ok("9:new"));
}

#[test]
fn one_that_nobody_holds_ends() {
    let rig = Rig::new();
    drop(rig.runner);
    assert_eq!(rig.told.recv_timeout(SOON).as_deref(), Ok("stopped"));
}

#[test]
fn one_that_starts_later_finds_how_the_printer_is_if_it_wants_that() {
    let at = Moment { monotonic: Duration::from_secs(7), unix: Duration::ZERO };
    for snapshots in [true, false] {
        let (told, heard) = channel();
        let hold = Arc::default();
        let wants = Wants { snapshots, ..Wants::default() };
        let factory: Factory = Box::new(move || Ok(Box::new(Odd { told, life: 5, hold, wants })));
        let later = Hold::For(Duration::from_millis(100), 1);
        let runner = Runner::start("odd", factory, Arc::default(), None, Some(later)).unwrap();
        runner.push_sight(&Sight { snapshot: Arc::default(), job: None, at });
        let event = Event { kind: EventKind::Finished, job: None, at: Duration::ZERO, key: "e".into() };
        runner.push_event(1, &Arc::new(event));
        assert_eq!(heard.recv_timeout(SOON).as_deref(), Ok("5:e"));
        let next = heard.recv_timeout(Duration::from_millis(if snapshots { 10_000 } else { 50 }));
        assert_eq!(next.ok().as_deref(), snapshots.then_some("state 7"));
    }
}
