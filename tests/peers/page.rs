//! The set-up page in a real browser, with the real service, Moonraker and Klipper behind it.

mod console;
mod failures;
mod gate;
mod late;
mod nginx;
mod proxy;
mod restart;
mod states;

use crate::support::bed::{Bed, Setup, environment};
use crate::support::browser::{Browser, Look};
use crate::support::camera::{Answer, Camera, picture};
use crate::support::phones::Phones;
use crate::support::program::Program;
use crate::support::prusa_connect::Connect;
use crate::support::telegram::{Chat, Telegram};
use crate::support::wait;
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
        Self::with(|source, prepare| Program::prepared(source, &[], prepare))
    }

    /// The same by a clock that can leap.
    fn leaping() -> Self {
        Self::with(|source, prepare| Program::leaping(source, prepare))
    }

    fn with(start: impl FnOnce(&str, &dyn Fn(&Path)) -> Program) -> Self {
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
        let program = start(&source, &|data: &Path| {
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

    /// Writes the settings as somebody does with an editor, who then has them read.
    fn set(&self, cfg: &str) {
        std::fs::write(self.program.data().join("config/extended/extended2.cfg"), cfg).unwrap();
        self.program.reload();
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
    // What is said stays in sight at the top, above what is scrolled below it, until somebody scrolls back.
    browser.run("scrollTo(0, 0)");
}

/// Opens the page in a browser, and waits until the printer is on it.
fn open(place: &Place) -> Browser {
    let browser = Browser::start(Look::default());
    browser.open(&place.url());
    browser.wait_for("#head", "Klipper ready");
    browser
}

/// Puts in the bot's token, and gives the code that a chat is to send.
fn ask_for_chats(browser: &Browser) -> String {
    browser.type_into(&format!("{TELEGRAM} input[name='token']"), BOT);
    browser.click(&button(TELEGRAM, "pair"));
    code_of_bot(browser)
}

fn code_of_bot(browser: &Browser) -> String {
    let shown = browser.wait_for(TELEGRAM, "/start@printer_bot");
    let (_, code) = shown.split_once("/start@printer_bot ").unwrap();
    code.split_whitespace().next().unwrap().to_owned()
}

fn button(card: &str, what: &str) -> String {
    format!("{card} button[value='{what}']")
}

#[test]
fn each_bridge_is_paired_in_the_browser() {
    let place = Place::fresh();
    let browser = open(&place);
    browser.wait_for("h1", "A1M-1");
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

    // Prusa Connect: a code is shown until it is entered. Many people press everything twice.
    let press = button(CONNECT, "pair");
    browser.run(&format!("const all = document.querySelector(\"{press}\"); all.click(); all.click()"));
    browser.wait_for(CONNECT, "Code:");
    assert_eq!(browser.text("#notice").as_deref(), Some(""));
    judge(&browser, "connect-waits");
    let code = browser.text(&format!("{CONNECT} .code")).unwrap();
    let token = place.connect.enter(&code);
    browser.wait_for(CONNECT, "Prusa Connect has taken the printer.");
    let shown = browser.wait_for(CONNECT, "Registered.");
    assert!(!shown.contains(&token), "{shown}");
    browser.wait_for(CONNECT, "Works");
    assert!(place.cfg().contains("[prusa_connect]"));

    // Telegram: two chats send the code, and the topic of the group is chosen.
    let code = ask_for_chats(&browser);
    judge(&browser, "telegram-waits");
    place.telegram.say(ADA, ADA, &format!("/start {code}"));
    browser.wait_for(TELEGRAM, "sent the code");
    // Whoever is about to press a button presses no other one because a chat comes.
    browser.run(&format!("document.querySelector(\"{}\").focus()", button(TELEGRAM, "cancel")));
    place.telegram.say_in(GROUP, Some(17), ADA, &format!("/start@printer_bot {code}"));
    browser.wait_for(TELEGRAM, "topic 17");
    assert_eq!(browser.focused(), "Cancel");
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
fn two_tabs_show_the_same_and_outlive_a_restart_of_the_service() {
    let mut place = Place::fresh();
    let browser = open(&place);
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

    // Somebody types. A bridge comes, and goes while the whole service is started anew.
    let token = format!("{TELEGRAM} input[name='token']");
    browser.click(&format!("{CONNECT} summary"));
    browser.type_into("#ini", "[service");
    browser.type_into(&token, "123:WR");
    let cfg = place.cfg();
    place.set(&(cfg.clone() + "[telegram shed]\n"));
    browser.wait_for("#card3", "Telegram shed");
    std::fs::write(place.program.data().join("config/extended/extended2.cfg"), cfg).unwrap();
    let key = || browser.run("return document.querySelector('[name=key]').value");
    let before = key();
    place.program.restart();
    // The page goes on by itself, with the next service's key; what was typed and unfolded is still there.
    wait::until("the next key", SOON, || (key() != before).then_some(()));
    browser.wait_without("#notice", "does not answer");
    browser.wait_for("#head", "Klipper ready");
    wait::until("the end of the bridge", SOON, || browser.text("#card3").is_none().then_some(()));
    let kept = "return [document.querySelector('#ini').value, document.activeElement.value, \
                document.querySelector('#import-prusa_connect').open]";
    assert_eq!(browser.run(kept), serde_json::json!(["[service", "123:WR", true]));
    browser.type_into(&token, "ONG");
    browser.click(&button(TELEGRAM, "pair"));
    browser.wait_for(TELEGRAM, "copy it again from @BotFather");
    browser.switch_to(&first);
    browser.wait_for(TELEGRAM, "copy it again from @BotFather");
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
    let code = code_of_bot(&browser);
    place.telegram.say(ADA, ADA, &format!("/start {code}"));
    browser.wait_for(TELEGRAM, "sent the code");
    go_to("control");
    browser.press(" ");
    go_to("the private chat with User 5");
    browser.press(ENTER);
    browser.wait_for(TELEGRAM, "from now on");
    let cfg = place.cfg();
    assert!(cfg.contains("chat_id: 5") && cfg.contains("allowed_users: 5"), "{cfg}");
    // The button comes once the service has read that.
    browser.wait_for(TELEGRAM, "Send a test");
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
    // It is on its way until the page comes back.
    wait::until("the page after the form", SOON, || {
        browser.text(CONNECT).filter(|shown| !shown.contains("Get a code"))
    });
    let shown = wait::until("the code", SOON, || {
        browser.open(&place.url());
        browser.text(CONNECT).filter(|shown| shown.contains("Code:"))
    });
    assert!(!shown.contains("Time left:"), "nobody counts: {shown}");
    browser.picture(&shots().join("without-scripts.png"));
}
