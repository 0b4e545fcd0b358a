//! `octobridge doctor` before printers, cameras and clouds in trouble: each trouble is shown with what to do about it.

use crate::cli::{Printer, text};
use crate::idle_moonraker::IdleMoonraker;
use crate::support::camera::{Answer, Camera, picture};
use crate::support::feed::Feed;
use crate::support::ports::free_port;
use crate::support::telegram::{Behaviour, Telegram, Which};
use crate::support::wait::until;
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpListener;
use std::process::Child;
use std::time::Duration;
use tokio::time::timeout;

const TOKEN: &str = "123:SECRETTOKEN";
const SNAPSHOT: &str = "/webcam/snapshot.jpg";

/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(20);

/// The findings of one section: level, text, remedy.
type Findings = Vec<(String, String, String)>;

/// What it finds on one subject, with these variables set. The secret is nowhere to be seen.
fn examine(printer: &Printer, section: &str, variables: &[(&str, &str)]) -> Findings {
    let variables = variables.iter().copied();
    let output = printer.command(&["doctor", "--json"]).envs(variables).output().unwrap();
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(!said.contains("SECRET") && complained.is_empty(), "{said}{complained}");
    let all: Value = serde_json::from_str(said).unwrap();
    assert_eq!(output.status.code(), Some(i32::from(all["verdict"] == "fail")), "{said}");
    findings(&all, section)
}

fn findings(all: &Value, section: &str) -> Findings {
    let sections = all["sections"].as_array().unwrap();
    let Some(found) = sections.iter().find(|found| found["name"] == section) else { return Vec::new() };
    let part = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let parts = |finding: &Value| (part(finding, "level"), part(finding, "text"), part(finding, "remedy"));
    found["findings"].as_array().unwrap().iter().map(parts).collect()
}

/// That there is such a finding; what is not well names what to do.
fn assert_found(findings: &Findings, level: &str, what: &str, remedy: &str) {
    let is_it = |(found, text, to_do): &&(String, String, String)| {
        found == level && text.contains(what) && to_do.contains(remedy) && (level == "ok") == to_do.is_empty()
    };
    assert!(findings.iter().any(|finding| is_it(&finding)), "{level} {what} -> {remedy}\n{findings:#?}");
}

fn with_telegram(api_url: &str, more: &str) -> Printer {
    let settings = format!("[telegram]\nenabled: true\nchat_id: -5\napi_url: {api_url}\n{more}");
    let printer = Printer::new(&settings);
    printer.run(&["secret", "set", "telegram_bot_token"], TOKEN);
    printer
}

#[test]
fn a_cloud_in_order_is_named_with_bot_and_chat() {
    let telegram = Telegram::plain(TOKEN, -5);
    let printer = with_telegram(&telegram.url(), "thread_id: 7\n");
    let found = examine(&printer, "Clouds", &[]);
    assert_found(&found, "ok", &format!("telegram: bot @printer_bot answers at {}", telegram.url()), "");
    assert_found(&found, "ok", "finds its chat \"Printers\" (-5)", "");
    assert_found(&found, "ok", "topic 7", "");
    let asked: Vec<String> = telegram.looks().into_iter().map(|call| call.method).collect();
    assert_eq!(asked, ["getMe", "getChat"]);
    assert_eq!(telegram.calls().len(), 0, "nothing is sent");
}

#[test]
fn each_trouble_with_telegram_has_its_remedy() {
    use Behaviour::{Answer, Bytes, Close, Flood, Html, Migrated, Refuse};
    let telegram = Telegram::plain(TOKEN, -5);
    let printer = with_telegram(&telegram.url(), "thread_id: 7\n");
    let group = json!({"ok": true, "result": {"id": -5, "type": "supergroup", "title": "Printers"}});
    for (method, behaviour, level, what, remedy) in [
        (
            "getMe",
            Refuse(401, "Unauthorized"),
            "fail",
            "the token is refused",
            "secret set telegram_bot_token",
        ),
        ("getMe", Refuse(404, "Not Found"), "fail", "the token is refused", "TELEGRAM_API_URL"),
        ("getMe", Html(404), "fail", "something else answers", "TELEGRAM_API_URL"),
        ("getMe", Html(200), "fail", "something else answers", "log-in in a browser"),
        ("getMe", Html(502), "fail", "(HTTP 502)", "later"),
        ("getMe", Refuse(500, "Internal Server Error"), "fail", "has trouble", "again in some minutes"),
        ("getMe", Flood(30), "warn", "too many requests", "wait"),
        ("getMe", Close, "fail", "cannot reach", "check the network"),
        ("getMe", Bytes(b"SSH-2.0\r\n".to_vec()), "fail", "cannot reach", "check the network"),
        (
            "getChat",
            Refuse(400, "Bad Request: chat not found"),
            "fail",
            "knows no chat -5",
            "TELEGRAM_CHAT_ID",
        ),
        (
            "getChat",
            Refuse(403, "Forbidden: bot was kicked from the supergroup chat"),
            "fail",
            "is not let into the chat -5",
            "add the bot to the group again",
        ),
        ("getChat", Migrated(-100_777), "warn", "became a supergroup, -100777", "(chat_id) to -100777"),
        ("getChat", Answer(200, group), "warn", "the chat has no topics", "TELEGRAM_THREAD_ID"),
        ("getChat", Close, "fail", "cannot reach", "check the network"),
    ] {
        telegram.behave();
        telegram.misbehave(Which::Method(method), 9, behaviour);
        let found = examine(&printer, "Clouds", &[]);
        assert_found(&found, level, what, remedy);
        let bot_is_well = found.iter().any(|(level, text, _)| level == "ok" && text.contains("@printer_bot"));
        assert_eq!(bot_is_well, method == "getChat", "{found:?}");
    }
}

#[test]
fn a_cloud_that_cannot_be_reached_or_trusted_says_why() {
    let refused = with_telegram("http://127.0.0.1:9", "");
    assert_found(
        &examine(&refused, "Clouds", &[]),
        "fail",
        "cannot reach http://127.0.0.1:9",
        "check the network",
    );
    let nobody = with_telegram("https://nobody.invalid", "");
    assert_found(
        &examine(&nobody, "Clouds", &[]),
        "fail",
        "no such host",
        "check the name and the network's DNS",
    );

    let names = &["127.0.0.1"];
    for (years, trusted, level, what, remedy) in [
        ((2025, 4096), true, "ok", "@printer_bot", ""),
        ((2025, 4096), false, "fail", "unknown issuer", "EXTRA_CA_FILE"),
        ((2025, 2026), true, "fail", "has expired", "check the printer's clock"),
        ((4000, 4096), true, "fail", "not valid yet", "check the clocks"),
    ] {
        let telegram = Telegram::certified(TOKEN, -5, names, years);
        let printer = with_telegram(&telegram.url(), "");
        let file = printer.dir.path().join("ca.pem");
        std::fs::write(&file, telegram.ca()).unwrap();
        let variable = ("EXTRA_CA_FILE", file.to_str().unwrap());
        let found = examine(&printer, "Clouds", if trusted { std::slice::from_ref(&variable) } else { &[] });
        assert_found(&found, level, what, remedy);
    }
}

#[test]
fn each_bridge_is_examined_by_its_own_settings_and_only_if_it_is_on() {
    let (one, two) = (Telegram::plain(TOKEN, -5), Telegram::plain("7:SECRETSECOND", 6));
    let more = format!(
        "[telegram off]\nchat_id: 5\n[telegram two]\nenabled: true\nchat_id: 6\napi_url: {}\n",
        two.url()
    );
    let printer = with_telegram(&one.url(), &more);
    // What the settings lack they tell; there is nothing to ask with.
    let found = examine(&printer, "Clouds", &[]);
    assert!(found.iter().all(|(_, text, _)| text.starts_with("telegram: ")), "{found:?}");
    let settings = examine(&printer, "Settings", &[]);
    assert_found(&settings, "fail", "telegram two: TELEGRAM_BOT_TOKEN", "secret set telegram_two_bot_token");

    printer.run(&["secret", "set", "telegram_two_bot_token"], "7:SECRETSECOND");
    assert_found(&examine(&printer, "Clouds", &[]), "ok", "telegram two: bot @printer_bot", "");
    two.misbehave(Which::Method("getMe"), 9, Behaviour::Refuse(401, "Unauthorized"));
    let found = examine(&printer, "Clouds", &[]);
    assert_found(&found, "fail", "telegram two: the token is refused", "secret set telegram_two_bot_token");
    assert_found(&found, "ok", "telegram: bot @printer_bot", "");
}

#[test]
fn a_chat_that_moved_is_asked_where_it_is_now() {
    let telegram = Telegram::plain(TOKEN, -100_777);
    let printer = with_telegram(&telegram.url(), "");
    let state = json!({"version": 1, "configured": "-5", "chat_id": -100_777});
    std::fs::write(printer.data().join("octoapp/telegram-chat.json"), state.to_string()).unwrap();
    let found = examine(&printer, "Clouds", &[]);
    assert_found(&found, "ok", "finds its chat \"Printers\" (-100777)", "");
    assert_found(&found, "warn", "the group -5 became a supergroup", "to -100777");
}

#[test]
fn each_trouble_with_the_camera_has_its_remedy() {
    let jpeg = picture(1280, 720, 100_000);
    let camera = Camera::start(SNAPSHOT, &[Answer::Whole(jpeg.clone())]);
    let listed = |enabled: bool| json!([{"name": "case", "enabled": enabled, "snapshot_url": camera.url()}]);
    for (answer, level, what, remedy) in [
        (Answer::Whole(jpeg.clone()), "ok", "kB, 1280x720", ""),
        (Answer::Status(502), "fail", "answered 502", "plug it in"),
        (Answer::Status(404), "fail", "answered 404", "correct the snapshot address"),
        (Answer::Status(401), "fail", "wants a login", "http://user:password@host/"),
        (Answer::Whole(b"<html>player</html>".to_vec()), "fail", "web page", "address of its snapshot"),
        (Answer::Whole(b"GIF89a".repeat(2000)), "fail", "only JPEG", "address of its snapshot"),
        (Answer::Half(jpeg.clone(), 5000), "fail", "cut off", "try again"),
        (Answer::Close, "fail", "cannot be reached", "check that the camera is on"),
    ] {
        let printer = Printer::new("");
        let _moonraker = IdleMoonraker::start(&printer.data(), &listed(true));
        camera.answer(&[answer]);
        let found = examine(&printer, "Camera", &[]);
        assert_found(&found, level, what, remedy);
        assert!(found.len() == 1 && found[0].1.contains("\"case\""), "{found:?}");
    }
    for (webcams, variables, level, what, remedy) in [
        (json!([]), &[][..], "warn", "lists no camera", "add one in the web interface"),
        (listed(false), &[], "warn", "is switched off", "switch one on"),
        (
            listed(true),
            &[("CAMERA", "nozzle")],
            "fail",
            "no camera \"nozzle\" (it lists \"case\")",
            "correct the name",
        ),
    ] {
        let printer = Printer::new("");
        let _moonraker = IdleMoonraker::start(&printer.data(), &webcams);
        assert_found(&examine(&printer, "Camera", variables), level, what, remedy);
    }
    let alone = Printer::new("");
    assert_found(
        &examine(&alone, "Printer", &[]),
        "fail",
        "cannot connect to Moonraker",
        "check that Moonraker runs",
    );
    assert_eq!(examine(&alone, "Camera", &[]), [], "what is wrong with the printer was told");
}

#[tokio::test]
async fn a_feed_is_examined_in_moonrakers_place() {
    let feed = Feed::plain().await;
    let address = feed.address();
    let ask = || {
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            let output = Printer::new("")
                .command(&["doctor", "--json"])
                .envs([("SOURCE", "feed"), ("WS_URL", &address), ("PRINTER_ID", "A1M-7")])
                .output();
            serde_json::from_slice::<Value>(&output.unwrap().stdout).unwrap()
        })
    };
    let well = ask();
    let mut connection = timeout(SOON, feed.accept()).await.unwrap();
    connection.status(&json!({"gcode_state": "IDLE"})).await;
    connection.picture(&picture(640, 480, 9000)).await;
    let all = well.await.unwrap();
    assert_found(&findings(&all, "Printer"), "ok", "tells of the printer", "");
    assert_found(&findings(&all, "Camera"), "ok", "10 kB, 640x480", "");

    let unknown = ask();
    timeout(SOON, feed.refuse("403 Forbidden")).await.unwrap();
    let all = unknown.await.unwrap();
    assert_found(&findings(&all, "Printer"), "fail", "does not know this printer", "check PRINTER_ID");
    assert_eq!(findings(&all, "Camera"), [], "what is wrong with the printer was told");
}

/// A running service, killed at the end.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // Both processes, since it leads a group of its own.
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

#[test]
fn the_rest_server_is_asked_or_its_port_is_tried() {
    use std::os::unix::process::CommandExt;
    let telegram = Telegram::plain(TOKEN, -5);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    let printer = with_telegram(&telegram.url(), "");
    let found = |variables: &[(&str, &str)]| examine(&printer, "REST server", variables);

    assert_found(&found(&[]), "ok", "PORT is 0", "");
    assert_found(&found(&[("PORT", &port)]), "fail", &format!("another program has {address}"), "PORT");
    let strange = found(&[("PORT", &port), ("BIND", "192.0.2.1")]);
    assert_found(&strange, "fail", "192.0.2.1 is no address of this machine", "BIND");
    let idle = examine(&Printer::new(""), "REST server", &[("PORT", &port)]);
    assert_found(&idle, "warn", "another program has", "PORT");

    std::thread::spawn(move || {
        for stream in taken.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        }
    });
    let free = free_port().to_string();
    assert_found(&found(&[("PORT", &free)]), "ok", "is free for it", "");
    std::fs::create_dir(printer.data().join("logs")).unwrap();
    let null = || std::process::Stdio::null();
    let run =
        printer.command(&["run"]).env("PORT", &free).stdout(null()).stderr(null()).process_group(0).spawn();
    let _service = Service(run.unwrap());
    until("the service", SOON, || (printer.run(&["status"], "").status.code() == Some(0)).then_some(()));
    assert_found(
        &found(&[("PORT", &free)]),
        "ok",
        &format!("it answers at http://127.0.0.1:{free}/api/"),
        "",
    );
    assert_found(
        &found(&[("PORT", &port)]),
        "fail",
        &format!("another program answers at {address}"),
        "PORT",
    );
    let nobody = free_port().to_string();
    assert_found(&found(&[("PORT", &nobody)]), "fail", "nothing answers at", "reload");
}

#[test]
fn lines_fit_80_columns_and_have_colour_only_where_it_is_seen() {
    let telegram = Telegram::plain(TOKEN, -5);
    telegram.misbehave(Which::Method("getMe"), 9, Behaviour::Refuse(401, "Unauthorized"));
    let camera = Camera::start(SNAPSHOT, &[Answer::Status(502)]);
    let printer = with_telegram(&telegram.url(), "");
    let _moonraker =
        IdleMoonraker::start(&printer.data(), &json!([{"name": "case", "snapshot_url": camera.url()}]));
    let output = printer.run(&["doctor"], "");
    let said = text(&output.stdout);
    for line in said.lines() {
        // What has no blank, as the path of a test's folder, cannot be broken.
        assert!(line.chars().count() <= 80 || line.trim().split(' ').any(|word| word.len() > 60), "{line}");
        assert!(!line.contains('\u{1b}') && line.trim_end() == line, "{line:?}");
    }
    let names: Vec<&str> = said.lines().filter(|line| line.starts_with(char::is_uppercase)).collect();
    let all = ["Settings", "Files", "Machine", "Service", "Printer", "Camera", "REST server", "Clouds"];
    assert_eq!(names, all, "{said}");
    assert!(said.contains("  fail  telegram: the token is refused"), "{said}");
    assert!(text(&output.stderr).is_empty(), "progress is for a person at a terminal");
}
