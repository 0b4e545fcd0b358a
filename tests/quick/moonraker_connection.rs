//! The Moonraker source over real sockets on loopback, in virtual time: a peer that behaves as recorded, and
//! peers that refuse, stall, break off and talk nonsense.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: a failure is a panic"
)]

mod peer;

use crate::support::virtual_time::{Flow, VirtualClock};
use octobridge::printer::{Event, Memory, Observation, Observer, Timed};
use octobridge::source::control::{self, Control};
use octobridge::source::moonraker::{ApiKey, Config, Endpoint, run};
use octobridge::source::{LinkState, SourceStatus};
use peer::{Peer, Way};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The source under test and what it says.
struct Source {
    observations: mpsc::Receiver<Timed<Observation>>,
    status: watch::Receiver<SourceStatus>,
    control: Control,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<control::Requests>,
    _flow: Flow,
}

impl Source {
    fn start(endpoints: Vec<Endpoint>) -> Self {
        Self::with_key(endpoints, None)
    }

    fn with_key(endpoints: Vec<Endpoint>, key: Option<&str>) -> Self {
        let (send, observations) = mpsc::channel(16);
        let (tell, status) = watch::channel(SourceStatus::default());
        let (shutdown, stop) = watch::channel(false);
        let (control, requests) = control::channel();
        let config = Config { endpoints, api_key: key.map(ApiKey::new), version: "0.0.0" };
        let task = tokio::spawn(run(config, VirtualClock(Instant::now()), send, tell, requests, stop));
        Self { observations, status, control, shutdown, task, _flow: Flow::begin() }
    }

    /// The next observation of each kind that comes; panics when none does for five minutes.
    async fn next(&mut self) -> Observation {
        let next = tokio::time::timeout(Duration::from_secs(300), self.observations.recv());
        next.await.unwrap_or_else(|_| panic!("nothing seen: {:?}", self.status.borrow())).unwrap().what
    }

    async fn until_seen(&mut self) {
        while !matches!(self.next().await, Observation::Seen(_)) {}
    }

    /// Waits until the status names an error, and gives it.
    async fn error(&mut self) -> String {
        let status = &mut self.status;
        let wait = status.wait_for(|status| status.last_error.is_some());
        let status = tokio::time::timeout(Duration::from_secs(300), wait).await.expect("no error").unwrap();
        assert_eq!(status.link, LinkState::Retrying);
        status.last_error.clone().unwrap()
    }

    async fn stop(self) {
        self.shutdown.send(true).unwrap();
        tokio::time::timeout(Duration::from_secs(2), self.task).await.expect("it stops").unwrap();
    }
}

/// A way to reach a peer, for each transport.
async fn both() -> [Peer; 2] {
    [Peer::bind(Way::Unix).await, Peer::bind(Way::WebSocket).await]
}

#[tokio::test(start_paused = true)]
async fn a_recorded_print_comes_out_as_its_table_says_over_each_transport() {
    for (recording, expected) in [
        ("print_complete", "job_started finished"),
        (
            "shutdown",
            "klippy_down klippy_ready job_started klippy_down failed klippy_ready klippy_down klippy_ready",
        ),
    ] {
        for peer in both().await {
            let mut source = Source::start(vec![peer.endpoint()]);
            let serve = tokio::spawn(async move { peer.accept().await.serve(recording).await });
            let mut observer = Observer::new(Memory::default());
            let mut events: Vec<Event> = Vec::new();
            loop {
                let seen = source.observations.recv().await.unwrap();
                let lost = matches!(seen.what, Observation::Lost { .. });
                if lost {
                    break;
                }
                events.extend(observer.observe(&seen.what, seen.at));
            }
            serve.await.unwrap();
            let names = events.iter().map(|event| event.key.split('/').nth(1).unwrap());
            let names: Vec<&str> =
                names.filter(|name| !["progress", "layer", "first_layer_done"].contains(name)).collect();
            assert_eq!(names.join(" "), expected, "{recording}");
            source.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_how_it_stands() {
    for peer in both().await {
        let endpoint = peer.endpoint();
        let mut source = Source::start(vec![endpoint.clone()]);
        assert_eq!(source.status.borrow().link, LinkState::Connecting);
        let connection = peer.accept().await;
        let serve = tokio::spawn(connection.serve_idle(Duration::from_secs(5)));
        source.until_seen().await;
        let status =
            source.status.wait_for(|status| status.link == LinkState::Connected).await.unwrap().clone();
        assert_eq!(status.endpoint, Some(endpoint.to_string()));
        assert_eq!(status.moonraker_version.as_deref(), Some("0.11.0"));
        assert_eq!(status.klippy.unwrap().state.name(), "ready");
        assert_eq!(status.last_error, None);
        serve.await.unwrap();
        let error = source.error().await;
        assert!(error.contains("closed the connection"), "{error}");
        assert_eq!(source.status.borrow().klippy, None);
        source.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_close_it_comes_back_soon_and_tells_both() {
    for peer in both().await {
        let mut source = Source::start(vec![peer.endpoint()]);
        let mut observer = Observer::new(Memory::default());
        let mut names = Vec::new();
        let begun = Instant::now();
        for _ in 0..3 {
            let serve = tokio::spawn(peer.accept().await.serve_idle(Duration::from_secs(5)));
            while !serve.is_finished() {
                let Ok(seen) = tokio::time::timeout(Duration::from_secs(1), source.observations.recv()).await
                else {
                    continue;
                };
                let seen = seen.unwrap();
                names.extend(observer.observe(&seen.what, seen.at).into_iter().map(|event| event.key));
            }
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        let names: Vec<&str> = names.iter().map(|key| key.split_once('/').unwrap().1).collect();
        assert_eq!(&names[..4], ["source_lost/1", "source_back/1", "source_lost/2", "source_back/2"]);
        source.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_close_of_a_restarted_moonraker_is_told_with_its_reason() {
    let peer = Peer::bind(Way::WebSocket).await;
    let mut source = Source::start(vec![peer.endpoint()]);
    tokio::spawn(peer.accept().await.serve_idle(Duration::from_secs(5)));
    let error = source.error().await;
    assert!(error.contains("code 1001 \"Server Shutdown\""), "{error}");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_and_tried_again_with_growing_delays() {
    let peer = Peer::bind(Way::Unix).await;
    let endpoint = peer.endpoint();
    drop(peer);
    let mut source = Source::start(vec![endpoint.clone()]);
    let error = source.error().await;
    assert!(error.contains(&endpoint.to_string()) && error.contains("check that Moonraker runs"), "{error}");
    assert!(source.observations.try_recv().is_err(), "nothing was seen, so nothing is lost");
    tokio::time::sleep(Duration::from_secs(90)).await;
    // It appears later.
    let peer = Peer::bind_at(&endpoint).await;
    let since = Instant::now();
    let serve = tokio::spawn(peer.accept().await.serve_idle(Duration::from_secs(5)));
    assert!(since.elapsed() <= Duration::from_secs(15), "{:?}", since.elapsed());
    source.until_seen().await;
    serve.await.unwrap();
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_drops_every_connection_is_not_hit_without_end() {
    for peer in both().await {
        let source = Source::start(vec![peer.endpoint()]);
        let end = Instant::now() + Duration::from_secs(120);
        let mut attempts = 0;
        while tokio::time::timeout_at(end, peer.accept_raw()).await.is_ok() {
            attempts += 1;
        }
        // Five until the delays reach 15 s, then one in 7.5 s on the average.
        assert!((8..=60).contains(&attempts), "{attempts} attempts in two minutes");
        source.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stalls_is_left_and_named() {
    // Before the handshake, which only a WebSocket has.
    let peer = Peer::bind(Way::WebSocket).await;
    let mut source = Source::start(vec![peer.endpoint()]);
    let _open = peer.accept_raw().await;
    let since = Instant::now();
    let error = source.error().await;
    assert!(error.contains("no connection") && error.contains("within 10 s"), "{error}");
    assert!(since.elapsed() <= Duration::from_secs(11));
    source.stop().await;
    // After it; and in the middle of a frame.
    for half in [&b""[..], b"{\"jsonrpc\":\"2.0\",\"res"] {
        for peer in both().await {
            let mut source = Source::start(vec![peer.endpoint()]);
            let mut connection = peer.accept().await;
            connection.send_part(half).await;
            let since = Instant::now();
            let error = source.error().await;
            assert!(error.contains("does not answer"), "{error}");
            assert!(since.elapsed() <= Duration::from_secs(11));
            // The next connection is a good one.
            drop(connection);
            tokio::spawn(peer.accept().await.serve_idle(Duration::from_secs(5)));
            source.until_seen().await;
            source.stop().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_dies_silently_is_noticed() {
    for peer in both().await {
        let mut source = Source::start(vec![peer.endpoint()]);
        let mut connection = peer.accept().await;
        connection.answer_for(Duration::from_secs(5)).await;
        source.until_seen().await;
        // Half open: nothing comes any more, and nobody says so.
        let since = Instant::now();
        let error = source.error().await;
        assert!(error.contains("does not answer"), "{error}");
        assert!(since.elapsed() <= Duration::from_secs(31), "{:?}", since.elapsed());
        source.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_in_the_middle_of_a_message_is_named() {
    let peer = Peer::bind(Way::Unix).await;
    let mut source = Source::start(vec![peer.endpoint()]);
    let mut connection = peer.accept().await;
    connection.read_first_requests().await;
    connection.send_part(b"{\"jsonrpc\":").await;
    drop(connection);
    let error = source.error().await;
    assert!(error.contains("in the middle of a message"), "{error}");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn garbage_is_named_and_the_next_connection_is_tried() {
    for peer in both().await {
        let mut source = Source::start(vec![peer.endpoint()]);
        let mut connection = peer.accept().await;
        connection.send("<html>It works!</html>").await;
        let error = source.error().await;
        assert!(error.contains("<html>It works!") && error.contains("MOONRAKER_URL"), "{error}");
        tokio::spawn(peer.accept().await.serve_idle(Duration::from_secs(5)));
        source.until_seen().await;
        source.stop().await;
    }
}

/// A call that asks for too much is refused, and nothing else is disturbed.
#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_long_costs_neither_the_connection_nor_an_observation() {
    for peer in both().await {
        let mut source = Source::start(vec![peer.endpoint()]);
        let mut connection = peer.accept().await;
        connection.answer_for(Duration::from_secs(3)).await;
        source.until_seen().await;
        let pending = source.control.call("server.database.get_item", &serde_json::Value::Null, None);
        let asked = connection.request().await.unwrap();
        assert_eq!(asked["method"], "server.database.get_item");
        for number in [1, 2] {
            connection
                .send(&format!(r#"{{"method":"notify_gcode_response","params":["before {number}"]}}"#))
                .await;
        }
        let long = "x".repeat(3 << 20);
        connection.send(&format!(r#"{{"jsonrpc": "2.0", "result": "{long}", "id": {}}}"#, asked["id"])).await;
        // Nor does a message that answers nothing.
        connection.send(&format!(r#"{{"method":"notify_gcode_response","params":["{long}"]}}"#)).await;
        connection.send(r#"{"method":"notify_gcode_response","params":["after"]}"#).await;
        let error = pending.await.unwrap_err();
        assert!(error.to_string().contains("longer than 1024 KiB: ask for less"), "{error}");
        let mut lines = Vec::new();
        while lines.last().map(String::as_str) != Some("after") {
            match source.next().await {
                Observation::Console(line) => lines.push(line.to_string()),
                Observation::Seen(_) | Observation::Commanded { .. } | Observation::Files(_) => {}
                Observation::Lost { reason } => panic!("{reason}"),
            }
        }
        assert_eq!(lines, ["before 1", "before 2", "after"]);
        source.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_megabytes_are_cut_off_after_four() {
    for peer in both().await {
        let mut source = Source::start(vec![peer.endpoint()]);
        let connection = peer.accept().await;
        let taken = connection.flood(50 * 1024 * 1024).await;
        let error = source.error().await;
        assert!(error.contains("longer than 4096 KiB") && error.contains("MOONRAKER_URL"), "{error}");
        // One message's worth, and what the kernel holds.
        assert!(taken < 12 * 1024 * 1024, "{taken} bytes taken");
        tokio::spawn(peer.accept().await.serve_idle(Duration::from_secs(5)));
        source.until_seen().await;
        source.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_key_goes_into_the_header_and_its_refusal_is_named() {
    let peer = Peer::bind(Way::WebSocket).await;
    let mut source = Source::with_key(vec![peer.endpoint()], Some("0123456789abcdef"));
    let request = peer.refuse_upgrade("401 Unauthorized").await;
    assert!(request.to_lowercase().contains("x-api-key: 0123456789abcdef\r\n"), "{request}");
    let error = source.error().await;
    assert!(error.contains("401") && error.contains("MOONRAKER_API_KEY"), "{error}");
    assert!(!error.contains("0123456789abcdef"), "{error}");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered() {
    let peer = Peer::bind(Way::WebSocket).await;
    let mut source = Source::start(vec![peer.endpoint()]);
    let mut connection = peer.accept().await;
    connection.answer_for(Duration::from_secs(1)).await;
    source.until_seen().await;
    assert!(connection.ping().await, "no pong");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_several_addresses_the_first_that_is_there_is_taken() {
    let [unix, socket] = both().await;
    let addresses = vec![unix.endpoint(), socket.endpoint()];
    // Both are there.
    let mut source = Source::start(addresses.clone());
    tokio::spawn(unix.accept().await.serve_idle(Duration::from_secs(5)));
    source.until_seen().await;
    source.stop().await;
    // The Unix socket's file is there, but nobody listens; then it comes back.
    let path = unix.endpoint();
    drop(unix);
    let mut source = Source::start(addresses.clone());
    let serve = tokio::spawn(socket.accept().await.serve_idle(Duration::from_secs(5)));
    source.until_seen().await;
    assert_eq!(source.status.borrow().endpoint, Some(addresses[1].to_string()));
    let unix = Peer::bind_at(&path).await;
    serve.await.unwrap();
    tokio::spawn(unix.accept().await.serve_idle(Duration::from_secs(5)));
    source.until_seen().await;
    source.stop().await;
    // Neither: the error is that of the address that is expected to work.
    drop((unix, socket));
    let mut source = Source::start(addresses.clone());
    let error = source.error().await;
    assert!(error.contains(&addresses[0].to_string()), "{error}");
    source.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_nobody_listens_any_more() {
    let peer = Peer::bind(Way::Unix).await;
    let source = Source::start(vec![peer.endpoint()]);
    drop(source.observations);
    tokio::spawn(peer.accept().await.serve_idle(Duration::from_secs(5)));
    tokio::time::timeout(Duration::from_secs(30), source.task).await.expect("it ends").unwrap();
}
