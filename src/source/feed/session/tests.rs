use super::*;
use crate::printer::{Event, Memory, Observer, Print, PrintState};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

/// A session, its observer, and what came of it.
pub(super) struct World {
    session: Session,
    pub(super) observer: Observer,
    now: Duration,
    pictures: Vec<Vec<u8>>,
    pub(super) told: Vec<String>,
    pub(super) events: Vec<Event>,
    pings: u32,
    closed: Option<SessionError>,
    snapshot: Option<Arc<Snapshot>>,
}

fn at(monotonic: Duration) -> Moment {
    Moment { monotonic, unix: Duration::from_secs(1_755_684_000) + monotonic }
}

fn jpeg(mark: u8) -> Vec<u8> {
    let mut picture = vec![0xFF, 0xD8, 0xFF, 0xE0];
    picture.extend([mark; 120]);
    picture.extend([0xFF, 0xD9]);
    picture
}

pub(super) fn status(object: &serde_json::Value) -> String {
    json!({"type": "printer_status", "data": object}).to_string()
}

fn running(percent: u32) -> String {
    status(
        &json!({"gcode_state": "RUNNING", "subtask_name": "Cube", "mc_percent": percent, "print_error": 0}),
    )
}

impl World {
    pub(super) fn new(timeout: u64) -> Self {
        let settings =
            WatchdogSettings { timeout: Duration::from_secs(timeout), tick: Duration::from_secs(5) };
        let mut world = Self {
            session: Session::new(settings),
            observer: Observer::new(Memory::default()),
            now: Duration::ZERO,
            pictures: Vec::new(),
            told: Vec::new(),
            events: Vec::new(),
            pings: 0,
            closed: None,
            snapshot: None,
        };
        world.session.on_connected(Duration::ZERO);
        world
    }

    /// Lets time pass; traffic comes all the while if it is `lively`.
    fn until(&mut self, seconds: f64, lively: bool) {
        let until = Duration::from_secs_f64(seconds);
        while let Some(tick) = self.session.next_tick().filter(|tick| *tick <= until && self.closed.is_none())
        {
            self.now = self.now.max(tick);
            if lively {
                self.session.on_traffic(self.now);
            }
            let actions = self.session.on_tick(self.now);
            self.act(actions);
            let next = self.session.next_tick();
            assert!(self.closed.is_some() || next.is_none_or(|next| next > self.now), "it spins at {tick:?}");
        }
        self.now = self.now.max(until);
    }

    pub(super) fn message(&mut self, seconds: f64, message: &str) -> &mut Self {
        self.until(seconds, true);
        self.session.on_traffic(self.now);
        let actions = self.session.on_message(message.as_bytes().to_vec(), at(self.now));
        self.act(actions);
        self
    }

    fn picture(&mut self, seconds: f64, mark: u8) -> &mut Self {
        let message = json!({"type": "jpeg_image", "image": STANDARD.encode(jpeg(mark))});
        self.message(seconds, &message.to_string())
    }

    pub(super) fn reconnect(&mut self, seconds: f64) {
        let actions = self.session.on_closed("gone");
        self.act(actions);
        self.now = Duration::from_secs_f64(seconds);
        self.closed = None;
        self.session.on_connected(self.now);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Emit(observation) => {
                    for event in self.observer.observe(&observation, at(self.now)) {
                        let name = event.key.rsplit_once('/').map_or("", |(_, name)| name);
                        let kind = serde_json::to_value(&event.kind).unwrap();
                        let kind = kind.as_str().map(str::to_owned);
                        let kind = kind.unwrap_or_else(|| format!("{:?}", event.kind));
                        self.told.push(if kind.is_empty() { name.to_owned() } else { kind });
                        self.events.push(event);
                    }
                    if let Observation::Seen(snapshot) = observation {
                        self.snapshot = Some(snapshot);
                    }
                }
                Action::Picture(picture) => self.pictures.push(picture),
                Action::Ping => self.pings += 1,
                Action::Close(error) => self.closed = Some(error),
            }
        }
    }

    fn print(&self) -> &Print {
        self.snapshot.as_ref().and_then(|snapshot| snapshot.print.as_ref()).unwrap()
    }
}

#[test]
fn a_status_becomes_a_snapshot_with_its_own_text() {
    let mut world = World::new(60);
    let object =
        r#"{"b": 1.50,"gcode_state":"RUNNING","subtask_name":"Cube", "mc_percent":"10","x":{"y":[1e2]}}"#;
    world.message(1.0, &format!(r#"{{"data":{object} ,"type":"printer_status"}}"#));
    let snapshot = world.snapshot.clone().unwrap();
    assert_eq!(snapshot.original.as_deref(), Some(object));
    assert_eq!(snapshot.klippy.state, KlippyState::Ready);
    assert!(!snapshot.history.available);
    assert_eq!((world.print().state, world.print().progress), (PrintState::Printing, Some(0.1)));
    assert!(world.session.is_served());
}

/// The recorded noise: nothing of it ends the connection, and what is a message counts.
#[test]
fn what_is_no_message_is_ignored_and_counted() {
    let mut world = World::new(60);
    world.message(2.0, &running(10)).picture(3.0, 1);
    for (n, noise) in [
        "not json",
        r#"{"type":"printer_status"}"#,
        r#"{"hello":1}"#,
        r#"{"type":"jpeg_image","data":"AAAA"}"#,
        r#"{"type":"printer_status","data":{}}"#,
        r#"{"type":"printer_status","data":"{}"}"#,
        r#"{"type":"printer_status","data":"nothing"}"#,
        r#"[{"type":"printer_status","data":{"gcode_state":"FINISH"}}]"#,
        "",
    ]
    .into_iter()
    .enumerate()
    {
        world.message(15.0, noise);
        assert_eq!(world.session.ignored(), u64::try_from(n).unwrap() + 1, "{noise}");
    }
    world.session.on_binary(world.now);
    assert_eq!(world.session.ignored(), 10);
    assert_eq!((world.pictures.len(), world.print().progress), (1, Some(0.1)));
    // As older servers have it.
    let older = r#"{"type":"printer_status","data":"{\"gcode_state\":\"RUNNING\",\"subtask_name\":\"Cube\",\"mc_percent\":15}"}"#;
    world.message(30.0, older).message(60.0, &running(20));
    assert_eq!(world.print().progress, Some(0.2));
    assert_eq!((world.closed, world.session.ignored()), (None, 10));
}

#[test]
fn words_to_people_are_kept_the_newest() {
    let mut world = World::new(60);
    world.message(16.0, r#"{"type":"message","message":"File uploaded"}"#);
    world.message(17.0, r#"{"type":"error","message":"Printer Offline"}"#);
    let notice = world.session.notice().unwrap();
    assert_eq!((notice.is_error, notice.text.as_str()), (true, "Printer Offline"));
    assert_eq!(notice.at, at(Duration::from_secs(17)).unix);
    assert!(world.told.is_empty() && world.session.ignored() == 0 && !world.session.is_served());
}

/// The recorded bad pictures, and one that is cut off.
#[test]
fn bad_pictures_are_no_pictures() {
    let mut world = World::new(60);
    let good = STANDARD.encode(jpeg(1));
    let cut = STANDARD.encode(&jpeg(1)[..124]);
    for image in [
        json!(null),
        json!("abc"),
        json!("!!!!"),
        json!("bm90IGEganBlZw=="),
        json!(""),
        json!(cut),
        json!([good]),
    ] {
        world.message(3.0, &json!({"type": "jpeg_image", "image": image}).to_string());
        assert!(world.pictures.is_empty() && !world.session.is_served(), "{image}");
    }
    world.picture(9.0, 1);
    assert_eq!(world.pictures, [jpeg(1)]);
    assert!(world.session.is_served());
    // They do not keep the connection either.
    for second in 10..75 {
        world.message(f64::from(second), r#"{"type":"jpeg_image","image":"abc"}"#);
    }
    assert_eq!(world.closed, Some(SessionError::NoPicture(Duration::from_secs(61))));
    assert_eq!(world.now, Duration::from_secs(74));
}

/// The recorded case: pictures stop, statuses go on; the pictures return after the reconnection and keep it.
#[test]
fn a_feed_without_pictures_is_left_and_the_next_connection_has_its_own_time() {
    let mut world = World::new(60);
    world.message(2.0, &running(10));
    for second in [3, 13, 23, 33] {
        world.picture(f64::from(second), 1);
    }
    for second in [40, 50, 60, 70, 80, 90] {
        world.message(f64::from(second), &running(10));
    }
    world.until(94.9, true);
    assert_eq!(world.closed, None);
    world.until(95.1, true);
    assert_eq!(world.closed, Some(SessionError::NoPicture(Duration::from_secs(62))));
    assert!(world.session.is_useful(world.now));
    let told = world.told.clone();
    world.reconnect(96.0);
    for second in [125, 135, 145, 155, 165, 175, 185, 195] {
        world.picture(f64::from(second), 2).message(f64::from(second), &running(11));
    }
    world.until(200.0, true);
    assert_eq!(world.closed, None);
    // The printer was never lost.
    assert!(!told.iter().chain(&world.told).any(|told| told.starts_with("source")), "{:?}", world.told);
}

#[test]
fn a_feed_that_never_has_pictures_is_not_a_printer_that_comes_and_goes() {
    let mut world = World::new(10);
    let mut closes = Vec::new();
    for second in 1..200 {
        if world.closed.is_some() {
            closes.push(second - 1);
            world.reconnect(f64::from(second));
        }
        world.message(f64::from(second), &running(10));
    }
    assert_eq!(closes, [15, 31, 47, 73, 119]);
    assert_eq!(world.told, ["job_started"]);
}

#[test]
fn a_watchdog_that_is_off_never_closes() {
    let mut world = World::new(0);
    world.until(100_000.0, true);
    assert_eq!(world.closed, None);
}

#[test]
fn silence_is_asked_about_and_then_ends_the_connection() {
    let mut world = World::new(0);
    world.message(5.0, &running(10));
    world.until(64.9, false);
    assert_eq!((world.pings, world.closed), (2, None));
    world.until(65.0, false);
    assert_eq!((world.pings, world.closed), (2, Some(SessionError::Silent)));
    let lost = world.session.on_closed("the connection is dead");
    assert_eq!(lost, [Action::Emit(Observation::Lost { reason: "the connection is dead".to_owned() })]);
    // No invented end of the job, and no second loss when the next attempt fails.
    assert_eq!(world.session.on_closed("refused"), []);
    assert_eq!(world.session.next_tick(), None);
}

#[test]
fn a_change_of_connection_that_fails_is_a_loss() {
    let mut world = World::new(10);
    world.message(1.0, &running(10)).message(12.0, &running(10));
    world.until(15.0, true);
    assert_eq!(world.closed, Some(SessionError::NoPicture(Duration::from_secs(15))));
    assert_eq!(world.session.on_closed("no picture"), []);
    let lost = world.session.on_closed("refused");
    assert!(
        matches!(&lost[..], [Action::Emit(Observation::Lost { reason })] if reason == "refused"),
        "{lost:?}"
    );
}

#[test]
fn a_change_over_a_silent_connection_is_a_loss() {
    let mut world = World::new(10);
    world.message(1.0, &running(10));
    world.until(15.0, true);
    world.reconnect(16.0);
    // Connected, but the printer is not seen over it.
    world.until(31.0, true);
    assert!(world.closed.is_some());
    assert_eq!(world.session.on_closed("no picture").len(), 1);
}

/// Refused is no connection; a short one without anything was not worth it, which the next delay shows.
#[test]
fn a_connection_is_useful_by_what_came_or_by_its_life() {
    let useful = |messages: &[&str], seconds: u64| {
        let mut world = World::new(60);
        for message in messages {
            world.message(0.5, message);
        }
        world.session.is_useful(Duration::from_secs(seconds))
    };
    assert!(!useful(&[], 10));
    assert!(useful(&[], 11));
    assert!(!useful(&["not json", r#"{"type":"error","message":"x"}"#, r#"{"type":"printer_status"}"#], 2));
    assert!(useful(&[&running(1)], 1));
    let mut world = World::new(60);
    assert!(world.picture(0.5, 1).session.is_useful(Duration::from_secs(1)));
    world.reconnect(2.0);
    assert!(!world.session.is_useful(Duration::from_secs(3)));
}

#[test]
fn a_failure_waits_for_the_code_of_a_cancellation() {
    let failed =
        |error: u32| status(&json!({"gcode_state": "FAILED", "subtask_name": "Cube", "print_error": error}));
    let mut world = World::new(0);
    world.message(1.0, &running(10)).message(5.0, &failed(0));
    assert_eq!(world.print().state, PrintState::Printing);
    world.message(7.0, &failed(50_348_044));
    assert_eq!(world.print().state, PrintState::Cancelled);
    world.message(9.0, &running(3)).message(20.0, &failed(0));
    world.until(22.9, true);
    assert_eq!(world.print().state, PrintState::Printing);
    world.until(23.1, true);
    assert_eq!(world.print().state, PrintState::Error);
    let ends: Vec<&String> = world.told.iter().filter(|told| !told.starts_with("Progress")).collect();
    assert_eq!(ends, ["job_started", "cancelled", "job_started", "Failed { reason: None }"]);
}

/// The recorded pause with an error that each status repeats.
#[test]
fn an_error_is_told_once_while_it_stands() {
    let with = |state: &str, error: serde_json::Value| {
        status(&json!({"gcode_state": state, "subtask_name": "Cube", "mc_percent": 42, "print_error": error}))
    };
    let mut world = World::new(0);
    let mut second = 1.0;
    for (state, error) in [
        ("RUNNING", json!(0)),
        ("RUNNING", json!(0)),
        ("PAUSE", json!(117_473_297)),
        ("PAUSE", json!(117_473_297)),
        ("PAUSE", json!(117_473_297)),
        ("PAUSE", json!(0)),
        ("RUNNING", json!(0)),
        ("RUNNING", json!("83902481")),
        ("RUNNING", json!(0)),
        ("RUNNING", json!(117_473_297)),
    ] {
        second += 20.0;
        world.message(second, &with(state, error));
    }
    let codes: Vec<bool> = world
        .told
        .iter()
        .filter(|told| told.contains("NeedsAttention"))
        .map(|told| told.contains("0700-8011"))
        .collect();
    assert_eq!(codes, [true, false, true], "{:?}", world.told);
    assert_eq!(world.told.iter().filter(|told| told.starts_with("Paused")).count(), 1, "{:?}", world.told);
}

#[test]
fn an_unseen_outage_keeps_the_job() {
    let mut world = World::new(0);
    world.message(2.0, &running(20));
    world.reconnect(185.0);
    world.message(200.0, &status(&json!({"subtask_name": "Cube", "mc_percent": 41})));
    assert_eq!(world.told, ["job_started", "source_lost", "source_back", "Progress { percent: 41 }"]);
}

/// Or a failure that was held when the connection ended would make the caller spin.
#[test]
fn a_held_failure_waits_for_the_next_status() {
    let failed = status(&json!({"gcode_state": "FAILED", "subtask_name": "Cube", "print_error": 0}));
    let mut world = World::new(0);
    world.message(1.0, &running(10)).message(2.0, &failed);
    world.reconnect(3.0);
    world.until(20.0, true);
    assert_eq!(world.print().state, PrintState::Printing);
    world.message(21.0, &failed);
    assert_eq!(world.print().state, PrintState::Error);
}

#[test]
fn one_given_up_for_its_pictures_is_followed_at_once_however_short_it_was() {
    let mut world = World::new(3);
    world.until(5.0, true);
    assert_eq!(world.closed, Some(SessionError::NoPicture(Duration::from_secs(5))));
    assert!(world.session.is_useful(world.now) && !world.session.is_served());
}

#[test]
fn what_is_ignored_is_told_once_a_minute() {
    let mut world = World::new(0);
    for (second, told) in [(1, 1), (2, 1), (60, 1), (61, 61), (62, 61), (300, 300)] {
        world.message(f64::from(second), "not json");
        assert_eq!(world.session.told_ignored, Some(Duration::from_secs(told)), "{second}");
    }
    assert_eq!(world.session.ignored(), 6);
}

#[test]
fn nothing_is_shown_that_could_be_secret_or_endless() {
    let shown = format!("{:?}", Action::Picture(jpeg(1)));
    assert_eq!(shown, "Picture(126 bytes)");
}

fn messages() -> impl Strategy<Value = String> {
    let value = "(\\{\"gcode_state\":\"(RUNNING|FAILED|IDLE|X)\",\"mc_percent\":(5|null|\"7\")\\}|\"\\{\\}\"|null|\\[\\]|\"/9j/\"|7)";
    let kind = "(printer_status|jpeg_image|error|message|x)";
    (kind, value, "(data|image|message)")
        .prop_map(|(kind, value, name)| format!(r#"{{"type":"{kind}","{name}":{value}}}"#))
}

proptest! {
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut world = World::new(60);
        let actions = world.session.on_message(bytes, at(Duration::ZERO));
        prop_assert!(actions.is_empty());
    }

    #[test]
    fn no_order_of_messages_and_times_breaks_it(
        steps in proptest::collection::vec((0..5, 0_u32..4000, messages()), 0..60),
    ) {
        let mut world = World::new(10);
        let mut now = 0.0;
        for (what, tenths, message) in steps {
            now += f64::from(tenths) / 100.0;
            match what {
                0 => world.reconnect(now),
                1 => world.until(now, false),
                2 => {
                    world.picture(now, 7);
                }
                _ => {
                    world.message(now, &message);
                }
            }
            if world.closed.is_some() {
                world.reconnect(now);
            }
        }
    }
}
