//! The feed's source over real sockets on loopback, in virtual time: a server that behaves, and servers that refuse,
//! stall, break off and talk nonsense.

use crate::support::feed::{Connection, Feed, Heard, jpeg};
use crate::support::virtual_time::{Flow, VirtualClock};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use octobridge::printer::{Command, Observation, PrintState, Snapshot, Timed};
use octobridge::source::control::{self, ControlError};
use octobridge::source::feed::{Address, Config, Order, WatchdogSettings, run};
use octobridge::source::{self, LinkState, SourceConfig, SourceStatus};
use octobridge::tls;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(900);

/// The pictures that came.
type Taken = Arc<Mutex<Vec<Vec<u8>>>>;

/// The source under test and what it says.
struct Source {
    observations: mpsc::Receiver<Timed<Observation>>,
    pictures: Taken,
    commands: mpsc::Sender<Order>,
    status: watch::Receiver<SourceStatus>,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
    began: Instant,
    _flow: Flow,
}

fn config(feed: &Feed) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("authority.pem");
    std::fs::write(&authority, &feed.authority).unwrap();
    let extra = (!feed.authority.is_empty()).then_some(authority.as_path());
    Config {
        address: Address::new(&feed.address(), "A1M 1").unwrap(),
        tls: tls::client_config(extra).unwrap(),
        reconnect_min: Duration::from_secs(1),
        reconnect_max: Duration::from_secs(30),
        watchdog: WatchdogSettings { timeout: Duration::from_secs(60), tick: Duration::from_secs(5) },
    }
}

impl Source {
    fn start(feed: &Feed) -> Self {
        Self::with(config(feed))
    }

    fn with(config: Config) -> Self {
        let (send, observations) = mpsc::channel(16);
        let (tell, status) = watch::channel(SourceStatus::default());
        let (shutdown, stop) = watch::channel(false);
        let (commands, requests) = mpsc::channel(4);
        let pictures = Taken::default();
        let taken = Arc::clone(&pictures);
        let take = Box::new(move |jpeg, _| taken.lock().unwrap().push(jpeg));
        let began = Instant::now();
        let task = tokio::spawn(run(config, VirtualClock(began), send, take, requests, tell, stop));
        Self { observations, pictures, commands, status, shutdown, task, began, _flow: Flow::begin() }
    }

    async fn next(&mut self) -> Observation {
        let next = tokio::time::timeout(LONG, self.observations.recv());
        next.await.unwrap_or_else(|_| panic!("nothing seen: {:?}", self.status.borrow())).unwrap().what
    }

    async fn seen(&mut self) -> Arc<Snapshot> {
        match self.next().await {
            Observation::Seen(snapshot) => snapshot,
            other => panic!("{other:?}"),
        }
    }

    async fn until(&mut self, what: impl FnMut(&SourceStatus) -> bool) -> SourceStatus {
        let wait = tokio::time::timeout(LONG, self.status.wait_for(what));
        wait.await.expect("it comes").unwrap().clone()
    }

    /// Waits until the status names an error, and gives it.
    async fn error(&mut self) -> String {
        let status = self.until(|status| status.last_error.is_some()).await;
        assert_eq!(status.link, LinkState::Retrying);
        status.last_error.unwrap()
    }

    async fn pictures(&mut self, count: usize) -> Vec<Vec<u8>> {
        for _ in 0..3000 {
            let pictures = self.pictures.lock().unwrap().clone();
            if pictures.len() >= count {
                return pictures;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no picture: {:?}", self.status.borrow());
    }

    /// Seconds since the start.
    fn passed(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    async fn stop(self) {
        self.shutdown.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(5), self.task).await.expect("it stops").unwrap();
    }
}

fn order(what: Command) -> Order {
    Order { what, by: None }
}

fn running(percent: u32) -> Value {
    json!({"gcode_state": "RUNNING", "subtask_name": "Cube", "mc_percent": percent})
}

#[tokio::test(start_paused = true)]
async fn status_and_pictures_come_through_plain_and_encrypted() {
    for feed in [Feed::plain().await, Feed::encrypted(&["localhost"]).await] {
        let mut source = Source::start(&feed);
        let mut connection = feed.accept().await;
        assert_eq!(connection.target, "/ws/printer/A1M%201");
        assert_eq!(connection.authorization, None);
        // Before anything came nothing is connected.
        assert_eq!(source.status.borrow().link, LinkState::Connecting);
        connection.status(&running(10)).await;
        let snapshot = source.seen().await;
        assert_eq!(snapshot.print.as_ref().map(|print| print.state), Some(PrintState::Printing));
        assert_eq!(snapshot.original.as_deref(), Some(running(10).to_string().as_str()));
        let status = source.until(|status| status.link == LinkState::Connected).await;
        let endpoint = status.endpoint.unwrap();
        assert!(endpoint.ends_with("/ws/printer/A1M%201") && status.last_error.is_none(), "{endpoint}");
        // Among the greatest that a message holds.
        let (small, large) = (jpeg(5000), jpeg(3_000_000));
        connection.picture(&small).await;
        connection.picture(&large).await;
        assert!(source.pictures(2).await == [small, large]);
        source.stop().await;
        assert_eq!(connection.farewell().await, Heard::Closed(Some(1000)));
    }
}

/// After a great message the WebSocket is exchanged. Whatever follows at once, and in whatever frames, is not lost.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_behind_great_messages() {
    const TEXT: u8 = 0x01;
    const CONTINUED: u8 = 0x00;
    const LAST: u8 = 0x80;
    const PING: u8 = 0x89;
    for feed in [Feed::plain().await, Feed::encrypted(&["localhost"]).await] {
        let mut source = Source::start(&feed);
        let mut connection = feed.accept().await;
        let large = jpeg(1_000_000);
        let picture = json!({"type": "jpeg_image", "image": STANDARD.encode(&large)}).to_string();
        let [ten, twenty, thirty] = [10, 20, 30]
            .map(|percent| json!({"type": "printer_status", "data": running(percent)}).to_string());
        let (first, rest) = picture.as_bytes().split_at(700_001);
        let (second, third) = rest.split_at(rest.len() - 3);
        let frames: [(u8, &[u8]); 11] = [
            (TEXT | LAST, ten.as_bytes()),
            (TEXT | LAST, picture.as_bytes()),
            (PING, b"a"),
            (TEXT | LAST, picture.as_bytes()),
            (TEXT | LAST, twenty.as_bytes()),
            (TEXT, first),
            (PING, b"b"),
            (CONTINUED, second),
            (CONTINUED, b""),
            (CONTINUED | LAST, third),
            (TEXT | LAST, thirty.as_bytes()),
        ];
        let bytes: Vec<u8> = frames.into_iter().flat_map(|(kind, content)| frame(kind, content)).collect();
        assert!(connection.bytes(&bytes).await);
        for progress in [0.1, 0.2, 0.3] {
            assert_eq!(source.seen().await.print.as_ref().and_then(|print| print.progress), Some(progress));
        }
        assert!(source.pictures(3).await == [large.clone(), large.clone(), large]);
        for answered in ["a", "b"] {
            assert_eq!(connection.heard().await, Heard::Pong(answered.into()));
        }
        assert_eq!(source.status.borrow().ignored_messages, 0);
        source.stop().await;
        assert_eq!(connection.farewell().await, Heard::Closed(Some(1000)));
    }
}

/// A frame of a server (RFC 6455, section 5.2).
fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut frame = match content.len() {
        short @ 0..126 => vec![kind, short as u8],
        long => [&[kind, 127], &(long as u64).to_be_bytes()[..]].concat(),
    };
    frame.extend(content);
    frame
}

#[tokio::test(start_paused = true)]
async fn noise_is_ignored_counted_and_ends_nothing() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    let mut connection = feed.accept().await;
    connection.status(&running(10)).await;
    source.seen().await;
    connection.text("not json").await;
    connection.text("[]").await;
    connection.text(r#"[{"type":"printer_status","data":{"gcode_state":"FINISH"}}]"#).await;
    connection.binary(&[0xFF, 0xD8, 0xFF, 0xE0]).await;
    connection.binary(running(99).to_string().as_bytes()).await;
    connection.text(r#"{"type":"jpeg_image","image":"AAAA"}"#).await;
    connection.text(r#"{"type":"error","message":"Printer Offline"}"#).await;
    connection.status(&json!({})).await;
    connection.status(&running(20)).await;
    assert_eq!(source.seen().await.print.as_ref().and_then(|print| print.progress), Some(0.2));
    let status = source.until(|status| status.ignored_messages == 7).await;
    assert_eq!(
        status.notice.map(|notice| (notice.is_error, notice.text)),
        Some((true, "Printer Offline".to_owned()))
    );
    assert_eq!(status.link, LinkState::Connected);
    source.stop().await;
}

/// Refused for a while: after a second, two, four and so on, but for a fifth.
#[tokio::test(start_paused = true)]
async fn a_feed_that_refuses_is_asked_less_and_less_often() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    let mut times = Vec::new();
    for _ in 0..7 {
        feed.refuse("503 Service Unavailable").await;
        times.push(source.passed());
    }
    let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, expected) in gaps.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 30.0]) {
        assert!((expected..expected * 1.2 + 1.0).contains(gap), "{gaps:?}");
    }
    let error = source.error().await;
    assert!(error.contains("HTTP 503") && error.contains("WS_URL"), "{error}");
    // What works once is asked again soon.
    let mut connection = feed.accept().await;
    connection.status(&running(10)).await;
    source.seen().await;
    source.until(|status| status.link == LinkState::Connected && status.last_error.is_none()).await;
    let closed = source.passed();
    connection.close(1011).await;
    assert!(matches!(source.next().await, Observation::Lost { reason } if reason.contains("1011")));
    let _again = feed.accept().await;
    assert!((1.0..3.5).contains(&(source.passed() - closed)), "{}", source.passed() - closed);
    source.stop().await;
}

/// A connection that brought nothing and was short does not bring the delay down again.
#[tokio::test(start_paused = true)]
async fn a_feed_that_closes_at_once_is_not_hammered() {
    let feed = Feed::plain().await;
    let source = Source::start(&feed);
    let mut times = Vec::new();
    for _ in 0..5 {
        let mut connection = feed.accept().await;
        times.push(source.passed());
        // A note is no status.
        connection.text(r#"{"type":"message","message":"welcome"}"#).await;
        connection.close(1000).await;
    }
    let in_time = times.iter().filter(|time| **time <= times[0] + 7.5).count();
    assert!(in_time <= 4 && times[4] - times[0] >= 15.0, "{times:?}");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_printer_is_named_with_the_remedy() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    feed.refuse("403 Forbidden").await;
    let error = source.error().await;
    assert!(error.contains("does not know this printer") && error.contains("PRINTER_ID"), "{error}");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_trusted_is_left() {
    // Of another name, and of an authority that is not known.
    let other_name = Feed::encrypted(&["feed.example"]).await;
    let mut unknown = Feed::encrypted(&["localhost"]).await;
    unknown.authority.clear();
    for feed in [other_name, unknown] {
        let mut source = Source::start(&feed);
        let refused = feed.distrusted().await;
        let error = source.error().await;
        assert!(error.contains("certificate") && error.contains("EXTRA_CA_FILE"), "{error}");
        assert!(refused.contains("alert"), "{refused}");
        source.stop().await;
    }
}

/// Nobody answers the handshake, or nothing comes after it and no ping is answered.
#[tokio::test(start_paused = true)]
async fn a_half_open_connection_is_given_up() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    let stalled = feed.accept_raw().await;
    let error = source.error().await;
    assert!(error.contains("within 10 s"), "{error}");
    drop(stalled);
    let mut connection = feed.accept().await;
    connection.status(&running(10)).await;
    source.seen().await;
    let came = source.passed();
    // The stand-in does not read, so it answers no ping.
    assert!(matches!(source.next().await, Observation::Lost { reason } if reason.contains("60 s")));
    // The silence itself, and the time for the farewell.
    assert!((59.0..65.0).contains(&(source.passed() - came)), "{}", source.passed() - came);
    drop(connection);
    let _next = feed.accept().await;
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_feed_that_answers_pings_is_kept() {
    let feed = Feed::plain().await;
    let mut settings = config(&feed);
    settings.watchdog.timeout = Duration::ZERO;
    let mut source = Source::with(settings);
    let mut connection = feed.accept().await;
    connection.status(&running(10)).await;
    source.seen().await;
    for _ in 0..5 {
        assert_eq!(connection.heard().await, Heard::Ping);
    }
    assert!(source.passed() > 149.0, "{}", source.passed());
    connection.status(&running(11)).await;
    source.seen().await;
    source.stop().await;
}

/// Pictures stop, statuses go on: closed politely after 60 to 66 s, and connected again at once. The printer was
/// never out of sight.
#[tokio::test(start_paused = true)]
async fn a_feed_whose_pictures_stop_is_connected_anew() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    let mut connection = feed.accept().await;
    connection.status(&running(10)).await;
    connection.picture(&jpeg(5000)).await;
    source.seen().await;
    source.pictures(1).await;
    let base = source.passed();
    let closed = status_until_closed(&mut connection).await;
    let after = source.passed() - base;
    assert_eq!(closed, Heard::Closed(Some(1000)));
    assert!((60.0..69.0).contains(&after), "{after}");
    let mut again = feed.accept().await;
    assert!((0.9..4.5).contains(&(source.passed() - base - after)), "{}", source.passed() - base - after);
    again.status(&running(11)).await;
    while source.seen().await.print.as_ref().and_then(|print| print.progress) != Some(0.11) {}
    let status = source.status.borrow().clone();
    assert_eq!((status.link, status.last_error), (LinkState::Connected, None));
    source.stop().await;
}

/// Sends a status every few seconds until the client leaves.
async fn status_until_closed(connection: &mut Connection) -> Heard {
    loop {
        match tokio::time::timeout(Duration::from_secs(4), connection.farewell()).await {
            Ok(heard) => return heard,
            Err(_) => connection.status(&running(10)).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_breaks_the_connection() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    // One whose header says so, and one in fragments that never end.
    let mut whole = feed.accept().await;
    let header = [&[0x81, 127][..], &(4 * 1024 * 1024 + 1_u64).to_be_bytes()].concat();
    assert!(whole.bytes(&header).await);
    let error = source.error().await;
    assert!(error.contains("longer than 4 MiB"), "{error}");
    let mut fragments = feed.accept().await;
    let flood = tokio::spawn(async move {
        let piece = vec![b'x'; 64 * 1024];
        let (mut first, mut taken) = (0x01, 0);
        while taken < 40 * 1024 * 1024 {
            let header = [&[first, 127][..], &(piece.len() as u64).to_be_bytes()].concat();
            if !fragments.bytes(&header).await || !fragments.bytes(&piece).await {
                break;
            }
            first = 0;
            taken += piece.len();
        }
        taken
    });
    let _next = feed.accept().await;
    let taken = tokio::time::timeout(LONG, flood).await.unwrap().unwrap();
    assert!(taken < 20 * 1024 * 1024, "it took {taken} bytes");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_frames_break_the_connection() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    for garbage in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &[0xFF; 64], &[0x81, 0xFE, 0, 1], &[0xC1, 2, b'{', b'}']]
    {
        let mut connection = feed.accept().await;
        connection.status(&running(10)).await;
        source.seen().await;
        connection.bytes(garbage).await;
        connection.bytes(&[0; 300]).await;
        assert!(matches!(source.next().await, Observation::Lost { .. }), "{garbage:?}");
    }
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn commands_reach_the_server_but_only_over_a_connection() {
    let feed = Feed::plain().await;
    let mut source = Source::start(&feed);
    feed.refuse("503 Service Unavailable").await;
    source.error().await;
    // It is too late for this one when there is a connection again.
    source.commands.send(order(Command::Cancel)).await.unwrap();
    let mut connection = feed.accept().await;
    connection.status(&running(10)).await;
    source.seen().await;
    for (command, expected) in
        [(Command::Pause, "pause_print"), (Command::Resume, "resume_print"), (Command::Cancel, "stop_print")]
    {
        source.commands.send(order(command)).await.unwrap();
        assert_eq!(connection.farewell().await, Heard::Command(expected.to_owned()));
    }
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn secrets_of_the_address_are_sent_and_not_shown() {
    let feed = Feed::plain().await;
    let address = feed.address().replace("ws://", "ws://me:S%45CRET@") + "?token=HIDDEN";
    let mut source = Source::with(Config { address: Address::new(&address, "x").unwrap(), ..config(&feed) });
    let mut connection = feed.accept().await;
    assert_eq!(connection.target, "/ws/printer/x?token=HIDDEN");
    assert_eq!(connection.authorization.as_deref(), Some("Basic bWU6U0VDUkVU"));
    connection.status(&running(10)).await;
    source.seen().await;
    connection.close(1000).await;
    let lost = format!("{:?}", source.next().await);
    feed.refuse("401 Unauthorized").await;
    let status = format!("{:?} {lost}", source.until(|status| status.link == LinkState::Retrying).await);
    for secret in ["SECRET", "S%45CRET", "HIDDEN", "me:"] {
        assert!(!status.contains(secret), "{status}");
    }
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_stops_whatever_it_does() {
    let feed = Feed::plain().await;
    // In the handshake.
    let source = Source::start(&feed);
    let _raw = feed.accept_raw().await;
    source.stop().await;
    // Between two attempts.
    let mut source = Source::start(&feed);
    let _ = feed.refuse("503 Service Unavailable").await;
    source.error().await;
    source.stop().await;
    // When nobody listens any more.
    let mut source = Source::start(&feed);
    let mut connection = feed.accept().await;
    source.observations.close();
    connection.status(&running(10)).await;
    tokio::time::timeout(Duration::from_secs(5), source.task).await.expect("it ends").unwrap();
}

#[tokio::test(start_paused = true)]
async fn either_source_is_started_the_same_way_and_takes_requests() {
    let feed = Feed::plain().await;
    let (send, mut observations) = mpsc::channel(16);
    let (tell, mut status) = watch::channel(SourceStatus::default());
    let (shutdown, stop) = watch::channel(false);
    let (control, requests) = control::channel();
    let config = SourceConfig::Feed(config(&feed));
    let clock = VirtualClock(Instant::now());
    let task = tokio::spawn(source::run(config, clock, send, Box::new(|_, _| {}), tell, requests, stop));
    let _flow = Flow::begin();
    let early = control.pause_print(None).await;
    assert!(matches!(early, Err(ControlError::NotConnected { .. })), "{early:?}");
    let mut connection = feed.accept().await;
    connection.status(&running(10)).await;
    assert!(matches!(observations.recv().await.unwrap().what, Observation::Seen(_)));
    status.wait_for(|status| status.link == LinkState::Connected).await.unwrap();
    control.pause_print(None).await.unwrap();
    assert_eq!(connection.farewell().await, Heard::Command("pause_print".to_owned()));
    // In somebody's name it is told, before anything can come of it.
    control.by("Telegram: Ada").resume_print(None).await.unwrap();
    let told = observations.recv().await.unwrap().what;
    assert_eq!(told, Observation::Commanded { what: Command::Resume, by: "Telegram: Ada".into() });
    assert_eq!(connection.farewell().await, Heard::Command("resume_print".to_owned()));
    let beyond = control.gcode("G28", None).await;
    assert!(matches!(beyond, Err(ControlError::Unsupported { .. })), "{beyond:?}");
    shutdown.send(true).unwrap();
    let requests = tokio::time::timeout(Duration::from_secs(5), task).await.expect("it stops");
    drop(requests.expect("it gives the requests back"));
}

/// A command in the moment of a change of connections is carried out, since it was promised.
#[tokio::test(start_paused = true)]
async fn a_command_waits_for_the_next_connection_while_the_printer_is_in_sight() {
    let feed = Feed::plain().await;
    let mut settings = config(&feed);
    settings.watchdog = WatchdogSettings { timeout: Duration::from_secs(10), tick: Duration::from_secs(1) };
    let mut source = Source::with(settings);
    let mut connection = feed.accept().await;
    assert_eq!(status_until_closed(&mut connection).await, Heard::Closed(Some(1000)));
    source.seen().await;
    assert_eq!(source.status.borrow().link, LinkState::Connected);
    source.commands.send(order(Command::Pause)).await.unwrap();
    let mut again = feed.accept().await;
    assert_eq!(again.farewell().await, Heard::Command("pause_print".to_owned()));
    source.stop().await;
}
