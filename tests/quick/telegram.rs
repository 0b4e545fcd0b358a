//! The Telegram bridge as a whole against a stand-in for the Bot API: sockets, TLS, threads, disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what a test sets up may fail it"
)]

#[path = "../support/bot_api.rs"]
mod bot_api;

use bot_api::{BotApi, Reply, TOKEN};
use octobridge::bridge::telegram::{Config, RawConfig, Telegram, send_now};
use octobridge::bridge::{BRIDGES, Bridge, Health, Setup, StartError};
use octobridge::clock::{Clock, Moment, SystemClock};
use octobridge::outbox::{Entry, Importance, Limits, Outbox};
use octobridge::printer::{Event, EventKind, Job};
use octobridge::tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SECRET: &str = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";

fn config(api_url: &str) -> Config {
    let raw = RawConfig { token: TOKEN, chat: "-1001", thread: "17", api_url, printer: "" };
    Config::parse(raw).unwrap()
}

fn event(kind: EventKind, key: &str) -> Event {
    let total_duration = Some(Duration::from_secs(8040));
    let job = Job { file: "parts/cube.gcode".to_owned(), id: None, total_duration, progress: Some(0.0) };
    Event { kind, job: Some(job), at: SystemClock::new().now().unix, key: key.to_owned() }
}

fn no_extra_roots() -> Arc<ClientConfig> {
    tls::client_config(None).unwrap()
}

fn start(server: &BotApi, data_dir: &Path) -> Telegram {
    Telegram::start(&config(&server.url()), no_extra_roots(), data_dir).unwrap()
}

#[test]
fn a_job_is_told_from_start_to_end() {
    let server = BotApi::start(None, Vec::new());
    let place = tempfile::tempdir().unwrap();
    let mut bridge = start(&server, place.path());
    bridge.on_event(&event(EventKind::JobStarted, "1/started"));
    assert_eq!(
        server.next().body,
        serde_json::json!({
            "chat_id": -1001,
            "message_thread_id": 17,
            "text": "Started: cube.gcode",
            "link_preview_options": { "is_disabled": true },
        })
    );
    bridge.on_event(&event(EventKind::KlippyReady, "2/ready"));
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    assert_eq!(server.next().body["text"], "Completed: cube.gcode - 2h 14m");
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    bridge.stop(Duration::from_secs(30));
    let status = bridge.status();
    assert_eq!((status.name.as_str(), status.queued), ("telegram", 0));
    assert!(status.last_ok.is_some() && status.last_error.is_none(), "{status:?}");
    assert_eq!(status.health, Health::Fail, "a bridge whose thread has ended says so");
    assert_eq!(server.unseen(), 0);
}

#[test]
fn what_waits_goes_over_one_connection_that_is_closed_after_it() {
    let server = BotApi::start(None, Vec::new());
    let place = tempfile::tempdir().unwrap();
    let (mut outbox, _) = Outbox::open(&place.path().join("outbox/telegram.journal"), Limits::default());
    for key in ["a", "b", "c"] {
        let at = SystemClock::new().now().unix;
        let body = format!(r#"{{"text":"{key}"}}"#).into_bytes();
        outbox.push(Entry { key: key.to_owned(), importance: Importance::Terminal, at, slot: None, body });
    }
    drop(outbox);
    let mut bridge = start(&server, place.path());
    let requests = [server.next(), server.next(), server.next()];
    bridge.stop(Duration::from_secs(30));
    assert_eq!(requests.each_ref().map(|request| request.body["text"].as_str().unwrap()), ["a", "b", "c"]);
    assert_eq!(requests.each_ref().map(|request| request.closes), [false, false, true]);
    assert_eq!((server.connections(), bridge.status().queued), (1, 0));
}

#[test]
fn stopping_interrupts_a_stalled_request_and_keeps_the_message() {
    let server = BotApi::start(None, vec![Reply::Stall]);
    let place = tempfile::tempdir().unwrap();
    let mut bridge = start(&server, place.path());
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    server.next();
    let clock = SystemClock::new();
    bridge.stop(Duration::ZERO);
    assert!(clock.now().monotonic < Duration::from_secs(5));
    assert_eq!(bridge.status().queued, 1);
    drop(bridge);
    let mut bridge = start(&server, place.path());
    assert_eq!(server.next().body["text"], "Completed: cube.gcode - 2h 14m");
    bridge.stop(Duration::from_secs(30));
    assert_eq!(bridge.status().queued, 0);
}

#[test]
fn without_a_disk_messages_still_go_out() {
    let server = BotApi::start(None, Vec::new());
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("outbox"), "a file in the way").unwrap();
    let mut bridge = start(&server, place.path());
    let status = bridge.status();
    assert_eq!(status.health, Health::Warn);
    assert!(status.text.contains("in memory only: cannot use the directory"), "{}", status.text);
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    server.next();
    bridge.stop(Duration::from_secs(30));
}

#[test]
fn the_list_starts_it_from_settings() {
    let server = BotApi::start(None, Vec::new());
    let place = tempfile::tempdir().unwrap();
    let url = server.url();
    let setting = |name: &str| match name {
        "TELEGRAM_BOT_TOKEN" => Some(TOKEN.to_owned()),
        "TELEGRAM_CHAT_ID" => Some("@my_group".to_owned()),
        "TELEGRAM_API_URL" => Some(url.clone()),
        _ => None,
    };
    let setup = Setup { data_dir: place.path(), printer: "U1", tls: no_extra_roots(), setting: &setting };
    let kind = BRIDGES.iter().find(|kind| kind.name == "telegram").unwrap();
    let mut bridge = (kind.start)(&setup).unwrap();
    bridge.on_event(&event(EventKind::Paused, "1/paused"));
    let body = server.next().body;
    assert_eq!(
        (&body["chat_id"], &body["text"]),
        (&"@my_group".into(), &"[U1] Paused: cube.gcode at 0%".into())
    );
    bridge.stop(Duration::from_secs(30));
    let nothing = Setup { setting: &|_| None, ..setup };
    let error = (kind.start)(&nothing).err().unwrap();
    assert!(matches!(error, StartError::Setting(_)));
    assert!(error.to_string().starts_with("TELEGRAM_BOT_TOKEN: is not set"), "{error}");
}

#[test]
fn refusals_and_rubbish_are_explained_without_the_token() {
    let leak =
        format!(r#"{{"ok":false,"error_code":401,"description":"Unauthorized /bot{TOKEN}/sendMessage"}}"#);
    let gone = r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#;
    let cases = [
        (Reply::Say(401, "", leak), "check TELEGRAM_BOT_TOKEN"),
        (Reply::Say(400, "", gone.to_owned()), "check TELEGRAM_CHAT_ID"),
        (Reply::Say(502, "", "<html>Bad Gateway</html>".to_owned()), "HTTP 502"),
        (Reply::Say(302, "Location: http://127.0.0.1:1/elsewhere\r\n", String::new()), "HTTP 302"),
        (Reply::Say(200, "", " ".repeat(2_000_000)), "HTTP 200"),
        (Reply::Say(429, "Retry-After: 9\r\n", String::new()), "too many messages"),
        (Reply::Say(200, "X-Long: ", format!("{}\r\n\r\n", "x".repeat(100_000))), "cannot reach"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"ok\":true".to_vec()), "cannot reach"),
        (Reply::Bytes(b"\x16\x03\x01 not http at all\r\n\r\n".to_vec()), "cannot reach"),
        (Reply::Close, "cannot reach"),
    ];
    for (reply, expected) in cases {
        let server = BotApi::start(None, vec![reply]);
        let error =
            send_now(&config(&server.url()), no_extra_roots(), &SystemClock::new(), "hi").unwrap_err();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains(SECRET) && error.len() < 400, "{error}");
        server.next();
        assert_eq!(server.unseen(), 0, "nothing is repeated or followed");
    }
}

#[test]
fn nobody_there_is_explained() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = send_now(&config(&format!("http://{free}")), no_extra_roots(), &SystemClock::new(), "hi");
    let error = error.unwrap_err();
    assert!(error.contains("refused") && error.contains("check the network"), "{error}");
    let nowhere = config("https://no-such-host.invalid");
    let error = send_now(&nowhere, no_extra_roots(), &SystemClock::new(), "hi").unwrap_err();
    assert!(error.starts_with("cannot reach https://no-such-host.invalid: "), "{error}");
}

/// A certificate authority with a server certificate for a name, valid between two years.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn server(&self, name: &str, years: (i32, i32)) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    fn client(&self) -> Arc<ClientConfig> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("extra.pem");
        std::fs::write(&path, self.issuer.pem()).unwrap();
        tls::client_config(Some(&path)).unwrap()
    }
}

struct NeverSet;

impl Clock for NeverSet {
    fn now(&self) -> Moment {
        Moment { monotonic: Duration::from_secs(40), unix: Duration::from_secs(40) }
    }
}

#[test]
fn a_server_is_trusted_by_its_certificate_alone() {
    let authority = Authority::new();
    let (ours, theirs) = (authority.client(), no_extra_roots());
    let set: &dyn Clock = &SystemClock::new();
    let ip = "127.0.0.1";
    type Case<'a> = (&'a str, (i32, i32), &'a Arc<ClientConfig>, &'a dyn Clock, Result<(), &'a str>);
    let cases: [Case<'_>; 7] = [
        (ip, (2020, 2090), &ours, set, Ok(())),
        (ip, (2020, 2090), &theirs, set, Err("set EXTRA_CA_FILE")),
        (ip, (2020, 2021), &ours, set, Err("has expired")),
        (ip, (2080, 2090), &ours, set, Err("is not valid yet")),
        (
            ip,
            (2080, 2090),
            &ours,
            &NeverSet,
            Err("the printer's clock is not set (it shows 1970-01-01 00:00 UTC)"),
        ),
        // A clock that was never set explains nothing else.
        (ip, (2020, 2090), &theirs, &NeverSet, Err("set EXTRA_CA_FILE")),
        ("another.example", (2020, 2090), &ours, set, Err("TLS failed")),
    ];
    for (name, years, tls, clock, expected) in cases {
        let server = BotApi::start(Some(authority.server(name, years)), Vec::new());
        let sent = send_now(&config(&server.url()), Arc::clone(tls), clock, "hi");
        match expected {
            Ok(()) => {
                sent.unwrap();
                assert_eq!(server.next().body["text"], "hi");
            }
            Err(expected) => {
                let error = sent.unwrap_err();
                assert!(error.contains(expected) && !error.contains(SECRET), "{expected}: {error}");
                assert_eq!(server.unseen(), 0, "the token went to a stranger");
            }
        }
    }
}

#[test]
fn the_bridge_talks_tls_on_its_small_stack() {
    let authority = Authority::new();
    let server = BotApi::start(Some(authority.server("127.0.0.1", (2020, 2090))), Vec::new());
    let place = tempfile::tempdir().unwrap();
    let mut bridge = Telegram::start(&config(&server.url()), authority.client(), place.path()).unwrap();
    bridge.on_event(&event(EventKind::Finished, "1/finished"));
    assert_eq!(server.next().body["text"], "Completed: cube.gcode - 2h 14m");
    bridge.stop(Duration::from_secs(30));
    assert_eq!(bridge.status().queued, 0);
}
