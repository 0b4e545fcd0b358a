//! An outbox whose process is killed again and again while it pushes and delivers.
//!
//! The process is this test program, started once more ([`child`]). It talks to an acceptor here over a socket: a line
//! for each message that it has pushed, delivers and has settled. The acceptor takes each message down, answers, and
//! fails the test where a message comes that must not.

use octobridge::clock::{Clock, SystemClock};
use octobridge::outbox::{Entry, Importance, Limits, Outbox, Persistence, Queue, Woken};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

const PLACE: &str = "OUTBOX_CHILD_PLACE";
/// Number of the first message to push; empty: push none, and end when everything is delivered.
const FIRST: &str = "OUTBOX_CHILD_FIRST";
/// A process lives at most so long after it has said hello.
const LONGEST: Duration = Duration::from_millis(40);
/// One acceptance in so many gets no answer.
const ANSWERS_LOST: u64 = 40;

/// What the killed process does. To be called from a test of the name `child` in the module that kills.
pub(crate) fn child() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let place = Path::new(&place);
    let stream = UnixStream::connect(place.join("acceptor")).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap()).lines();
    let stream = Mutex::new(stream);
    // A line is one write: a kill leaves it whole or away.
    let tell = |line: String| stream.lock().unwrap().write_all(line.as_bytes()).unwrap();
    tell("hello\n".to_owned());
    let limits = Limits { entries: 1000, bytes: 1 << 20, keys: 300, history: 4000 };
    let (outbox, _) = Outbox::open(&place.join("outbox/test.journal"), limits);
    assert_eq!(outbox.persistence(), Persistence::Disk);
    let queue = Queue::new(outbox);
    let clock = SystemClock::new();
    let first = std::env::var(FIRST).ok().and_then(|first| first.parse().ok());
    let pushes = queue.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in first.map(|first| first..u64::MAX).into_iter().flatten() {
                pushes.push(entry(n, clock.now().unix));
                tell(format!("pushed {n}\n"));
                while pushes.len() > 12 {
                    std::thread::sleep(Duration::from_micros(100));
                }
            }
        });
        loop {
            queue.expire(clock.now());
            let Some(held) = queue.peek() else {
                if first.is_none() {
                    return;
                }
                assert_eq!(queue.wait(None), Woken::Pushed);
                continue;
            };
            tell(format!("deliver {}\n", held.entry.key));
            if answers.next().unwrap().unwrap() == "taken" {
                queue.done(held.id);
                tell(format!("settled {}\n", held.entry.key));
            }
        }
    });
}

fn entry(n: u64, at: Duration) -> Entry {
    use Importance::{Important, Normal, Passing, Terminal};
    let importance = [Terminal, Passing, Important, Normal, Terminal][n as usize % 5];
    let slot = (importance == Passing).then(|| "progress".to_owned());
    Entry { key: format!("k{n}"), importance, at, slot, body: vec![7; 20 + n as usize % 300] }
}

/// Why a message that was accepted may come once more.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Again {
    /// Its process did not get the answer.
    AnswerLost,
    /// The process of this number got it perhaps, and had not said that it is recorded.
    Unrecorded(u64),
    /// There is no reason.
    Never,
}

/// What was seen of all processes.
#[derive(Debug, Default)]
struct Acceptor {
    accepted: BTreeMap<u64, Again>,
    pushed: BTreeSet<u64>,
    deliveries: u64,
    answers_lost: u64,
    unrecorded: u64,
    random: u64,
}

impl Acceptor {
    fn chance(&mut self) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    /// Takes a line of process number `life`, and answers it.
    fn take(&mut self, line: &str, life: u64, to: &mut UnixStream) {
        let (what, key) = line.split_once(' ').unwrap_or((line, "k0"));
        let n: u64 = key.trim_start_matches('k').parse().unwrap();
        match what {
            "hello" => {}
            "pushed" => assert!(self.pushed.insert(n), "{n} is pushed though it was before"),
            "settled" => {
                let before = self.accepted.insert(n, Again::Never);
                assert_eq!(before, Some(Again::Unrecorded(life)), "{n} is settled");
            }
            "deliver" => {
                self.deliveries += 1;
                match self.accepted.get(&n) {
                    None => {
                        let newest = self.accepted.last_key_value().map(|(newest, _)| *newest);
                        assert!(newest < Some(n), "{n} comes after {newest:?}");
                    }
                    Some(Again::AnswerLost) => self.answers_lost += 1,
                    Some(Again::Unrecorded(then)) if *then < life => self.unrecorded += 1,
                    Some(reason) => panic!("{n} comes again in {life}, and the reason is {reason:?}"),
                }
                let answer = !self.chance().is_multiple_of(ANSWERS_LOST);
                let sent = answer && to.write_all(b"taken\n").is_ok();
                self.accepted.insert(n, if sent { Again::Unrecorded(life) } else { Again::AnswerLost });
                if !answer {
                    // As seen from there the connection broke.
                    let _ = to.write_all(b"nothing\n");
                }
            }
            other => panic!("{other}"),
        }
    }
}

/// Kills a process at least so often, and checks that nothing is lost and that nothing comes twice without a reason. `test` is
/// the name of the test that calls [`child`].
pub(crate) fn nothing_is_lost(kills: u64, test: &str) {
    let place = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(place.path().join("acceptor")).unwrap();
    let mut acceptor = Acceptor::default();
    for life in 1.. {
        // A busy machine may leave a process no time to push; such kills do not count.
        let (pushed, accepted) = (acceptor.pushed.len() as u64, acceptor.accepted.len() as u64);
        let last = life > kills && pushed > kills / 2 && accepted > kills / 4;
        assert!(life <= 20 * kills, "too little load: {pushed} messages pushed, {accepted} accepted");
        let next = acceptor.pushed.last().map_or(0, |newest| newest + 1);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(PLACE, place.path())
            .env(FIRST, if last { String::new() } else { next.to_string() })
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        // More kills soon after the start, where the journal is read and mended.
        let share = (acceptor.chance() % 1000) as f64 / 1000.0;
        let until = LONGEST.mul_f64(share * share);
        std::thread::scope(|scope| {
            let killer = scope.spawn(|| {
                if !last {
                    std::thread::sleep(until);
                    child.kill().unwrap();
                }
                child.wait().unwrap()
            });
            // A reset takes the place of the end where an answer was not read any more.
            for line in lines.map_while(Result::ok) {
                acceptor.take(&line, life, &mut stream);
            }
            let ended = killer.join().unwrap();
            assert!(!last || ended.success(), "{ended}");
        });
        if last {
            break;
        }
    }
    let lost: Vec<u64> = acceptor
        .pushed
        .iter()
        .filter(|n| entry(**n, Duration::ZERO).importance > Importance::Passing)
        .filter(|n| !acceptor.accepted.contains_key(n))
        .copied()
        .collect();
    // Past the test harness, which hides what a test prints when it passes.
    let _ = writeln!(
        std::io::stderr(),
        "outbox: {kills} kills, {} messages pushed, {} lost; {} came twice: {} since the answer was lost, {} since the \
         process died before it was recorded",
        acceptor.pushed.len(),
        lost.len(),
        acceptor.deliveries - acceptor.accepted.len() as u64,
        acceptor.answers_lost,
        acceptor.unrecorded,
    );
    assert!(lost.is_empty(), "lost: {lost:?}");
}
