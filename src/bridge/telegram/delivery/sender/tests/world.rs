//! The whole sender against a scripted server, on a clock that the test turns: no socket, no waiting.

use super::super::super::MovedChat;
use super::super::super::stored::Stored;
use super::super::{Next, Sender};
use crate::bridge::Health;
use crate::bridge::telegram::api::{Answer, Api, Call, Fault, FaultKind, Outcome, classify};
use crate::bridge::telegram::config::Config;
use crate::bridge::telegram::notify;
use crate::camera::Frame;
use crate::clock::{Clock, Moment};
use crate::outbox::{Entry, Importance, Limits, Outbox, Queue};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 2026-11-21 02:20:00 UTC.
const START: u64 = 1_795_227_600;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[derive(Clone)]
struct FakeClock(Arc<Mutex<Moment>>);

impl Clock for FakeClock {
    fn now(&self) -> Moment {
        *self.0.lock().unwrap()
    }
}

/// What the server does with one request.
#[derive(Debug, Clone)]
enum Reply {
    Answer(u16, String),
    /// It takes the message, and the answer is lost.
    Lost,
    /// It is not reached.
    Unreached,
    /// The certificate seems to be from the future.
    TooEarly,
}

fn refusal(code: u16, description: &str) -> Reply {
    Reply::Answer(code, format!(r#"{{"ok":false,"error_code":{code},"description":"{description}"}}"#))
}

/// A request that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Request {
    /// Seconds since the start.
    at: u64,
    chat: String,
    thread: Option<i64>,
    /// Of a message or a caption.
    text: String,
    method: &'static str,
    /// Whether the message came into the chat.
    shown: bool,
    /// Whether it made no sound.
    silent: bool,
}

#[derive(Clone)]
struct Server {
    script: Arc<Mutex<VecDeque<Reply>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    clock: FakeClock,
    /// When connections were closed, in seconds.
    rests: Arc<Mutex<Vec<u64>>>,
}

impl Api for Server {
    fn rest(&mut self) {
        self.rests.lock().unwrap().push(self.clock.now().monotonic.as_secs());
    }

    fn call(&mut self, call: &Call<'_>, _now: Duration) -> Outcome {
        let reply = self.script.lock().unwrap().pop_front();
        let reply = reply.unwrap_or(Reply::Answer(200, r#"{"ok":true,"result":{}}"#.to_owned()));
        let fault = |kind| Outcome::Failed(Fault { kind, text: "cannot reach it".to_owned() });
        let (shown, outcome) = match reply {
            Reply::Answer(status, body) => {
                (body.contains("true"), Outcome::Answered(Answer::read(status, None, body.as_bytes())))
            }
            Reply::Lost => (true, fault(FaultKind::Network)),
            Reply::Unreached => (false, fault(FaultKind::Network)),
            Reply::TooEarly => (false, fault(FaultKind::ClockNotSet)),
        };
        let at = self.clock.now().monotonic.as_secs();
        let field = |name: &str| call.fields.get(name).cloned().unwrap_or_default();
        let text = [field("text"), field("caption")].iter().find_map(|text| text.as_str().map(str::to_owned));
        let (chat, text) = (field("chat_id").to_string(), text.unwrap_or_default());
        let thread = field("message_thread_id").as_i64();
        let silent = field("disable_notification") == true;
        let shown = shown && call.method != "getMe";
        let request = Request { at, chat, thread, text, method: call.method, shown, silent };
        self.requests.lock().unwrap().push(request);
        outcome
    }
}

fn config(format: &str) -> Config {
    let setting = |name: &str| {
        let value = match name {
            "TELEGRAM_BOT_TOKEN" => "1:secret-token",
            "TELEGRAM_CHAT_ID" => "-100",
            "TELEGRAM_THREAD_ID" => "17",
            "TELEGRAM_FORMAT" => format,
            _ => return None,
        };
        Some(value.to_owned())
    };
    Config::parse(&setting).unwrap()
}

struct World {
    place: tempfile::TempDir,
    clock: FakeClock,
    server: Server,
    sender: Option<Sender<Server, crate::outbox::FileStore>>,
    config: Config,
}

impl World {
    fn new(script: &[Reply]) -> Self {
        let clock =
            FakeClock(Arc::new(Mutex::new(Moment { monotonic: Duration::ZERO, unix: seconds(START) })));
        let script = Arc::new(Mutex::new(script.iter().cloned().collect()));
        let server = Server { script, requests: Arc::default(), clock: clock.clone(), rests: Arc::default() };
        let place = tempfile::tempdir().unwrap();
        let mut world = Self { place, clock, server, sender: None, config: config("") };
        world.restart();
        world
    }

    /// Ends the process without a word and starts it again.
    fn restart(&mut self) {
        self.sender = None;
        let (outbox, _) = Outbox::open(&self.place.path().join("outbox/journal"), Limits::default());
        self.sender = Some(Sender::new(
            &self.config,
            MovedChat::new(self.place.path(), "telegram", &self.config.chat),
            self.server.clone(),
            Queue::new(outbox),
            Box::new(self.clock.clone()),
            Box::new(|| 0.0),
        ));
    }

    fn sender(&mut self) -> &mut Sender<Server, crate::outbox::FileStore> {
        self.sender.as_mut().unwrap()
    }

    fn push(&mut self, text: &str, importance: Importance) {
        let at = self.clock.now().unix;
        self.store(text, importance, at, &Stored { text: text.to_owned(), ..Stored::default() });
    }

    fn store(&mut self, key: &str, importance: Importance, at: Duration, stored: &Stored) {
        let body = serde_json::to_vec(stored).unwrap();
        self.sender().queue.push(Entry { key: key.to_owned(), importance, at, slot: None, body });
    }

    fn push_picture(&mut self, caption: &str, width: u16, height: u16, bytes: usize) {
        let taken = self.clock.now();
        let frame = Frame { jpeg: vec![0xff; bytes], taken, width, height };
        let picture = Some(self.sender().darkroom().keep(Arc::new(frame), Importance::Passing, taken));
        let stored = Stored { text: caption.to_owned(), picture, ..Stored::default() };
        let key = format!("{picture:?}");
        self.store(&key, Passing, taken.unix, &stored);
    }

    fn methods(&self) -> Vec<&'static str> {
        self.requests().iter().map(|request| request.method).collect()
    }

    /// Lets the sender work until `until` seconds after the start.
    fn run(&mut self, until: u64) {
        let until = seconds(until);
        loop {
            let now = self.clock.now().monotonic;
            match self.sender().step() {
                Next::Again => {}
                Next::At(moment) if moment <= until => {
                    assert!(moment > now, "it waits for the past");
                    self.turn(moment);
                }
                Next::At(_) | Next::Idle => return self.turn(until.max(now)),
            }
        }
    }

    /// Turns both clocks to a moment of the monotonic one.
    fn turn(&self, monotonic: Duration) {
        let mut moment = self.clock.0.lock().unwrap();
        let passed = monotonic - moment.monotonic;
        moment.unix += passed;
        moment.monotonic = monotonic;
    }

    fn requests(&self) -> Vec<Request> {
        self.server.requests.lock().unwrap().clone()
    }

    fn times(&self) -> Vec<u64> {
        self.requests().iter().map(|request| request.at).collect()
    }

    /// The messages that came into the chat, in order.
    fn messages(&self) -> Vec<String> {
        self.requests().into_iter().filter(|request| request.shown).map(|request| request.text).collect()
    }

    /// What was told in them: one message may tell several things.
    fn chat(&self) -> Vec<String> {
        let messages = self.messages();
        messages.iter().flat_map(|text| text.split("\n\n")).map(str::to_owned).collect()
    }

    fn waiting(&mut self) -> usize {
        self.sender().queue.len()
    }

    fn trouble(&mut self) -> (Health, String) {
        let report = self.sender().report.lock().unwrap().clone();
        report.trouble.map_or((Health::Ok, String::new()), |trouble| (trouble.health, trouble.text))
    }
}

use Importance::{Important, Normal, Passing, Terminal};

#[test]
fn the_log_tells_a_trouble_once_whatever_times_it_names() {
    let mut world = World::new(&[]);
    let answered = |code, said: &str| {
        let body = format!(r#"{{"ok":false,"error_code":{code},"description":"{said}"}}"#);
        Outcome::Answered(Answer::read(code, None, body.as_bytes()))
    };
    let failed = |text: &str| Outcome::Failed(Fault { kind: FaultKind::ClockNotSet, text: text.to_owned() });
    let told: Vec<bool> = [
        answered(429, "Too Many Requests: retry after 30"),
        answered(429, "Too Many Requests: retry after 31"),
        failed("it shows 00:01"),
        failed("it shows 00:02"),
        answered(502, "Bad Gateway"),
        answered(500, "Internal Server Error"),
        answered(500, "Internal Server Error"),
    ]
    .iter()
    .map(|outcome| world.sender().is_news(classify(outcome), outcome))
    .collect();
    assert_eq!(told, [true, false, true, false, true, true, false]);
    // After a success the same is news again.
    world.push("a", Normal);
    world.run(10);
    let outcome = answered(500, "Internal Server Error");
    assert!(world.sender().is_news(classify(&outcome), &outcome));
}

#[test]
fn a_message_goes_to_chat_and_topic_once() {
    let mut world = World::new(&[]);
    world.push("Started: cube", Important);
    world.run(100);
    let expected = Request {
        at: 0,
        chat: "-100".into(),
        thread: Some(17),
        text: "Started: cube".into(),
        method: "sendMessage",
        shown: true,
        silent: false,
    };
    assert_eq!(world.requests(), [expected]);
    assert_eq!(world.waiting(), 0);
    assert_eq!(world.trouble().0, Health::Ok);
    world.restart();
    world.push("Started: cube", Important);
    world.run(200);
    assert_eq!(world.requests().len(), 1, "the same fact again");
}

#[test]
fn a_connection_is_kept_for_what_follows_soon() {
    let mut world = World::new(&[]);
    let mut told = Vec::new();
    for until in [3, 9, 10, 18, 19, 40] {
        world.push(&format!("before {until}"), Importance::Terminal);
        world.run(until);
        told.push(world.sender().rests_in().map(|rest| rest.as_secs()));
    }
    world.run(60);
    assert_eq!(world.sender().rests_in(), None);
    assert_eq!((world.times(), told), (vec![0, 3, 9, 10, 18, 19], [7, 4, 9, 2, 9, 0].map(Some).to_vec()));
    assert_eq!(*world.server.rests.lock().unwrap(), [40]);
}

#[test]
fn a_flood_limit_is_waited_out() {
    let flood = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 30","parameters":{"retry_after":30}}"#;
    let mut world = World::new(&[Reply::Answer(429, flood.to_owned())]);
    world.push("a", Terminal);
    world.push("b", Terminal);
    world.run(20);
    assert_eq!(world.trouble().0, Health::Waiting);
    world.run(100);
    assert_eq!(world.times(), [0, 30, 30]);
    assert_eq!(world.chat(), ["a", "b"]);
}

#[test]
fn server_trouble_is_waited_out_with_growing_pauses() {
    let script =
        [refusal(500, "Internal Server Error"), Reply::Answer(502, "<html>".to_owned()), Reply::Unreached];
    let mut world = World::new(&script);
    world.push("a", Terminal);
    world.run(100);
    assert_eq!(world.times(), [0, 1, 3, 7]);
    assert_eq!(world.chat(), ["a"]);
    // A success starts the pauses anew.
    world.server.script.lock().unwrap().push_back(Reply::Unreached);
    world.push("b", Terminal);
    world.run(200);
    assert_eq!(world.times()[4..], [100, 101]);
}

#[test]
fn a_lost_answer_costs_one_duplicate() {
    let mut world = World::new(&[Reply::Lost]);
    world.push("a", Terminal);
    world.run(1000);
    assert_eq!(world.chat(), ["a", "a"]);
}

#[test]
fn what_is_too_old_is_not_sent() {
    let mut world = World::new(&vec![Reply::Unreached; 20]);
    world.push("42%", Importance::Passing);
    world.push("Completed: cube", Terminal);
    world.run(1500);
    let chat = world.chat();
    assert!(chat.len() == 1 && chat[0].ends_with("Completed: cube"), "{chat:?}");
    // A printer that was off for longer than a week, and one that was off for less.
    for (days, expected) in [(8, 0), (6, 1)] {
        world.server.requests.lock().unwrap().clear();
        world.push(&format!("Completed: another after {days} days"), Terminal);
        world.clock.0.lock().unwrap().unix += seconds(days * 86_400);
        world.restart();
        let now = world.clock.now().monotonic.as_secs();
        world.run(now + 100);
        assert_eq!((world.requests().len(), world.waiting()), (expected, 0), "{days} days");
    }
}

#[test]
fn a_group_that_moves_is_followed_and_remembered() {
    let moved = r#"{"ok":false,"error_code":400,"description":"Bad Request: group chat was upgraded to a supergroup chat","parameters":{"migrate_to_chat_id":-1009876543210}}"#;
    let mut world = World::new(&[Reply::Answer(400, moved.to_owned())]);
    world.push("a", Terminal);
    world.run(10);
    world.restart();
    world.push("b", Terminal);
    world.run(20);
    let chats: Vec<String> = world.requests().into_iter().map(|request| request.chat).collect();
    assert_eq!(chats, ["-100", "-1009876543210", "-1009876543210"]);
    assert_eq!(world.chat(), ["a", "b"]);
    assert_eq!(world.sender().report.lock().unwrap().moved_to, Some(-1_009_876_543_210));
}

#[test]
fn a_group_that_moves_in_circles_is_no_hot_loop() {
    let moved = r#"{"ok":false,"error_code":400,"parameters":{"migrate_to_chat_id":-7}}"#;
    let mut world = World::new(&vec![Reply::Answer(400, moved.to_owned()); 1000]);
    world.push("a", Terminal);
    world.run(3600);
    assert!(world.requests().len() < 3600 / 60 + 10, "{}", world.requests().len());
    assert_eq!(world.waiting(), 1);
}

#[test]
fn a_lost_topic_is_left_out_for_an_hour() {
    let mut world = World::new(&[refusal(400, "Bad Request: message thread not found")]);
    world.push("a", Terminal);
    world.run(10);
    world.push("b", Terminal);
    world.run(20);
    assert!(world.sender().report.lock().unwrap().thread_lost);
    world.run(3700);
    world.push("c", Terminal);
    world.run(3800);
    let threads: Vec<Option<i64>> = world.requests().iter().map(|request| request.thread).collect();
    assert_eq!(threads, [Some(17), None, None, Some(17)]);
    assert_eq!(world.chat(), ["a", "b", "c"]);
    assert!(!world.sender().report.lock().unwrap().thread_lost);
}

#[test]
fn a_chat_without_any_open_topic_is_probed() {
    let mut world =
        World::new(&[refusal(400, "Bad Request: TOPIC_CLOSED"), refusal(400, "Bad Request: TOPIC_CLOSED")]);
    world.push("a", Terminal);
    world.run(599);
    assert_eq!(world.times(), [0, 0]);
    world.run(700);
    assert_eq!(world.chat(), ["[2026-11-21 02:20 UTC] a"]);
}

#[test]
fn a_refused_token_is_probed_every_ten_minutes() {
    let mut world = World::new(&vec![refusal(401, "Unauthorized"); 3]);
    for text in ["a", "b"] {
        world.push(text, Terminal);
    }
    world.push("c", Normal);
    world.run(1700);
    assert_eq!(world.times(), [0, 600, 1200]);
    let (health, text) = world.trouble();
    assert_eq!(health, Health::Fail);
    assert!(text.contains("TELEGRAM_BOT_TOKEN") && !text.contains("secret-token"), "{text}");
    world.run(2000);
    let day = "[2026-11-21 02:20 UTC]";
    assert_eq!(world.chat(), [format!("{day} a"), format!("{day} b"), format!("{day} c")]);
    assert_eq!(world.trouble().0, Health::Ok);
}

#[test]
fn while_the_chat_is_gone_only_ends_and_the_newest_are_kept() {
    let mut world = World::new(&vec![refusal(403, "Forbidden: bot was blocked by the user"); 2]);
    for (text, importance) in [("s1", Important), ("p1", Normal), ("e1", Terminal), ("s2", Important)] {
        world.push(text, importance);
    }
    world.run(500);
    assert_eq!((world.times(), world.waiting()), (vec![0], 2));
    assert_eq!(world.trouble().0, Health::Fail);
    world.push("e2", Terminal);
    world.run(1300);
    assert_eq!(world.times()[..3], [0, 600, 1200]);
    let texts: Vec<String> = world.chat().iter().map(|text| text[text.len() - 2..].to_owned()).collect();
    assert_eq!(texts, ["e1", "e2"]);
}

#[test]
fn a_refused_message_does_not_hold_up_the_others() {
    let mut world = World::new(&[refusal(400, "Bad Request: message text is empty")]);
    world.push("a", Terminal);
    world.push("b", Terminal);
    world.run(10);
    assert_eq!(world.chat(), ["b"]);
    assert_eq!(world.waiting(), 0);
}

#[test]
fn a_text_that_is_too_long_is_shortened_once() {
    let mut world = World::new(&vec![refusal(400, "Bad Request: message is too long"); 2]);
    world.push(&"x".repeat(1020), Terminal);
    world.run(10);
    let lengths: Vec<usize> =
        world.requests().iter().map(|request| request.text.encode_utf16().count()).collect();
    assert_eq!((lengths, world.waiting()), (vec![1020, 1000], 0));
}

#[test]
fn a_body_of_another_kind_is_dropped() {
    let mut world = World::new(&[]);
    let body = br#"{"photo":1}"#.to_vec();
    let entry = Entry { key: "k".into(), importance: Normal, at: seconds(START), slot: None, body };
    world.sender().queue.push(entry);
    world.push("a", Normal);
    world.run(10);
    assert_eq!(world.chat(), ["a"]);
}

#[test]
fn a_clock_that_is_set_late_is_waited_for() {
    let mut world = World::new(&vec![Reply::TooEarly; 20]);
    world.clock.0.lock().unwrap().unix = seconds(40);
    world.push("Completed: cube", Terminal);
    world.run(100);
    let times = world.times();
    assert_eq!(times[..6], [0, 1, 3, 7, 15, 25]);
    world.clock.0.lock().unwrap().unix = seconds(START);
    world.server.script.lock().unwrap().clear();
    world.run(111);
    // When it happened is unknown, so that nothing wrong is said about it.
    assert_eq!(world.chat(), ["Completed: cube"]);
}

#[test]
fn the_end_of_a_job_survives_a_day_offline_and_a_reboot() {
    let day = 86_400;
    let mut world = World::new(&vec![Reply::Unreached; 5000]);
    world.push("Started: cube", Important);
    world.run(60);
    world.push("Completed: cube - 1m", Terminal);
    world.run(day / 2);
    world.restart();
    world.run(day);
    assert!(world.times().len() < 1500 + 20, "it tries once a minute: {}", world.times().len());
    assert_eq!(world.chat(), Vec::<String>::new());
    world.server.script.lock().unwrap().clear();
    world.run(day + 61);
    let expected = ["[2026-11-21 02:20 UTC] Started: cube", "[2026-11-21 02:21 UTC] Completed: cube - 1m"];
    assert_eq!(world.chat(), expected);
}

#[test]
fn a_burst_in_a_group_is_paced() {
    let mut world = World::new(&[]);
    for n in 0..40 {
        world.push(&format!("m{n}"), Normal);
    }
    world.run(300);
    assert_eq!(world.chat().len(), 40);
    let times = world.times();
    for start in 0..200 {
        assert!(times.iter().filter(|at| (start..start + 60).contains(*at)).count() <= 20);
    }
}

#[test]
fn a_lost_answer_across_a_crash_keeps_order() {
    let mut world = World::new(&[Reply::Lost]);
    for text in ["a", "b"] {
        world.push(text, Terminal);
    }
    assert!(matches!(world.sender().step(), Next::At(_)));
    world.restart();
    world.run(10);
    assert_eq!(world.chat(), ["a", "a", "b"]);
}

#[derive(Debug, Clone)]
enum Turn {
    Reply(Reply),
    Restart,
    Push,
}

proptest! {
    // Each case writes and flushes real files.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_end_arrives_in_order_and_twice_only_after_a_lost_answer(
        turns in proptest::collection::vec(
            prop_oneof![
                4 => Just(Turn::Push),
                1 => Just(Turn::Restart),
                1 => Just(Turn::Reply(Reply::Lost)),
                1 => Just(Turn::Reply(Reply::Unreached)),
                1 => Just(Turn::Reply(refusal(500, "Internal Server Error"))),
                1 => Just(Turn::Reply(refusal(401, "Unauthorized"))),
                1 => Just(Turn::Reply(refusal(403, "Forbidden: bot was kicked from the group chat"))),
                1 => Just(Turn::Reply(refusal(429, "Too Many Requests: retry after 7"))),
                1 => Just(Turn::Reply(refusal(400, "Bad Request: message thread not found"))),
                1 => Just(Turn::Reply(Reply::Answer(200, "<html>log in</html>".to_owned()))),
            ],
            1..40,
        ),
        pace in 1u64..900,
    ) {
        let mut world = World::new(&[]);
        let mut now = 0;
        let mut pushed = Vec::new();
        let mut lost = 0;
        for turn in turns {
            match turn {
                Turn::Push => {
                    let text = format!("end {:02}", pushed.len());
                    world.push(&text, Terminal);
                    pushed.push(text);
                }
                Turn::Restart => world.restart(),
                Turn::Reply(reply) => {
                    lost += usize::from(matches!(reply, Reply::Lost));
                    world.server.script.lock().unwrap().push_back(reply);
                }
            }
            now += pace;
            world.run(now);
        }
        world.run(now + 7 * 86_400);
        let (mut once, mut again) = (Vec::new(), 0);
        for message in world.messages() {
            let told: Vec<String> = message.split("\n\n").map(|text| text[text.len() - 6..].to_owned()).collect();
            again += usize::from(told.iter().any(|end| once.contains(end)));
            once.extend(told.into_iter().filter(|end| !once.contains(end)).collect::<Vec<_>>());
        }
        prop_assert_eq!(&once, &pushed, "each end, in order");
        prop_assert!(again <= lost, "{} lost answers, {:?}", lost, world.messages());
        prop_assert_eq!(world.waiting(), 0);
    }
}

#[test]
fn the_late_text_is_dated_by_the_rules() {
    // The sender and the rules agree on the border of ten minutes.
    let mut world = World::new(&[refusal(401, "Unauthorized")]);
    world.push("a", Terminal);
    world.run(700);
    assert_eq!(world.chat(), [notify::dated("a", seconds(START), seconds(START + 600))]);
}

#[test]
fn a_picture_goes_as_a_photo_and_what_is_no_photo_as_a_file() {
    let mut world = World::new(&[]);
    for (index, (caption, width, height, bytes)) in [
        ("usual", 1920, 1080, 1000),
        ("long sides", 5001, 5000, 1000),
        ("slim", 2100, 100, 1000),
        ("wide", 2000, 100, 1000),
        ("large", 10, 10, 10_000_001),
    ]
    .into_iter()
    .enumerate()
    {
        world.push_picture(caption, width, height, bytes);
        world.run(10 * (index as u64 + 1));
    }
    assert_eq!(world.chat(), ["usual", "long sides", "slim", "wide", "large"]);
    assert_eq!(world.methods(), ["sendPhoto", "sendDocument", "sendDocument", "sendPhoto", "sendDocument"]);
}

#[test]
fn a_refused_picture_goes_as_a_file_and_then_as_its_caption() {
    let refused = || refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS");
    let mut world = World::new(&[refused(), refusal(413, "Request Entity Too Large")]);
    world.push_picture("10%", 100, 100, 1000);
    world.run(100);
    assert_eq!(world.methods(), ["sendPhoto", "sendDocument", "sendMessage"]);
    assert_eq!(world.chat(), ["10%"]);
}

#[test]
fn a_picture_that_is_gone_holds_up_nothing() {
    let mut world = World::new(&[]);
    let at = world.clock.now().unix;
    world.store("a", Normal, at, &Stored { text: "a".to_owned(), picture: Some(7), ..Stored::default() });
    world.push("b", Normal);
    world.run(10);
    assert_eq!(world.chat(), ["b"]);
}

#[test]
fn captions_are_cut_at_their_own_limit() {
    let mut world = World::new(&[]);
    world.push_picture(&"\u{1f3b2}".repeat(600), 100, 100, 10);
    world.run(10);
    assert_eq!(world.chat()[0].encode_utf16().count(), 1023);
}

#[test]
fn what_is_held_back_goes_at_its_time_and_can_be_taken_back() {
    let mut world = World::new(&[]);
    let at = world.clock.now().unix;
    let not_before_ms = Some((START + 5) * 1000);
    let stored = |text: &str| Stored { text: text.to_owned(), not_before_ms, ..Stored::default() };
    world.store("paused 1", Normal, at, &stored("Paused"));
    world.run(3);
    assert_eq!(world.chat(), [""; 0]);
    assert!(world.sender().queue.take_back("paused 1", "it was short"));
    world.store("paused 2", Normal, at, &stored("Paused again"));
    world.run(20);
    assert_eq!(world.times(), [5]);
    // What was on its way may have arrived.
    world.server.script.lock().unwrap().push_back(Reply::Lost);
    world.push("Paused", Normal);
    assert!(matches!(world.sender().step(), Next::At(_)));
    assert!(!world.sender().queue.take_back("Paused", "it was short"));
    world.run(25);
    assert_eq!(world.chat(), ["Paused again", "Paused", "Paused"]);
    // A clock that was set back by years must not hold a message for years.
    let later = Some((START + 86_400) * 1000);
    world.store("c", Normal, at, &Stored { not_before_ms: later, ..stored("c") });
    world.run(40);
    assert_eq!(world.chat().last().map(String::as_str), Some("c"));
}

#[test]
fn markup_that_is_refused_is_left_out() {
    let mut world = World::new(&[refusal(400, "Bad Request: can't parse entities: unsupported start tag")]);
    world.config = config("html");
    world.restart();
    world.push("Started: a<b\n10%", Important);
    world.push("b", Normal);
    world.run(100);
    let texts: Vec<String> = world.requests().into_iter().map(|request| request.text).collect();
    assert_eq!(texts, ["<b>Started: a&lt;b</b>\n10%", "Started: a<b\n10%", "<b>b</b>"]);
}

#[test]
fn what_waited_long_is_told_in_one_message() {
    let mut world = World::new(&vec![Reply::Unreached; 60]);
    for text in ["Started: a", "Paused: a", "Completed: a", "Started: b"] {
        world.push(text, Important);
    }
    world.push_picture("10%", 100, 100, 1000);
    world.push("Completed: b", Terminal);
    world.run(3600);
    let dated = |text: &str| notify::dated(text, seconds(START), seconds(START + 3600));
    let row: Vec<String> = ["Started: a", "Paused: a", "Completed: a", "Started: b"].map(dated).into();
    // The picture between them grew too old.
    assert_eq!(world.messages(), [format!("{}\n\n{}", row.join("\n\n"), dated("Completed: b"))]);
    assert_eq!(world.waiting(), 0);
}

#[test]
fn what_is_told_in_one_message_rings_if_one_of_them_does() {
    for (silences, expected) in
        [([true, false, true], false), ([false, true, true], false), ([true; 3], true)]
    {
        let mut world = World::new(&vec![Reply::Unreached; 30]);
        let at = world.clock.now().unix;
        for (key, silent) in ["a", "b", "c"].into_iter().zip(silences) {
            world.store(key, Important, at, &Stored { text: key.to_owned(), silent, ..Stored::default() });
        }
        world.run(3600);
        let shown: Vec<bool> =
            world.requests().iter().filter(|told| told.shown).map(|told| told.silent).collect();
        assert_eq!(shown, [expected], "{silences:?}");
    }
}

#[test]
fn where_no_pictures_may_be_sent_the_words_come() {
    for refused in [
        "Bad Request: not enough rights to send photos to the chat",
        "Bad Request: CHAT_SEND_PHOTOS_FORBIDDEN",
        "Bad Request: CHAT_SEND_MEDIA_FORBIDDEN",
    ] {
        let mut world = World::new(&[refusal(400, refused)]);
        world.push("Completed: cube", Important);
        world.push_picture("Completed: cube, 1m ago", 100, 100, 1000);
        world.server.script.lock().unwrap().push_front(Reply::Answer(200, r#"{"ok":true}"#.to_owned()));
        world.push("Started: b", Normal);
        world.run(60);
        assert_eq!(world.methods(), ["sendMessage", "sendPhoto", "sendMessage", "sendMessage"], "{refused}");
        assert_eq!(world.chat(), ["Completed: cube", "Completed: cube, 1m ago", "Started: b"], "{refused}");
    }
}

#[test]
fn a_proxy_that_lets_no_picture_through_costs_the_picture_alone() {
    let page = || Reply::Answer(413, "<html>Request Entity Too Large</html>".to_owned());
    let mut world = World::new(&[page(), page()]);
    world.push_picture("10%", 100, 100, 1000);
    world.push("Completed: cube", Terminal);
    world.run(10);
    assert_eq!(world.methods()[..3], ["sendPhoto", "sendDocument", "sendMessage"]);
    assert_eq!(world.chat(), ["10%", "Completed: cube"]);
    // A text is small enough for any: it is no judgement on that.
    let mut world = World::new(&[page(), page(), page()]);
    world.push("Completed: cube", Terminal);
    world.run(60);
    assert_eq!(world.chat(), ["Completed: cube"]);
}

#[test]
fn a_line_on_which_only_words_get_through_costs_the_picture_alone() {
    // Three uploads fail, and a small request does not.
    let mut world = World::new(&vec![Reply::Unreached; 3]);
    world.push_picture("10%", 100, 100, 1000);
    world.push("Completed: cube", Terminal);
    world.run(60);
    assert_eq!(
        world.methods(),
        ["sendPhoto", "sendPhoto", "sendPhoto", "getMe", "sendMessage", "sendMessage"]
    );
    assert_eq!(world.chat(), ["10%", "Completed: cube"]);
}

#[test]
fn a_picture_outlives_a_short_outage() {
    let mut world = World::new(&vec![Reply::Unreached; 6]);
    world.push_picture("10%", 100, 100, 1000);
    world.run(300);
    let methods = world.methods();
    assert_eq!(methods.last(), Some(&"sendPhoto"), "{methods:?}");
    assert_eq!(world.chat(), ["10%"]);
}

#[test]
fn one_that_is_refused_takes_no_other_with_it() {
    let mut script = vec![Reply::Unreached; 20];
    script.push(refusal(400, "Bad Request: chat is not pleased"));
    script.push(refusal(400, "Bad Request: chat is not pleased"));
    let mut world = World::new(&script);
    for text in ["a", "b", "c"] {
        world.push(text, Terminal);
    }
    world.run(3600);
    let dated = |text: &str| notify::dated(text, seconds(START), seconds(START + 3600));
    assert_eq!(world.waiting(), 0);
    let told = world.chat().join("|");
    assert!(
        !told.contains(&dated("a")) && told.contains(&dated("b")) && told.contains(&dated("c")),
        "{told}"
    );
}
