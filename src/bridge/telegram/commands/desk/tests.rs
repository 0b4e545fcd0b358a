use super::super::clerk::SharedTokens;
use super::super::tests::{FakeClock, GROUP, Made, OWNER, Server, config, seconds, sight, voice};
use super::super::update::{Document, Origin, Shown};
use super::*;
use crate::bridge::Setup;
use crate::bridge::telegram::delivery::Paces;
use crate::camera;
use crate::clock::SystemClock;
use crate::printer::{PrintState, Webcam};
use crate::source::control::{self, Refusal, RefusalKind, Request};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};

/// What the printer says to a call; none: nothing yet.
type Answer = fn(method: &str, params: &Value) -> Option<Result<Value, ControlError>>;

/// What the printer was asked, and in whose name.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

struct Rig {
    desk: Desk,
    server: Server,
    voice: Voice<Server>,
    asked: Asked,
    _place: tempfile::TempDir,
}

impl Rig {
    /// A desk before a printer that answers so. Waiting serves the printer and turns the clock.
    fn new(settings: &[(&str, &str)], answer: Answer) -> Self {
        let (control, requests) = control::channel();
        let (asked, clock) = (Asked::default(), FakeClock::new());
        let server = Server::new(&clock);
        let mut voice = voice(&server);
        let (requests, noted, turned) =
            (Mutex::new((requests, Vec::new())), Arc::clone(&asked), clock.clone());
        voice.nap = Arc::new(move |time| {
            let mut requests = requests.lock().unwrap();
            let (requests, held): &mut (_, Vec<Request>) = &mut requests;
            while let Poll::Ready(request) =
                pin!(control::Requests::next(requests)).poll(&mut Context::from_waker(Waker::noop()))
            {
                let params =
                    request.ask().params().map_or(json!(null), |text| serde_json::from_str(text).unwrap());
                noted
                    .lock()
                    .unwrap()
                    .push((request.ask().name().to_owned(), request.by().map(ToString::to_string)));
                match answer(request.ask().name(), &params) {
                    Some(answer) => request.answer(answer.map(|value| value.to_string())),
                    None => held.push(request),
                }
            }
            turned.pass(time);
            true
        });
        let place = tempfile::tempdir().unwrap();
        let config = config(settings);
        let tls = crate::tls::client_config(None).unwrap();
        let camera = Camera::new(camera::Setup {
            wanted: None,
            web: "http://127.0.0.1:9".to_owned(),
            moonraker: "http://127.0.0.1:9".to_owned(),
            wake: None,
            tls: Arc::clone(&tls),
            clock: Box::new(SystemClock::new()),
            limits: camera::Limits::default(),
        });
        let live = Live::default();
        let setup = Setup {
            id: "telegram",
            data_dir: place.path(),
            printer_data: place.path(),
            tls,
            printer_id: "u1",
            camera: camera.clone(),
            fresh: seconds(60),
            clock: SystemClock::new(),
            log: None,
            control: control.clone(),
            setting: &|_| None,
        };
        let keeper = Keeper::new(&config, &setup, live.clone(), Paces::default(), &mpsc::channel().0);
        // What it does has tests of its own, and needs a network.
        keeper.close();
        let desk = Desk {
            control,
            camera,
            live,
            fresh: seconds(60),
            macros: config.macros.clone(),
            tokens: SharedTokens::default(),
            reporter: None,
            log: None,
            printer: "U1".to_owned(),
            keeper,
        };
        Self { desk, server, voice, asked, _place: place }
    }

    /// The calls that come of an errand.
    fn run(&mut self, task: Task, over: Option<Shown>) -> Vec<Made> {
        let place = Place { chat: GROUP, thread: Some(17) };
        let errand = Errand { task, place, user: Some(OWNER), by: Some("Ann".to_owned()), over };
        self.desk.see_to(&errand, &mut self.voice);
        self.server.calls()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(method, _)| method.clone()).collect()
    }
}

fn over() -> Option<Shown> {
    let place = Place { chat: GROUP, thread: None };
    Some(Shown { place, message: Some(9), captioned: false })
}

fn refused(what: &str, code: i64, message: &str) -> Result<Value, ControlError> {
    let kind = RefusalKind::Invalid;
    let kind = if code == 404 { RefusalKind::NotFound } else { kind };
    let refusal = Refusal { kind, code, message: message.to_owned() };
    Err(ControlError::Refused { what: what.to_owned(), refusal })
}

#[test]
fn orders_reach_the_printer_and_what_came_of_them_takes_the_questions_place() {
    for (order, method, said) in [
        (Order::Pause, "printer.print.pause", vec!["Pausing...", "Paused."]),
        (Order::Resume, "printer.print.resume", vec!["Resuming...", "Resumed."]),
        (Order::Cancel, "printer.print.cancel", vec!["Cancelling...", "Cancelled."]),
        // Nothing is said before.
        (Order::Stop, "printer.emergency_stop", vec!["Stopped. "]),
        (
            Order::Print("parts/cube.gcode".to_owned()),
            "printer.print.start",
            vec!["Starting cube.gcode...", "Printing cube.gcode."],
        ),
    ] {
        let mut rig = Rig::new(&[], |_, _| Some(Ok(json!("ok"))));
        let made = rig.run(Task::Obey(order), over());
        assert_eq!(rig.asked(), [method]);
        assert_eq!(rig.asked.lock().unwrap()[0].1.as_deref(), Some("Telegram: Ann"));
        assert_eq!(made.len(), said.len());
        for (made, said) in made.iter().zip(said) {
            assert_eq!((made.method, made.field("message_id")), ("editMessageText", json!(9)));
            assert!(made.text().starts_with(said), "{}", made.text());
        }
    }
}

#[test]
fn why_the_printer_did_nothing_is_told() {
    let cases: [(Answer, &str); 4] = [
        (
            |what, _| Some(refused(what, 400, "Must home axis first")),
            "The printer refuses: Must home axis first",
        ),
        (
            |_, _| Some(Err(ControlError::NotConnected { why: "refused".to_owned() })),
            "Not done: no connection to",
        ),
        (
            |what, _| {
                let (what, after) = (what.to_owned(), Duration::from_secs(30));
                Some(Err(ControlError::TimedOut { what, after }))
            },
            wording::NO_ANSWER,
        ),
        (|_, _| None, wording::NO_ANSWER),
    ];
    for (answer, expected) in cases {
        let mut rig = Rig::new(&[], answer);
        let made = rig.run(Task::Obey(Order::Pause), None);
        assert!(made[0].text().starts_with(expected), "{}", made[0].text());
        assert!(rig.voice.now().monotonic <= seconds(36), "it was waited too long");
    }
}

#[test]
fn only_macros_that_are_there_and_listed_are_run() {
    let answer: Answer = |method, _| {
        Some(Ok(match method {
            "printer.objects.list" => {
                json!({"objects": ["gcode_macro Park", "gcode_macro _HIDDEN", "gcode_macro LOAD", "fan"]})
            }
            _ => json!("ok"),
        }))
    };
    for (listed, shown) in [("all", "LOAD\nPARK"), ("park,_hidden", "PARK"), ("other", "")] {
        let mut rig = Rig::new(&[("TELEGRAM_MACROS", listed)], answer);
        let said = rig.run(Task::Macros, None)[0].text().to_owned();
        let expected = match shown {
            "" => wording::NO_MACROS.to_owned(),
            shown => format!("Send /macro and one of these:\n{shown}"),
        };
        assert_eq!(said, expected);
    }
    let mut rig = Rig::new(&[("TELEGRAM_MACROS", "park,other")], answer);
    assert!(
        rig.run(Task::Obey(Order::Macro("PARK X=1".to_owned())), None)[0]
            .text()
            .starts_with("PARK X=1 is done.")
    );
    assert_eq!(rig.asked(), ["printer.objects.list", "printer.gcode.script"]);
    let made = rig.run(Task::Obey(Order::Macro("OTHER".to_owned())), None);
    assert!(made[1].text().starts_with("There is no macro OTHER"), "G-code of that name is not run");
}

#[test]
fn what_the_printer_says_to_gcode_is_told() {
    let mut rig = Rig::new(&[("TELEGRAM_GCODE", "on")], |_, _| Some(Ok(json!("ok"))));
    rig.desk.live.lock().heard("// before", Duration::ZERO);
    rig.server.clock.pass(seconds(5));
    rig.desk.live.lock().heard("// X:1.0 Y:2.0", seconds(5));
    let made = rig.run(Task::Obey(Order::Gcode("M114".to_owned())), None);
    assert_eq!(made[0].text(), "Done.\nX:1.0 Y:2.0");
    assert_eq!(made[0].field("message_thread_id"), json!(17));
}

#[test]
fn a_file_is_offered_with_what_is_known_of_it() {
    let answer: Answer = |method, params| {
        Some(match (method, params["filename"].as_str()) {
            ("server.files.metadata", Some("parts/cube.gcode")) => Ok(json!({
                "filename": "parts/cube.gcode", "size": 1_500_000, "modified": 5.0, "estimated_time": 5400.0,
                "filament_weight_total": 12.4,
            })),
            _ => refused(method, 404, "Metadata not available"),
        })
    };
    let mut rig = Rig::new(&[], answer);
    rig.desk.live.lock().sight = Some(sight(PrintState::Standby, None, None));
    let made = rig.run(Task::Offer("parts/cube".to_owned()), None);
    let said = made[0].text();
    assert!(said.starts_with("Print cube.gcode?\nabout 1h 30m") && said.contains("1.5 MB"), "{said}");
    assert!(made[0].button("Print").unwrap().starts_with("do:print:"));
    assert!(made[0].button("No").is_some());
    // While something prints, it is not even asked.
    rig.desk.live.lock().sight = Some(sight(PrintState::Printing, Some("big.gcode"), Some("1")));
    let made = rig.run(Task::Offer("parts/cube".to_owned()), None);
    assert!(made[1].text().starts_with("big.gcode is under way"), "{}", made[1].text());
    assert_eq!(made[1].field("reply_markup"), Value::Null);
}

#[test]
fn the_status_and_a_missing_picture_are_told() {
    let mut rig = Rig::new(&[], |_, _| None);
    rig.desk.live.lock().sight = Some(sight(PrintState::Complete, Some("cube.gcode"), None));
    let said = rig.run(Task::Status, None)[0].text().to_owned();
    assert!(said.starts_with("[U1] Completed: cube.gcode\n"), "{said}");
    assert!(rig.run(Task::Photo, None)[1].text().starts_with("There is no picture."));
}

#[test]
fn a_file_that_telegram_does_not_hand_out_is_explained() {
    let place = Place { chat: GROUP, thread: None };
    let origin = Origin { place, user: Some(OWNER), date: Duration::ZERO };
    let document = Document { origin, file_id: "f".to_owned(), name: "part.gcode".to_owned(), size: None };
    for (answer, expected) in [
        (
            json!({"ok": false, "error_code": 400, "description": "Bad Request: file is too big"}),
            wording::TOO_BIG,
        ),
        (json!({"ok": true, "result": {"file_path": "/var/lib/bot/part.gcode"}}), wording::KEPT_ELSEWHERE),
        (
            json!({"ok": false, "error_code": 400, "description": "Bad Request: no"}),
            "The file did not get to",
        ),
    ] {
        let mut rig = Rig::new(&[], |_, _| None);
        rig.server.next("getFile", if answer["ok"] == true { 200 } else { 400 }, &answer.to_string());
        let made = rig.run(Task::Fetch(document.clone(), "part.gcode".to_owned()), None);
        assert_eq!(made[0].text(), "Fetching part.gcode...");
        let last = made.last().unwrap();
        assert!(last.text().starts_with(expected), "{}", last.text());
        assert_eq!((last.method, last.field("message_id")), ("editMessageText", json!(500)));
    }
}

#[test]
fn the_end_of_the_log_is_told_without_secrets() {
    let mut rig = Rig::new(&[], |_, _| None);
    assert_eq!(rig.run(Task::Log, None)[0].text(), wording::NO_LOG);
    let path = rig._place.path().join("a.log");
    let lines: String = (0..2000)
        .map(|n| format!("line {n} <&> bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw\n"))
        .collect();
    std::fs::write(&path, lines).unwrap();
    rig.desk.log = Some(path);
    let made = rig.run(Task::Log, None);
    let said = made[1].text();
    assert!(said.contains("line 1999 &lt;&amp;&gt;") && !said.contains("line 5 "), "{said}");
    assert!(!said.contains("AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"));
    assert_eq!(made[1].field("parse_mode"), json!("HTML"));
}

#[test]
fn a_camera_that_hangs_does_not_hold_up_the_end() {
    let mut rig = Rig::new(&[], |_, _| None);
    // It takes connections, and says nothing.
    let device = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/snapshot", device.local_addr().unwrap());
    let webcam = Webcam { name: "case".into(), enabled: true, snapshot_url: url.into(), ..Webcam::default() };
    rig.desk.camera.set_webcams(&[webcam].into());
    rig.voice.nap = Arc::new(|_| false);
    let begun = std::time::Instant::now();
    let made = rig.run(Task::Photo, None);
    assert_eq!(made[0].text(), wording::STOPPING);
    // A fetch is given up after five seconds.
    assert!(begun.elapsed() < seconds(3), "{:?}", begun.elapsed());
}
