//! Beside OctoApp's own plugin, which Moonraker knows as its agent `OctoApp`.

use super::{bed_with, launch, register, stored, wait_for_announcement, wait_for_state};
use crate::support::bed::{Bed, Job};
use crate::support::cipher::decrypt;
use crate::support::push_service::PushService;
use crate::support::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// The plugin as Moonraker sees it: an agent of that name, until it is dropped.
struct Plugin(#[allow(dead_code, reason = "the connection is what counts")] UnixStream);

impl Plugin {
    fn connect(bed: &Bed) -> Self {
        let mut stream = UnixStream::connect(bed.socket()).unwrap();
        let params = json!({
            "client_name": "OctoApp", "version": "2.1.10", "type": "agent", "url": "https://octoapp.eu"
        });
        let call =
            json!({"jsonrpc": "2.0", "method": "server.connection.identify", "params": params, "id": 0});
        stream.write_all(format!("{call}\u{3}").as_bytes()).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut message = Vec::new();
            reader.read_until(3, &mut message).unwrap();
            let message: Value = serde_json::from_slice(message.strip_suffix(b"\x03").unwrap()).unwrap();
            if message["id"] == 0 {
                assert!(message["result"]["connection_id"].is_u64(), "{message}");
                return Self(stream);
            }
        }
    }
}

#[test]
fn beside_the_plugin_the_bridge_is_off_and_says_so() {
    let bed = bed_with("");
    let service = PushService::start();
    register(&bed, "android", "1", json!({}));
    register(&bed, "gone", "2", json!({"expireAt": 1}));
    let plugin = Plugin::connect(&bed);
    let program = launch(&bed, &service);
    let bridge = wait_for_state(&program, "failed");
    let text = bridge["text"].as_str().unwrap();
    assert!(text.contains("OctoApp's own plugin runs") && text.contains("remove the plugin"), "{text}");
    bed.start_print("one.gcode", Job { layers: 100, ..Job::LONG });
    // The records would be looked through within this time.
    std::thread::sleep(Duration::from_secs(65));
    assert_eq!(service.count(), 0, "{:?}", service.timed());
    assert_eq!(stored(&bed, "octoapp", "public"), Value::Null);
    assert_eq!(stored(&bed, "octoapp", "apps").as_object().unwrap().len(), 2);

    drop(plugin);
    wait_for_announcement(&bed);
    wait_for_state(&program, "connected");
    let from = service.count();
    bed.pause_print();
    // Progress may come before it.
    let key = stored(&bed, "octoapp", "public")["encryptionKey"].as_str().unwrap().to_owned();
    wait::until("the pause's push", Duration::from_secs(30), || {
        let pushes = service.pushes().into_iter().skip(from);
        let texts = pushes.map(|push| decrypt(push["androidData"].as_str().unwrap(), &key).unwrap());
        let mut texts = texts.map(|text| serde_json::from_str::<Value>(&text).unwrap());
        texts.any(|text| text["type"] == "paused_gcode").then_some(())
    });

    // It is seen before the next push.
    let _plugin = Plugin::connect(&bed);
    let from = service.count();
    bed.resume_print();
    bed.cancel_print();
    wait_for_state(&program, "failed");
    std::thread::sleep(Duration::from_secs(8));
    assert_eq!(service.count(), from, "{:?}", service.timed());
}
