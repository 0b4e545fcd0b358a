//! SIGHUP, one setting after the other: what is exchanged is what the setting concerns, and nothing else.

use crate::cli::{Printer, text};
use crate::support::ending::end;
use crate::support::ports::free_port;
use crate::support::telegram::certificates;
use crate::support::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use octobridge::settings::ALL_KEYS;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// What is exchanged: the source, the bridges `octoapp`, `prusa_connect`, `telegram` and `telegram two`, the REST server.
type Counts = [usize; 6];

const NOTHING: Counts = [0, 0, 0, 0, 0, 0];
const SOURCE: Counts = [1, 0, 0, 0, 0, 0];
const OCTOAPP: Counts = [0, 1, 0, 0, 0, 0];
const CONNECT: Counts = [0, 0, 1, 0, 0, 0];
const TELEGRAM: Counts = [0, 0, 0, 1, 0, 0];
const BRIDGES: Counts = [0, 1, 1, 1, 1, 0];
const REST: Counts = [0, 0, 0, 0, 0, 1];

/// A setting, another good value, what is exchanged then, and a value that is wrong.
type Row = (&'static str, &'static str, Counts, Option<&'static str>);

/// With Moonraker as the source.
const AT_MOONRAKER: &[Row] = &[
    ("SOURCE", "feed", SOURCE, Some("nonsense")),
    ("MOONRAKER_URL", "ws://127.0.0.1:8/websocket", SOURCE, Some("nonsense")),
    ("MOONRAKER_API_KEY", "another", SOURCE, None),
    ("PRINTER_ID", "Other", [0, 1, 1, 1, 1, 1], Some(LONG)),
    // The feed's, which is not asked.
    ("WS_URL", "ws://127.0.0.1:8/x", NOTHING, None),
    ("RECONNECT_MIN_SECONDS", "2", NOTHING, Some("soon")),
    ("RECONNECT_MAX_SECONDS", "50", NOTHING, Some("late")),
    ("WATCHDOG_TICK_SECONDS", "7", NOTHING, Some("-1")),
    // It is also how old a picture may be for a bridge.
    ("IMAGE_TIMEOUT_SECONDS", "90", BRIDGES, Some("never")),
    ("CAMERA", "nozzle", NOTHING, None),
    ("BIND", "127.0.0.2", REST, Some("localhost")),
    ("PORT", "", REST, Some("99999")),
    ("PAGE", "nobody", NOTHING, Some("everybody")),
    ("PAGE_HOSTS", "printer.example.org", NOTHING, None),
    ("EXTRA_CA_FILE", "", BRIDGES, Some("/nonsense.pem")),
    ("OCTOBRIDGE_LOG", "warn", NOTHING, Some("loud")),
    ("OCTOAPP_API_URL", "http://127.0.0.1:8", OCTOAPP, Some("nonsense")),
    ("OCTOAPP_CONFIG_URL", "http://127.0.0.1:8", OCTOAPP, Some("nonsense")),
    ("PRUSA_CONNECT_TOKEN", "another", CONNECT, Some("no token")),
    ("PRUSA_CONNECT_URL", "http://127.0.0.1:8", CONNECT, Some("nonsense")),
    ("PRUSA_CONNECT_PRINTER_TYPE", "XL", CONNECT, Some("Ender")),
    ("PRUSA_CONNECT_FIRMWARE", "1.3.20", CONNECT, Some("\u{e9}")),
    ("PRUSA_CONNECT_SERIAL", "OB-ANOTHER1", CONNECT, Some("CZPX1234X004XC12345")),
    ("PRUSA_CONNECT_FINGERPRINT", "0123456789abcdef", CONNECT, Some("short")),
    ("PRUSA_CONNECT_USER_AGENT", "octobridge/1", CONNECT, Some("\u{e9}")),
    ("PRUSA_CONNECT_TREAT_IDLE_AS_READY", "on", CONNECT, Some("maybe")),
    ("PRUSA_CONNECT_ALLOW_PRINT", "on", CONNECT, Some("maybe")),
    ("PRUSA_CONNECT_ALLOW_GCODE", "on", CONNECT, Some("maybe")),
    ("PRUSA_CONNECT_ALLOW_DELETE", "on", CONNECT, Some("maybe")),
    ("PRUSA_CONNECT_ALLOW_URL_DOWNLOAD", "on", CONNECT, Some("maybe")),
    ("PRUSA_CONNECT_ALLOW_RESET", "on", CONNECT, Some("maybe")),
    ("PRUSA_CONNECT_MACROS", "load=AUTO_FEEDING", CONNECT, Some("load")),
    ("PRUSA_CONNECT_CAMERAS", "off", CONNECT, Some("maybe")),
    ("PRUSA_CONNECT_CAMERA_TRIGGER", "manual", CONNECT, Some("often")),
    ("PRUSA_CONNECT_CAMERA_TOKENS", "case=abc", CONNECT, Some("case=")),
    ("PRUSA_CONNECT_SLOTS", "on", CONNECT, Some("maybe")),
    ("TELEGRAM_BOT_TOKEN", "2:another", TELEGRAM, Some("no token")),
    ("TELEGRAM_CHAT_ID", "8", TELEGRAM, Some("eight")),
    ("TELEGRAM_THREAD_ID", "7", TELEGRAM, Some("seven")),
    ("TELEGRAM_API_URL", "http://127.0.0.1:8", TELEGRAM, Some("nonsense")),
    ("TELEGRAM_EVENTS", "start", TELEGRAM, Some("nonsense")),
    ("TELEGRAM_SILENT", "start", TELEGRAM, Some("nonsense")),
    ("PROGRESS_STEP", "50", TELEGRAM, Some("101")),
    ("PHOTO_INTERVAL_SECONDS", "60", TELEGRAM, Some("x")),
    ("TELEGRAM_SHORT_PAUSE_SECONDS", "9", TELEGRAM, Some("61")),
    ("TELEGRAM_FORMAT", "html", TELEGRAM, Some("pdf")),
    ("TELEGRAM_PRINTER_NAME", "left", TELEGRAM, None),
    ("TELEGRAM_MENTION", "@name", TELEGRAM, None),
    ("TELEGRAM_GREETING", "on", TELEGRAM, Some("maybe")),
    ("TELEGRAM_STATUS_MESSAGE", "edit", TELEGRAM, Some("maybe")),
    ("TELEGRAM_ALLOWED_CHATS", "5", TELEGRAM, Some("five")),
    ("TELEGRAM_ALLOWED_USERS", "5", TELEGRAM, Some("five")),
    ("TELEGRAM_MACROS", "all", TELEGRAM, None),
    ("TELEGRAM_GCODE", "on", TELEGRAM, Some("maybe")),
    ("OPENROUTER_API_KEY", "sk-another", TELEGRAM, Some("a b")),
    ("OPENROUTER_BASE_URL", "https://127.0.0.1:8/v1", TELEGRAM, Some("nonsense")),
    ("AI_MODEL", "some/model", TELEGRAM, None),
    ("AI_CHECK_INTERVAL_SECONDS", "60", TELEGRAM, Some("x")),
    ("AI_CONFIDENCE_THRESHOLD", "0.9", TELEGRAM, Some("2")),
    ("AI_TIMEOUT_SECONDS", "9", TELEGRAM, Some("0")),
    ("AI_MAX_TOKENS", "99", TELEGRAM, Some("0")),
    ("AI_STRUCTURED", "1", TELEGRAM, Some("maybe")),
    ("AI_FIRST_DELAY_SECONDS", "9", TELEGRAM, Some("-1")),
    ("AI_CHECKS_PER_DAY", "9", TELEGRAM, Some("-1")),
];

/// With the feed as the source, where it makes a difference.
const AT_THE_FEED: &[Row] = &[
    ("MOONRAKER_API_KEY", "another", NOTHING, None),
    ("PRINTER_ID", "Other", [1, 1, 1, 1, 1, 1], Some(LONG)),
    ("WS_URL", "ws://127.0.0.1:8/x", SOURCE, Some("nonsense")),
    ("RECONNECT_MIN_SECONDS", "2", SOURCE, Some("soon")),
    ("RECONNECT_MAX_SECONDS", "50", SOURCE, Some("late")),
    ("IMAGE_TIMEOUT_SECONDS", "90", [1, 1, 1, 1, 1, 0], Some("never")),
    ("WATCHDOG_TICK_SECONDS", "7", SOURCE, Some("-1")),
    ("EXTRA_CA_FILE", "", [1, 1, 1, 1, 1, 0], Some("/nonsense.pem")),
    ("CAMERA", "nozzle", NOTHING, None),
];

/// Too long for a name of a printer.
const LONG: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\
                    nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";

struct Service {
    printer: Printer,
    child: Child,
    source: &'static str,
    ports: [u16; 2],
    readings: usize,
}

impl Drop for Service {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Service {
    fn start(source: &'static str) -> Self {
        let ports = [(); 2].map(|()| free_port());
        let printer = Printer::new("");
        std::fs::create_dir_all(printer.data().join("logs")).unwrap();
        std::fs::create_dir_all(printer.data().join("octoapp")).unwrap();
        let child = printer.command(&["version"]).stdout(Stdio::null()).spawn().unwrap();
        let mut service = Self { printer, child, source, ports, readings: 0 };
        service.child.wait().unwrap();
        service.secret("telegram_two_bot_token", "3:nobody");
        let (authority, _) = certificates(&["localhost"], (2025, 4096));
        std::fs::write(service.printer.dir.path().join("ca.pem"), authority).unwrap();
        service.write(None);
        let mut command = service.printer.command(&["run"]);
        command.env_remove("PORT").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        service.child = command.spawn().unwrap();
        wait::until("the start", SOON, || (service.counts() == [0, 1, 1, 1, 1, 1]).then_some(()));
        service
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn secret(&self, name: &str, value: &str) {
        let file = self.printer.data().join("octoapp").join(name);
        std::fs::write(&file, value).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The usual settings, with one of another value.
    fn write(&self, other: Option<(&str, &str)>) {
        let port = self.ports[0].to_string();
        let usual = |name: &str| match name {
            "SOURCE" => Some(self.source),
            "MOONRAKER_URL" => Some("ws://127.0.0.1:9/websocket"),
            "MOONRAKER_API_KEY" => Some("usual"),
            "WS_URL" => Some("ws://127.0.0.1:9/{PRINTER_ID}"),
            "PRINTER_ID" => Some("Usual"),
            "BIND" => Some("127.0.0.1"),
            "PORT" => Some(port.as_str()),
            "OCTOAPP_API_URL" | "OCTOAPP_CONFIG_URL" => Some("http://127.0.0.1:9"),
            "PRUSA_CONNECT_TOKEN" => Some("nobody"),
            "PRUSA_CONNECT_URL" => Some("http://127.0.0.1:9"),
            "TELEGRAM_BOT_TOKEN" => Some("1:nobody"),
            "TELEGRAM_CHAT_ID" => Some("5"),
            "TELEGRAM_API_URL" => Some("http://127.0.0.1:9"),
            _ => None,
        };
        let on = "enabled: true\n";
        let sections = [("octobridge", ""), ("octoapp", on), ("prusa_connect", on), ("telegram", on)];
        let mut sections = sections.map(|(name, on)| (name, format!("[{name}]\n{on}")));
        for key in ALL_KEYS {
            let changed = other.filter(|(name, _)| *name == key.name).map(|(_, value)| value);
            let value = changed.or_else(|| usual(key.name));
            match (key.cfg, value) {
                (Some((section, name)), Some(value)) => {
                    let (_, lines) = sections.iter_mut().find(|(known, _)| *known == section).unwrap();
                    writeln!(lines, "{name}: {value}").unwrap();
                }
                (None, value) => self.secret(&key.name.to_lowercase(), value.unwrap_or_default()),
                (Some(_), None) => {}
            }
        }
        let sections = sections.map(|(_, lines)| lines).concat();
        let two = "[telegram two]\nenabled: true\nchat_id: 6\napi_url: http://127.0.0.1:9\n";
        let file = self.printer.data().join("config/extended/extended2.cfg");
        std::fs::write(file, format!("{sections}{two}")).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.printer.data().join("logs/octoapp.log")).unwrap_or_default()
    }

    fn report(&self) -> serde_json::Value {
        let output = self.printer.run(&["status", "--json"], "");
        serde_json::from_str(text(&output.stdout)).unwrap()
    }

    /// How often each was begun so far.
    fn counts(&self) -> Counts {
        let log = self.log();
        let count = |end: &str| log.lines().filter(|line| line.ends_with(end)).count();
        let rest = log.matches("REST server: http").count();
        [
            count("the printer is watched by new settings"),
            count(" octoapp: started"),
            count(" prusa_connect: started"),
            count(" telegram: started"),
            count("telegram two: started"),
            rest,
        ]
    }

    /// Has it read the settings, and returns what was exchanged. `expected` is waited for, and a moment for more.
    fn reload(&mut self, expected: Counts, what: &str) {
        let before = self.counts();
        self.readings += 1;
        kill(self.pid(), Signal::SIGHUP).unwrap();
        let changed = || {
            let now = self.counts();
            let mut changed = NOTHING;
            changed.iter_mut().zip(now.iter().zip(before)).for_each(|(c, (n, b))| *c = n - b);
            changed
        };
        wait::until(what, SOON, || {
            (self.log().matches("reads the settings again").count() == self.readings).then_some(())
        });
        let deadline = std::time::Instant::now() + SOON;
        while changed() != expected && std::time::Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        // It answers after it has worked the signal through.
        self.report();
        assert_eq!(
            changed(),
            expected,
            "{what}: source, octoapp, prusa_connect, telegram, telegram two, REST\n{}",
            self.log()
        );
    }
}

fn each(source: &'static str, rows: &[Row]) {
    let mut service = Service::start(source);
    let (ca, port) =
        (service.printer.dir.path().join("ca.pem").display().to_string(), service.ports[1].to_string());
    for (name, good, expected, bad) in rows {
        let good = match *name {
            "EXTRA_CA_FILE" => &ca,
            "PORT" => &port,
            _ => *good,
        };
        service.write(Some((name, good)));
        // Without its lines there is nothing to see.
        if *name != "OCTOBRIDGE_LOG" {
            service.reload(*expected, &format!("{name} is {good}"));
            assert_eq!(service.report()["problems"], serde_json::json!([]), "{name}");
            service.write(None);
            service.reload(*expected, &format!("{name} is as before"));
        }
        let Some(bad) = bad else { continue };
        service.write(Some((name, bad)));
        service.reload(NOTHING, &format!("{name} is {bad}"));
        let problems = service.report()["problems"].to_string();
        assert!(problems.contains(name) && problems.contains("before count"), "{name} is {bad}: {problems}");
        service.write(None);
        service.reload(NOTHING, &format!("{name} is mended"));
        assert_eq!(service.report()["problems"], serde_json::json!([]), "{name}");
    }
}

#[test]
fn every_setting_has_a_row() {
    for key in ALL_KEYS {
        assert!(AT_MOONRAKER.iter().any(|(name, ..)| *name == key.name), "{} has none", key.name);
    }
}

#[test]
fn at_moonraker_a_setting_exchanges_what_it_concerns() {
    each("moonraker", AT_MOONRAKER);
}

#[test]
fn at_the_feed_a_setting_exchanges_what_it_concerns() {
    each("feed", AT_THE_FEED);
}
