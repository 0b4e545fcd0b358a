//! The set-up page in a real browser, with the real service, Moonraker and Klipper behind it.

mod console;
mod proxy;

use crate::support::bed::{Bed, Part, Setup, environment};
use crate::support::browser::{Browser, Look};
use crate::support::camera::{Answer, Camera, picture};
use crate::support::phones::Phones;
use crate::support::program::Program;
use crate::support::prusa_connect::Connect;
use crate::support::telegram::{Chat, Telegram};
use crate::support::wait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BOT: &str = "123:PAGETOKEN";
const ADA: i64 = 5;
const GROUP: i64 = -1001;
const SOON: Duration = Duration::from_secs(40);
/// Keys, as WebDriver has them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

const OCTOAPP: &str = "#card0";
const CONNECT: &str = "#card1";
const TELEGRAM: &str = "#card2";

/// Everything around the service.
struct Place {
    bed: Bed,
    telegram: Telegram,
    connect: Connect,
    phones: Phones,
    program: Program,
}

impl Place {
    /// OctoApp is on, as by the switch of the printer's own page; nothing is paired.
    fn fresh() -> Self {
        // Another picture for those of the documentation.
        let jpeg = std::env::var_os("PAGE_CAMERA").map(|file| std::fs::read(file).unwrap());
        let jpeg = jpeg.unwrap_or_else(|| picture(640, 360, 20_000));
        let camera = Camera::start("/snapshot.jpg", &[Answer::Whole(jpeg)]);
        let bed = Bed::up_with(Setup { moonraker_conf: camera.moonraker_conf(), ..Setup::default() });
        // Cameras last as long as the process.
        std::mem::forget(camera);
        let telegram = Telegram::plain(BOT, ADA);
        telegram.add_chat(Chat::forum(GROUP, &[17]));
        let (connect, phones) = (Connect::start(), Phones::start());
        let source = format!("moonraker_url: unix:{}", bed.socket().display());
        let program = Program::prepared(&source, &[], |data| {
            let ca = data.join("ca.pem");
            std::fs::write(&ca, phones.ca()).unwrap();
            let path = data.join("config/extended/extended2.cfg");
            let mut cfg = std::fs::read_to_string(&path).unwrap();
            cfg += &format!("extra_ca_file: {}\n", ca.display());
            cfg += &phones.section("127.0.0.1");
            cfg += &format!(
                "[prusa_connect]\nurl: {}\n[telegram]\napi_url: {}\n",
                connect.url(),
                telegram.url()
            );
            std::fs::write(path, cfg).unwrap();
        });
        Self { bed, telegram, connect, phones, program }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.program.address)
    }

    fn cfg(&self) -> String {
        std::fs::read_to_string(self.program.data().join("config/extended/extended2.cfg")).unwrap()
    }
}

/// Where pictures of the page go, to be looked at.
fn shots() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("page")
}

/// Judges the page by all of axe's rules, in light and dark, on a wide window and on a phone, and takes a picture of each.
fn judge(browser: &Browser, name: &str) {
    let axe = environment("AXE", ".cache/python/axe/axe.min.js");
    let axe = std::fs::read_to_string(axe).unwrap();
    for (place, size) in [("wide", (1200, 1000)), ("phone", (390, 844))] {
        for (light, dark) in [("light", false), ("dark", true)] {
            browser.be(Look { size, dark, ..browser.look() });
            let found = browser.axe(&axe);
            let name = format!("{name}-{place}-{light}");
            browser.picture(&shots().join(format!("{name}.png")));
            assert!(found.is_empty(), "{name}: {found:#?}");
            let over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.run(over), 0, "{name} is wider than what shows it");
        }
    }
    browser.be(browser.look());
}

fn button(card: &str, what: &str) -> String {
    format!("{card} button[value='{what}']")
}

#[test]
fn each_bridge_is_paired_in_the_browser() {
    let place = Place::fresh();
    let browser = Browser::start(Look::default());
    browser.open(&place.url());
    browser.wait_for("h1", "A1M-1");
    browser.wait_for("#head", "Klipper ready");
    browser.wait_for(OCTOAPP, "No phone is registered yet.");
    judge(&browser, "fresh");

    // OctoApp: the page invites a phone, which registers as its app does.
    browser.click(&button(OCTOAPP, "pair"));
    browser.wait_for(OCTOAPP, "Time left:");
    judge(&browser, "octoapp-waits");
    place.phones.register(&place.bed);
    browser.wait_for(OCTOAPP, "was sent a first message");
    wait::until("the first push", SOON, || (!place.phones.pushes().is_empty()).then_some(()));
    browser.wait_for(OCTOAPP, "a Live Activity of A phone");

    // Prusa Connect: a code is shown until it is entered.
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Code:");
    judge(&browser, "connect-waits");
    let code = browser.text(&format!("{CONNECT} .code")).unwrap();
    let token = place.connect.enter(&code);
    browser.wait_for(CONNECT, "Prusa Connect has taken the printer.");
    let shown = browser.wait_for(CONNECT, "Registered.");
    assert!(!shown.contains(&token), "{shown}");
    browser.wait_for(CONNECT, "Works");
    assert!(place.cfg().contains("[prusa_connect]"));

    // Telegram: two chats send the code, and the topic of the group is chosen.
    browser.type_into(&format!("{TELEGRAM} input[name='token']"), BOT);
    browser.click(&button(TELEGRAM, "pair"));
    let shown = browser.wait_for(TELEGRAM, "/start@printer_bot");
    judge(&browser, "telegram-waits");
    let (_, code) = shown.split_once("/start@printer_bot ").unwrap();
    let code = code.split_whitespace().next().unwrap();
    place.telegram.say(ADA, ADA, &format!("/start {code}"));
    browser.wait_for(TELEGRAM, "sent the code");
    place.telegram.say_in(GROUP, Some(17), ADA, &format!("/start@printer_bot {code}"));
    browser.wait_for(TELEGRAM, "topic 17");
    judge(&browser, "telegram-asks");
    browser.click(&format!("{TELEGRAM} input[name='control']"));
    browser.click(&button(TELEGRAM, "choose 1"));
    browser.wait_for(TELEGRAM, "from now on");
    browser.wait_for(TELEGRAM, "-1001, topic 17");
    let cfg = place.cfg();
    for line in ["chat_id: -1001", "thread_id: 17", "allowed_chats: -1001", "allowed_users: 5"] {
        assert!(cfg.contains(line), "{line}: {cfg}");
    }
    assert_eq!(place.telegram.done("paired with this chat").len(), 1);

    // A test, and the examination.
    browser.click(&button(TELEGRAM, "test"));
    browser.wait_for(TELEGRAM, "A test message was taken");
    browser.click("#doctor button");
    browser.wait_for("#doctor", "Checked at");
    judge(&browser, "all-paired");

    // What went in does not come out: not in the page as it is now, as it is loaded, or in the log.
    let loaded = ureq::get(place.url()).call().unwrap().body_mut().read_to_string().unwrap();
    let shown = browser.run("return document.documentElement.outerHTML").as_str().unwrap().to_owned();
    for secret in ["PAGETOKEN", token.as_str()] {
        for place in [&loaded, &shown, &place.program.log()] {
            assert!(!place.contains(secret), "{secret} is in {place}");
        }
    }
}

#[test]
fn two_tabs_show_the_same_and_outlive_the_service() {
    let place = Place::fresh();
    let browser = Browser::start(Look::default());
    browser.open(&place.url());
    browser.wait_for("#head", "Klipper ready");
    let (first, second) = browser.new_tab();
    browser.open(&place.url());
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Code:");
    browser.switch_to(&first);
    browser.wait_for(CONNECT, "Code:");
    browser.click(&button(CONNECT, "cancel"));
    browser.wait_without(CONNECT, "Code:");
    browser.switch_to(&second);
    browser.wait_without(CONNECT, "Code:");

    // The worker is killed; its successor has another key, and the page learns it.
    let worker = place.program.worker_now().unwrap();
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    wait::until("another worker", SOON, || place.program.worker_now().filter(|now| *now != worker));
    browser.wait_for("#head", "Klipper ready");
    browser.wait_without("#notice", "does not answer");
    browser.click(&button(TELEGRAM, "pair"));
    browser.type_into(&format!("{TELEGRAM} input[name='token']"), "123:WRONG");
    wait::until("the refusal of a wrong token", SOON, || {
        browser.click(&button(TELEGRAM, "pair"));
        browser.text(TELEGRAM).filter(|shown| shown.contains("copy it again from @BotFather"))
    });
    judge(&browser, "wrong-token");
}

#[test]
fn on_a_phone_in_the_dark_and_by_the_keyboard_alone() {
    let place = Place::fresh();
    let browser = Browser::start(Look { size: (390, 844), dark: true, ..Look::default() });
    browser.open(&place.url());
    browser.wait_for("#head", "Klipper ready");
    // Tab leads to everything in turn; Enter presses it.
    let go_to = |what: &str| {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|seen: &String| seen != what) {
            browser.press(TAB);
            seen.push(browser.focused());
            assert!(seen.len() < 40, "{what}: {seen:?}");
        }
    };
    go_to("Get a code");
    browser.press(ENTER);
    browser.wait_for(CONNECT, "Code:");
    go_to("Cancel");
    browser.press(ENTER);
    browser.wait_without(CONNECT, "Code:");

    // A bot is joined to a chat, from its token to the choice.
    go_to("token");
    browser.press(BOT);
    browser.press(ENTER);
    let shown = browser.wait_for(TELEGRAM, "/start@printer_bot");
    let (_, code) = shown.split_once("/start@printer_bot ").unwrap();
    let code = code.split_whitespace().next().unwrap();
    place.telegram.say(ADA, ADA, &format!("/start {code}"));
    browser.wait_for(TELEGRAM, "sent the code");
    go_to("control");
    browser.press(" ");
    go_to("the private chat with User 5");
    browser.press(ENTER);
    browser.wait_for(TELEGRAM, "from now on");
    let cfg = place.cfg();
    assert!(cfg.contains("chat_id: 5") && cfg.contains("allowed_users: 5"), "{cfg}");
    go_to("Send a test");
    browser.press(ENTER);
    browser.wait_for(TELEGRAM, "A test message was taken");
}

#[test]
fn it_can_be_read_and_used_without_scripts() {
    let place = Place::fresh();
    let browser = Browser::start(Look { scripts: false, ..Look::default() });
    browser.open(&place.url());
    browser.click(&button(CONNECT, "pair"));
    wait::until("the code", SOON, || {
        browser.open(&place.url());
        browser.text(CONNECT).filter(|shown| shown.contains("Code:"))
    });
    browser.picture(&shots().join("without-scripts.png"));
}

/// Each thing that may go wrong is shown with what to do about it, and can be tried again.
#[test]
fn failures_are_shown_with_their_remedies() {
    let mut place = Place::fresh();
    let browser = Browser::start(Look::default());
    browser.open(&place.url());
    browser.wait_for("#head", "Klipper ready");

    // Telegram: another program takes the bot's messages.
    place.telegram.set_webhook(Some("https://example.org/bot"));
    browser.type_into(&format!("{TELEGRAM} input[name='token']"), BOT);
    browser.click(&button(TELEGRAM, "pair"));
    browser.wait_for(TELEGRAM, "make a bot of its own for the printer with @BotFather");
    judge(&browser, "bot-in-use");
    place.telegram.set_webhook(None);
    browser.type_into(&format!("{TELEGRAM} input[name='token']"), "no token");
    browser.click(&button(TELEGRAM, "pair"));
    browser.wait_for(TELEGRAM, "The token is not a bot token; it is a number, a colon and letters");

    // Prusa Connect: no server, a file that is none, and one that is.
    place.connect.outage(Some(crate::support::prusa_connect::Answer::status(503)));
    browser.click(&button(CONNECT, "pair"));
    browser.wait_for(CONNECT, "Prusa Connect: status 503; trying again");
    browser.click(&button(OCTOAPP, "pair"));
    browser.wait_for(OCTOAPP, "Time left:");
    browser.click(&button(OCTOAPP, "cancel"));
    browser.wait_for(OCTOAPP, "No phone is registered yet.");
    judge(&browser, "connect-away");
    browser.click(&button(CONNECT, "cancel"));
    place.connect.outage(None);
    browser.click(&format!("{CONNECT} summary"));
    browser.type_into("#ini", "<!DOCTYPE html>");
    browser.click(&button(CONNECT, "import"));
    browser.wait_for(CONNECT, "this is no settings file");
    judge(&browser, "connect-no-file");
    let url = place.connect.url();
    let (host, port) = url.trim_start_matches("http://").split_once(':').unwrap();
    let token = "SECRETSECRETSECRET20".to_owned();
    let file = format!("[service::connect]\nhostname = {host}\nport = {port}\ntls = 0\ntoken = {token}\n");
    browser.type_into("#ini", &file);
    browser.click(&button(CONNECT, "import"));
    let shown = browser.wait_for(CONNECT, "The token is taken.");
    assert!(!shown.contains(&token), "{shown}");
    assert!(!browser.run("return document.documentElement.outerHTML").to_string().contains(&token));

    // Connect does not know that token.
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

    // The printer is away, and what is set is wrong.
    place.bed.kill(Part::Moonraker);
    let path = place.program.data().join("config/extended/extended2.cfg");
    std::fs::write(&path, place.cfg() + "[octoapp]\nenabled: true\n").unwrap();
    let head = browser.wait_for("#head", "No connection to the printer");
    assert!(!head.contains("Nothing is being printed"), "{head}");
    browser.click(&button(CONNECT, "off"));
    browser.wait_for("#problems", "What to do:");
    browser.click("#doctor button");
    browser.wait_for("#doctor", "Checked at");
    browser.wait_for("#doctor", "What to do:");
    judge(&browser, "printer-away");

    // So is the service.
    place.program.stop();
    browser.wait_for("#notice", "The printer does not answer. This page goes on by itself");
    judge(&browser, "service-away");
}
