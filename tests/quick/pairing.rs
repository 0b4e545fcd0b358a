//! `octobridge pair telegram` as a new user goes through it: the real program, its input and output, and a stand-in for
//! the Bot API that plays the people with their phones.

use crate::cli::{Printer, text};
use crate::idle_moonraker::IdleMoonraker;
use crate::support::camera::{Answer, Camera, picture};
use crate::support::telegram::{Behaviour, Chat, ChatKind, Telegram, Which};
use crate::support::wait;
use crate::walk::{Service, Walk, follow};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const TOKEN: &str = "123:SECRETTOKEN";
const ADA: i64 = 5;
const GROUP: i64 = -1001;
/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(30);
const CFG: &str = "# mine\n[octoapp]\nenabled: false\n\n[telegram]\n# notes\nprogress_step: 10\n";
const POLLER: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

/// A printer whose bridge asks this server.
fn printer(telegram: &Telegram) -> Printer {
    Printer::new(&format!("{CFG}api_url: {}\n", telegram.url()))
}

fn cfg(printer: &Printer) -> String {
    std::fs::read_to_string(printer.data().join("config/extended/extended2.cfg")).unwrap()
}

fn token(printer: &Printer) -> Option<String> {
    std::fs::read_to_string(printer.data().join("octoapp/telegram_bot_token")).ok()
}

fn begin(printer: &Printer, args: &[&str], input: &str) -> Walk {
    Walk::with(printer.command(&[&["pair", "telegram"], args].concat()), input)
}

/// The code, once it is shown and waited for.
fn code_of(walk: &Walk) -> String {
    walk.wait_for("Waiting up to");
    code_in(&walk.said())
}

fn code_in(said: &str) -> String {
    let (_, rest) = said.split_once("https://t.me/printer_bot?start=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

#[test]
fn from_the_token_to_the_first_message() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let printer = printer(&telegram);
    let walk = begin(&printer, &[], &format!("{TOKEN}\ny\nn\n"));
    let code = code_of(&walk);
    assert_eq!(code.len(), 10);
    assert_eq!((token(&printer), telegram.calls().len()), (None, 0), "so far it only looked");
    telegram.say(ADA, ADA, &format!("/start {code}"));
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    for part in [
        "The bot is @printer_bot (\"Printer\").",
        &format!("https://t.me/printer_bot?startgroup={code}"),
        &format!("/start@printer_bot {code}"),
        "User 5 sent the code from the private chat with User 5 (5).",
        "no picture of a camera",
        "start it with `/etc/init.d/S66octoapp start`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "no drawing where there is no terminal: {said}");
    assert_eq!(token(&printer).as_deref(), Some(TOKEN));
    let expected = format!("{CFG}api_url: {}\nenabled: true\nchat_id: 5\n", telegram.url());
    assert_eq!(cfg(&printer), expected);
    assert_eq!(telegram.done("paired with this chat").len(), 1);
    assert_eq!(telegram.waiting_updates(), 0, "the service shall not take the code for a command");
    assert_eq!(printer.run(&["config", "check"], "").status.code(), Some(0));
}

#[test]
fn a_topic_of_a_group_and_a_person_who_may_control() {
    let telegram = Telegram::plain(TOKEN, ADA);
    telegram.add_chat(Chat::forum(GROUP, &[17]));
    let printer = printer(&telegram);
    let walk = begin(&printer, &["--yes", "--control"], TOKEN);
    let code = code_of(&walk);
    telegram.say_in(GROUP, Some(17), ADA, &format!("/start@printer_bot {code}"));
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("the group \"Printers\" (-1001, topic 17)"), "{said}");
    let stored = cfg(&printer);
    let end = "enabled: true\nchat_id: -1001\nthread_id: 17\nallowed_chats: -1001\nallowed_users: 5\n";
    assert!(stored.starts_with(CFG) && stored.ends_with(end), "{stored}");
    assert_eq!(telegram.done("paired")[0].arguments["message_thread_id"], 17);

    // Another chat takes its place, and keeps the lists.
    let walk = begin(&printer, &[], &format!("{TOKEN}\ny\ny\n"));
    let code = code_of(&walk);
    telegram.say(ADA, ADA, &code);
    let (exit, said) = walk.end();
    assert!(exit == Some(0) && said.contains("So far messages went to -1001"), "{said}");
    let stored = cfg(&printer);
    let end = "enabled: true\nchat_id: 5\nthread_id: 0\nallowed_chats: -1001, 5\nallowed_users: 5\n";
    assert!(stored.starts_with(CFG) && stored.ends_with(end), "{stored}");
}

#[test]
fn a_stranger_with_another_code_is_left_out() {
    let telegram = Telegram::plain(TOKEN, ADA);
    telegram.add_chat(Chat::new(7, ChatKind::Private));
    let printer = printer(&telegram);
    // What waits from before counts for nothing either.
    telegram.say(7, 7, "/start");
    let walk = begin(&printer, &[], &format!("{TOKEN}\nn\n"));
    let code = code_of(&walk);
    telegram.say(7, 7, "/start aaaaaaaaaa");
    walk.wait_for("User 7 wrote to the bot without the code");
    telegram.say(ADA, ADA, &format!("/start {code}"));
    let (exit, said) = walk.end();
    assert_eq!(said.matches("User 7").count(), 1, "{said}");
    assert!(said.contains("User 5 sent the code") && said.contains("not confirmed"), "{said}");
    // Nor is anything stored without a yes.
    assert_eq!((exit, token(&printer)), (Some(1), None));
    assert!(!cfg(&printer).contains("enabled: true"));
    assert_eq!(telegram.calls().len(), 0, "it only looked");
}

#[test]
fn what_is_wrong_is_said_with_its_remedy_and_nothing_is_stored() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let gone = Telegram::plain(TOKEN, ADA).url();
    let unreachable = Printer::new(&format!("[telegram]\napi_url: {gone}\n"));
    let broken = Printer::new("[telegram]\nenabled: true\nenabled: true\n");
    let bare = Printer::new("");
    std::fs::remove_file(bare.data().join("config/extended/extended2.cfg")).unwrap();
    let sound = printer(&telegram);
    type Case<'a> = (&'a Printer, &'a [&'a str], &'a str, i32, &'a [&'a str]);
    let table: [Case<'_>; 9] = [
        (&sound, &[], "no token", 2, &["not a bot token", "@BotFather"]),
        (&sound, &[], "", 2, &["there was no token", "@BotFather"]),
        (&sound, &[], "123:SECRETWRONG", 1, &["token is refused", "Unauthorized", "copy it again"]),
        (&sound, &["--wait", "1"], TOKEN, 1, &["no message with the code came within 1 s"]),
        (&sound, &["--wait", "0"], TOKEN, 2, &["1 to 3600"]),
        (&sound, &["a b"], TOKEN, 2, &["a name is up to 32 letters"]),
        (&unreachable, &[], TOKEN, 1, &["cannot reach http://127.0.0.1", "check the network"]),
        (&broken, &[], TOKEN, 2, &["line 3", "mend that line"]),
        (&bare, &[], TOKEN, 1, &["restart the printer"]),
    ];
    for (printer, args, input, expected, parts) in table {
        let (exit, said) = begin(printer, args, input).end();
        assert_eq!(exit, Some(expected), "{input}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
        assert!(!printer.data().join("octoapp").exists(), "{said}");
    }
    telegram.set_webhook(Some("https://example.org/bot"));
    let (exit, said) = begin(&sound, &[], TOKEN).end();
    assert!(exit == Some(1) && said.contains("webhook") && said.contains("nothing was stored"), "{said}");
}

#[test]
fn a_program_that_fetches_the_same_messages_is_named() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let printer = printer(&telegram);
    telegram.misbehave(Which::Method("getUpdates"), 4, Behaviour::Refuse(409, POLLER));
    let (exit, said) = begin(&printer, &[], TOKEN).end();
    assert!(exit == Some(1) && said.contains("another program") && said.contains("end that one"), "{said}");
    assert_eq!(token(&printer), None);

    // It may be the service itself.
    let printer =
        Printer::new(&format!("[telegram]\nenabled: true\nchat_id: 5\napi_url: {}\n", telegram.url()));
    printer.run(&["secret", "set", "telegram_bot_token"], TOKEN);
    let _service = Service::start(&printer);
    wait::until("the service", SOON, || {
        (printer.run(&["status"], "").status.code() == Some(0)).then_some(())
    });
    telegram.misbehave(Which::Method("getUpdates"), 4, Behaviour::Refuse(409, POLLER));
    let (exit, said) = begin(&printer, &[], TOKEN).end();
    assert!(exit == Some(1) && said.contains("the service on this printer does. Stop it"), "{said}");
}

#[test]
fn the_network_may_fail_meanwhile() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let printer = printer(&telegram);
    let walk = begin(&printer, &["--yes"], TOKEN);
    let code = code_of(&walk);
    telegram.misbehave(Which::Method("getUpdates"), 2, Behaviour::Html(502));
    walk.wait_for("it goes on");
    telegram.say(ADA, ADA, &code);
    let (exit, said) = walk.end();
    assert!(exit == Some(0) && said.contains("trying again"), "{said}");
}

#[test]
fn a_chat_that_takes_no_message_is_not_stored() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let printer = printer(&telegram);
    let walk = begin(&printer, &["--yes"], TOKEN);
    let code = code_of(&walk);
    telegram.usually(Behaviour::Refuse(403, "Forbidden: bot was blocked by the user"));
    telegram.say(ADA, ADA, &code);
    let (exit, said) = walk.end();
    assert!(exit == Some(1) && said.contains("blocked by the user"), "{said}");
    assert_eq!((token(&printer), cfg(&printer).contains("chat_id")), (None, false));
}

#[test]
fn the_first_message_shows_what_the_camera_sees() {
    let jpeg = picture(640, 480, 9000);
    let camera = Camera::start("/webcam/snapshot.jpg", &[Answer::Whole(jpeg.clone())]);
    for (behaviour, method, said_of_it) in [
        (Behaviour::Serve, "sendPhoto", "with the camera's picture"),
        (Behaviour::Refuse(400, "Bad Request: IMAGE_PROCESS_FAILED"), "sendMessage", "no picture"),
    ] {
        let telegram = Telegram::plain(TOKEN, ADA);
        let printer = printer(&telegram);
        let listed = json!([{"name": "case", "snapshot_url": camera.url()}]);
        let _moonraker = IdleMoonraker::start(&printer.data(), &listed);
        telegram.misbehave(Which::Method("sendPhoto"), 1, behaviour);
        let walk = begin(&printer, &["--yes"], TOKEN);
        let code = code_of(&walk);
        telegram.say(ADA, ADA, &code);
        let (exit, said) = walk.end();
        assert!(exit == Some(0) && said.contains(said_of_it), "{said}");
        let done = telegram.done("paired with this chat");
        assert_eq!(done.len(), 1);
        assert_eq!(done[0].method, method);
        assert!(method == "sendMessage" || *done[0].file("photo").unwrap().bytes == *jpeg);
    }
}

#[test]
fn the_running_service_takes_the_bot_up_and_lets_it_go() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let printer = Printer::new(&format!("[telegram]\nenabled: true\napi_url: {}\n", telegram.url()));
    let _service = Service::start(&printer);
    let state = |expected: &str| {
        let report: Value = serde_json::from_slice(&printer.run(&["status", "--json"], "").stdout).unwrap();
        let bridges = report["bridges"].as_array().unwrap();
        let bridge = bridges.iter().find(|bridge| bridge["name"] == "telegram").unwrap();
        (bridge["state"] == expected).then_some(())
    };
    wait::until("a service that waits to be paired", SOON, || state("needs_pairing"));
    let walk = begin(&printer, &["--yes"], TOKEN);
    let code = code_of(&walk);
    telegram.say(ADA, ADA, &code);
    let (exit, said) = walk.end();
    assert!(exit == Some(0) && said.contains("reads its settings again"), "{said}");
    wait::until("a bridge that is paired", SOON, || state("needs_pairing").is_none().then_some(()));
    let (exit, said) = begin(&printer, &["--forget"], "").end();
    assert!(exit == Some(0) && said.contains("telegram_bot_token is deleted"), "{said}");
    assert_eq!(token(&printer), None);
    assert!(cfg(&printer).contains("enabled: false") && cfg(&printer).contains("chat_id: 5"));
}

#[test]
fn a_further_bot_gets_a_section_and_a_secret_of_its_own() {
    let telegram = Telegram::start(TOKEN, ADA);
    let printer = Printer::new("");
    // A section that is not there yet has no address of its own.
    std::fs::write(printer.data().join("ca.pem"), telegram.ca()).unwrap();
    let cfg_text = format!("[telegram shop]\napi_url: {}\n", telegram.url());
    std::fs::write(printer.data().join("config/extended/extended2.cfg"), cfg_text).unwrap();
    let mut command = printer.command(&["pair", "telegram", "shop", "--yes"]);
    command.env("EXTRA_CA_FILE", printer.data().join("ca.pem"));
    let walk = Walk::with(command, TOKEN);
    let code = code_of(&walk);
    telegram.say(ADA, ADA, &code);
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    assert!(cfg(&printer).ends_with("enabled: true\nchat_id: 5\n"), "{}", cfg(&printer));
    assert!(printer.data().join("octoapp/telegram_shop_bot_token").exists());
}

#[test]
fn off_a_printer_it_says_what_the_environment_must_hold() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let folder = tempfile::tempdir().unwrap();
    let printer = Printer::new("");
    let mut command = printer.command(&["pair", "telegram", "--yes", "--control"]);
    command
        .env("PRINTER_DATA", folder.path().join("none"))
        .env("DATA_DIR", folder.path().join("data"))
        .env("TELEGRAM_API_URL", telegram.url());
    let walk = Walk::with(command, TOKEN);
    let code = code_of(&walk);
    telegram.say(ADA, ADA, &code);
    let (exit, said) = walk.end();
    assert_eq!(exit, Some(0), "{said}");
    for line in ["TELEGRAM_CHAT_ID=5", "TELEGRAM_ALLOWED_CHATS=5", "TELEGRAM_ALLOWED_USERS=5"] {
        assert!(said.contains(line), "{said}");
    }
    assert!(folder.path().join("data/telegram_bot_token").exists());
}

#[test]
fn in_a_terminal_the_token_is_not_shown_and_the_link_is_drawn() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let printer = printer(&telegram);
    let terminal = openpty(None, None).unwrap();
    let mut keys = File::from(terminal.master.try_clone().unwrap());
    let shown = Arc::new(Mutex::new(Vec::new()));
    follow(Box::new(File::from(terminal.master)), Arc::clone(&shown));
    let said = || String::from_utf8_lossy(&shown.lock().unwrap()).into_owned();
    let begin = || {
        let side = || Stdio::from(terminal.slave.try_clone().unwrap());
        printer.command(&["pair", "telegram"]).stdin(side()).stdout(side()).stderr(side()).spawn().unwrap()
    };
    let flags = || tcgetattr(&terminal.slave).unwrap().local_flags;
    let usual = flags();

    // Ctrl-C at the prompt leaves the terminal as it was.
    let mut child = begin();
    wait::until("a prompt", SOON, || (!flags().contains(LocalFlags::ECHO)).then_some(()));
    keys.write_all(b"123:SEC\x03").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(flags(), usual);

    let mut child = begin();
    wait::until("a prompt", SOON, || (!flags().contains(LocalFlags::ECHO)).then_some(()));
    keys.write_all(format!("{TOKEN}\r").as_bytes()).unwrap();
    wait::until("an invitation", SOON, || said().contains("s left").then_some(()));
    assert_eq!(flags(), usual);
    telegram.say(ADA, ADA, &code_in(&said()));
    wait::until("a question", SOON, || said().contains("to this chat? [y/n]").then_some(()));
    keys.write_all(b"what\ny\n").unwrap();
    wait::until("another question", SOON, || said().contains("also control").then_some(()));
    keys.write_all(b"y\n").unwrap();
    let code = child.wait().unwrap().code();
    let said = said();
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("SEC") && said.contains(&"*".repeat(TOKEN.len())), "{said}");
    let drawn = |line: &&str| line.contains("\u{1b}[30;107m");
    assert!(said.lines().filter(drawn).count() > 14, "{said}");
    let plain =
        |line: &str| line.replace("\u{1b}[30;107m", "").replace("\u{1b}[0m", "").trim_end().to_owned();
    let wide = said.lines().filter(drawn).map(plain).find(|line| line.chars().count() > 80);
    assert_eq!(wide, None, "it fits a terminal");
    assert!(cfg(&printer).contains("allowed_users: 5"));
}

#[test]
fn ended_while_it_waits_it_leaves_nothing() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let printer = printer(&telegram);
    let before = cfg(&printer);
    let walk = begin(&printer, &[], TOKEN);
    code_of(&walk);
    // Not by SIGINT: what a shell starts in the background ignores that, and all that comes of it.
    kill(Pid::from_raw(walk.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let (exit, _) = walk.end();
    assert_eq!((exit, token(&printer), cfg(&printer)), (None, None, before));
}

#[test]
fn help_tells_the_ways() {
    let output = Printer::new("").run(&["pair", "telegram", "--help"], "");
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("--control") && said.contains("--forget"), "{said}");
}

#[test]
fn a_new_user_has_ten_lines_to_read_in_both_places() {
    let read =
        |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let steps = |page: &str, headline: &str| -> Vec<String> {
        let (_, section) = page.split_once(headline).unwrap();
        let steps = section.lines().skip(1).skip_while(|line| line.is_empty());
        steps.take_while(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let short = steps(&read("README.md"), "## Telegram\n");
    let long = steps(&read("docs/telegram.md"), "## From BotFather to the first photo\n");
    for (number, step) in (1..).zip(&long) {
        assert!(step.starts_with(&format!("{number}. ")) && step.chars().count() <= 110, "{step}");
    }
    assert_eq!((long.len(), &short[1..]), (10, &long[1..]));
}
