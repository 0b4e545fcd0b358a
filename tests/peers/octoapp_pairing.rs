//! `octobridge pair octoapp` and `octobridge test octoapp` at a real Moonraker that forces logins: its database, its list
//! of agents, what it tells of its network; a stand-in for the push service.

use crate::support::bed::{Bed, Setup};
use crate::support::push_service::{PushService, assert_encrypted};
use crate::support::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const TOKEN: &str = "dXnV:APA91bSECRET_x-y";

/// A client of Moonraker, as long as it lives.
struct Client(BufReader<UnixStream>);

impl Client {
    fn connect(bed: &Bed) -> Self {
        Self(BufReader::new(UnixStream::connect(bed.socket()).unwrap()))
    }

    /// The answer to a call.
    fn call(&mut self, method: &str, params: Value) -> Value {
        let call = json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 7});
        self.0.get_mut().write_all(&[call.to_string().as_bytes(), &[3]].concat()).unwrap();
        loop {
            let mut message = Vec::new();
            self.0.read_until(3, &mut message).unwrap();
            let message: Value = serde_json::from_slice(&message[..message.len() - 1]).unwrap();
            if message["id"] == 7 {
                return message;
            }
        }
    }

    fn stored(&mut self, key: &str) -> Value {
        self.call("server.database.get_item", json!({"namespace": "octoapp", "key": key}))["result"]["value"]
            .take()
    }
}

fn command(folder: &Path, bed: &Bed, service: &PushService, args: &[&str]) -> Command {
    let (api, config) = service.addresses();
    let mut command = Command::new(env!("CARGO_BIN_EXE_octobridge"));
    command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("PRINTER_DATA", folder).env("OCTOBRIDGE_RUN_DIR", folder.join("run")).env("PORT", "0");
    command.env("MOONRAKER_URL", format!("unix:{}", bed.socket().display()));
    command.env("OCTOAPP_API_URL", api).env("OCTOAPP_CONFIG_URL", config);
    command
}

fn said(output: &Output) -> String {
    let all = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8(all).unwrap();
    assert!(!said.contains("SECRET"), "{said}");
    said
}

/// Goes through a pairing, with an app that was opened so often before. Gives how long after its registration the first
/// push came.
fn pair(mut pairing: Child, client: &mut Client, service: &PushService, opened: usize) -> Duration {
    wait::until("the announcement", Duration::from_secs(30), || {
        client.stored("public")["printerId"].is_string().then_some(())
    });
    let (mut output, mut told) = (BufReader::new(pairing.stdout.take().unwrap()), String::new());
    while !told.contains("Waiting up to ") {
        assert_ne!(output.read_line(&mut told).unwrap(), 0, "{told}");
    }
    let record = json!({"fcmToken": TOKEN, "instanceId": "i", "displayName": "Ada's phone", "expireAt": null,
                        "lastSeenAt": 1.5 + opened as f64, "model": "Pixel 7"});
    let place = json!({"namespace": "octoapp", "key": ["apps", TOKEN], "value": record});
    let registered = Instant::now();
    assert!(client.call("server.database.post_item", place)["error"].is_null());
    wait::until("the first push", Duration::from_secs(30), || {
        (service.pushes().len() == opened + 1).then_some(())
    });
    let took = registered.elapsed();
    output.read_to_string(&mut told).unwrap();
    let paired = pairing.wait_with_output().unwrap();
    let told = said(&Output { stdout: told.into_bytes(), ..paired });
    assert!(paired.status.success() && told.contains("Ada's phone (Pixel 7) has registered"), "{told}");
    // A machine of tests may have no address but its own.
    assert!(told.contains("This printer is at\n\n  http://") || told.contains("knows no address"), "{told}");
    took
}

#[test]
fn a_phone_is_paired_tested_and_forgotten() {
    let bed = Bed::up_with(Setup { logins: true, ..Setup::default() });
    let service = PushService::start();
    let folder = tempfile::tempdir().unwrap();
    let extended = folder.path().join("config/extended");
    std::fs::create_dir_all(&extended).unwrap();
    std::fs::write(extended.join("extended2.cfg"), "[octoapp]\n").unwrap();
    let run = |args: &[&str]| command(folder.path(), &bed, &service, args).output().unwrap();

    let none = run(&["test", "octoapp"]);
    assert!(
        none.status.code() == Some(1) && said(&none).contains("no phone is registered"),
        "{}",
        said(&none)
    );
    let locked = command(folder.path(), &bed, &service, &["test", "octoapp"])
        .env("MOONRAKER_URL", format!("ws://127.0.0.1:{}/websocket", bed.port()))
        .output()
        .unwrap();
    assert!(said(&locked).contains("MOONRAKER_API_KEY"), "{}", said(&locked));

    let mut client = Client::connect(&bed);
    // Within two seconds. A busy machine may not manage it; then the app writes anew, and the phone is paired again.
    let mut took = Vec::new();
    let is_fast = (0..3).any(|turn| {
        let pairing = command(folder.path(), &bed, &service, &["pair", "octoapp"]).spawn().unwrap();
        took.push(pair(pairing, &mut client, &service, turn));
        took.last() < Some(&Duration::from_secs(2))
    });
    assert!(is_fast, "{took:?}");
    let public = client.stored("public");

    let tested = run(&["test", "octoapp"]);
    assert!(said(&tested).contains("test message for Ada's phone (Pixel 7)."), "{}", said(&tested));
    let detail = "This is a test of Octobridge. If you can read it, messages about prints will arrive here.";
    let text = format!(r#"{{"type": "custom", "message": "Octobridge", "detail": "{detail}"}}"#);
    assert_encrypted(service.pushes().last().unwrap(), &text, public["encryptionKey"].as_str().unwrap());

    // The plugin, as Moonraker lists it.
    let mut plugin = Client::connect(&bed);
    let agent =
        json!({"client_name": "OctoApp", "version": "3.1.0", "type": "agent", "url": "https://octoapp.eu"});
    assert!(plugin.call("server.connection.identify", agent)["error"].is_null());
    for args in [&["test", "octoapp"][..], &["pair", "octoapp"]] {
        let beside = run(args);
        assert!(
            beside.status.code() == Some(1) && said(&beside).contains("own plugin runs"),
            "{}",
            said(&beside)
        );
    }
    drop(plugin);

    let forgotten = run(&["pair", "octoapp", "--forget", "--yes"]);
    assert!(forgotten.status.success() && said(&forgotten).contains("Ada's phone"), "{}", said(&forgotten));
    let apps = client.stored("apps");
    assert!(apps.is_null() || apps.as_object().is_some_and(serde_json::Map::is_empty), "{apps}");
    assert_eq!(client.stored("public")["encryptionKey"], public["encryptionKey"]);
    assert_eq!(
        std::fs::read_to_string(extended.join("extended2.cfg")).unwrap(),
        "[octoapp]\nenabled: false\n"
    );
}
