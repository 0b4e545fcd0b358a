//! `octobridge pair prusa-connect` as a new user goes through it: the real program, and a strict stand-in for Connect.

use crate::cli::Printer;
use crate::support::prusa_connect::{Answer, Connect};
use crate::support::wait;
use crate::walk::Walk;
use octobridge::bridge::prusa_connect::rehearsal::fingerprint;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(30);

fn printer(connect: &Connect, more: &str) -> Printer {
    Printer::new(&format!("# mine\n[prusa_connect]\nurl: {}\n{more}", connect.url()))
}

fn begin(printer: &Printer, args: &[&str]) -> Walk {
    Walk::with(printer.command(&[&["pair", "prusa-connect"], args].concat()), "")
}

/// The code that the newest registration got, once it is shown.
fn code(connect: &Connect, walk: &Walk) -> String {
    walk.wait_for("Waiting up to");
    let code = connect.registrations().last().unwrap().code.clone();
    assert!(walk.said().contains(&code), "{}", walk.said());
    code
}

fn file(printer: &Printer, name: &str) -> PathBuf {
    printer.data().join("octoapp").join(name)
}

fn read(printer: &Printer, name: &str) -> Option<String> {
    std::fs::read_to_string(file(printer, name)).ok()
}

fn token(printer: &Printer) -> Option<String> {
    read(printer, "prusa_connect_token")
}

fn kept(printer: &Printer, name: &str) -> Value {
    serde_json::from_str(&read(printer, &format!("prusa_connect_{name}.json")).unwrap()).unwrap()
}

fn cfg(printer: &Printer) -> String {
    std::fs::read_to_string(printer.data().join("config/extended/extended2.cfg")).unwrap()
}

fn posts(connect: &Connect) -> usize {
    connect.requests().iter().filter(|request| *request == "POST /p/register").count()
}

/// A printer that is paired, and its token.
fn paired(connect: &Connect) -> (Printer, String) {
    let printer = printer(connect, "");
    let walk = begin(&printer, &[]);
    let token = connect.enter(&code(connect, &walk));
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    (printer, token)
}

#[test]
fn from_nothing_to_registered() {
    let connect = Connect::start();
    let printer = printer(&connect, "");
    let walk = begin(&printer, &[]);
    let code = code(&connect, &walk);
    let identity = kept(&printer, "identity");
    let serial = identity["serial"].as_str().unwrap();
    let body = &connect.registrations()[0].body;
    assert_eq!((&body["sn"], &body["printer_type"]), (&identity["serial"], &Value::from("6.1.0")));
    assert_eq!(body["fingerprint"], fingerprint(serial));
    assert_eq!(token(&printer), None);
    let told = connect.enter(&code);
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    for part in [
        format!("serial number is {serial}"),
        format!("{}/add-printer/connect/6.1.0/{code}?name=", connect.url()),
        format!("{}/add and enter this code", connect.url()),
        "good for 24 h".to_owned(),
        format!("(serial number {serial})"),
        "start it with `/etc/init.d/S66octoapp start`".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "no drawing where there is no terminal: {said}");
    assert_eq!(token(&printer), Some(told));
    for name in ["token", "identity.json", "registration.json"] {
        let mode = file(&printer, &format!("prusa_connect_{name}")).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(cfg(&printer), format!("# mine\n[prusa_connect]\nurl: {}\nenabled: true\n", connect.url()));
    assert_eq!(kept(&printer, "registration").get("code"), None, "the code is used up");
    assert_eq!(printer.run(&["config", "check"], "").status.code(), Some(0));
}

#[test]
fn a_printer_is_said_to_be_taken_only_when_that_is_stored() {
    let connect = Connect::start();
    let printer = printer(&connect, "");
    let walk = begin(&printer, &[]);
    let code = code(&connect, &walk);
    std::fs::create_dir(file(&printer, "prusa_connect_token")).unwrap();
    connect.enter(&code);
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("remove the printer in Connect, and pair it again"), "{said}");
    assert!(!said.contains("has taken"), "{said}");
}

#[test]
fn one_that_is_registered_is_told_so_and_nothing_is_sent() {
    let connect = Connect::start();
    let (printer, before) = paired(&connect);
    let sent = connect.requests().len();
    let (exit, said) = begin(&printer, &[]).end();
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("registered already") && said.contains("--forget"), "{said}");
    assert!(said.contains("the token Pr1nT…"), "{said}");
    assert_eq!((token(&printer), connect.requests().len()), (Some(before), sent));
}

#[test]
fn a_run_that_was_ended_is_gone_on_with() {
    let connect = Connect::start();
    let printer = printer(&connect, "");
    let walk = begin(&printer, &["--wait", "1"]);
    let first = code(&connect, &walk);
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(1));
    assert!(said.contains("run this again"), "{said}");
    let walk = begin(&printer, &[]);
    assert_eq!(code(&connect, &walk), first);
    assert!(walk.said().contains("of last time"), "{}", walk.said());
    let told = connect.enter(&first);
    assert_eq!(walk.end().0, Some(0));
    assert_eq!((token(&printer), posts(&connect)), (Some(told), 1));
}

#[test]
fn a_code_that_connect_forgot_is_replaced() {
    let connect = Connect::start();
    let printer = printer(&connect, "");
    let walk = begin(&printer, &["--wait", "1"]);
    let first = code(&connect, &walk);
    assert_eq!(walk.end().0, Some(1));
    connect.expire(&first);
    let walk = begin(&printer, &[]);
    wait::until("another code", SOON, || (posts(&connect) == 2).then_some(()));
    walk.wait_for("Here is another");
    let second = wait::until("the code", SOON, || {
        let code = connect.registrations().last()?.code.clone();
        walk.said().contains(&code).then_some(code)
    });
    assert_ne!(first, second);
    let told = connect.enter(&second);
    let (exit, said) = walk.end();
    assert_eq!((exit, token(&printer)), (Some(0), Some(told)), "{said}");
}

#[test]
fn a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
    let connect = Connect::start();
    let printer = printer(&connect, "");
    connect.instead("POST /p/register", Answer::status(503).saying("busy just now"));
    connect.instead("POST /p/register", Answer::status(200));
    connect.instead("GET /p/register", Answer::status(500));
    connect.instead("GET /p/register", Answer::status(429).with("Retry-After", "1"));
    let walk = begin(&printer, &[]);
    connect.enter(&code(&connect, &walk));
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    for part in ["busy just now; trying again", "no code in it; trying again", "it goes on"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let refusing = Connect::start();
    let printer = self::printer(&refusing, "");
    let refusal = Answer::status(400).saying(r#"{"message":"unknown type"}"#);
    refusing.instead("POST /p/register", refusal);
    let (exit, said) = begin(&printer, &[]).end();
    assert_eq!(exit, Some(1));
    assert!(said.contains("Prusa Connect refuses: unknown type"), "{said}");
    assert_eq!((token(&printer), posts(&refusing)), (None, 1));
}

#[test]
fn another_type_has_to_be_registered_anew() {
    let connect = Connect::start();
    let (printer, before) = paired(&connect);
    let file = printer.data().join("config/extended/extended2.cfg");
    std::fs::write(file, cfg(&printer) + "printer_type: XL\n").unwrap();
    let walk = begin(&printer, &[]);
    wait::until("another registration", SOON, || (posts(&connect) == 2).then_some(()));
    let code = code(&connect, &walk);
    assert!(walk.said().contains("registered as a printer of type 6.1.0"), "{}", walk.said());
    let told = connect.enter(&code);
    assert_eq!(walk.end().0, Some(0));
    assert_eq!(connect.registrations()[1].body["printer_type"], "3.1.0");
    assert_eq!(connect.registrations()[1].body["sn"], connect.registrations()[0].body["sn"]);
    assert!(token(&printer) == Some(told.clone()) && told != before);
}

#[test]
fn what_is_forgotten_is_gone_but_for_who_the_printer_is() {
    let connect = Connect::start();
    let (printer, _) = paired(&connect);
    let identity = kept(&printer, "identity");
    std::fs::write(file(&printer, "prusa_connect_cameras.json"), "{}").unwrap();
    let (exit, said) = begin(&printer, &["--forget"]).end();
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("remove itself from Connect"), "{said}");
    assert_eq!(token(&printer), None);
    assert!(cfg(&printer).ends_with("enabled: false\n"), "{}", cfg(&printer));
    assert!(!file(&printer, "prusa_connect_cameras.json").exists());
    assert_eq!(kept(&printer, "registration"), serde_json::json!({"version": 1}));
    assert_eq!(kept(&printer, "identity"), identity);
    // Twice is no harm, and the next pairing is of the same printer.
    assert_eq!(begin(&printer, &["--forget"]).end().0, Some(0));
    let walk = begin(&printer, &[]);
    wait::until("the registration", SOON, || (posts(&connect) == 2).then_some(()));
    let code = code(&connect, &walk);
    connect.enter(&code);
    assert_eq!(walk.end().0, Some(0));
    assert_eq!(connect.registrations()[1].body["sn"], identity["serial"]);
}

#[test]
fn a_settings_file_brings_the_token() {
    let connect = Connect::start();
    let import = |printer: &Printer, text: &str| {
        let path = printer.dir.path().join("prusa_printer_settings.ini");
        std::fs::write(&path, text).unwrap();
        begin(printer, &["--import", path.to_str().unwrap()]).end()
    };
    let own = Printer::new("");
    let (host, port) = connect
        .url()
        .trim_start_matches("http://")
        .split_once(':')
        .map(|(host, port)| (host.to_owned(), port.to_owned()))
        .unwrap();
    let section = format!("[service::connect]\nhostname = {host}\nport = {port}\ntls = 0\n");
    let (exit, said) = import(&own, &format!("{section}token = SECRETSECRETSECRET20\n"));
    assert_eq!(exit, Some(0), "{said}");
    assert_eq!(token(&own).as_deref(), Some("SECRETSECRETSECRET20"));
    assert_eq!(cfg(&own), format!("[prusa_connect]\nenabled: true\nurl: {}\n", connect.url()));
    // The usual server is not worth a line.
    let usual = Printer::new("");
    let text = "[service::connect]\nhostname = connect.prusa3d.com\ntls = 1\nport = 443\ntoken = SECRETSECRETSECRET20\n";
    assert_eq!(import(&usual, text).0, Some(0));
    assert_eq!(cfg(&usual), "[prusa_connect]\nenabled: true\n");

    for (text, part) in [
        (section.clone(), "no token in it"),
        (format!("{section}token = a SECRET b\n"), "line 5: token"),
        ("[service::connect]\nhostname = h.example.org\ntls = 0\ntoken = SECRET\n".to_owned(), "unencrypted"),
        ("<!DOCTYPE html>".to_owned(), "line 1: this is no settings file"),
    ] {
        let printer = Printer::new("");
        let (exit, said) = import(&printer, &text);
        assert!(
            exit == Some(2) && said.contains(part) && said.contains("nothing was stored"),
            "{exit:?} {said}"
        );
        assert_eq!((token(&printer), cfg(&printer).as_str()), (None, ""));
    }
    let (exit, said) = begin(&own, &["--import", "/nowhere/x.ini"]).end();
    assert!(exit == Some(2) && said.contains("/nowhere/x.ini"), "{said}");
    assert!(connect.requests().is_empty(), "a file needs no server");
}

#[test]
fn without_a_sound_identity_nothing_is_sent() {
    let connect = Connect::start();
    let printer = printer(&connect, "");
    std::fs::create_dir_all(printer.data().join("octoapp")).unwrap();
    std::fs::write(file(&printer, "prusa_connect_identity.json"), "{").unwrap();
    let (exit, said) = begin(&printer, &[]).end();
    assert!(exit == Some(1) && said.contains("prusa_connect_identity.json"), "{exit:?} {said}");
    let wrong = Printer::new("[prusa_connect]\nprinter_type: Ender\n");
    let (exit, said) = begin(&wrong, &[]).end();
    assert!(exit == Some(2) && said.contains("PRUSA_CONNECT_PRINTER_TYPE"), "{exit:?} {said}");
    for args in [&["--wait", "0"][..], &["--forget", "--import", "x"]] {
        assert_eq!(begin(&printer, args).end().0, Some(2), "{args:?}");
    }
    assert!(connect.requests().is_empty());
}
