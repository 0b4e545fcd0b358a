//! Each thing that may go wrong is shown with what to do about it, and can be tried again.

use super::{ADA, BOT, CONNECT, OCTOAPP, Place, SOON, TELEGRAM, ask_for_chats, button, judge, open};
use crate::support::bed::{Bed, Part};
use crate::support::browser::Browser;
use crate::support::phones;
use crate::support::prusa_connect::Answer;
use crate::support::telegram::{Behaviour, Standing, Which};
use crate::support::wait;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

const POLLER: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";

/// Presses a button of a card, and waits for what is said then.
fn fails(browser: &Browser, card: &str, what: &str, parts: &[&str]) {
    browser.click(&button(card, what));
    is_said(browser, card, parts);
}

fn is_said(browser: &Browser, card: &str, parts: &[&str]) {
    let script =
        format!("return [...document.querySelectorAll('{card} .notice')].map(said => said.innerText)");
    wait::until(&format!("{card} to say {parts:?}"), SOON, || {
        let said = browser.run(&script);
        let mut said = said.as_array().unwrap().iter().map(|said| said.as_str().unwrap());
        said.any(|said| parts.iter().all(|part| said.contains(part))).then_some(())
    });
}

/// Waits until a field is as empty as it is once its form was taken. What is typed before that would be lost.
fn emptied(browser: &Browser, field: &str) {
    let script = format!("return (document.querySelector(\"{field}\")?.value ?? '') === ''");
    wait::until(&format!("{field} to be empty"), SOON, || (browser.run(&script) == true).then_some(()));
}

/// OctoApp's own plugin, as Moonraker knows it for as long as this lives.
fn plugin(bed: &Bed) -> BufReader<UnixStream> {
    let mut socket = BufReader::new(UnixStream::connect(bed.socket()).unwrap());
    let agent =
        json!({"client_name": "OctoApp", "version": "3.1.0", "type": "agent", "url": "https://octoapp.eu"});
    let call = json!({"jsonrpc": "2.0", "method": "server.connection.identify", "params": agent, "id": 7});
    write!(socket.get_mut(), "{call}\u{3}").unwrap();
    // What Moonraker tells everybody may come before its answer.
    let answered = socket.by_ref().split(3).any(|message| {
        let message: Value = serde_json::from_slice(&message.unwrap()).unwrap();
        message["id"] == 7
    });
    assert!(answered, "Moonraker closed the connection");
    socket
}

#[test]
fn what_goes_wrong_with_octoapp_and_connect() {
    let place = Place::fresh();
    let browser = open(&place);

    let plugin = plugin(&place.bed);
    let parts = ["own plugin runs for this printer", "remove the plugin, or switch the bridge off"];
    fails(&browser, OCTOAPP, "pair", &parts);
    drop(plugin);
    browser.click(&button(OCTOAPP, "pair"));
    browser.wait_for(OCTOAPP, "Time left:");
    phones::register(&place.bed, "late", "three", json!({"expireAt": 1.0}));
    browser.wait_for(
        OCTOAPP,
        "a time that is over already; check that the clocks of phone and printer are right",
    );
    judge(&browser, "octoapp-remark");
    place.phones.refuse(503);
    place.phones.register(&place.bed);
    let parts =
        ["service answers 503; try again in some minutes", "stays registered; send a test to try it again"];
    is_said(&browser, OCTOAPP, &parts);
    place.phones.refuse(200);
    browser.wait_for(OCTOAPP, "a Live Activity of A phone");
    place.phones.bury(&["android", "ios:phone"]);
    let parts = ["knows no such phone any more", "open this printer in the app, and allow notifications"];
    fails(&browser, OCTOAPP, "test", &parts);

    let refusal = Answer::status(400).saying(r#"{"message":"unknown type"}"#);
    place.connect.instead("POST /p/register", refusal);
    let parts = ["Prusa Connect refuses: unknown type", "check url, serial and printer_type in the settings"];
    fails(&browser, CONNECT, "pair", &parts);
    let code = || {
        browser.click(&button(CONNECT, "pair"));
        browser.wait_for(CONNECT, "Code:");
        browser.text(&format!("{CONNECT} .code")).unwrap()
    };
    place.connect.expire(&code());
    is_said(&browser, CONNECT, &["There is no such code", "start again for another"]);
    judge(&browser, "connect-code-over");
    // The token cannot be stored.
    let file = place.program.data().join("octoapp/prusa_connect_token");
    let entered = code();
    std::fs::create_dir(&file).unwrap();
    place.connect.enter(&entered);
    let parts = [
        "store prusa_connect_token",
        "the medium is not full",
        "remove the printer in Connect, and pair it again",
    ];
    is_said(&browser, CONNECT, &parts);
    std::fs::remove_dir(&file).unwrap();
    // Who the printer is cannot be read.
    let identity = place.program.data().join("octoapp/prusa_connect_identity.json");
    let kept = std::fs::read(&identity).unwrap();
    std::fs::write(&identity, "{").unwrap();
    fails(&browser, CONNECT, "pair", &["prusa_connect_identity.json", "restore it from a backup"]);
    std::fs::write(&identity, kept).unwrap();
    // A setting is wrong, once it is read.
    place.set(&place.cfg().replace("[prusa_connect]\n", "[prusa_connect]\nprinter_type: Ender\n"));
    wait::until("the refusal of the setting", SOON, || {
        let press = format!("{}, {}", button(CONNECT, "pair"), button(CONNECT, "cancel"));
        browser.run(&format!("document.querySelector(\"{press}\")?.click()"));
        browser.text(CONNECT).filter(|shown| shown.contains("PRUSA_CONNECT_PRINTER_TYPE"))
    });
}

#[test]
fn what_goes_wrong_with_telegram() {
    let mut place = Place::fresh();
    let browser = open(&place);
    let token = format!("{TELEGRAM} input[name='token']");
    let with = |text: &str, parts: &[&str]| {
        browser.type_into(&token, text);
        fails(&browser, TELEGRAM, "pair", parts);
        emptied(&browser, &token);
    };

    // In one go: what the page is sent in between would put it back.
    let press = button(TELEGRAM, "pair");
    browser.run(&format!(
        "document.querySelector(\"{token}\").required = false; document.querySelector(\"{press}\").click()"
    ));
    is_said(&browser, TELEGRAM, &["There is no token yet. Put one in."]);
    with("no token", &["The token is not a bot token; it is a number, a colon and letters"]);
    place.telegram.close_port();
    with(BOT, &["annot reach http://127.0.0.1", "check the network"]);
    place.telegram.open_port();
    place.telegram.set_webhook(Some("https://example.org/bot"));
    with(BOT, &["it has set a webhook", "make a bot of its own for the printer with @BotFather"]);
    judge(&browser, "bot-in-use");
    place.telegram.set_webhook(None);
    place.telegram.misbehave(Which::Method("getUpdates"), 4, Behaviour::Refuse(409, POLLER));
    with(BOT, &["nother program fetches this bot's messages; end that one"]);

    // The chat takes no message, or what was chosen cannot be stored.
    let choose = |place: &Place| {
        let code = ask_for_chats(&browser);
        place.telegram.say(ADA, ADA, &format!("/start {code}"));
        browser.wait_for(TELEGRAM, "sent the code");
    };
    choose(&place);
    place.telegram.stand(ADA, Standing::Out);
    fails(&browser, TELEGRAM, "choose 0", &["may not write to the chat", "unblocked", "nothing was stored"]);
    place.telegram.stand(ADA, Standing::Member);
    choose(&place);
    let file = place.program.data().join("octoapp/telegram_bot_token");
    std::fs::create_dir(&file).unwrap();
    let parts = ["store telegram_bot_token", "the medium is not full", "nothing was stored"];
    fails(&browser, TELEGRAM, "choose 0", &parts);
    std::fs::remove_dir(&file).unwrap();

    // Once it is joined to its chat: what a test comes upon.
    choose(&place);
    browser.click(&button(TELEGRAM, "choose 0"));
    browser.wait_for(TELEGRAM, "from now on");
    place.telegram.stand(ADA, Standing::Out);
    fails(&browser, TELEGRAM, "test", &["may not write to the chat", "unblocked"]);
    assert_eq!(place.telegram.done("paired with this chat").len(), 2);
}

#[test]
fn what_goes_wrong_with_files_switches_and_the_printer() {
    let mut place = Place::fresh();
    let browser = open(&place);

    // Prusa Connect: no server, a file that is none, and one that is.
    place.connect.outage(Some(Answer::status(503)));
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Prusa Connect: status 503; trying again");
    browser.click(&button(OCTOAPP, "pair"));
    browser.wait_for(OCTOAPP, "Time left:");
    browser.click(&button(OCTOAPP, "cancel"));
    browser.wait_for(OCTOAPP, "No phone is registered yet.");
    judge(&browser, "connect-away");
    // After a minute it has ended by itself.
    let press = button(CONNECT, "cancel");
    browser.run(&format!("document.querySelector(\"{press}\")?.click()"));
    browser.wait_for(CONNECT, "Get a code");
    browser.click(&format!("{CONNECT} summary"));
    // What was unfolded once stays so until a file is taken.
    let import = |file: &str, part: &str| {
        browser.type_into("#ini", file);
        browser.click(&button(CONNECT, "import"));
        let shown = browser.wait_for(CONNECT, part);
        emptied(&browser, "#ini");
        shown
    };
    import("<!DOCTYPE html>", "this is no settings file");
    judge(&browser, "connect-no-file");
    import("[service::connect]\nhostname = h.example.org\ntls = 0\ntoken = SECRET", "unencrypted");
    import("[service::connect]\nhostname = h.example.org\ntls = 1\nport = 443", "download the file again");
    let url = place.connect.url();
    let (host, port) = url.trim_start_matches("http://").split_once(':').unwrap();
    let token = "SECRETSECRETSECRET20".to_owned();
    let file = format!("[service::connect]\nhostname = {host}\nport = {port}\ntls = 0\ntoken = {token}\n");
    // That it is taken is shown until Connect has refused it, which it cannot yet.
    let shown = import(&file, "The token is taken.");
    assert!(!shown.contains(&token), "{shown}");
    assert!(!browser.run("return document.documentElement.outerHTML").to_string().contains(&token));

    // Connect does not know that token.
    place.connect.outage(None);
    browser.wait_for(CONNECT, "Prusa Connect does not take the token any more. Forget it,");
    // What was unfolded for the file has not unfolded what would be lost now.
    assert_eq!(browser.run("return document.querySelectorAll('details[open]').length"), 0);
    judge(&browser, "connect-refuses");

    // A test that does not get through.
    place.phones.register(&place.bed);
    browser.wait_for(OCTOAPP, "a Live Activity of A phone");
    place.phones.refuse(503);
    browser.click(&button(OCTOAPP, "test"));
    browser.wait_for(&format!("{OCTOAPP} .notice"), "503");
    judge(&browser, "test-fails");

    // Switches.
    browser.click(&button(OCTOAPP, "off"));
    browser.wait_for(OCTOAPP, "Off");
    browser.click(&button(CONNECT, "off"));
    browser.wait_for("#notice", "the last bridge that is on");
    judge(&browser, "last-bridge");
    browser.click(&button(OCTOAPP, "on"));
    browser.wait_for(OCTOAPP, "On");
    assert!(place.cfg().contains("[octoapp]\nenabled: true"), "{}", place.cfg());

    // A test of what Connect refuses.
    fails(&browser, CONNECT, "test", &["refuses"]);

    // A camera that gives no picture leaves no empty frame, whatever else changes beside it.
    browser.run("window.Image = class { set src(_) { setTimeout(() => this.onerror()); } }");
    let hidden = "return document.querySelector('#head figure').hidden";
    wait::until("the end of the frame", SOON, || (browser.run(hidden) == true).then_some(()));
    browser.run(
        "const figure = document.querySelector('#head figure'); window.shown = 0; \
         new MutationObserver(() => { window.shown += !figure.hidden; }).observe(figure, { attributes: true })",
    );

    // The printer is away: phones cannot be registered. What is set is wrong.
    place.bed.kill(Part::Moonraker);
    let path = place.program.data().join("config/extended/extended2.cfg");
    std::fs::write(&path, place.cfg() + "[octoapp]\nenabled: true\n").unwrap();
    let head = browser.wait_for("#head", "No connection to the printer");
    assert!(!head.contains("Nothing is being printed"), "{head}");
    assert_eq!(browser.run("return window.shown"), 0);
    // What happened is told in words.
    let log = browser.wait_for("#log", "the connection to the printer is lost");
    assert!(!log.contains("SourceLost"), "{log}");
    browser.click(&button(CONNECT, "off"));
    browser.wait_for("#problems", "What to do:");
    fails(&browser, OCTOAPP, "pair", &["No connection to the printer: "]);
    browser.click("#doctor button");
    browser.wait_for("#doctor", "Checked at");
    browser.wait_for("#doctor", "What to do:");
    judge(&browser, "printer-away");

    // So is the service.
    place.program.stop();
    browser.wait_for("#notice", "The printer does not answer. This page goes on by itself");
    judge(&browser, "service-away");
}
