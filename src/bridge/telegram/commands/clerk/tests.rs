use super::super::tests::{GROUP, GUEST, OWNER, START, at, config, seconds, sight};
use super::super::token::{Button, mark};
use super::super::update::{self, Shown};
use super::*;
use crate::printer::{PrintState, Sight};
use serde_json::{Value, json};

/// A chat in which nobody may do anything.
const ELSEWHERE: i64 = -200;

struct Rig {
    clerk: Clerk,
    live: Live,
}

impl Rig {
    fn new(settings: &[(&str, &str)]) -> Self {
        let live = Live::default();
        let clerk = Clerk::new(&config(settings), live.clone(), SharedTokens::default(), None, false);
        Self { clerk, live }
    }

    fn see(&self, sight: Sight) {
        self.live.lock().sight = Some(sight);
    }

    fn printing(&self) {
        self.see(sight(PrintState::Printing, Some("parts/cube.gcode"), Some("1")));
    }

    fn decide(&mut self, update: &Value, second: u64) -> Vec<Deed> {
        self.clerk.decide(update::read(update, "MyBot"), seconds(second), at(second))
    }

    /// What comes of a text.
    fn say(&mut self, chat: i64, user: i64, text: &str, second: u64) -> Vec<Deed> {
        self.decide(&written(chat, user, second, json!({"text": text})), second)
    }

    /// What the owner is told by the one message that comes of it.
    fn told(&mut self, text: &str, second: u64) -> Reply {
        one_reply(self.say(GROUP, OWNER, text, second))
    }

    fn press(&mut self, chat: i64, user: i64, data: &str, second: u64) -> (String, Option<Deed>) {
        let message = json!({"message_id": 9, "date": START, "chat": {"id": chat}, "text": "?"});
        let press =
            json!({"id": "p", "from": {"id": user, "first_name": "Ann"}, "data": data, "message": message});
        let mut deeds = self.decide(&json!({"callback_query": press}), second);
        let Deed::Answer { press, text } = deeds.remove(0) else { panic!("the press is not answered first") };
        assert_eq!(press, "p");
        assert!(deeds.len() < 2);
        (text, deeds.pop())
    }
}

fn written(chat: i64, user: i64, second: u64, content: Value) -> Value {
    let kind = if chat > 0 { "private" } else { "supergroup" };
    let mut message = json!({
        "message_id": 5, "date": START + second, "chat": {"id": chat, "type": kind}, "from": {"id": user, "is_bot": false},
    });
    message.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    json!({"update_id": 1, "message": message})
}

fn one_reply(mut deeds: Vec<Deed>) -> Reply {
    assert_eq!(deeds.len(), 1, "{deeds:?}");
    match deeds.remove(0) {
        Deed::Say(reply) => reply,
        other => panic!("{other:?}"),
    }
}

/// What comes of a thing, in a word or two.
fn gist(deeds: &[Deed]) -> String {
    let gist = |deed: &Deed| match deed {
        Deed::Say(reply) => format!("say {}", reply.text.split(['\n', '.', '?']).next().unwrap()),
        Deed::Answer { text, .. } => format!("answer {text}"),
        Deed::Run(errand) => match &errand.task {
            Task::Obey(order) => format!("obey {order:?}"),
            Task::Fetch(_, name) => format!("fetch {name}"),
            task => format!("{task:?}").to_lowercase(),
        },
    };
    deeds.iter().map(gist).collect::<Vec<_>>().join("; ")
}

#[test]
fn who_may_do_what_where() {
    let may_not = "say You may not control this printer";
    for (chat, user, text, expected) in [
        (GROUP, OWNER, "/status", "status"),
        (GROUP, OWNER, "/STATUS@mybot", "status"),
        (GROUP, GUEST, "/status", "status"),
        (GROUP, OWNER, "/photo", "photo"),
        (OWNER, OWNER, "/status", "status"),
        (GROUP, OWNER, "/status@OtherBot", ""),
        (GROUP, OWNER, "status", ""),
        (GROUP, OWNER, "/pause", "say Pause cube"),
        (GROUP, OWNER, "/cancel", "say Cancel cube"),
        (GROUP, OWNER, "/resume", "say The job is not paused"),
        (GROUP, OWNER, "/estop", "say Emergency stop"),
        (GROUP, OWNER, "/files", "list { folder: \"\", page: 0 }"),
        (GROUP, OWNER, "/print cube", "offer(\"cube\")"),
        (GROUP, OWNER, "/print", "say Which file"),
        (GROUP, GUEST, "/pause", may_not),
        (GROUP, GUEST, "/cancel", may_not),
        (GROUP, GUEST, "/files", may_not),
        (GROUP, GUEST, "/estop", may_not),
        (GROUP, GUEST, "/mute 2h", may_not),
        (GROUP, GUEST, "/gcode G28", ""),
        (GROUP, OWNER, "/gcode G28", "say G-code is switched off"),
        (GROUP, OWNER, "/macro PARK", "say Macros are switched off"),
        (GROUP, OWNER, "/check", "say Defect checks are switched off"),
        (GROUP, OWNER, "/nonsense", ""),
        (GROUP, OWNER, "/nonsense@MyBot", "say There is no such command"),
        (OWNER, OWNER, "/nonsense", "say There is no such command"),
        (ELSEWHERE, OWNER, "/status", ""),
        (ELSEWHERE, OWNER, "/cancel", ""),
        (ELSEWHERE, OWNER, "/nonsense@MyBot", ""),
        (ELSEWHERE, GUEST, "/id", "say Chat -200"),
        (GUEST, GUEST, "/start", "say This bot tells its owner how a 3D printer does"),
        (GUEST, GUEST, "/help", ""),
        (GUEST, GUEST, "/status", ""),
    ] {
        let mut rig = Rig::new(&[]);
        rig.printing();
        assert_eq!(gist(&rig.say(chat, user, text, 0)), expected, "{chat} {user} {text}");
    }
}

#[test]
fn strangers_get_one_answer_a_minute() {
    let mut rig = Rig::new(&[]);
    let answers: Vec<usize> =
        [0, 1, 30, 61].map(|second| rig.say(GUEST, GUEST, "/id", second).len()).to_vec();
    assert_eq!(answers, [1, 0, 0, 1]);
}

#[test]
fn words_of_others_are_not_obeyed() {
    let command = json!({"text": "/status"});
    let with = |more: Value| {
        let mut content = command.clone();
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        content
    };
    for (content, expected) in [
        (command.clone(), "status"),
        (with(json!({"forward_origin": {"type": "user"}})), ""),
        (with(json!({"forward_date": 5})), ""),
        (with(json!({"from": {"id": 55, "is_bot": true}})), ""),
        // Who hides behind the group's name may look, as everybody there.
        (
            with(json!({"from": {"id": 1_087_968_824, "is_bot": true}, "sender_chat": {"id": GROUP}})),
            "status",
        ),
        (
            json!({"text": "/cancel", "from": {"id": 1_087_968_824, "is_bot": true}, "sender_chat": {"id": GROUP}}),
            "say You may not control this printer",
        ),
        (json!({"caption": "/status", "photo": []}), ""),
    ] {
        let mut rig = Rig::new(&[]);
        assert_eq!(gist(&rig.decide(&written(GROUP, OWNER, 0, content.clone()), 0)), expected, "{content}");
    }
    for kind in ["edited_message", "channel_post", "edited_channel_post", "business_message"] {
        let mut update = written(GROUP, OWNER, 0, command.clone());
        update[kind] = update["message"].take();
        update.as_object_mut().unwrap().remove("message");
        assert_eq!(Rig::new(&[]).decide(&update, 0), [], "{kind}");
    }
}

#[test]
fn what_came_late_is_not_done_but_said_once() {
    let mut rig = Rig::new(&[]);
    rig.printing();
    let mut late = |user: i64, second: u64, sent: u64| {
        let update = written(GROUP, user, sent, json!({"text": "/cancel"}));
        gist(&rig.clerk.decide(update::read(&update, "MyBot"), seconds(second), at(second)))
    };
    assert!(late(OWNER, 121, 0).contains("came too late"));
    assert_eq!(late(OWNER, 122, 0), "");
    assert_eq!(late(OWNER, 320, 200), "say Cancel cube");
    // Without a clock all that comes may be as old as the silence before it.
    let unset = |monotonic| Moment { monotonic: seconds(monotonic), unix: seconds(50) };
    let update = written(GROUP, OWNER, 0, json!({"text": "/status"}));
    let mut decide =
        |heard, now| gist(&rig.clerk.decide(update::read(&update, "MyBot"), seconds(heard), unset(now)));
    assert_eq!(decide(400, 450), "status");
    assert!(decide(400, 521).contains("came too late"));
}

#[test]
fn a_question_is_answered_by_whom_was_asked_where_in_time_and_once() {
    let mut rig = Rig::new(&[]);
    rig.printing();
    let asked = rig.told("/cancel", 0);
    assert_eq!(asked.text, "Cancel cube.gcode at 42%?\nIt cannot be taken up again.");
    let (label, data) = asked.buttons[0].clone();
    assert_eq!((label.as_str(), asked.buttons[1].0.as_str()), ("Cancel the print", "No"));
    for (chat, user, answer) in [
        (GROUP, GUEST, wording::MAY_NOT),
        (ELSEWHERE, OWNER, wording::MAY_NOT),
        (OWNER, OWNER, wording::NOT_YOURS),
    ] {
        assert_eq!(rig.press(chat, user, &data, 10), (answer.to_owned(), None), "{chat} {user}");
    }
    let (answer, deed) = rig.press(GROUP, OWNER, &data, 59);
    let Some(Deed::Run(errand)) = deed else { panic!("{deed:?}") };
    assert_eq!((answer.as_str(), &errand.task), (wording::ONE_MOMENT, &Task::Obey(Order::Cancel)));
    assert_eq!((errand.by.as_deref(), errand.over.and_then(|over| over.message)), (Some("Ann"), Some(9)));
    assert_eq!(rig.press(GROUP, OWNER, &data, 59), (wording::TOO_OLD.to_owned(), None), "a second press");
    let late = rig.told("/cancel", 100).buttons[0].1.clone();
    assert_eq!(rig.press(GROUP, OWNER, &late, 160), (wording::TOO_OLD.to_owned(), None));
    for data in ["", "c:cancel:7f3a", "do:cancel:aaaaaaaa", "quiet::x"] {
        assert!(rig.press(GROUP, OWNER, data, 161).1.is_none(), "{data}");
    }
    // No is no, and the question goes.
    let no = rig.told("/cancel", 200).buttons[1].1.clone();
    let (_, deed) = rig.press(GROUP, OWNER, &no, 201);
    assert_eq!(gist(&deed.into_iter().collect::<Vec<_>>()), "say Nothing was done");
}

#[test]
fn a_question_is_void_when_the_job_is_another() {
    for (now, expected) in [
        (sight(PrintState::Printing, Some("parts/cube.gcode"), Some("2")), wording::OTHER_JOB),
        (sight(PrintState::Printing, Some("other.gcode"), Some("2")), wording::OTHER_JOB),
        (sight(PrintState::Complete, Some("parts/cube.gcode"), None), wording::NO_JOB),
        (sight(PrintState::Paused, Some("parts/cube.gcode"), Some("1")), wording::PAUSED_ALREADY),
    ] {
        let mut rig = Rig::new(&[]);
        rig.printing();
        let data = rig.told("/pause", 0).buttons[0].1.clone();
        rig.see(now);
        let (answer, deed) = rig.press(GROUP, OWNER, &data, 5);
        assert_eq!(answer, expected);
        assert!(matches!(deed, Some(Deed::Say(_))), "{deed:?}");
    }
}

#[test]
fn scripts_run_at_once_only_while_nothing_prints() {
    let mut rig = Rig::new(&[("TELEGRAM_GCODE", "on"), ("TELEGRAM_MACROS", "PARK, LOAD")]);
    rig.see(sight(PrintState::Standby, None, None));
    for (text, expected) in [
        ("/gcode G28 X\nM114", "obey Gcode(\"G28 X\\nM114\")"),
        ("/gcode", "say Which lines"),
        ("/macro", "macros"),
        ("/macro park X=1", "obey Macro(\"PARK X=1\")"),
        ("/macro Purge", "say There is no macro Purge that may be run"),
        ("/macro park\nG28", "say A macro and its parameters are one line"),
        ("/macro G28", "say There is no macro G28 that may be run"),
    ] {
        assert_eq!(gist(&rig.say(GROUP, OWNER, text, 0)), expected, "{text}");
    }
    rig.printing();
    assert_eq!(rig.told("/macro park", 0).text, "Run PARK while cube.gcode at 42% prints?");
    assert!(rig.told("/gcode G28", 0).text.starts_with("Send this while cube.gcode"));
}

#[test]
fn files_from_the_chat_are_taken_from_those_who_control_the_printer() {
    let file =
        |name: &str, size: u64| json!({"document": {"file_id": "f", "file_name": name, "file_size": size}});
    for (user, name, size, expected) in [
        (OWNER, "part.gcode", 5, "fetch part.gcode"),
        (OWNER, "../../etc/Part (2).GCODE", 5, "fetch Part 2.gcode"),
        (OWNER, "part.gcode", 20 << 20, "fetch part.gcode"),
        (OWNER, "part.gcode", (20 << 20) + 1, "say The file has 21"),
        (OWNER, "part.stl", 5, ""),
        (OWNER, "\u{1f3b2}.gcode", 5, "say Only files of G-code can be printed: their names end with "),
        (GUEST, "part.gcode", 5, ""),
    ] {
        let mut rig = Rig::new(&[]);
        let deeds = rig.decide(&written(GROUP, user, 0, file(name, size)), 0);
        assert_eq!(gist(&deeds), expected, "{user} {name} {size}");
    }
    // A server of one's own hands out files of any size.
    let mut rig = Rig::new(&[("TELEGRAM_API_URL", "http://127.0.0.1:8081")]);
    let deeds = rig.decide(&written(GROUP, OWNER, 0, file("part.gcode", 300 << 20)), 0);
    assert_eq!(gist(&deeds), "fetch part.gcode");
}

#[test]
fn messages_are_held_back_as_told() {
    let mut rig = Rig::new(&[]);
    rig.printing();
    for (how, mute, told) in [
        ("", Mute::Off, "All messages come"),
        ("30m", Mute::Until(seconds(1810)), "Muted for 30m"),
        ("2h", Mute::Until(seconds(7210)), "Muted for 2h"),
        ("90", Mute::Until(seconds(5410)), "Muted for 1h 30m"),
        ("7d", Mute::Until(seconds(604_810)), "Muted for 168h"),
        ("8d", Mute::Until(seconds(604_810)), "Send /mute 30m"),
        ("0", Mute::Until(seconds(604_810)), "Send /mute 30m"),
        ("soon", Mute::Until(seconds(604_810)), "Send /mute 30m"),
        ("JOB", Mute::Job("1".into()), "Muted for this job"),
        ("", Mute::Job("1".into()), "Muted for this job"),
        ("all", Mute::Everything, "Muted: no messages come"),
        ("off", Mute::Off, "All messages come"),
    ] {
        let said = rig.told(&format!("/mute {how}"), 10).text;
        assert!(said.starts_with(told), "{how}: {said}");
        assert_eq!(rig.live.lock().mute, mute, "{how}");
    }
    rig.see(sight(PrintState::Standby, None, None));
    assert_eq!(rig.told("/mute job", 10).text, wording::NO_JOB);
}

#[test]
fn buttons_below_what_nobody_asked_for_only_ask() {
    let mut rig = Rig::new(&[]);
    rig.printing();
    let data = |button: Button, about: &str| button.data("", &mark(about));
    let (answer, deed) = rig.press(GROUP, OWNER, &data(Button::Pause, "1"), 0);
    assert_eq!(
        (answer.as_str(), gist(&deed.into_iter().collect::<Vec<_>>()).as_str()),
        ("", "say Pause cube")
    );
    assert_eq!(rig.press(GROUP, GUEST, &data(Button::Pause, "1"), 0), (wording::MAY_NOT.to_owned(), None));
    assert_eq!(rig.press(GROUP, OWNER, &data(Button::Cancel, "0"), 0), (wording::OTHER_JOB.to_owned(), None));
    assert_eq!(
        rig.press(GROUP, OWNER, &data(Button::Again, "old"), 0),
        (wording::NOT_THE_LAST.to_owned(), None)
    );
    rig.see(sight(PrintState::Complete, Some("parts/cube.gcode"), None));
    let (_, deed) = rig.press(GROUP, OWNER, &data(Button::Again, "parts/cube.gcode"), 0);
    assert_eq!(gist(&deed.into_iter().collect::<Vec<_>>()), "offer(\"parts/cube.gcode\")");
    assert_eq!(rig.press(GROUP, OWNER, &data(Button::Cancel, "1"), 0), (wording::OTHER_JOB.to_owned(), None));
}

#[test]
fn checks_are_asked_for_and_silenced() {
    use std::sync::mpsc;
    let (told, heard) = mpsc::channel();
    let silenced = told.clone();
    let checks = Checks {
        now: Box::new(move || told.send("now".to_owned()).map_err(|_| String::new())),
        quiet: Box::new(move |job| silenced.send(job.to_owned()).unwrap()),
    };
    let live = Live::default();
    let clerk = Clerk::new(&config(&[]), live.clone(), SharedTokens::default(), Some(checks), false);
    let mut rig = Rig { clerk, live };
    rig.printing();
    assert_eq!(rig.told("/check", 0).text, wording::CHECKING);
    assert_eq!(heard.recv().unwrap(), "now");
    let data = Button::Quiet.data("", &mark("1"));
    assert_eq!(rig.press(GROUP, OWNER, &data, 0), (wording::NO_MORE_CHECKS.to_owned(), None));
    assert_eq!(heard.recv().unwrap(), "1");
}

#[test]
fn lists_are_turned_and_entered() {
    use super::super::files::{Entry, Listing};
    let mut rig = Rig::new(&[]);
    let entry = |path: &str, folder| Entry { path: path.to_owned(), folder, size: 1, modified: None };
    let entries = vec![entry("parts/a", true), entry("parts/b.gcode", false)];
    let listing = Listing { folder: "parts".to_owned(), page: 0, pages: 2, entries };
    let token = rig.clerk.tokens.lock().keep(GROUP, OWNER, Meaning::List(listing), seconds(0));
    for (button, expected) in [
        (Button::Entry(0), "list { folder: \"parts/a\", page: 0 }"),
        (Button::Entry(1), "offer(\"parts/b.gcode\")"),
        (Button::Entry(2), ""),
        (Button::Page(1), "list { folder: \"parts\", page: 1 }"),
        (Button::Up, "list { folder: \"\", page: 0 }"),
        (Button::Do, ""),
    ] {
        let (_, deed) = rig.press(GROUP, OWNER, &button.data("", &token), 60);
        assert_eq!(gist(&deed.into_iter().collect::<Vec<_>>()), expected, "{button:?}");
    }
    assert_eq!(rig.press(GROUP, OWNER, &Button::Up.data("", &token), 1801).0, wording::TOO_OLD);
    // A press below a message that is gone is answered, and nothing else.
    let press = json!({"callback_query": {"id": "p", "from": {"id": OWNER}, "data": "x"}});
    assert_eq!(gist(&rig.decide(&press, 0)), "answer ");
}

#[test]
fn a_message_that_cannot_be_changed_is_answered_by_a_new_one() {
    let mut rig = Rig::new(&[]);
    rig.printing();
    let data = rig.told("/pause", 0).buttons[0].1.clone();
    let gone = json!({"chat": {"id": GROUP}, "message_id": 3, "date": 0});
    let press = json!({"id": "p", "from": {"id": OWNER, "first_name": ""}, "data": data, "message": gone});
    let deeds = rig.decide(&json!({"callback_query": press}), 1);
    let Some(Deed::Run(errand)) = deeds.get(1) else { panic!("{deeds:?}") };
    assert!(matches!(errand.over, Some(Shown { message: None, .. })) && errand.by.is_none());
}
