//! No secret is ever seen: every output of the real program, with servers on the other side that say back whatever
//! they are sent.

use crate::cli::{Printer, text};
use crate::support::ports::free_port;
use crate::support::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use octobridge::outbox::{Entry, Importance, Limits, Outbox};
use octobridge::settings::ALL_KEYS;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Every secret of these tests has this in it, so that it is found in any encoding that keeps letters.
const MARK: &str = "leakmark";
const SOON: Duration = Duration::from_secs(20);

/// A value for a secret that is right in form.
fn value_of(name: &str) -> String {
    match name {
        "TELEGRAM_BOT_TOKEN" => "110201543:AAHLeakMarkTelegram_xyz-0123456789".to_owned(),
        // What is encoded in an address, and what would end a header, a string or a pattern.
        name => format!("sk-or+/=%&\\\"{name}-LeakMark0123456789"),
    }
}

/// Listens for HTTP and refuses each request with all that it was sent, as it is and percent-encoded.
fn mirror(status: &'static str) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || reflect(stream.unwrap(), status));
        }
    });
    port
}

fn reflect(mut stream: TcpStream, status: &str) {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        heard.extend_from_slice(&piece[..count]);
        if heard.windows(4).any(|four| four == b"\r\n\r\n") && heard.len() < 4096 {
            break;
        }
    }
    let said = String::from_utf8_lossy(&heard).replace("\r\n", " ");
    // A description is cut off early: what is secret comes first.
    let first = said.split(' ').find(|word| word.to_lowercase().contains(MARK)).unwrap_or_default();
    let said = format!("{first} {} {said}", first.replace(':', "%3A").replace('+', "%2B"));
    let code: u16 = status.split(' ').next().unwrap().parse().unwrap();
    let error = serde_json::json!({"code": code, "message": said});
    let body = serde_json::json!({"ok": false, "error_code": code, "description": said, "error": error});
    let body = body.to_string();
    let head = format!("HTTP/1.1 {status}\r\nX-Said: {first}\r\nContent-Length: {}\r\n", body.len());
    let _ = write!(stream, "{head}Content-Type: application/json\r\nConnection: close\r\n\r\n{body}");
}

/// Where secrets were seen.
#[derive(Default)]
struct Leaks(Vec<String>);

impl Leaks {
    /// Notes whether `seen` has a secret in it.
    fn look(&mut self, place: &str, seen: &[u8]) {
        let low = String::from_utf8_lossy(seen).to_lowercase();
        if let Some(line) = low.lines().find(|line| line.contains(MARK)) {
            self.0.push(format!("{place} shows a secret: {line}"));
        }
    }
}

impl Drop for Leaks {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{}", self.0.join("\n"));
        }
    }
}

fn store(data: &Path, name: &str, value: &str) {
    let folder = data.join("octoapp");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, value).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Every command that needs no running service, and a few that look for one.
fn commands(printer: &Printer, place: &str, leaks: &mut Leaks) {
    let file = printer.dir.path().join("picture.jpg");
    let table: [&[&str]; 21] = [
        &["status"],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "check"],
        &["config", "check", "--json"],
        &["snapshot", file.to_str().unwrap()],
        &["test", "telegram"],
        &["test", "octoapp"],
        &["version"],
        &["--version"],
        &["--help"],
        &["run", "--help"],
        &["secret", "--help"],
        &["completions", "bash"],
        &["completions", "fish"],
        &["completions", "zsh"],
        &["nonsense"],
        &["secret", "set", "nonsense"],
    ];
    for args in table {
        let output = printer.run(args, "");
        leaks.look(&format!("{place}: {args:?}"), &[output.stdout, output.stderr].concat());
    }
}

/// All files below `folder` but those in which the secrets are kept.
fn files(folder: &Path, each: &mut impl FnMut(&Path, Vec<u8>)) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = path.file_name().unwrap().to_str().unwrap();
        if kind.is_dir() {
            files(&path, each);
        } else if kind.is_file() && !["_token", "_tokens", "_api_key"].iter().any(|end| name.ends_with(end)) {
            // One that is replaced just now is looked at under its own name.
            let Ok(bytes) = std::fs::read(&path) else { continue };
            each(&path, bytes);
        }
    }
}

fn get(port: u16, method: &str, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    (!answer.is_empty()).then_some(answer)
}

/// Leaves a message to be sent, so that the token goes out.
fn leave_message(data: &Path, id: &str) {
    let journal = data.join(format!("octoapp/outbox/{id}.journal"));
    let body = br#"{"text":"Completed: cube.gcode"}"#.to_vec();
    let (key, at) = ("1/finished".to_owned(), Duration::from_secs(9));
    let entry = Entry { key, importance: Importance::Terminal, at, slot: None, body };
    Outbox::open(&journal, Limits::default()).0.push(entry);
}

/// Runs the service with these settings at the most talkative level, and looks at all that it shows.
fn service(printer: &Printer, place: &str, variables: &[(&str, String)], leaks: &mut Leaks) {
    let port = free_port();
    let data = printer.data();
    std::fs::create_dir_all(data.join("logs")).unwrap();
    let said = std::fs::File::create(printer.dir.path().join("said")).unwrap();
    let mut command = printer.command(&["run"]);
    command.env("PORT", port.to_string()).env("BIND", "127.0.0.1").env("OCTOBRIDGE_LOG", "trace");
    command.envs(variables.iter().map(|(name, value)| (*name, value)));
    command.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
    let mut child = command.spawn().unwrap();
    let report = || -> Option<serde_json::Value> {
        let output = printer.run(&["status", "--json"], "");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        (report["state"] == "running").then_some(report)
    };
    let log = || std::fs::read_to_string(data.join("logs/octoapp.log")).unwrap_or_default();
    let report = wait::until("a report", SOON, report);
    // Each end had its chance to fail, and the settings are read again.
    wait::until("failures", SOON, || {
        let shown = text(&printer.run(&["status"], "").stdout).to_owned();
        (shown.contains("no connection") && !shown.contains("starting - no")).then_some(shown)
    });
    let id = i32::try_from(child.id()).unwrap();
    kill(Pid::from_raw(id), Signal::SIGHUP).unwrap();
    wait::until("another reading", SOON, || log().contains("reads the settings again").then_some(()));
    commands(printer, place, leaks);
    let named = report["printer"].as_str().unwrap_or("A1M-1").to_owned();
    for path in [
        "/api/",
        "/api/printer/A1M-1",
        &format!("/api/printer/{named}"),
        "/api/printer/A1M-1/image",
        "/api/bridges",
        "/api/health/live",
        "/api/health/ready",
        "/metrics",
        "/api/openapi.json",
        "/nonsense",
    ] {
        for method in ["GET", "HEAD", "POST"] {
            let answer = wait::until("an answer", SOON, || get(port, method, path));
            leaks.look(&format!("{place}: {method} {path}"), &answer);
        }
    }
    let worker = report["worker_pid"].as_i64().unwrap();
    for pid in [i64::from(id), worker] {
        for file in ["cmdline", "environ", "comm"] {
            // Who sets a secret by a variable has it there.
            if file != "environ" || variables.is_empty() {
                let seen = std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
                assert!(!seen.is_empty());
                leaks.look(&format!("{place}: {file}"), &seen);
            }
        }
    }
    kill(Pid::from_raw(id), Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    let mut looked_at = 0;
    files(printer.dir.path(), &mut |path, bytes| {
        looked_at += 1;
        if !path.ends_with("extended2.cfg") {
            leaks.look(&format!("{place}: {}", path.display()), &bytes);
        }
    });
    assert!(looked_at > 3 && log().contains("[DEBUG]"), "{}", log());
}

#[test]
fn no_output_shows_a_secret() {
    let mut leaks = Leaks::default();
    let (moonraker, feed) = (mirror("401 Unauthorized"), mirror("403 Forbidden"));
    let api = mirror("400 Bad Request");
    let secrets: Vec<&str> = ALL_KEYS.iter().filter(|key| key.secret).map(|key| key.name).collect();
    assert_eq!(secrets.len(), 5, "{secrets:?}");
    let bridges = format!(
        "[telegram]\nenabled: true\nchat_id: 5\napi_url: http://127.0.0.1:{api}\nopenrouter_base_url: \
         http://127.0.0.1:{api}/v1\n[telegram two]\nenabled: true\nchat_id: 6\napi_url: http://127.0.0.1:{api}\n\
         [prusa_connect]\nenabled: true\nurl: http://127.0.0.1:{api}\n"
    );
    let sources = [
        ("moonraker", format!("source: moonraker\nmoonraker_url: http://127.0.0.1:{moonraker}\n")),
        ("the feed", format!("source: feed\nws_url: ws://u:LeakMark1@127.0.0.1:{feed}/ws?token=LeakMark2\n")),
    ];
    for (place, source) in sources {
        for by_variable in [false, true] {
            let printer = Printer::new(&format!("[octobridge]\n{source}{bridges}"));
            leave_message(&printer.data(), "telegram");
            leave_message(&printer.data(), "telegram_two");
            let variables: Vec<(&str, String)> = secrets.iter().map(|name| (*name, value_of(name))).collect();
            for name in ["telegram_bot_token", "openrouter_api_key"] {
                let further = name.strip_prefix("telegram_").unwrap_or(name);
                store(&printer.data(), &format!("telegram_two_{further}"), &value_of(&name.to_uppercase()));
            }
            if by_variable {
                service(&printer, &format!("{place}, by variables"), &variables, &mut leaks);
            } else {
                for (name, value) in &variables {
                    store(&printer.data(), &name.to_lowercase(), value);
                }
                service(&printer, place, &[], &mut leaks);
            }
        }
    }
}

#[test]
fn no_complaint_about_a_wrong_setting_shows_a_secret() {
    let mut leaks = Leaks::default();
    let token = value_of("TELEGRAM_BOT_TOKEN");
    let on = "[telegram]\nenabled: true\nchat_id: 5\napi_url: http://127.0.0.1:9\n";
    // What is wrong in extended2.cfg, and in the environment.
    type Row = (&'static str, String, &'static [(&'static str, &'static str)]);
    let table: &[Row] = &[
        ("a token with a blank", on.to_owned(), &[("TELEGRAM_BOT_TOKEN", "1:Leak LeakMark")]),
        ("a token without a colon", on.to_owned(), &[("TELEGRAM_BOT_TOKEN", "LeakMark")]),
        ("a key of two lines", on.to_owned(), &[("OPENROUTER_API_KEY", "LeakMark\nLeakMark")]),
        ("a Moonraker key of two lines", on.to_owned(), &[("MOONRAKER_API_KEY", "LeakMark\nLeakMark")]),
        ("a token in the open", format!("{on}bot_token: {token}\ntoken: {token}\n"), &[]),
        (
            "a token of Prusa Connect in the open",
            format!("{on}[prusa_connect]\ntoken: LeakMark\ncamera_tokens: a=LeakMark\n"),
            &[],
        ),
        (
            "a login at Prusa Connect",
            format!("{on}[prusa_connect]\nenabled: true\nurl: https://u:LeakMark@h\n"),
            &[("PRUSA_CONNECT_TOKEN", "Leak LeakMark"), ("PRUSA_CONNECT_CAMERA_TOKENS", "a=LeakMark x")],
        ),
        ("a mistyped name", format!("{on}bot_tokn: {token}\n"), &[]),
        ("a line that is none", format!("{on}{}\n", token.replace(':', " ")), &[]),
        ("a token as a section", format!("{on}[telegram {token}]\nenabled: true\n"), &[]),
        ("a token as a name", format!("{on}{token}\n"), &[]),
        ("a percent sign", format!("{on}thread_id: %LeakMark\n"), &[]),
        ("a token as the chat", on.replace("5\n", &format!("{token}\n")), &[]),
        ("a token as the topic", format!("{on}thread_id: {token}\n"), &[]),
        ("a token in the API's address", on.replace(":9\n", &format!(":9/bot{token}\n")), &[]),
        ("a login in the API's address", on.replace("127.0", "u:LeakMark@127.0"), &[]),
        ("a query in the API's address", on.replace(":9\n", ":9/?key=LeakMark\n"), &[]),
        (
            "a login at Moonraker",
            on.to_owned(),
            &[("MOONRAKER_URL", "ws://u:LeakMark@127.0.0.1:9/websocket")],
        ),
        ("a login without a scheme", on.to_owned(), &[("MOONRAKER_URL", "u:LeakMark@127.0.0.1:9")]),
        ("a password with a slash", on.to_owned(), &[("MOONRAKER_URL", "ws://u:Leak/LeakMark@127.0.0.1:9")]),
        ("a query at Moonraker", on.to_owned(), &[("MOONRAKER_URL", "http://127.0.0.1:9/?token=LeakMark")]),
        (
            "a query at the feed",
            on.to_owned(),
            &[("SOURCE", "feed"), ("WS_URL", "http://127.0.0.1:9/?t=LeakMark")],
        ),
        ("a login at the feed", on.to_owned(), &[("SOURCE", "feed"), ("WS_URL", "ws://u:LeakMark@h:x/")]),
        (
            "a login at the AI",
            on.to_owned(),
            &[
                ("OPENROUTER_API_KEY", "LeakMark"),
                ("OPENROUTER_BASE_URL", "https://u:LeakMark@127.0.0.1:9/v1"),
            ],
        ),
        (
            "a query at the AI",
            on.to_owned(),
            &[
                ("OPENROUTER_API_KEY", "LeakMark"),
                ("OPENROUTER_BASE_URL", "https://127.0.0.1:9/v1?key=LeakMark"),
            ],
        ),
    ];
    for (place, settings, variables) in table {
        let printer = Printer::new(settings);
        if !variables.iter().any(|(name, _)| *name == "TELEGRAM_BOT_TOKEN") {
            store(&printer.data(), "telegram_bot_token", &token);
        }
        for args in
            [&["config", "show"][..], &["config", "check"], &["config", "check", "--json"], &["doctor"]]
        {
            let mut command = printer.command(args);
            command.envs(variables.iter().copied()).env("OCTOBRIDGE_LOG", "trace");
            let output = command.stdin(Stdio::null()).output().unwrap();
            leaks.look(&format!("{place}: {args:?}"), &[output.stdout, output.stderr].concat());
        }
    }
    let printer = Printer::new(on);
    for input in ["LeakMark", "1:Leak Mark LeakMark", ""] {
        let output = printer.run(&["secret", "set", "telegram_bot_token"], input);
        leaks.look("secret set", &[output.stdout, output.stderr].concat());
    }
    let output = printer.run(&["secret", "set", "telegram_bot_token", &token], "");
    assert_eq!(output.status.code(), Some(2));
    leaks.look("a secret as an argument", &[output.stdout, output.stderr].concat());
}
