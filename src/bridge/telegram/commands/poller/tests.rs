use super::super::clerk::SharedTokens;
use super::super::tests::{FakeClock, GROUP, OWNER, START, Server, config, seconds, sight, voice};
use super::*;
use crate::bridge::telegram::live::Live;
use crate::clock::Clock;
use crate::printer::PrintState;
use std::sync::Mutex;

struct Rig {
    server: Server,
    poller: Poller<Server>,
    errands: Arc<Mutex<Vec<Errand>>>,
    follows: Arc<Mutex<Vec<(i64, i64)>>>,
    place: tempfile::TempDir,
}

impl Rig {
    fn new(settings: &[(&str, &str)]) -> Self {
        let clock = FakeClock::new();
        Self::on(&Server::new(&clock), settings, tempfile::tempdir().unwrap())
    }

    /// A start of the service before a server that is there already.
    fn on(server: &Server, settings: &[(&str, &str)], place: tempfile::TempDir) -> Self {
        let live = Live::default();
        live.lock().sight = Some(sight(PrintState::Printing, Some("cube.gcode"), Some("1")));
        let clerk = Clerk::new(&config(settings), live, SharedTokens::default(), None, false);
        let (errands, follows) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (begun, followed) = (Arc::clone(&errands), Arc::clone(&follows));
        let run: Run = Box::new(move |errand| {
            begun.lock().unwrap().push(errand);
            begun.lock().unwrap().len() <= 4
        });
        let follow = Box::new(move |from, to| followed.lock().unwrap().push((from, to)));
        let menu = MenuFile::new(place.path(), "telegram");
        let poller = Poller::new(voice(server), clerk, run, follow, Arc::default(), menu);
        Self { server: server.clone(), poller, errands, follows, place }
    }

    fn now(&self) -> u64 {
        self.server.clock.now().monotonic.as_secs()
    }

    /// Steps until the next one would be held by the server, or is due later.
    fn settle(&mut self) -> Next {
        for _ in 0..50 {
            if self.poller.is_waiting_for_people() && self.server.updates.lock().unwrap().is_empty() {
                return Next::Again;
            }
            match self.poller.step() {
                Next::Again => {}
                next => return next,
            }
        }
        panic!("it does not settle: {:#?}", self.server.made.lock().unwrap());
    }

    fn write(&self, number: i64, text: &str, sent: u64) {
        self.server.updates.lock().unwrap().push_back(update(number, text, sent));
    }

    fn done(&self) -> Vec<&'static str> {
        let name = |errand: &Errand| match errand.task {
            super::super::errand::Task::Status => "status",
            super::super::errand::Task::Photo => "photo",
            _ => "other",
        };
        self.errands.lock().unwrap().iter().map(name).collect()
    }

    fn methods(&self) -> Vec<&'static str> {
        self.server.calls().iter().map(|made| made.method).collect()
    }

    fn hearing(&self) -> Option<(Health, String)> {
        let report = self.poller.report.lock().unwrap();
        report.hearing.as_ref().map(|(trouble, _)| (trouble.health, trouble.text.clone()))
    }
}

fn update(number: i64, text: &str, sent: u64) -> Value {
    json!({"update_id": number, "message": {
        "message_id": number, "date": START + sent, "text": text, "chat": {"id": GROUP, "type": "supergroup"},
        "from": {"id": OWNER, "is_bot": false},
    }})
}

#[test]
fn it_asks_who_it_is_sets_the_menu_once_and_polls() {
    let mut rig = Rig::new(&[]);
    rig.settle();
    assert_eq!(rig.methods(), ["getMe", "getMyCommands", "setMyCommands"]);
    let menu = rig.server.calls()[2].field("commands");
    assert!(menu.as_array().unwrap().iter().any(|item| item["command"] == "cancel"), "{menu}");
    rig.write(70, "/status@MYBOT", 0);
    rig.settle();
    assert_eq!(rig.done(), ["status"]);
    let poll = rig.server.polls()[0].clone();
    assert_eq!(poll.field("allowed_updates"), json!(["message", "callback_query", "my_chat_member"]));
    rig.poller.step();
    let poll = rig.server.polls().last().unwrap().clone();
    assert_eq!((poll.field("offset"), poll.field("timeout")), (json!(71), json!(50)));
    // The menu is there already.
    let mut rig = Rig::new(&[]);
    rig.server.next("getMyCommands", 200, &json!({"ok": true, "result": menu}).to_string());
    rig.settle();
    assert_eq!(rig.methods(), ["getMe", "getMyCommands"]);
}

#[test]
fn the_menu_goes_when_nobody_may_use_commands_any_more() {
    let mut rig = Rig::new(&[]);
    rig.settle();
    assert!(rig.poller.menu.is_set());
    let (server, place) = (Server::new(&rig.server.clock), rig.place);
    let mut rig = Rig::on(&server, &[("TELEGRAM_ALLOWED_USERS", "")], place);
    server.next("deleteMyCommands", 0, "");
    assert!(matches!(rig.poller.step(), Next::At(_)));
    server.clock.pass(seconds(60));
    assert_eq!(rig.poller.step(), Next::Idle);
    assert_eq!(rig.methods(), ["deleteMyCommands", "deleteMyCommands"]);
    assert!(!rig.poller.menu.is_set() && server.polls().is_empty());
}

#[test]
fn an_update_is_done_once_even_if_the_service_is_killed() {
    let clock = FakeClock::new();
    let server = Server::new(&clock);
    let mut rig = Rig::on(&server, &[], tempfile::tempdir().unwrap());
    rig.settle();
    rig.write(5, "/status", 0);
    // It is read, and not done before the server knows that.
    rig.poller.step();
    assert_eq!(rig.done(), Vec::<&str>::new());
    let mut heir = Rig::on(&server, &[], tempfile::tempdir().unwrap());
    heir.settle();
    assert_eq!(heir.done(), ["status"], "nobody else has done it");
    // Killed a moment later, it is known to the server.
    heir.write(6, "/photo", 0);
    heir.settle();
    assert_eq!(heir.done(), ["status", "photo"]);
    let mut next = Rig::on(&server, &[], tempfile::tempdir().unwrap());
    next.settle();
    assert_eq!(next.done(), Vec::<&str>::new());
}

#[test]
fn what_was_sent_while_the_service_was_off_is_not_done() {
    let clock = FakeClock::new();
    clock.pass(seconds(1000));
    let mut rig = Rig::on(&Server::new(&clock), &[], tempfile::tempdir().unwrap());
    for number in 0..60 {
        rig.write(number, "/cancel", 10);
    }
    rig.settle();
    assert!(rig.server.updates.lock().unwrap().is_empty());
    assert_eq!(rig.done(), Vec::<&str>::new());
    // The newest is looked at, and is too old itself.
    let said: Vec<String> = rig.server.calls().iter().map(|made| made.text().to_owned()).collect();
    assert_eq!(said.iter().filter(|text| text.contains("came too late")).count(), 1, "{said:?}");
    rig.write(60, "/status", 1000);
    rig.settle();
    assert_eq!(rig.done(), ["status"]);
}

#[test]
fn another_program_with_the_same_token_is_named_and_left_alone() {
    let mut rig = Rig::new(&[]);
    rig.settle();
    let conflict =
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    for wait in [10, 20, 30] {
        rig.server.refuse("getUpdates", 409, conflict);
        let begun = rig.now();
        assert_eq!(rig.poller.step(), Next::At(seconds(begun + wait)));
        // Asked earlier, it does nothing.
        assert_eq!(rig.poller.step(), Next::At(seconds(begun + wait)));
        rig.server.clock.pass(seconds(wait));
        if wait == 10 {
            assert_eq!(rig.hearing(), None, "it may pass");
            continue;
        }
        let (health, text) = rig.hearing().unwrap();
        assert!(
            health == Health::Warn && text.contains("another program") && text.contains("@BotFather"),
            "{text}"
        );
    }
    rig.poller.step();
    assert_eq!(rig.hearing(), None);
}

#[test]
fn a_webhook_is_taken_back() {
    let mut rig = Rig::new(&[]);
    let conflict =
        "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first";
    rig.server.refuse("getUpdates", 409, conflict);
    rig.settle();
    assert_eq!(rig.methods().last(), Some(&"deleteWebhook"));
    rig.write(5, "/status", 0);
    rig.settle();
    assert_eq!(rig.done(), ["status"]);
}

#[test]
fn refusals_and_silence_are_waited_out() {
    for (status, why, wait, health) in [
        (401, "Unauthorized", 600..601, Some(Health::Fail)),
        (404, "Not Found", 600..601, Some(Health::Fail)),
        (429, "Too Many Requests: retry after 17", 17..18, None),
        (502, "Bad Gateway", 1..3, None),
        (400, "Bad Request: whatever", 60..61, Some(Health::Warn)),
        (0, "", 1..3, None),
    ] {
        let mut rig = Rig::new(&[]);
        rig.settle();
        match status {
            0 => rig.server.next("getUpdates", 0, ""),
            status => rig.server.refuse("getUpdates", status, why),
        }
        let begun = rig.server.clock.now().monotonic;
        let Next::At(until) = rig.poller.step() else { panic!("{status} is asked again at once") };
        assert!(wait.contains(&(until - begun).as_secs()), "{status}: {:?}", until - begun);
        assert_eq!(rig.hearing().map(|(health, _)| health), health, "{status}");
        rig.server.clock.pass(until - begun);
        rig.write(9, "/status", until.as_secs());
        rig.settle();
        assert_eq!((rig.done(), rig.hearing()), (vec!["status"], None), "{status}");
    }
    // A network that is away for long is told.
    let mut rig = Rig::new(&[]);
    rig.settle();
    for _ in 0..4 {
        rig.server.next("getUpdates", 0, "");
        let Next::At(until) = rig.poller.step() else { panic!() };
        rig.server.clock.pass(until - rig.server.clock.now().monotonic);
    }
    assert!(rig.hearing().unwrap().1.contains("cannot reach"));
}

#[test]
fn one_bad_update_does_not_keep_the_others_back() {
    let mut rig = Rig::new(&[]);
    rig.settle();
    {
        let mut updates = rig.server.updates.lock().unwrap();
        updates.push_back(json!({"update_id": 3, "message": {"chat": 5}}));
        updates.push_back(json!({"update_id": 4, "poll": {}}));
        updates.push_back(update(5, "/status", 0));
    }
    rig.settle();
    assert_eq!(rig.done(), ["status"]);
    // Answers that cannot be read are asked for one by one, and given up at last.
    for _ in 0..5 {
        rig.server.next("getUpdates", 200, "{\"ok\": true, \"result\": [{\"upd");
    }
    let mut waited = 0;
    while rig.server.polls().last().unwrap().field("offset") != json!(-1) {
        if let Next::At(until) = rig.poller.step() {
            rig.server.clock.pass(until.saturating_sub(rig.server.clock.now().monotonic));
        }
        waited += 1;
        assert!(waited < 30);
    }
    let limits: Vec<Value> = rig.server.polls().iter().map(|poll| poll.field("limit")).collect();
    assert!(limits.contains(&json!(1)), "{limits:?}");
}

#[test]
fn a_group_that_moves_keeps_its_rights_and_too_much_at_once_is_refused() {
    let mut rig = Rig::new(&[]);
    rig.settle();
    let moved = json!({"update_id": 3, "message": {"chat": {"id": GROUP, "type": "group"}, "migrate_to_chat_id": -1009}});
    rig.server.updates.lock().unwrap().push_back(moved);
    let mut written = update(4, "/status", 0);
    written["message"]["chat"]["id"] = json!(-1009);
    rig.server.updates.lock().unwrap().push_back(written);
    rig.settle();
    assert_eq!((rig.done(), rig.follows.lock().unwrap().clone()), (vec!["status"], vec![(GROUP, -1009)]));
    for number in 5..9 {
        let mut written = update(number, "/photo", 0);
        written["message"]["chat"]["id"] = json!(-1009);
        rig.server.updates.lock().unwrap().push_back(written);
    }
    rig.settle();
    assert_eq!(rig.server.calls().last().unwrap().text(), wording::BUSY);
}
