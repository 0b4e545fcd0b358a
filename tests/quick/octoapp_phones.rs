//! `octobridge pair octoapp` and `octobridge test octoapp` as a user goes through them: the real program, a stand-in for
//! Moonraker with its database, into which the test writes as the app does, and a strict one for the push service.

use crate::cli::{Printer, text};
use crate::idle_moonraker::{Further, IdleMoonraker};
use crate::support::ports::free_port;
use crate::support::push_service::{PushService, assert_encrypted};
use crate::support::visitor::Visitor;
use crate::support::wait;
use crate::walk::{Service, Walk, follow};
use nix::pty::openpty;
use serde_json::{Value, json};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &str = "5f0c1f3e-0000-4000-8000-secretkey000";
const ANDROID: &str = "dXnV:APA91-SECRET-android";
const PHONE: &str = "ios:SECRET-phone";
const SOON: Duration = Duration::from_secs(30);
const TEST: &str =
    "This is a test of Octobridge. If you can read it, messages about prints will arrive here.";
const HELLO: &str = "This printer is paired with this phone: messages about its prints arrive here.";
/// An address to which no connection is ever made, and at once none.
const NOWHERE: &str = "255.255.255.255";

/// What Moonraker knows besides the printer.
#[derive(Default)]
struct Side {
    /// By namespace.
    database: Value,
    plugin: bool,
    /// Reading fails.
    away: bool,
    /// It wants a key.
    locked: bool,
    /// Nothing is deleted.
    firm: bool,
    /// A phone registers by itself, right before it is read who did, as soon as this holds.
    invited: Option<Box<dyn Fn() -> bool + Send>>,
}

#[derive(Clone)]
struct Moonraker(Arc<Mutex<Side>>);

fn levels(key: &Value) -> Vec<String> {
    match key {
        Value::String(key) => key.split('.').map(str::to_owned).collect(),
        Value::Array(levels) => levels.iter().map(|level| level.as_str().unwrap().to_owned()).collect(),
        key => panic!("{key}"),
    }
}

impl Moonraker {
    fn new() -> Self {
        let public = json!({"pluginVersion": "3.1.0", "lastSeen": 5.0, "encryptionKey": KEY, "more": "kept"});
        let database = json!({"octoapp": {"public": public}});
        Self(Arc::new(Mutex::new(Side { database, ..Side::default() })))
    }

    fn serve(&self, printer: &Printer) -> IdleMoonraker {
        let side = Arc::clone(&self.0);
        let further: Further = Arc::new(move |method, params| side.lock().unwrap().answer(method, params));
        IdleMoonraker::with(&printer.data(), &json!([]), further)
    }

    fn side(&self) -> std::sync::MutexGuard<'_, Side> {
        self.0.lock().unwrap()
    }

    /// Writes a record as the app does.
    fn register(&self, token: &str, further: Value) {
        let mut record = json!({"fcmToken": token, "instanceId": token, "expireAt": null, "lastSeenAt": 1.5});
        record.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        self.side().database["octoapp"]["apps"][token] = record;
    }

    fn apps(&self) -> Vec<String> {
        let side = self.side();
        let apps = side.database["octoapp"]["apps"].as_object();
        apps.map(|apps| apps.keys().cloned().collect()).unwrap_or_default()
    }

    fn public(&self) -> Value {
        self.side().database["octoapp"]["public"].clone()
    }
}

impl Side {
    fn answer(&mut self, method: &str, params: &Value) -> Option<Result<Value, (i64, String)>> {
        Some(match method {
            _ if self.locked => Err((-32602, "Unauthorized".to_owned())),
            "server.database.get_item" | "server.database.delete_item" | "server.database.post_item" => {
                let (namespace, key) = (params["namespace"].as_str().unwrap(), levels(&params["key"]));
                let missing = Err((-32601, format!("Key '{key:?}' in namespace '{namespace}' not found")));
                if method.ends_with("get_item") && self.away {
                    return Some(Err((500, "database is locked".to_owned())));
                }
                if key == ["apps"] && self.invited.as_ref().is_some_and(|invited| invited()) {
                    let record =
                        json!({"fcmToken": ANDROID, "instanceId": "i", "lastSeenAt": 1.5, "expireAt": null});
                    self.database["octoapp"]["apps"][ANDROID] = record;
                }
                let (last, path) = key.split_last().unwrap();
                let space = &mut self.database[namespace];
                if method.ends_with("post_item") {
                    assert_ne!(key, ["apps"], "nobody but the apps writes there");
                    let place = path.iter().fold(space, |at, level| &mut at[level]);
                    match (place[last].as_object_mut(), params["value"].as_object()) {
                        (Some(there), Some(value)) => there.extend(value.clone()),
                        _ => place[last] = params["value"].clone(),
                    }
                    return Some(Ok(json!({})));
                }
                let mut place = space;
                for level in path {
                    match place.get_mut(level) {
                        Some(next) => place = next,
                        None => return Some(missing),
                    }
                }
                let found = match place.as_object_mut() {
                    Some(place) if method.ends_with("delete_item") && !self.firm => place.remove(last),
                    Some(place) => place.get(last).cloned(),
                    None => None,
                };
                match found {
                    Some(value) => Ok(json!({ "namespace": namespace, "value": value })),
                    None => missing,
                }
            }
            "server.extensions.list" => {
                let agents =
                    if self.plugin { json!([{"name": "OctoApp", "version": "3.1.0"}]) } else { json!([]) };
                Ok(json!({ "agents": agents }))
            }
            "server.config" => Ok(json!({"config": {"server": {"host": "0.0.0.0", "port": 7125}}})),
            "machine.system_info" => {
                let addresses = json!([{"family": "ipv4", "address": NOWHERE, "is_link_local": false}]);
                Ok(json!({"system_info": {"network": {
                    "lo": {"ip_addresses": [{"family": "ipv4", "address": "127.0.0.1"}]},
                    "wlan0": {"mac_address": "00:00:5e:00:53:01", "ip_addresses": addresses},
                }}}))
            }
            _ => return None,
        })
    }
}

fn printer(service: &PushService, more: &str) -> Printer {
    Printer::new(&format!("[octoapp]\n# mine\n{more}{}", service.settings()))
}

fn cfg(printer: &Printer) -> String {
    std::fs::read_to_string(printer.data().join("config/extended/extended2.cfg")).unwrap()
}

fn walk(printer: &Printer, args: &[&str], input: &str) -> Walk {
    Walk::with(printer.command(&[&["pair", "octoapp"], args].concat()), input)
}

fn run_test(printer: &Printer) -> (Option<i32>, String) {
    let output = printer.run(&["test", "octoapp"], "");
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(!said.contains("SECRET") && !said.contains(KEY), "{said}");
    (output.status.code(), said)
}

/// What an Android phone gets.
fn custom(detail: &str) -> String {
    format!(r#"{{"type": "custom", "message": "Octobridge", "detail": "{detail}"}}"#)
}

#[test]
fn from_the_address_to_the_first_push() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "");
    let _socket = moonraker.serve(&printer);
    let walk = walk(&printer, &[], "");
    walk.wait_for("Waiting up to 300 s for a phone.");
    wait::until("the announcement", SOON, || moonraker.public()["printerId"].is_string().then_some(()));
    let public = moonraker.public();
    assert_eq!((&public["encryptionKey"], &public["more"]), (&json!(KEY), &json!("kept")));
    assert!(public["lastSeen"].as_f64().unwrap() > 1.7e9, "apps see that somebody is here: {public}");
    moonraker.register(
        ANDROID,
        json!({"displayName": "Ada's phone", "model": "Pixel 7", "fcmTokenFallback": "SECRETfallback"}),
    );
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    for part in [
        &format!("  http://{NOWHERE}\n"),
        "Moonraker does not answer there",
        "Add a printer there, by this address",
        "Ada's phone (Pixel 7) has registered.",
        "taken the first push",
        "[octoapp]\n  enabled: true",
        "start it with `/etc/init.d/S66octoapp start`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains('\u{1b}') && !said.contains(KEY), "{said}");
    assert_eq!(cfg(&printer), format!("[octoapp]\n# mine\n{}enabled: true\n", service.settings()));
    let pushes = service.pushes();
    assert_eq!(pushes.len(), 1);
    let target = json!([{"fcmToken": ANDROID, "fcmTokenFallback": "SECRETfallback", "instanceId": ANDROID}]);
    assert_eq!((&pushes[0]["targets"], &pushes[0]["highPriority"]), (&target, &json!(true)));
    assert_encrypted(&pushes[0], &custom(HELLO), KEY);
    // The identity is kept where the service finds it.
    let kept = std::fs::read_to_string(printer.data().join("octoapp/octoapp.secrets")).unwrap();
    assert!(kept.contains(public["printerId"].as_str().unwrap()), "{kept}");
}

#[test]
fn another_phone_is_told_from_those_that_were_there() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "enabled: true\n");
    let _socket = moonraker.serve(&printer);
    let (ada, tablet) = (json!({"displayName": "Ada's phone"}), json!({"displayName": "Tablet"}));
    moonraker.register(ANDROID, ada);
    moonraker.register("activity:SECRET-old", json!({}));
    let begun = walk(&printer, &[], "");
    begun.wait_for("Waiting up to");
    moonraker.side().away = true;
    begun.wait_for("database is locked; trying again");
    moonraker.side().away = false;
    begun.wait_for("it goes on");
    moonraker.register("SECRET-over", json!({"displayName": "Attic", "expireAt": 5.0}));
    begun.wait_for("Attic registered for a time that is over already");
    moonraker.register(PHONE, tablet);
    let (exit, said) = begun.end();
    assert!(exit == Some(0) && said.contains("Tablet has registered."), "{said}");
    assert!(said.contains("already:\n  Ada's phone\n") || said.contains("\n  Ada's phone\n"), "{said}");
    assert!(said.contains("a Live Activity of an iPhone"), "{said}");
    let apple = &service.pushes()[0]["apnsData"];
    assert_eq!((&apple["alert"]["title"], &apple["alert"]["body"]), (&json!("Octobridge"), &json!(HELLO)));
    assert_eq!(service.pushes()[0]["targets"].as_array().unwrap().len(), 1, "not to Ada");
    assert_eq!(service.pushes()[0]["androidData"], "none");

    // One that was there already counts when its app writes anew.
    let again = walk(&printer, &[], "");
    again.wait_for("Waiting up to");
    moonraker.register(ANDROID, json!({"displayName": "Ada's phone", "lastSeenAt": 99.0}));
    let (exit, said) = again.end();
    assert!(exit == Some(0) && said.contains("Ada's phone has registered."), "{said}");
}

#[test]
fn a_service_that_runs_takes_it_up_and_lets_it_go() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    // The other bridge keeps it running.
    let printer = Printer::new(&format!("[telegram]\nenabled: true\n[octoapp]\n{}", service.settings()));
    let _socket = moonraker.serve(&printer);
    let _service = Service::start(&printer);
    let state = |expected: &str| {
        let report: Value = serde_json::from_slice(&printer.run(&["status", "--json"], "").stdout).ok()?;
        let bridge = report["bridges"].as_array()?.iter().find(|bridge| bridge["name"] == "octoapp")?.clone();
        (bridge["state"] == expected).then_some(())
    };
    wait::until("the service", SOON, || state("off"));
    let begun = walk(&printer, &[], "");
    begun.wait_for("Waiting up to");
    moonraker.register(ANDROID, json!({}));
    let (exit, said) = begun.end();
    assert!(exit == Some(0) && said.contains("reads its settings again"), "{said}");
    assert!(said.contains("an Android device has registered"), "{said}");
    // It is connected when the printer is seen next, which does nothing.
    wait::until("the bridge", SOON, || state("starting").or_else(|| state("connected")));
    let public = moonraker.public();
    let (exit, said) = walk(&printer, &["--forget"], "y").end();
    assert!(exit == Some(0) && said.contains("Their registrations are deleted"), "{said}");
    assert!(cfg(&printer).contains("enabled: false"), "{}", cfg(&printer));
    wait::until("its end", SOON, || state("off"));
    for same in ["printerId", "encryptionKey"] {
        assert_eq!(moonraker.public()[same], public[same], "both have one {same}");
    }
}

#[test]
fn a_phone_that_registers_as_soon_as_the_page_invites_it_is_paired() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    // The other bridge keeps it running.
    let printer = Printer::new(&format!("[telegram]\nenabled: true\n[octoapp]\n{}", service.settings()));
    let _socket = moonraker.serve(&printer);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let _service = Service::start_at(&printer, address.port());
    let visitor = Visitor::of(address);
    visitor.wait_for("No phone");
    let guest = Visitor::of(address);
    moonraker.side().invited = Some(Box::new(move || guest.page().contains("Time left:")));
    visitor.send("bridge=octoapp&do=pair");
    visitor.wait_for("registered, and was sent a first message");
    assert_encrypted(&service.pushes()[0], &custom(HELLO), KEY);
}

/// The service may be slow to take the first push.
#[test]
fn a_phone_that_registered_switches_nothing_on_once_its_pairing_is_cancelled() {
    let moonraker = Moonraker::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("api_url: http://{}\n", silent.local_addr().unwrap());
    let printer = Printer::new(&format!("[telegram]\nenabled: true\n[octoapp]\n{api}"));
    let logs = printer.data().join("logs");
    std::fs::create_dir_all(&logs).unwrap();
    let _socket = moonraker.serve(&printer);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let _service = Service::start_at(&printer, address.port());
    let visitor = Visitor::of(address);
    let before = cfg(&printer);
    visitor.send("bridge=octoapp&do=pair");
    visitor.wait_for("Time left:");
    moonraker.register(PHONE, json!({}));
    let (push, _) = silent.accept().unwrap();
    visitor.send("bridge=octoapp&do=cancel");
    drop((push, silent));
    let log = || std::fs::read_to_string(logs.join("octoapp.log")).unwrap_or_default();
    wait::until("its end", SOON, || log().contains("reads the settings again").then_some(()));
    assert_eq!(cfg(&printer), before);
}

#[test]
fn alone_it_is_paired_on_the_page_and_stays_on_when_its_phones_are_forgotten() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "enabled: true\n");
    let _socket = moonraker.serve(&printer);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let _service = Service::start_at(&printer, address.port());
    let visitor = Visitor::of(address);
    visitor.wait_for("No phone");
    visitor.send("bridge=octoapp&do=pair");
    // What a phone may stumble over is said on the page as in a terminal.
    visitor
        .wait_for("Moonraker does not answer there, at least not to this machine; if the app does not find");
    moonraker.register(ANDROID, json!({}));
    visitor.wait_for("registered, and was sent a first message");
    visitor.send("bridge=octoapp&do=forget");
    visitor.wait_for("All phones are forgotten. Note: it stays switched on, since no other bridge is");
    assert!(moonraker.apps().is_empty() && cfg(&printer).contains("enabled: true"), "{}", cfg(&printer));
}

#[test]
fn what_keeps_it_from_pairing_is_said_with_its_remedy() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let sound = printer(&service, "");
    let _socket = moonraker.serve(&sound);
    let alone = printer(&service, "");
    let wrong = Printer::new("[octoapp]\napi_url: ftp://x\n");
    let _other = moonraker.serve(&wrong);
    let bare = printer(&service, "");
    std::fs::remove_file(bare.data().join("config/extended/extended2.cfg")).unwrap();
    type Case<'a> = (&'a Printer, &'a [&'a str], i32, &'a [&'a str]);
    let table: [Case<'_>; 6] = [
        (&alone, &[], 1, &["cannot connect to Moonraker", "check that Moonraker runs"]),
        (&alone, &["--forget"], 1, &["cannot connect to Moonraker"]),
        (&sound, &["--wait", "0"], 2, &["1 to 3600"]),
        (&sound, &["--wait", "1"], 1, &["no phone registered within 1 s", "start again"]),
        (&wrong, &[], 2, &["OCTOAPP_API_URL"]),
        (&bare, &[], 1, &["restart the printer"]),
    ];
    for (printer, args, expected, parts) in table {
        let (exit, said) = walk(printer, args, "").end();
        assert_eq!(exit, Some(expected), "{args:?}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
    }
    let feed = Walk::with(
        {
            let mut command = sound.command(&["pair", "octoapp"]);
            command.env("SOURCE", "feed");
            command
        },
        "",
    );
    let (exit, said) = feed.end();
    assert!(exit == Some(2) && said.contains("set MOONRAKER_URL"), "{said}");

    moonraker.side().plugin = true;
    let public = moonraker.public();
    let (exit, said) = walk(&sound, &[], "").end();
    assert!(
        exit == Some(1) && said.contains("own plugin runs") && said.contains("remove the plugin"),
        "{said}"
    );
    assert_eq!(moonraker.public(), public, "beside the plugin nothing is written");
    assert_eq!(run_test(&sound).0, Some(1));
    moonraker.side().plugin = false;
    moonraker.side().locked = true;
    for (exit, said) in [walk(&sound, &[], "").end(), walk(&sound, &["--forget"], "").end(), run_test(&sound)]
    {
        assert!(exit == Some(1) && said.contains("MOONRAKER_API_KEY"), "{said}");
    }
    moonraker.side().locked = false;
    moonraker.side().away = true;
    let (exit, said) = walk(&sound, &[], "").end();
    assert!(exit == Some(1) && said.contains("database is locked"), "{said}");
    assert!(!cfg(&sound).contains("enabled"));
    assert_eq!(service.pushes().len(), 0);
}

#[test]
fn a_phone_that_gets_no_push_stays_registered() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "");
    let _socket = moonraker.serve(&printer);
    service.refuse(503);
    let walk = walk(&printer, &[], "");
    walk.wait_for("This printer is at");
    moonraker.register(PHONE, json!({"displayName": "Tablet"}));
    let (exit, said) = walk.end();
    assert!(exit == Some(1) && said.contains("answers 503") && said.contains("test octoapp"), "{said}");
    assert_eq!((moonraker.apps(), cfg(&printer).contains("enabled")), (vec![PHONE.to_owned()], false));
}

#[test]
fn phones_are_forgotten_after_a_question_and_the_key_is_kept() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "enabled: true\n");
    let _socket = moonraker.serve(&printer);
    let register = || {
        moonraker.register(ANDROID, json!({"displayName": "Ada's phone", "lastSeenAt": 1_795_227_600}));
        moonraker.register("with.dots:SECRET", json!({"displayName": "Odd", "expireAt": 9}));
    };
    register();
    for (args, input, exit, parts) in [
        (&["--forget"][..], "n", 1, &["not confirmed", "nothing was changed"][..]),
        (&["--forget"], "", 1, &["not confirmed"]),
        (&["--forget"], "y", 0, &["Ada's phone, last seen 2026-11-21", "Odd, its registration is over"]),
        (&["--forget"], "", 0, &["No phone is registered"]),
    ] {
        let before = moonraker.apps().len();
        let (code, said) = walk(&printer, args, input).end();
        assert_eq!(code, Some(exit), "{said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
        assert_eq!(moonraker.apps().len(), if exit == 1 { before } else { 0 });
        assert_eq!(cfg(&printer).contains("enabled: true"), exit == 1, "{said}");
    }
    register();
    moonraker.side().plugin = true;
    let (exit, said) = walk(&printer, &["--forget", "--yes"], "").end();
    assert!(exit == Some(0) && said.contains("plugin") && moonraker.apps().is_empty(), "{said}");
    moonraker.side().firm = true;
    register();
    let (exit, said) = walk(&printer, &["--forget", "--yes"], "").end();
    assert!(exit == Some(1) && said.contains("2 registrations are still there"), "{said}");
    assert_eq!(moonraker.public()["encryptionKey"], KEY);
    assert_eq!(service.pushes().len(), 0);
}

#[test]
fn a_test_goes_to_every_phone_that_is_registered() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "");
    let _socket = moonraker.serve(&printer);
    let (exit, said) = run_test(&printer);
    assert!(
        exit == Some(1) && said.contains("no phone is registered; run `octobridge pair octoapp`"),
        "{said}"
    );
    moonraker.register("SECRET-over", json!({"displayName": "Attic", "expireAt": 5.0}));
    moonraker.register("activity:SECRET", json!({}));
    let (exit, said) = run_test(&printer);
    assert!(exit == Some(1) && said.contains("registrations of phones are over"), "{said}");
    assert_eq!(service.pushes().len(), 0, "nothing goes to whom the time is over");

    moonraker.register(ANDROID, json!({"displayName": "Ada's phone"}));
    moonraker.register(PHONE, json!({"displayName": "Tablet"}));
    let (exit, said) = run_test(&printer);
    assert!(
        exit == Some(0) && said.contains("octoapp has taken a test message for Ada's phone, Tablet."),
        "{said}"
    );
    let push = &service.pushes()[0];
    let mut tokens: Vec<&str> = push["targets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|target| target["fcmToken"].as_str().unwrap())
        .collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [ANDROID, PHONE]);
    assert_encrypted(push, &custom(TEST), KEY);
    assert_eq!(push["apnsData"]["alert"]["body"], TEST);

    service.bury(&[PHONE]);
    let (exit, said) = run_test(&printer);
    assert!(exit == Some(0) && said.contains("for Ada's phone; dead, and deleted: Tablet."), "{said}");
    assert!(!moonraker.apps().contains(&PHONE.to_owned()));
    service.bury(&[ANDROID]);
    let (exit, said) = run_test(&printer);
    assert!(exit == Some(1) && said.contains("knows no such phone any more: Ada's phone"), "{said}");

    moonraker.register(ANDROID, json!({"displayName": "Ada's phone"}));
    moonraker.side().database["octoapp"]["public"]["encryptionKey"] = json!(7);
    let (exit, said) = run_test(&printer);
    assert!(exit == Some(1) && said.contains("delete public.encryptionKey"), "{said}");
    moonraker.side().database["octoapp"]["public"]["encryptionKey"] = json!(KEY);
    for (status, part) in [(500, "try again in some minutes"), (403, "refuses pushes with 403")] {
        service.refuse(status);
        let (exit, said) = run_test(&printer);
        assert!(exit == Some(1) && said.contains(part), "{said}");
    }
    assert_eq!(moonraker.public(), Moonraker::new().public(), "nothing but pushes");
}

#[test]
fn in_a_terminal_the_address_is_drawn() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "");
    let _socket = moonraker.serve(&printer);
    let terminal = openpty(None, None).unwrap();
    let shown = Arc::new(Mutex::new(Vec::new()));
    follow(Box::new(File::from(terminal.master)), Arc::clone(&shown));
    let said = || String::from_utf8_lossy(&shown.lock().unwrap()).into_owned();
    let side = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut command = printer.command(&["pair", "octoapp"]);
    let mut child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    wait::until("the time that is left", SOON, || said().contains("s left").then_some(()));
    moonraker.register(PHONE, json!({"displayName": "\u{1b}[2JTablet"}));
    let code = child.wait().unwrap().code();
    let said = said();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.lines().filter(|line| line.contains("\u{1b}[30;107m")).count() > 10, "{said}");
    assert!(said.contains("Tablet has registered") && !said.contains("\u{1b}[2J"), "{said}");
}

#[test]
fn off_a_printer_it_says_where_the_switch_is() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "");
    let _socket = moonraker.serve(&printer);
    let folder = tempfile::tempdir().unwrap();
    let mut command = printer.command(&["pair", "octoapp"]);
    let socket = format!("unix:{}", printer.data().join("comms/moonraker.sock").display());
    let (api, config) = service.addresses();
    command
        .env("PRINTER_DATA", folder.path().join("none"))
        .env("DATA_DIR", folder.path().join("data"))
        .env("MOONRAKER_URL", socket)
        .env("OCTOAPP_API_URL", api)
        .env("OCTOAPP_CONFIG_URL", config);
    let walk = Walk::with(command, "");
    walk.wait_for("Waiting up to");
    moonraker.register(PHONE, json!({}));
    let (exit, said) = walk.end();
    assert!(exit == Some(0) && said.contains("There is no settings file here. Write this into"), "{said}");
    assert!(folder.path().join("data/octoapp.secrets").exists());
}

#[test]
fn doctor_says_who_is_registered() {
    let (service, moonraker) = (PushService::start(), Moonraker::new());
    let printer = printer(&service, "enabled: true\n");
    let _socket = moonraker.serve(&printer);
    let found = || {
        let output = printer.run(&["doctor", "--json"], "");
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(!all.to_string().contains("SECRET"));
        let clouds = all["sections"].as_array().unwrap().iter().find(|section| section["name"] == "Clouds");
        clouds.unwrap()["findings"].to_string()
    };
    let none = found();
    assert!(none.contains("no phone is registered") && none.contains("octobridge pair octoapp"), "{none}");
    moonraker.register(ANDROID, json!({"displayName": "Ada's phone"}));
    let one = found();
    assert!(one.contains("octoapp: registered: Ada's phone"), "{one}");
    moonraker.side().plugin = true;
    let two = found();
    assert!(two.contains("own plugin runs") && two.contains("\"remedy\":\"remove the plugin"), "{two}");
    assert_eq!((service.pushes().len(), moonraker.apps().len()), (0, 1), "it looks only");
}
