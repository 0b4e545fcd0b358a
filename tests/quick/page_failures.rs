//! Failures of what is pressed on the set-up page that need no printer: each is shown, with what to do about it. Those that
//! need one are in the browser tests.

use crate::support::program::Program;
use crate::support::prusa_connect::Connect;
use crate::support::telegram::{Behaviour, Telegram};
use crate::support::visitor::Visitor;
use crate::support::wait;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TOKEN: &str = "123:SECRETTOKEN";
const ADA: i64 = 5;
/// Far longer than anything takes on loopback.
const SOON: Duration = Duration::from_secs(30);
/// Nobody answers there.
const NOWHERE: &str = "source: moonraker\nmoonraker_url: ws://127.0.0.1:9/websocket";

fn cfg(data: &Path) -> PathBuf {
    data.join("config/extended/extended2.cfg")
}

/// A service with these further lines in its settings.
fn service(more: &str) -> (Program, Visitor) {
    prepared(&format!("[octoapp]\nenabled: true\n{more}"), |_| ())
}

/// A service with these lines for its bridges, and with something done to the printer's data folder before.
fn prepared(bridges: &str, prepare: impl FnOnce(&Path)) -> (Program, Visitor) {
    let program = Program::prepared(NOWHERE, &[], |data| {
        let text = std::fs::read_to_string(cfg(data)).unwrap();
        std::fs::write(cfg(data), text + bridges).unwrap();
        prepare(data);
    });
    let visitor = Visitor::of(program.address);
    (program, visitor)
}

/// The code that a chat is to send, once the page shows it.
fn code(visitor: &Visitor) -> String {
    let page = visitor.wait_for("?start=");
    let (_, rest) = page.split_once("?start=").unwrap();
    rest.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn what_is_not_there_or_goes_on_already_is_refused_with_a_reason() {
    let (_program, visitor) = service("");
    let refused = |form: &str, part: &str| {
        let (status, said) = visitor.try_to_send(form);
        assert!(status == 409 && said.contains(part), "{form}: {status} {said}");
    };
    refused("bridge=telegram+shed&do=on", "There is no such bridge any more. Load the page again.");
    refused("bridge=nonsense&do=test", "There is no such bridge any more. Load the page again.");
    refused("bridge=octoapp&do=off", "where it was switched on, in the printer's settings");
    // A server that answers nobody keeps it busy.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_program, visitor) =
        service(&format!("[prusa_connect]\nurl: http://{}\n", silent.local_addr().unwrap()));
    visitor.send("bridge=prusa_connect&do=pair");
    let (status, said) = visitor.try_to_send("bridge=prusa_connect&do=pair");
    assert!(status == 409 && said.contains("Wait for it, or cancel it first."), "{status} {said}");
    visitor.send("bridge=prusa_connect&do=cancel");
    visitor.send("bridge=prusa_connect&do=pair");
}

#[test]
fn a_printer_or_a_server_out_of_reach_is_named() {
    let (_program, visitor) = service("[prusa_connect]\nurl: http://127.0.0.1:9\n");
    // Which phones there are is Moonraker's to say.
    visitor
        .wait_for("<p class=\"notice\">Moonraker's database cannot be used: no connection to the printer: ");
    visitor.wait_for("<p class=\"state fail\">No connection to the printer");
    visitor.send("bridge=octoapp&do=pair");
    visitor.wait_for(
        "<p class=\"notice\" role=\"status\">No connection to the printer: cannot connect to Moonraker",
    );
    visitor.send("bridge=prusa_connect&do=pair");
    visitor.wait_for("annot reach http://127.0.0.1:9");
}

#[test]
fn settings_that_cannot_be_changed_are_named_and_what_was_to_be_written() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let (program, visitor) = service(&format!("[telegram]\napi_url: {}\n", telegram.url()));
    let path = cfg(&program.data());
    // Somebody writes there, and does it wrong: the service goes on by what it has read.
    let before = std::fs::read_to_string(&path).unwrap() + "[\n";
    std::fs::write(&path, &before).unwrap();
    let kept = "mend that line, nothing was changed. Still to be written:<br>  [telegram]<br>  enabled: true";
    visitor.send("bridge=telegram&do=on");
    let page = visitor.wait_for(kept);
    assert!(page.contains(&format!("{} line ", path.display())), "{page}");

    // The token is kept, so that nothing but these lines is left to do.
    visitor.send(&format!("bridge=telegram&do=pair&token={TOKEN}"));
    telegram.say(ADA, ADA, &format!("/start {}", code(&visitor)));
    visitor.wait_for("sent the code");
    visitor.send("bridge=telegram&do=choose+0");
    let page = visitor.wait_for(&format!("{kept}<br>  chat_id: 5</p>"));
    assert!(page.contains("The token is stored, but "), "{page}");
    let token = program.data().join("octoapp/telegram_bot_token");
    assert_eq!(std::fs::read_to_string(token).unwrap(), TOKEN);
    assert!(!visitor.page().contains("SECRET"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);

    // A file that is gone is the firmware's to make again; meanwhile the service goes on by what it has read.
    std::fs::remove_file(&path).unwrap();
    visitor.send("bridge=prusa_connect&do=on");
    visitor.wait_for("There is no extended2.cfg or extended.cfg in ");
    visitor.wait_for("the firmware makes it while it boots: restart the printer, then try again");
    assert!(!path.exists() && visitor.page().contains("aria-checked=\"true\""));
    // So it does behind a pairing that fails for that.
    visitor.send("bridge=octoapp&do=pair");
    wait::until("the reason once more", SOON, || {
        (visitor.page().matches("the firmware makes it while it boots").count() == 2).then_some(())
    });
    std::fs::write(&path, before.strip_suffix("[\n").unwrap()).unwrap();
    visitor.send("bridge=prusa_connect&do=on");
    wait::until("the switch", SOON, || {
        (visitor.page().matches("aria-checked=\"true\"").count() == 2).then_some(())
    });
    program.worker();
}

/// Without any bridge the service would end, and nobody could pair anything on its page any more.
#[test]
fn the_last_bridge_stays_on_when_its_pairing_is_forgotten() {
    for (bridge, lines, secret) in [
        ("telegram", "chat_id: 5", "telegram_bot_token"),
        ("prusa_connect", "url: http://127.0.0.1:9", "prusa_connect_token"),
    ] {
        let (program, visitor) = prepared(&format!("[{bridge}]\nenabled: true\n{lines}\n"), |data| {
            std::fs::write(data.join("octoapp").join(secret), "123:SECRETSECRETSECRET").unwrap();
        });
        visitor.send(&format!("bridge={bridge}&do=forget"));
        let page = visitor.wait_for("forgotten");
        assert!(page.contains(" Note: it stays switched on, since no other bridge is"), "{page}");
        wait::until("the settings read again", SOON, || {
            program.log().contains("reads the settings again").then_some(())
        });
        visitor.wait_for("aria-checked=\"true\"");
        let text = std::fs::read_to_string(cfg(&program.data())).unwrap();
        assert!(text.contains(&format!("[{bridge}]\nenabled: true\n")), "{text}");
        assert!(!program.data().join("octoapp").join(secret).exists(), "{bridge}");
        // Another one that is on changes that.
        visitor.send("bridge=octoapp&do=on");
        wait::until("the other one", SOON, || {
            (visitor.page().matches("aria-checked=\"true\"").count() == 2).then_some(())
        });
        visitor.send(&format!("bridge={bridge}&do=forget"));
        wait::until("the switch", SOON, || {
            (visitor.page().matches("aria-checked=\"true\"").count() == 1).then_some(())
        });
        program.worker();
    }
}

/// One that was cancelled needs some seconds to end.
#[test]
fn a_bridge_rests_until_the_last_of_its_pairings_has_ended() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let bridges = format!(
        "[octoapp]\nenabled: true\n[telegram]\nenabled: true\nchat_id: {ADA}\napi_url: {}\n",
        telegram.url()
    );
    let (program, visitor) = prepared(&bridges, |data| {
        std::fs::write(data.join("octoapp/telegram_bot_token"), TOKEN).unwrap();
    });
    let state = || {
        let report = program.report();
        let all = report["bridges"].as_array().unwrap().iter();
        all.filter(|bridge| bridge["name"] == "telegram")
            .map(|bridge| bridge["state"].clone())
            .next()
            .unwrap()
    };
    let reads = || program.log().matches("reads the settings again").count();
    visitor.send("bridge=telegram&do=pair&token=");
    let first = code(&visitor);
    assert_eq!((state(), reads()), ("off".into(), 1));
    visitor.send("bridge=telegram&do=cancel");
    visitor.send("bridge=telegram&do=pair&token=");
    let second = code(&visitor);
    assert_ne!(first, second);
    wait::until("the end of the first one", SOON, || (reads() >= 3).then_some(()));
    telegram.say(ADA, ADA, &format!("/start {second}"));
    visitor.wait_for("sent the code");
    assert_eq!(state(), "off");
    visitor.send("bridge=telegram&do=cancel");
    wait::until("the bridge", SOON, || (state() != "off").then_some(()));
}

/// A camera and a slow line may take their time, in which its owner can change his mind.
#[test]
fn a_choice_that_is_cancelled_while_the_chat_is_greeted_is_not_stored() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let (program, visitor) = service(&format!("[telegram]\napi_url: {}\n", telegram.url()));
    let before = std::fs::read_to_string(cfg(&program.data())).unwrap();
    telegram.once("paired with this chat", Behaviour::Late);
    visitor.send(&format!("bridge=telegram&do=pair&token={TOKEN}"));
    telegram.say(ADA, ADA, &format!("/start {}", code(&visitor)));
    visitor.wait_for("sent the code");
    visitor.send("bridge=telegram&do=choose+0&control=yes");
    telegram.wait_for("the greeting", SOON, |calls| {
        calls.iter().any(|call| call.text().contains("paired with this chat")).then_some(())
    });
    visitor.send("bridge=telegram&do=cancel");
    telegram.release();
    wait::until("its end", SOON, || program.log().contains("reads the settings again").then_some(()));
    assert_eq!(std::fs::read_to_string(cfg(&program.data())).unwrap(), before);
    assert!(!program.data().join("octoapp/telegram_bot_token").exists());
}

/// It may take as long as the service has patience.
#[test]
fn a_test_that_is_under_way_is_shown() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let lines = format!("[telegram]\nenabled: true\nchat_id: {ADA}\napi_url: {}\n", telegram.url());
    let (_program, visitor) = prepared(&lines, |data| {
        std::fs::write(data.join("octoapp/telegram_bot_token"), TOKEN).unwrap();
    });
    telegram.once("This is a test of Octobridge", Behaviour::Late);
    visitor.send("bridge=telegram&do=test");
    let page = visitor.page();
    assert!(page.contains("role=\"status\">One moment…</p>"), "{page}");
    telegram.wait_for("the test", SOON, |calls| {
        calls.iter().any(|call| call.text().contains("This is a test")).then_some(())
    });
    telegram.release();
    let page = visitor.wait_for("A test message was taken.");
    assert!(!page.contains("One moment"), "{page}");
}

/// The service reads its settings when it is told to, and people write there when they like.
#[test]
fn lists_that_somebody_has_changed_meanwhile_are_not_put_back() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let lists = "allowed_chats: 7\nallowed_users: 7, 8\n";
    let (program, visitor) = service(&format!("[telegram]\napi_url: {}\n{lists}", telegram.url()));
    let path = cfg(&program.data());
    let by_hand =
        std::fs::read_to_string(&path).unwrap().replace("users: 7, 8", "users: 7, 9\nthread_id: 17");
    std::fs::write(&path, by_hand).unwrap();
    visitor.send(&format!("bridge=telegram&do=pair&token={TOKEN}"));
    telegram.say(ADA, ADA, &format!("/start {}", code(&visitor)));
    visitor.wait_for("sent the code");
    visitor.send("bridge=telegram&do=choose+0&control=yes");
    visitor.wait_for("from now on");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("allowed_chats: 7, 5\nallowed_users: 7, 9, 5\n"), "{text}");
    assert!(text.contains("\nthread_id: 0\n"), "the topic is one of another chat: {text}");
}

/// As by the command: what counts is what a service that starts now would read.
#[test]
fn the_examination_is_of_the_settings_as_they_are_written_now() {
    let (program, visitor) = service("config_url: http://127.0.0.1:9/x\napi_url: http://127.0.0.1:9/y\n");
    let path = cfg(&program.data());
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "[\n").unwrap();
    visitor.send("do=doctor");
    let page = visitor.wait_for("mend that line; until then every bridge is off");
    assert!(page.contains(&format!("{} line ", path.display())), "{page}");
}

/// Whether it is the printer's clock or the authority that is wrong, its owner learns what to do.
#[test]
fn a_server_whose_certificate_is_refused_is_named_with_the_reason() {
    for (years, known, reason) in [
        (
            (2025, 4096),
            false,
            "its certificate is from an unknown issuer; for a server of your own set EXTRA_CA_FILE",
        ),
        (
            (2020, 2021),
            true,
            "its certificate has expired; check the printer's clock and the server's certificate",
        ),
        (
            (4000, 4096),
            true,
            "its certificate is not valid yet; check the clocks of the printer and the server",
        ),
    ] {
        // Nothing but its certificate counts.
        let server = Telegram::certified(TOKEN, ADA, &["127.0.0.1"], years);
        let bridges = format!("[octoapp]\nenabled: true\n[prusa_connect]\nurl: {}\n", server.url());
        let (_program, visitor) = prepared(&bridges, |data| {
            let ca = data.join("server.pem");
            std::fs::write(&ca, server.ca()).unwrap();
            if known {
                let text = std::fs::read_to_string(cfg(data)).unwrap();
                let line = format!("[octobridge]\nextra_ca_file: {}\n", ca.display());
                std::fs::write(cfg(data), text.replace("[octobridge]\n", &line)).unwrap();
            }
        });
        visitor.send("bridge=prusa_connect&do=pair");
        let page = visitor.wait_for(reason);
        assert!(page.contains(&format!("annot reach {}: {reason}", server.url())), "{page}");
    }
}

/// Connect was not asked at all: the settings say that the printer is another one than it has registered.
#[test]
fn a_registration_of_another_time_is_told_from_one_that_connect_refuses() {
    let connect = Connect::start();
    let (program, visitor) = service(&format!("[prusa_connect]\nurl: {}\n", connect.url()));
    visitor.send("bridge=prusa_connect&do=pair");
    let page = visitor.wait_for("<span class=\"code\">");
    let (_, rest) = page.split_once("<span class=\"code\">").unwrap();
    connect.enter(rest.split('<').next().unwrap());
    visitor.wait_for("Registered.");
    let path = cfg(&program.data());
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "printer_type: I3MK3\n").unwrap();
    program.reload();
    let page = visitor.wait_for("he printer was registered as a printer of type 6.1.0; ");
    assert!(
        page.contains("PRUSA_CONNECT_PRINTER_TYPE as before, or remove the printer in Prusa Connect"),
        "{page}"
    );
    assert!(!page.contains("does not take the token"), "{page}");
}

/// What the settings say of the page is what the service does, from the next reading on.
#[test]
fn who_sees_the_page_is_what_the_settings_say() {
    let (mut program, visitor) = service("");
    let load = |host: &str| visitor.as_host(host).status();
    assert_eq!([load("u1"), load("printer.example.org")], [200, 403]);
    let key = visitor.key();
    assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    let path = cfg(&program.data());
    let before = std::fs::read_to_string(&path).unwrap();
    let set = |line: &str| {
        let text = before.replace("[octobridge]\n", &format!("[octobridge]\n{line}\n"));
        std::fs::write(&path, text).unwrap();
        program.reload();
    };
    set("page_hosts: printer.example.org");
    wait::until("the further name", SOON, || (load("printer.example.org") == 200).then_some(()));
    assert_eq!([load("u1"), load("other.example.org")], [200, 403]);
    // Who has the page open is let go, too.
    let mut open = TcpStream::connect(program.address).unwrap();
    open.set_read_timeout(Some(SOON)).unwrap();
    write!(open, "GET /page/live HTTP/1.1\r\nHost: u1\r\n\r\n").unwrap();
    assert!(open.read(&mut [0; 64]).unwrap() > 0);
    set("page: nobody");
    let asked = Instant::now();
    while open.read(&mut [0; 4096]).unwrap() > 0 {
        assert!(asked.elapsed() < SOON, "it goes on for those who had it open");
    }
    wait::until("the end of the page", SOON, || (load("u1") == 404).then_some(()));
    set("page: anyone");
    wait::until("the page", SOON, || (load("u1") == 200).then_some(()));
    assert_eq!(
        load("other.example.org"),
        403,
        "a name of somebody's own is none of the printer's for anyone"
    );
    // The key lasts as long as the service, and no longer.
    assert_eq!(visitor.key(), key);
    program.restart();
    assert_ne!(visitor.key(), key);
}

/// Two tabs, or two people: what the second one presses comes before the service has read what the first one did.
#[test]
fn two_who_switch_off_at_once_leave_one_bridge_on() {
    let (program, visitor) = service("[telegram]\nenabled: true\nchat_id: 5\n");
    let form = |bridge: &str| format!("key={}&bridge={bridge}&do=off", visitor.key());
    let said = visitor.send_at_once(&[form("octoapp"), form("telegram")]);
    assert!(said.starts_with("HTTP/1.1 303 "), "{said}");
    wait::until("the settings read again", SOON, || {
        program.log().contains("reads the settings again").then_some(())
    });
    wait::until("one that stays on", SOON, || {
        let page = visitor.page();
        let refused = said.contains("409") || page.contains("This is the last bridge that is on.");
        (refused && page.matches("aria-checked=\"true\"").count() == 1).then_some(())
    });
    let text = std::fs::read_to_string(cfg(&program.data())).unwrap();
    assert_eq!(text.matches("enabled: true").count(), 1, "{text}");
    program.worker();
}

/// What somebody switched off with an editor, and has not had read, counts as well.
#[test]
fn the_last_bridge_by_the_settings_as_they_are_written_stays_on() {
    let (program, visitor) = service("[telegram]\nenabled: true\nchat_id: 5\n");
    let path = cfg(&program.data());
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("[octoapp]\nenabled: true", "[octoapp]\nenabled: false");
    std::fs::write(&path, &text).unwrap();
    let (status, said) = visitor.try_to_send("bridge=telegram&do=off");
    assert!(status == 409 && said.contains("This is the last bridge that is on."), "{status} {said}");
    visitor.send("bridge=telegram&do=forget");
    visitor.wait_for(" Note: it stays switched on, since no other bridge is");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

/// On a slow line people press again, and each test has a thread and a connection.
#[test]
fn one_test_of_a_bridge_at_a_time() {
    let telegram = Telegram::plain(TOKEN, ADA);
    let lines = format!("[telegram]\nenabled: true\nchat_id: {ADA}\napi_url: {}\n", telegram.url());
    let (_program, visitor) = prepared(&lines, |data| {
        std::fs::write(data.join("octoapp/telegram_bot_token"), TOKEN).unwrap();
    });
    telegram.once("This is a test of Octobridge", Behaviour::Late);
    visitor.send("bridge=telegram&do=test");
    let (status, said) = visitor.try_to_send("bridge=telegram&do=test");
    assert!(status == 409 && said.contains("Something goes on for this bridge already."), "{status} {said}");
    telegram.wait_for("the test", SOON, |calls| {
        calls.iter().any(|call| call.text().contains("This is a test")).then_some(())
    });
    telegram.release();
    visitor.wait_for("A test message was taken.");
    visitor.send("bridge=telegram&do=test");
}

/// Whoever is on the page needs no terminal for what has a button there.
#[test]
fn remedies_on_the_page_name_its_own_buttons() {
    let telegram = Telegram::plain("124:ANOTHER", ADA);
    let lines = format!(
        "[octoapp]\nenabled: true\n[telegram]\nenabled: true\nchat_id: {ADA}\napi_url: {}\n",
        telegram.url()
    );
    let (_program, visitor) = prepared(&lines, |data| {
        std::fs::write(data.join("octoapp/telegram_bot_token"), TOKEN).unwrap();
    });
    visitor.send("bridge=prusa_connect&do=test");
    visitor.send("bridge=telegram&do=test");
    visitor.wait_for(" registered; pair it on its card");
    visitor.send("do=doctor");
    let page = visitor.wait_for("Checked at");
    let (said, _) = page.split_once("id=\"log\"").unwrap();
    assert!(!said.contains("octobridge pair") && !said.contains("octobridge secret set telegram"), "{said}");
    assert!(
        said.contains("copy the token from @BotFather (/mybots, API Token) and store it on its card"),
        "{said}"
    );
}
