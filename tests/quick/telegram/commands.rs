//! Commands from the chat over sockets: what people write and press, what they see, and what the printer is told.

use super::pictures::jpeg;
use super::{CHAT, SECRET, SOON, TOKEN, event, no_extra_roots, setting, setup, status};
use crate::support::camera::never_asked;
use crate::support::openrouter::{Behaviour as Says, OpenRouter};
use crate::support::telegram::{Behaviour, Chat, ChatKind, Telegram as BotApi, Which};
use crate::support::wait;
use octobridge::bridge::telegram::{Config, Telegram};
use octobridge::bridge::{Bridge, Health, Setup};
use octobridge::camera::Camera;
use octobridge::clock::{Clock, SystemClock};
use octobridge::printer::{EventKind, Klippy, KlippyState, Print, PrintState, Sight, Snapshot};
use octobridge::source::control::{self, Requests};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The owner, and the chat with him.
const OWNER: i64 = 7;
const STRANGER: i64 = 666;

/// What the printer was told, and in whose name.
type Told = Arc<Mutex<Vec<(String, Option<String>)>>>;

struct Rig {
    server: BotApi,
    bridge: Telegram,
    camera: Camera,
    clock: SystemClock,
    told: Told,
    place: tempfile::TempDir,
}

impl Rig {
    fn new(more: &[(&str, &str)]) -> Self {
        let server = BotApi::plain(TOKEN, CHAT);
        server.name_bot("MyBot");
        for person in [OWNER, STRANGER] {
            server.add_chat(Chat::new(person, ChatKind::Private));
        }
        Self::before(server, tempfile::tempdir().unwrap(), more)
    }

    fn before(server: BotApi, place: tempfile::TempDir, more: &[(&str, &str)]) -> Self {
        let clock = SystemClock::new();
        let camera = never_asked(clock);
        let (control, requests) = control::channel();
        let told = Told::default();
        let noted = Arc::clone(&told);
        std::thread::spawn(move || obey(requests, &noted));
        let url = server.url();
        let usual = [
            ("TELEGRAM_ALLOWED_CHATS", "-1001,7"),
            ("TELEGRAM_ALLOWED_USERS", "7"),
            ("TELEGRAM_EVENTS", "end"),
        ];
        let find = |name: &str| {
            let own = more.iter().chain(&usual).find(|(known, _)| *known == name);
            own.map(|(_, value)| (*value).to_owned()).or_else(|| setting(&url, name))
        };
        let around =
            Setup { camera: camera.clone(), clock, control, ..setup(no_extra_roots(), place.path(), &find) };
        let bridge = Telegram::start(&Config::parse(&find).unwrap(), &around).unwrap();
        Self { server, bridge, camera, clock, told, place }
    }

    /// The printer is seen in this state.
    fn see(&mut self, state: PrintState, progress: f64) {
        let file = Some("parts/cube.gcode".to_owned());
        let print = Print { state, file, progress: Some(progress), ..Print::default() };
        let klippy = Klippy { state: KlippyState::Ready, message: None };
        let snapshot = Arc::new(Snapshot { klippy, print: Some(print), ..Snapshot::default() });
        let job = state.is_active().then(|| "1".into());
        self.bridge.on_sight(&Sight { snapshot, job, at: self.clock.now() });
    }

    /// The newest message in a chat with that text, once it is there.
    fn message(&self, chat: i64, text: &str) -> Value {
        wait::until(&format!("`{text}` in {chat}"), SOON, || {
            self.server.messages(chat).into_iter().rev().find(|shown| words(shown).contains(text))
        })
    }

    /// How a press was answered, once it was.
    fn answer(&self, press: &str) -> String {
        let answer = wait::until("an answer to the press", SOON, || self.server.answer_to(press));
        answer["text"].as_str().unwrap_or_default().to_owned()
    }

    fn told(&self) -> Vec<(String, Option<String>)> {
        self.told.lock().unwrap().clone()
    }

    /// Until everything that was sent to the bot is seen to.
    fn settle(&self) {
        wait::until("all updates", SOON, || (self.server.waiting_updates() == 0).then_some(()));
    }
}

fn words(shown: &Value) -> &str {
    shown["text"].as_str().or(shown["caption"].as_str()).unwrap_or_default()
}

fn number(shown: &Value) -> i64 {
    shown["message_id"].as_i64().unwrap()
}

/// A printer that does what it is told.
fn obey(mut requests: Requests, told: &Told) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        loop {
            let request = requests.next().await;
            let by = request.by().map(ToString::to_string);
            told.lock().unwrap().push((request.ask().name().to_owned(), by));
            request.done();
        }
    });
}

#[test]
fn without_lists_nobody_is_listened_to() {
    for lists in [("", ""), ("-1001", ""), ("", "7")] {
        let mut rig = Rig::new(&[("TELEGRAM_ALLOWED_CHATS", lists.0), ("TELEGRAM_ALLOWED_USERS", lists.1)]);
        rig.server.say(OWNER, OWNER, "/status");
        rig.bridge.on_event(&event(EventKind::Finished, "1/finished"));
        let end = rig.message(CHAT, "Completed: cube.gcode");
        assert_eq!(end["reply_markup"], Value::Null);
        rig.bridge.stop(SOON);
        let methods: Vec<String> = rig.server.calls().into_iter().map(|call| call.method).collect();
        assert_eq!((methods, rig.server.polls().len()), (vec!["sendMessage".to_owned()], 0), "{lists:?}");
    }
}

#[test]
fn the_menu_comes_and_goes_with_the_commands() {
    let everybody = json!({"type": "default"});
    let mut rig = Rig::new(&[("TELEGRAM_GCODE", "on")]);
    wait::until("the first poll", SOON, || (!rig.server.polls().is_empty()).then_some(()));
    let menu = rig.server.commands(&everybody);
    assert!(menu.contains(&"cancel".to_owned()) && menu.contains(&"gcode".to_owned()), "{menu:?}");
    assert!(!menu.contains(&"macro".to_owned()), "{menu:?}");
    assert_eq!(rig.server.allowed_updates(), ["message", "callback_query", "my_chat_member"]);
    let begun = Instant::now();
    rig.bridge.stop(Duration::from_secs(20));
    assert!(begun.elapsed() < Duration::from_secs(3), "the held question was not interrupted");
    let mut rig = Rig::before(rig.server, rig.place, &[("TELEGRAM_ALLOWED_USERS", "")]);
    wait::until("an empty menu", SOON, || rig.server.commands(&everybody).is_empty().then_some(()));
    let polls = rig.server.polls().len();
    rig.bridge.stop(SOON);
    let calls = rig.server.calls().len();
    // And that once.
    let mut rig = Rig::before(rig.server, rig.place, &[("TELEGRAM_ALLOWED_USERS", "")]);
    rig.bridge.stop(SOON);
    assert_eq!((rig.server.calls().len(), rig.server.polls().len()), (calls, polls));
}

#[test]
fn strangers_learn_their_numbers_and_nothing_else() {
    let mut rig = Rig::new(&[]);
    rig.see(PrintState::Printing, 0.42);
    for text in ["/status", "/cancel", "/help", "/gcode M112", "hello"] {
        rig.server.say(STRANGER, STRANGER, text);
    }
    rig.server.send_file(STRANGER, STRANGER, "evil.gcode", b"G28\n");
    rig.server.say(STRANGER, STRANGER, "/id");
    rig.message(STRANGER, "You 666");
    let shown = rig.server.messages(STRANGER);
    let said: Vec<&str> = shown.iter().filter(|shown| shown["from"]["is_bot"] == true).map(words).collect();
    assert_eq!(said, ["Chat 666\nYou 666"]);
    // One who sees the buttons, but may not use them.
    rig.server.say_in(CHAT, Some(17), OWNER, "/cancel");
    let question = rig.message(CHAT, "Cancel cube.gcode at 42%?");
    let press = rig.server.press(CHAT, number(&question), STRANGER, "Cancel the print");
    assert_eq!(rig.answer(&press), "You may not control this printer.");
    let press = rig.server.press_with(CHAT, number(&question), OWNER, "do:cancel:aaaaaaaa");
    assert_eq!(rig.answer(&press), "This button is too old. Send the command again.");
    rig.bridge.stop(SOON);
    assert!(rig.told().is_empty(), "{:?}", rig.told());
    assert!(rig.server.unanswered().is_empty());
}

#[test]
fn a_job_is_cancelled_after_a_question_in_the_topic_it_was_asked_in() {
    let mut rig = Rig::new(&[]);
    rig.see(PrintState::Printing, 0.42);
    rig.server.say_in(CHAT, Some(23), OWNER, "/cancel@mybot");
    let question = rig.message(CHAT, "Cancel cube.gcode at 42%?");
    assert_eq!(question["message_thread_id"], 23);
    let no = rig.server.press(CHAT, number(&question), OWNER, "No");
    assert_eq!(rig.answer(&no), "");
    let shown = rig.message(CHAT, "Nothing was done.");
    assert_eq!((number(&shown), &shown["reply_markup"]), (number(&question), &Value::Null));
    assert!(rig.told().is_empty());

    rig.server.say_in(CHAT, Some(23), OWNER, "/cancel");
    let question = rig.message(CHAT, "Cancel cube.gcode at 42%?");
    let yes = rig.server.press(CHAT, number(&question), OWNER, "Cancel the print");
    assert_eq!(rig.answer(&yes), "One moment...");
    assert_eq!(number(&rig.message(CHAT, "Cancelled.")), number(&question));
    let told = rig.told();
    assert_eq!((told.len(), told[0].0.as_str()), (1, "printer.print.cancel"));
    assert!(told[0].1.as_deref().is_some_and(|by| by.starts_with("Telegram: ")), "{told:?}");

    // A question about a job that is over.
    rig.server.say_in(CHAT, Some(23), OWNER, "/pause");
    let question = rig.message(CHAT, "Pause cube.gcode at 42%?");
    rig.see(PrintState::Complete, 1.0);
    let late = rig.server.press(CHAT, number(&question), OWNER, "Pause");
    assert_eq!(rig.answer(&late), "No job is under way.");
    rig.settle();
    rig.bridge.stop(SOON);
    assert_eq!(rig.told().len(), 1);
}

#[test]
fn the_status_is_edited_in_place_until_the_job_is_over() {
    let mut rig = Rig::new(&[]);
    rig.camera.offer(jpeg(), rig.clock.now()).unwrap();
    rig.see(PrintState::Printing, 0.42);
    rig.server.say(OWNER, OWNER, "/status");
    let first = rig.message(OWNER, "Printing: cube.gcode\n42%");
    assert_eq!(rig.server.bytes(&first)[..], jpeg()[..]);
    rig.see(PrintState::Paused, 0.43);
    let paused = rig.message(OWNER, "Paused: cube.gcode\n43%");
    assert_eq!(number(&paused), number(&first));
    // Somebody deletes it: the end is told by a new one, which makes no sound.
    rig.server.remove(OWNER, number(&first));
    rig.see(PrintState::Complete, 1.0);
    let last = rig.message(OWNER, "Completed: cube.gcode");
    assert_ne!(number(&last), number(&first));
    let sent = rig.server.done("Completed: cube.gcode");
    assert!(sent.iter().all(|call| call.arguments["disable_notification"] == true), "{sent:#?}");
    rig.bridge.stop(SOON);
}

#[test]
fn the_settings_may_ask_for_a_status_message_without_commands() {
    let mut rig = Rig::new(&[
        ("TELEGRAM_ALLOWED_USERS", ""),
        ("TELEGRAM_STATUS_MESSAGE", "edit_pin"),
        ("TELEGRAM_CHAT_ID", "7"),
        ("TELEGRAM_THREAD_ID", ""),
    ]);
    rig.see(PrintState::Printing, 0.01);
    let first = rig.message(OWNER, "Printing: cube.gcode\n1%");
    wait::until("the pin", SOON, || (rig.server.pinned(OWNER) == [number(&first)]).then_some(()));
    rig.bridge.stop(SOON);
    // After a restart the same message is kept.
    let mut rig = Rig::before(
        rig.server,
        rig.place,
        &[("TELEGRAM_ALLOWED_USERS", ""), ("TELEGRAM_STATUS_MESSAGE", "edit_pin"), ("TELEGRAM_CHAT_ID", "7")],
    );
    rig.see(PrintState::Printing, 0.5);
    assert_eq!(number(&rig.message(OWNER, "Printing: cube.gcode\n50%")), number(&first));
    rig.bridge.stop(SOON);
    assert_eq!(rig.server.messages(OWNER).len(), 1);
    assert!(rig.server.polls().is_empty());
}

#[test]
fn another_program_with_the_token_is_named_in_the_status() {
    let rig = Rig::new(&[]);
    let conflict =
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    rig.server.misbehave(Which::Method("getUpdates"), 1000, Behaviour::Refuse(409, conflict));
    rig.server.say(OWNER, OWNER, "/id");
    let told = wait::until("the trouble", SOON, || {
        let told = status(&rig.bridge);
        told.text.contains("another program").then_some(told)
    });
    assert_eq!(told.health, Health::Warn);
    assert!(!told.text.contains(SECRET), "{}", told.text);
    let mut rig = rig;
    rig.bridge.stop(SOON);
}

#[test]
fn the_end_of_a_job_offers_it_again() {
    let mut rig = Rig::new(&[]);
    rig.see(PrintState::Complete, 1.0);
    rig.bridge.on_event(&event(EventKind::Finished, "1/finished"));
    let end = rig.message(CHAT, "Completed: cube.gcode");
    let press = rig.server.press(CHAT, number(&end), OWNER, "Print again");
    assert_eq!(rig.answer(&press), "");
    wait::until("a question to the printer", SOON, || {
        rig.told().iter().any(|(method, _)| method == "server.files.metadata").then_some(())
    });
    rig.bridge.stop(SOON);
}

#[test]
fn an_alert_has_buttons_and_a_check_can_be_asked_for() {
    let picture = jpeg();
    let model = OpenRouter::start("sk-or-test", &[("a", &picture)]);
    let finding = r#"{"has_defect": true, "confidence": 0.92, "summary": "Spaghetti on the right"}"#;
    model.plan([Says::Say(finding.to_owned()), Says::Say(finding.to_owned())]);
    let url = model.url();
    let mut rig = Rig::new(&[
        ("OPENROUTER_API_KEY", "sk-or-test"),
        ("OPENROUTER_BASE_URL", &url),
        ("TELEGRAM_EVENTS", "alert"),
    ]);
    rig.camera.offer(picture.clone(), rig.clock.now()).unwrap();
    rig.see(PrintState::Printing, 0.42);
    let alert = rig.message(CHAT, "Spaghetti on the right");
    let press = rig.server.press(CHAT, number(&alert), OWNER, "Pause");
    assert_eq!(rig.answer(&press), "");
    rig.message(CHAT, "Pause cube.gcode at 42%?");
    let press = rig.server.press(CHAT, number(&alert), STRANGER, "False alarm");
    assert_eq!(rig.answer(&press), "You may not control this printer.");
    let press = rig.server.press(CHAT, number(&alert), OWNER, "False alarm");
    assert_eq!(rig.answer(&press), "This job is not checked any more.");
    model.wait_for(1, SOON);
    rig.server.say(OWNER, OWNER, "/check");
    rig.message(OWNER, "Looking.");
    model.wait_for(2, SOON);
    wait::until("the second alert", SOON, || {
        (rig.server.done("Spaghetti on the right").len() == 2).then_some(())
    });
    rig.server.say(OWNER, OWNER, "/mute all");
    rig.message(OWNER, "Muted: no messages come until /mute off.");
    rig.bridge.stop(SOON);
    assert!(rig.told().is_empty());
}
