//! The session's programs where they belong: as the first process of a real container, and in the image that is built.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod browser;
mod container;
mod ttyd;

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use container::{Container, Engine};

#[test]
fn a_light_workshop_serves_restarts_reaps_and_ends() {
    let engine = Engine::find();
    engine.script("toolchain/workshop-light.sh", &["localhost/octo-light:test"]);
    let container = Container::run(&engine, "localhost/octo-light:test");
    assert!(container.get(41821, "/health").contains("\"status\":\"ok\""));
    assert_eq!(container.get(41820, "/session"), "[]");
    assert!(container.get(41822, "/").contains("app.js"));
    // The user of the container owns what was made.
    let workspace = std::fs::metadata(container.home().join("workspace")).unwrap();
    assert_eq!((workspace.uid(), workspace.gid()), (1000, 1000));
    assert!(container.home().join("workspace/README.md").exists());

    // Orphans become children of the first process, which must reap them.
    container.exec("(sleep 0.3 &) ; (sleep 0.3 &) ; true");
    container.exec("kill -9 $(pidof octo-files)");
    let end = Instant::now() + Duration::from_secs(20);
    while !container.try_get(41821, "/health").is_some_and(|text| text.contains("ok")) {
        assert!(Instant::now() < end, "the file server did not come back: {}", container.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
    // Between its end and the wait for it, every process is a zombie for a moment.
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let processes = container.exec("ps -o pid,stat,comm");
        if !processes.contains(" Z") && !processes.contains("sleep") {
            break;
        }
        assert!(Instant::now() < end, "{processes}");
    }
    assert!(container.logs().contains("[init] files has ended with 137"), "{}", container.logs());

    ends_when_told(&container);
}

/// Its first process ends by the signal, and so do the services: none has to be killed.
fn ends_when_told(container: &Container<'_>) {
    assert_eq!(container.stop(), "0");
    let logs = container.logs();
    assert!(logs.contains("the services end") && !logs.contains("it is killed"), "{logs}");
}

#[test]
fn in_the_image_a_person_builds_a_firmware_over_the_terminal() {
    let engine = Engine::find();
    engine.script("toolchain/build-workshop.sh", &[]);
    let container = Container::run(&engine, "octo-dev:latest");
    let address = format!("ws://127.0.0.1:{}/ws", container.port(41822));
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut request = address.into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "tty".parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        for message in
            [r#"{"AuthToken":"","columns":120,"rows":40}"#, "0make overlay && echo built: $((20 + 3))\r"]
        {
            socket.send(Message::Text(message.into())).await.unwrap();
        }
        let mut all = String::new();
        while !all.contains("built: 23") {
            let message = tokio::time::timeout(Duration::from_secs(120), socket.next()).await;
            match message.unwrap_or_else(|_| panic!("{all}")) {
                Some(Ok(Message::Binary(bytes))) => all.push_str(&String::from_utf8_lossy(&bytes[1..])),
                Some(Ok(_)) => {}
                other => panic!("{other:?} after {all}"),
            }
        }
    });
    let firmware = std::fs::read(container.home().join("workspace/dist/firmware.bin")).unwrap();
    assert_eq!(container.get_bytes(41821, "/download?path=dist/firmware.bin"), firmware);
    assert!(container.exec("cd workspace && make lint && make diff").contains("/etc/workshop-release"));
    ends_when_told(&container);
}
