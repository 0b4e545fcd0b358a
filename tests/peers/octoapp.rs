//! The whole program with the OctoApp bridge at a real Moonraker and a real Klipper host, and a stand-in for the service.
//!
//! What is expected, by the rules of the protocol (an iPhone with a Live Activity):
//!
//! | what happens | what is pushed |
//! |---|---|
//! | an app writes its record, a print starts | `start_title` to the activity, within 2 s |
//! | a pause that lasts | `paused_from_gcode_title` to both, after 3 s |
//! | it goes on | `printing` to the activity |
//! | the program is killed in mid-print | nothing; the print keeps its identity |
//! | it is cancelled | `cancelled_title` to both, after 5 s; the activity's record is gone |
//! | a print without an activity, which Klipper ends by an error | to the phone alone: `layer_x_completed_title` after the first and the third layer, `paused_from_gcode_title` with the reason |

use crate::support::bed::{Bed, Job};
use crate::support::program::Program;
use crate::support::{http, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The service: takes every push.
struct Service {
    url: String,
    pushes: Arc<Mutex<Vec<(Instant, Value)>>>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let pushes = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&pushes);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Ok(Some(message)) = http::read(&mut BufReader::new(&stream)) else { continue };
                if message.first_line.starts_with("POST") {
                    let push = serde_json::from_slice(&message.body).unwrap();
                    taken.lock().unwrap().push((Instant::now(), push));
                }
                let body = r#"{"invalidTokens":[]}"#;
                let head =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
            }
        });
        Self { url, pushes }
    }

    fn count(&self) -> usize {
        self.pushes.lock().unwrap().len()
    }

    /// The first push from number `from` on that is called so.
    fn wait_for(&self, word: &str, from: usize, within: Duration) -> (Instant, Value) {
        wait::until(word, within, || {
            let pushes = self.pushes.lock().unwrap();
            pushes.iter().skip(from).find(|(_, push)| self::word(push) == word).cloned()
        })
    }

    fn words(&self) -> Vec<String> {
        self.pushes.lock().unwrap().iter().map(|(_, push)| word(push)).collect()
    }
}

fn word(push: &Value) -> String {
    let apple = &push["apnsData"];
    let key = apple["alert"]["title-loc-key"].as_str().and_then(|key| key.split("___").nth(1));
    key.or(apple["content-state"]["state"].as_str()).unwrap_or_default().to_owned()
}

/// Writes a record as the app does it.
fn register(bed: &Bed, token: &str) {
    let record = json!({"fcmToken": token, "instanceId": "phone", "expireAt": null, "lastSeenAt": 1.5});
    let item = json!({"namespace": "octoapp", "key": format!("apps.{token}"), "value": record}).to_string();
    let body = Some(("application/json", item.as_bytes()));
    let (status, answer) = http::request(bed.port(), "POST", "/server/database/item", body);
    assert_eq!(status, 200, "{answer}");
}

fn stored(bed: &Bed, key: &str) -> Value {
    let path = format!("/server/database/item?namespace=octoapp&key={key}");
    let (status, answer) = http::request(bed.port(), "GET", &path, None);
    if status == 200 { answer["result"]["value"].clone() } else { Value::Null }
}

#[test]
fn a_print_is_told_from_start_to_end_over_a_restart() {
    let bed = Bed::up();
    let service = Service::start();
    let source = format!("source: moonraker\nmoonraker_url: ws://127.0.0.1:{}/websocket", bed.port());
    let further = format!(
        "[octoapp]\nenabled: true\napi_url: {url}/send\nconfig_url: {url}/config\n",
        url = service.url
    );
    let program = Program::prepared(&source, &[], |data| {
        let file = data.join("config/extended/extended2.cfg");
        let settings = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, settings + &further).unwrap();
    });
    let public = wait::until("the announcement", Duration::from_secs(30), || {
        Some(stored(&bed, "public")).filter(|public| public["printerId"].is_string())
    });
    assert_eq!(public["printerId"].as_str().unwrap().len(), 60);
    let key = public["encryptionKey"].clone();

    bed.prepare_print("part.gcode", Job::LONG);
    register(&bed, "ios:phone");
    register(&bed, "activity:running");
    bed.start_print("part.gcode", Job::LONG);
    let (_, started) = service.wait_for("start_title", 0, Duration::from_secs(5));
    assert_eq!(started["targets"].as_array().unwrap().len(), 1);
    assert_eq!(started["apnsData"]["content-state"]["filePath"], "part.gcode");

    let from = service.count();
    let begun = Instant::now();
    bed.pause_print();
    let (at, paused) = service.wait_for("paused_from_gcode_title", from, Duration::from_secs(20));
    assert!(at.duration_since(begun) >= Duration::from_secs(3));
    assert_eq!(paused["targets"].as_array().unwrap().len(), 2);
    bed.resume_print();
    service.wait_for("printing", service.count().min(from + 1), Duration::from_secs(20));

    let worker = program.worker();
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    wait::until("another worker", Duration::from_secs(20), || {
        (program.worker_now()? != worker).then_some(())
    });
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        service.words().iter().filter(|word| *word == "start_title").count(),
        1,
        "{:?}",
        service.words()
    );
    assert_eq!(stored(&bed, "public")["encryptionKey"], key);

    bed.cancel_print();
    let (_, cancelled) = service.wait_for("cancelled_title", from, Duration::from_secs(20));
    assert_eq!(cancelled["targets"].as_array().unwrap().len(), 2);
    assert!(cancelled["apnsData"]["content-state"]["printTime"].as_u64() > Some(3), "{cancelled}");
    wait::until("the activity's end", Duration::from_secs(10), || {
        let apps = stored(&bed, "apps");
        (apps.get("activity:running").is_none() && apps.get("ios:phone").is_some()).then_some(())
    });

    let from = service.count();
    bed.start_print("spoiled.gcode", Job { spoiled: true, ..Job::SHORT });
    let (_, failed) = service.wait_for("paused_from_gcode_title", from, Duration::from_secs(90));
    let reason = failed["apnsData"]["content-state"]["error"].as_str().unwrap();
    assert!(reason.contains("Move out of range"), "{reason}");
    std::thread::sleep(Duration::from_secs(6));
    let after: Vec<String> = service.words().split_off(from);
    // Without an activity neither its start nor its progress goes to this phone.
    assert_eq!(after, ["layer_x_completed_title", "layer_x_completed_title", "paused_from_gcode_title"]);
}
