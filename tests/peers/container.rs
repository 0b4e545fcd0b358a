//! The container image, built and run by a real podman: what the run line of the Printer Realtime Bridge's README gives.
//!
//! Nothing outside this machine is reached: names of real services lead to the container itself.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::support::camera;
use crate::support::engine::{Container, Engine, IMAGE, PATIENCE, text};
use crate::support::feed::{Feed, Heard};
use crate::support::ports::free_port;
use crate::support::telegram::{Outcome, Telegram};
use crate::support::wait;

const TOKEN: &str = "1:not-for-the-log";
const CHAT: i64 = -5;
/// How long a stop may take, with what a busy engine adds. Whoever takes more than 3.5 s is killed before the last word.
const STOP: Duration = Duration::from_secs(5);
const STATUS: &str = "/api/printer/A1M-1";
const IMAGE_PATH: &str = "/api/printer/A1M-1/image";

/// The variables of the README's run line; a topic and a model's key are optional there, and then empty.
const SEED: [&str; 5] = [
    "TELEGRAM_BOT_TOKEN=1:not-for-the-log",
    "TELEGRAM_CHAT_ID=-5",
    "TELEGRAM_THREAD_ID=",
    "OPENROUTER_API_KEY=",
    "PRINTER_ID=A1M-1",
];

/// `-e` before each.
fn variables<'a>(all: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    all.into_iter().flat_map(|variable| ["-e", variable]).collect()
}

fn stops_in_order(container: Container) -> String {
    let (status, after, log) = container.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(after <= STOP, "it took {after:?}\n{log}");
    assert!(log.contains("[INFO] octobridge "), "{log}");
    log
}

#[test]
fn feed_telegram_and_rest_are_joined() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let feed = runtime.block_on(Feed::encrypted(&["localhost"]));
    let telegram = Telegram::start(TOKEN, CHAT);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, format!("{}{}", feed.authority, telegram.ca())).unwrap();
    std::fs::set_permissions(&ca, Permissions::from_mode(0o644)).unwrap();

    let port = free_port();
    let volume = format!("{}:/ca.pem:ro", ca.display());
    let ours = [
        format!("WS_URL={}", feed.address()),
        format!("TELEGRAM_API_URL={}", telegram.url()),
        "EXTRA_CA_FILE=/ca.pem".to_owned(),
        "BIND=127.0.0.1".to_owned(),
        format!("PORT={port}"),
    ];
    // The stand-ins are on this machine's loopback.
    let mut arguments = vec!["--network", "host", "-v", &volume];
    arguments.extend(variables(SEED.into_iter().chain(ours.iter().map(String::as_str))));
    let container = Engine::with_image().run(&arguments);

    let accepted = runtime.block_on(async { tokio::time::timeout(PATIENCE, feed.accept()).await });
    let mut connection = accepted.unwrap_or_else(|_| panic!("it never connected: {}", container.log()));
    assert_eq!(connection.target, "/ws/printer/A1M-1");
    assert_eq!(container.rest(port, STATUS).0, 404);

    let status = json!({"gcode_state": "RUNNING", "subtask_name": "cube", "mc_percent": 7, "kept": [1.50]});
    let picture = camera::picture(64, 48, 4096);
    runtime.block_on(connection.status(&json!({"gcode_state": "IDLE"})));
    runtime.block_on(connection.status(&status));
    runtime.block_on(connection.picture(&picture));
    let message = telegram.wait_for_message("Started: cube", Outcome::Done, PATIENCE);
    assert_eq!(message.arguments["chat_id"], CHAT);
    assert!(message.arguments.get("message_thread_id").is_none(), "{}", message.arguments);

    assert_eq!(http_get(port, "/api/"), (200, b"OK".to_vec()));
    let (code, body) = container.rest(port, STATUS);
    assert_eq!((code, &body["printer_id"], &body["status"]), (200, &json!("A1M-1"), &status), "{body}");
    let shown =
        wait::until("the picture", PATIENCE, || Some(http_get(port, IMAGE_PATH)).filter(|a| a.0 == 200));
    assert!(shown.1 == picture, "the picture's bytes as they came");
    assert_eq!(container.rest(port, "/api/printer/other").0, 404);

    container.wait_until_healthy();
    // The first process, its worker, and nothing that was left behind by the commands before.
    assert_eq!(container.processes(), 2);
    let log = stops_in_order(container);
    assert!(!log.contains(TOKEN), "{log}");
    let farewell = runtime.block_on(async { tokio::time::timeout(PATIENCE, connection.farewell()).await });
    assert_eq!(farewell, Ok(Heard::Closed(Some(1000))));
}

fn http_get(port: u16, path: &str) -> (u16, Vec<u8>) {
    let mut answer = ureq::get(format!("http://127.0.0.1:{port}{path}"))
        .config()
        .http_status_as_error(false)
        .build()
        .call()
        .unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap())
}

/// With its own network and a published port, and whatever else people add.
#[test]
fn the_run_line_serves_rest_whatever_is_added() {
    let seed = variables(SEED);
    let empty = [seed.clone(), variables(["WS_URL=", "SOURCE= ", "PORT=", "PROGRESS_STEP="])].concat();
    let read_only = [seed.clone(), vec!["--read-only"]].concat();
    // As docker does it: nothing that can be written is put in.
    let all_read_only =
        [vec!["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all"], seed.clone()].concat();
    let another_user = [vec!["--read-only", "--user", "4242:4242"], seed.clone()].concat();
    let no_token = variables(["TELEGRAM_BOT_TOKEN=", "TELEGRAM_CHAT_ID=-5"]);
    let table: [(&str, Vec<&str>, &str); 7] = [
        ("the README's line", seed, "telegram: starting"),
        ("empty variables", empty, "telegram: starting"),
        ("read-only", read_only, "telegram: starting"),
        ("all read-only", all_read_only, "telegram: starting"),
        ("another user", another_user, "cannot write /data"),
        ("no token", no_token, "telegram: off"),
        ("nothing at all", Vec::new(), "telegram: off"),
    ];
    for (case, arguments, told) in table {
        let port = free_port();
        let publish = format!("127.0.0.1:{port}:8000");
        let mut all = vec!["-p", &publish];
        for name in ["print.lo.f0rth.space:127.0.0.1", "api.telegram.org:127.0.0.1"] {
            all.extend(["--add-host", name]);
        }
        all.extend(arguments);
        let container = Engine::with_image().run(&all);
        assert_eq!(
            container.rest(port, STATUS),
            (404, json!({"detail": "No status received yet."})),
            "{case}"
        );
        assert_eq!(container.rest(port, IMAGE_PATH).0, 404, "{case}");
        assert_eq!(http_get(port, "/api/"), (200, b"OK".to_vec()), "{case}");
        container.wait_for_log("wss://print.lo.f0rth.space/ws/printer/A1M-1: ");
        let status = container.octobridge(&["status"]);
        let said = text(&status.stdout);
        assert_eq!(status.status.code(), Some(0), "{case}: {said}");
        // Which of the two is a matter of a moment.
        let said = said.replace("telegram: retrying", "telegram: starting");
        assert!(said.contains(told), "{case}: {said}");
        container.wait_until_healthy();
        stops_in_order(container);
    }
}

/// A name that nobody answers for is being looked up all the time.
#[test]
fn it_stops_in_time_without_any_network() {
    let container = Engine::with_image().run(&["--network", "none", "-e", "TELEGRAM_BOT_TOKEN=1:a"]);
    container.wait_for_log("REST server");
    container.wait_until_healthy();
    let status = text(&container.octobridge(&["status"]).stdout);
    assert!(status.contains("wss://print.lo.f0rth.space/ws/printer/A1M-1"), "{status}");
    stops_in_order(container);
}

#[test]
fn a_data_folder_of_somebody_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let volume = format!("{}:/data", folder.path().display());
    let container = Engine::with_image().run(&["--network", "none", "-v", &volume]);
    let expected =
        "cannot write /data: Permission denied (os error 13); make it writable for the service's user (1000)";
    container.wait_for_log(expected);
    container.wait_until_healthy();
    let status = text(&container.octobridge(&["status"]).stdout);
    assert!(status.contains(expected), "{status}");
    stops_in_order(container);
}

#[test]
fn secrets_come_from_files_and_from_the_data_folder() {
    let engine = Engine::with_image();
    let (secret, volume) = (engine.name(), engine.name());
    let by_file = format!("TELEGRAM_BOT_TOKEN_FILE=/run/secrets/{secret}");
    given(engine, &["secret", "create", &secret, "-"]);
    let container =
        engine.run(&["--network", "none", "--secret", &secret, "-e", &by_file, "-e", "TELEGRAM_CHAT_ID=-5"]);
    let origin = |container: &Container| {
        container.wait_for_log("telegram: started");
        let shown = text(&container.octobridge(&["config", "show"]).stdout);
        shown.lines().find(|line| line.starts_with("TELEGRAM_BOT_TOKEN")).unwrap().to_owned()
    };
    let line = origin(&container);
    assert!(line.contains("(set, hidden)") && line.contains(&secret), "{line}");
    stops_in_order(container);
    engine.get(&["secret", "rm", &secret]);

    // A volume that the engine makes can be written by the program's user, and lasts.
    let mount = format!("{volume}:/data");
    let set =
        ["run", "--rm", "-i", "--no-healthcheck", "-v", &mount, IMAGE, "secret", "set", "telegram_bot_token"];
    given(engine, &set);
    let container = engine.run(&["--network", "none", "-v", &mount, "-e", "TELEGRAM_CHAT_ID=-5"]);
    let line = origin(&container);
    assert!(line.contains("(set, hidden)") && line.contains("/data/telegram_bot_token"), "{line}");
    let log = stops_in_order(container);
    assert!(!log.contains("cannot write"), "{log}");
    engine.get(&["volume", "rm", &volume]);
}

/// Runs a command of the engine that reads the token.
fn given(engine: &Engine, arguments: &[&str]) {
    let mut command = engine.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(TOKEN.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{arguments:?}");
}

#[test]
fn the_image_is_small_and_tells_what_it_is() {
    let engine = Engine::with_image();
    assert!(engine.said.contains("podman run --rm -p 8000:8000"), "{}", engine.said);
    let image: serde_json::Value = serde_json::from_str(&engine.get(&["image", "inspect", IMAGE])).unwrap();
    let (image, config) = (&image[0], &image[0]["Config"]);
    assert_eq!(config["User"], "1000:1000");
    assert_eq!(config["ExposedPorts"], json!({"8000/tcp": {}}));
    assert_eq!(config["Volumes"], json!({"/data": {}}));
    let label = |name: &str| {
        config["Labels"][format!("org.opencontainers.image.{name}")].as_str().unwrap().to_owned()
    };
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), env!("CARGO_PKG_LICENSE"));
    // The program for this processor, which is a third larger than the printer's, its licences and an empty folder.
    assert!(image["Size"].as_u64().unwrap() < 4_250_000, "{}", image["Size"]);
}

#[test]
fn the_same_program_gives_the_same_layer() {
    let engine = Engine::with_image();
    let layer = || {
        let format = "{{.RootFS.Layers}} {{.Created}}";
        engine.get(&["image", "inspect", "--format", format, IMAGE])
    };
    let first = layer();
    engine.build();
    assert_eq!(first, layer());
}
