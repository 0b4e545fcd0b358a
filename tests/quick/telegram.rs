//! The Telegram bridge as a whole against a stand-in for the Bot API: sockets, TLS, threads, disk.

mod commands;
mod files;
mod pictures;
mod soak;

use crate::support::camera::never_asked;
use crate::support::ports::free_port;
use crate::support::telegram::{Behaviour, Call, Telegram as BotApi};
use crate::support::wait;
use octobridge::bridge::telegram::{Config, Telegram, send_now};
use octobridge::bridge::{
    BRIDGES, Bridge, BridgeState, BridgeStatus, Examination, Health, Lookup, Setup, StartError,
};
use octobridge::clock::{Clock, Moment, SystemClock};
use octobridge::outbox::{Entry, Importance, Limits, Outbox};
use octobridge::printer::{Event, EventKind, Job, PausedBy};
use octobridge::source::control;
use octobridge::tls;
use rustls::ClientConfig;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const SECRET: &str = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
const CHAT: i64 = -1001;
/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(30);

/// The settings of a bridge that tells every pause at once.
fn setting(api_url: &str, name: &str) -> Option<String> {
    let value = match name {
        "TELEGRAM_BOT_TOKEN" => TOKEN,
        "TELEGRAM_CHAT_ID" => "-1001",
        "TELEGRAM_THREAD_ID" => "17",
        "TELEGRAM_API_URL" => api_url,
        "TELEGRAM_SHORT_PAUSE_SECONDS" => "0",
        _ => return None,
    };
    Some(value.to_owned())
}

fn config(api_url: &str) -> Config {
    Config::parse(&|name| setting(api_url, name)).unwrap()
}

fn event(kind: EventKind, key: &str) -> Event {
    let total_duration = Some(Duration::from_secs(8040));
    let file = "parts/cube.gcode".to_owned();
    let job = Job { file, total_duration, progress: Some(0.0), ..Job::default() };
    Event { kind, job: Some(job), at: SystemClock::new().now().unix, key: key.to_owned() }
}

fn no_extra_roots() -> Arc<ClientConfig> {
    tls::client_config(None).unwrap()
}

/// How the bridge goes. Another thread may be busy with its queue for a moment.
fn status(bridge: &dyn Bridge) -> BridgeStatus {
    let reporter = bridge.reporter();
    wait::until("a status", SOON, reporter)
}

fn start(server: &BotApi, data_dir: &Path) -> Telegram {
    start_with(server, no_extra_roots(), data_dir)
}

fn start_with(server: &BotApi, tls: Arc<ClientConfig>, data_dir: &Path) -> Telegram {
    let url = server.url();
    Telegram::start(&config(&url), &setup(tls, data_dir, &|name| setting(&url, name))).unwrap()
}

fn setup<'a>(tls: Arc<ClientConfig>, data_dir: &'a Path, setting: &'a Lookup<'a>) -> Setup<'a> {
    Setup {
        id: "telegram",
        data_dir,
        printer_data: data_dir,
        tls,
        printer_id: "u1",
        camera: never_asked(SystemClock::new()),
        fresh: Duration::from_secs(60),
        clock: SystemClock::new(),
        log: None,
        control: control::channel().0,
        setting,
    }
}

/// The call of this number, from 0, when it comes.
fn call(server: &BotApi, number: usize) -> Call {
    server.wait_for(&format!("call {number}"), SOON, |calls| calls.get(number).cloned())
}

/// A whole answer as it goes over the wire.
fn answer(status: u16, headers: &str, body: &str) -> Behaviour {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    Behaviour::Bytes(text.into_bytes())
}

#[test]
fn a_job_is_told_from_start_to_end() {
    let server = BotApi::plain(TOKEN, CHAT);
    let place = tempfile::tempdir().unwrap();
    let mut bridge = start(&server, place.path());
    bridge.on_event(&event(EventKind::JobStarted, "1/started"));
    assert_eq!(
        call(&server, 0).arguments,
        serde_json::json!({
            "chat_id": -1001,
            "message_thread_id": 17,
            "text": "Started: cube.gcode",
            "link_preview_options": { "is_disabled": true },
        })
    );
    bridge.on_event(&event(EventKind::KlippyReady, "2/ready"));
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    assert_eq!(call(&server, 1).text(), "Completed: cube.gcode - 2h 14m");
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    bridge.stop(SOON);
    let told = status(&bridge);
    assert_eq!((told.state, told.queued), (BridgeState::Connected, 0));
    assert!(told.last_ok.is_some() && told.last_error.is_none(), "{told:?}");
    assert_eq!(server.calls().len(), 2);
}

#[test]
fn what_waits_goes_over_one_connection() {
    let server = BotApi::plain(TOKEN, CHAT);
    let place = tempfile::tempdir().unwrap();
    let (mut outbox, _) = Outbox::open(&place.path().join("outbox/telegram.journal"), Limits::default());
    for key in ["a", "b", "c"] {
        let at = SystemClock::new().now().unix;
        let body = format!(r#"{{"text":"{key}"}}"#).into_bytes();
        outbox.push(Entry { key: key.to_owned(), importance: Importance::Terminal, at, slot: None, body });
    }
    drop(outbox);
    let mut bridge = start(&server, place.path());
    let calls = [0, 1, 2].map(|number| call(&server, number));
    bridge.stop(SOON);
    assert_eq!(calls.each_ref().map(Call::text), ["a", "b", "c"]);
    assert_eq!((server.connections(), status(&bridge).queued), (1, 0));
}

#[test]
fn stopping_interrupts_a_stalled_request_and_keeps_the_message() {
    let server = BotApi::plain(TOKEN, CHAT);
    server.once("Completed", Behaviour::Stall);
    let place = tempfile::tempdir().unwrap();
    let mut bridge = start(&server, place.path());
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    call(&server, 0);
    let clock = SystemClock::new();
    bridge.stop(Duration::ZERO);
    assert!(clock.now().monotonic < Duration::from_secs(5));
    assert_eq!(status(&bridge).queued, 1);
    drop(bridge);
    let mut bridge = start(&server, place.path());
    assert_eq!(call(&server, 1).text(), "Completed: cube.gcode - 2h 14m");
    bridge.stop(SOON);
    assert_eq!(status(&bridge).queued, 0);
}

#[test]
fn without_a_disk_messages_still_go_out() {
    let server = BotApi::plain(TOKEN, CHAT);
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("outbox"), "a file in the way").unwrap();
    let mut bridge = start(&server, place.path());
    let told = status(&bridge);
    assert_eq!(told.health, Health::Warn);
    assert!(told.text.contains("in memory only: cannot use the directory"), "{}", told.text);
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    call(&server, 0);
    bridge.stop(SOON);
}

#[test]
fn the_list_starts_it_from_settings() {
    let server = BotApi::plain(TOKEN, CHAT);
    let place = tempfile::tempdir().unwrap();
    let url = server.url();
    let setting = |name: &str| match name {
        "TELEGRAM_PRINTER_NAME" => Some("U1".to_owned()),
        name => setting(&url, name),
    };
    let setup = setup(no_extra_roots(), place.path(), &setting);
    let kind = BRIDGES.iter().find(|kind| kind.name == "telegram").unwrap();
    let mut bridge = (kind.start)(&setup).unwrap();
    let paused = EventKind::Paused { by: PausedBy::Unknown, reason: None };
    bridge.on_event(&event(paused, "1/paused"));
    let told = call(&server, 0);
    assert_eq!((&told.arguments["chat_id"], told.text()), (&CHAT.into(), "[U1] Paused: cube.gcode at 0%"));
    bridge.stop(SOON);
    let nothing = Setup { setting: &|_| None, ..setup };
    let error = (kind.start)(&nothing).err().unwrap();
    assert!(matches!(error, StartError::Unpaired(_)));
    assert!(error.to_string().starts_with("TELEGRAM_BOT_TOKEN: is not set"), "{error}");
}

#[test]
fn refusals_and_rubbish_are_explained_without_the_token() {
    let leak =
        format!(r#"{{"ok":false,"error_code":401,"description":"Unauthorized /bot{TOKEN}/sendMessage"}}"#);
    let cases = [
        (answer(401, "", &leak), "check TELEGRAM_BOT_TOKEN"),
        (Behaviour::Refuse(400, "Bad Request: chat not found"), "check TELEGRAM_CHAT_ID"),
        (Behaviour::Html(502), "HTTP 502"),
        (answer(302, "Location: http://127.0.0.1:1/elsewhere\r\n", ""), "HTTP 302"),
        (answer(200, "", &" ".repeat(2_000_000)), "HTTP 200"),
        (answer(429, "Retry-After: 9\r\n", ""), "too many messages"),
        (answer(200, &format!("X-Long: {}\r\n", "x".repeat(100_000)), ""), "cannot reach"),
        (Behaviour::Half, "cannot reach"),
        (Behaviour::Bytes(b"\x16\x03\x01 not http at all\r\n\r\n".to_vec()), "cannot reach"),
        (Behaviour::Close, "cannot reach"),
    ];
    for (behaviour, expected) in cases {
        let server = BotApi::plain(TOKEN, CHAT);
        server.usually(behaviour);
        let error =
            send_now(&config(&server.url()), no_extra_roots(), &SystemClock::new(), "hi").unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains(SECRET) && error.len() < 400, "{error}");
        assert_eq!(server.calls().len(), 1, "nothing is repeated or followed");
    }
}

#[test]
fn a_test_goes_to_where_the_chat_moved() {
    let server = BotApi::plain(TOKEN, -100_777);
    let place = tempfile::tempdir().unwrap();
    let url = server.url();
    let find = |name: &str| setting(&url, name);
    let examination = || Examination {
        data_dir: place.path(),
        printer_data: place.path(),
        id: "telegram",
        tls: no_extra_roots(),
        setting: &find,
        control: &|| Err("Telegram needs no printer".to_owned()),
    };
    let kind = BRIDGES.iter().find(|kind| kind.name == "telegram").unwrap();
    // The service has not heard of the move: the remedy is in the words.
    server.once("one", Behaviour::Migrated(-100_777));
    let error = (kind.test)(&examination(), "one").unwrap_err();
    assert_eq!(error, "the group -1001 became a supergroup; set TELEGRAM_CHAT_ID to -100777");
    std::fs::write(
        place.path().join("telegram-chat.json"),
        r#"{"version":1,"configured":"-1001","chat_id":-100777}"#,
    )
    .unwrap();
    (kind.test)(&examination(), "two").unwrap();
    assert_eq!(server.done("two").len(), 1);
}

#[test]
fn nobody_there_is_explained() {
    let free = format!("http://127.0.0.1:{}", free_port());
    let error = send_now(&config(&free), no_extra_roots(), &SystemClock::new(), "hi");
    let error = error.unwrap_err();
    assert!(error.contains("refused") && error.contains("check the network"), "{error}");
    let nowhere = config("https://no-such-host.invalid");
    let error = send_now(&nowhere, no_extra_roots(), &SystemClock::new(), "hi").unwrap_err();
    assert!(error.starts_with("cannot reach https://no-such-host.invalid: "), "{error}");
}

/// A set-up that trusts the authority of `server`.
fn trusting(server: &BotApi) -> Arc<ClientConfig> {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("extra.pem");
    std::fs::write(&path, server.ca()).unwrap();
    tls::client_config(Some(&path)).unwrap()
}

struct NeverSet;

impl Clock for NeverSet {
    fn now(&self) -> Moment {
        Moment { monotonic: Duration::from_secs(40), unix: Duration::from_secs(40) }
    }
}

#[test]
fn a_server_is_trusted_by_its_certificate_alone() {
    let set: &dyn Clock = &SystemClock::new();
    let ip = "127.0.0.1";
    // The certificate's name and years, whether its authority is ours, the clock.
    type Case<'a> = (&'a str, (i32, i32), bool, &'a dyn Clock, Result<(), &'a str>);
    let cases: [Case<'_>; 7] = [
        (ip, (2020, 2090), true, set, Ok(())),
        (ip, (2020, 2090), false, set, Err("set EXTRA_CA_FILE")),
        (ip, (2020, 2021), true, set, Err("has expired")),
        (ip, (2080, 2090), true, set, Err("is not valid yet")),
        (
            ip,
            (2080, 2090),
            true,
            &NeverSet,
            Err("the printer's clock is not set (it shows 1970-01-01 00:00 UTC)"),
        ),
        // A clock that was never set explains nothing else.
        (ip, (2020, 2090), false, &NeverSet, Err("set EXTRA_CA_FILE")),
        ("another.example", (2020, 2090), true, set, Err("TLS failed")),
    ];
    for (name, years, trusted, clock, expected) in cases {
        let server = BotApi::certified(TOKEN, CHAT, &[name], years);
        let tls = if trusted { trusting(&server) } else { no_extra_roots() };
        let sent = send_now(&config(&server.url()), tls, clock, "hi");
        match expected {
            Ok(()) => {
                sent.unwrap();
                assert_eq!(server.done("hi").len(), 1);
            }
            Err(expected) => {
                let error = sent.unwrap_err();
                assert!(error.contains(expected) && !error.contains(SECRET), "{expected}: {error}");
                assert_eq!(server.calls().len(), 0, "the token went to a stranger");
            }
        }
    }
}

#[test]
fn the_bridge_talks_tls_on_its_small_stack() {
    let server = BotApi::start(TOKEN, CHAT);
    let place = tempfile::tempdir().unwrap();
    let mut bridge = start_with(&server, trusting(&server), place.path());
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    assert_eq!(call(&server, 0).text(), "Completed: cube.gcode - 2h 14m");
    bridge.stop(SOON);
    assert_eq!(status(&bridge).queued, 0);
}
