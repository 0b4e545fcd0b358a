use super::super::super::api::{Answer, Fault, FaultKind};
use super::*;
use proptest::prelude::*;
use serde_json::json;

const CODE: &str = "k3m9x7qa2b";
const DEADLINE: Duration = Duration::from_secs(300);

fn talk() -> Talk {
    Talk::new(CODE, "printer_bot", DEADLINE)
}

fn answer(status: u16, body: &Value) -> Outcome {
    Outcome::Answered(Answer::read(status, None, body.to_string().as_bytes()))
}

fn updates(updates: &[Value]) -> Outcome {
    answer(200, &json!({"ok": true, "result": updates}))
}

fn refusal(status: u16, said: &str) -> Outcome {
    answer(status, &json!({"ok": false, "error_code": status, "description": said}))
}

fn no_network() -> Outcome {
    Outcome::Failed(Fault { kind: FaultKind::Network, text: "cannot reach it".to_owned() })
}

fn private() -> Value {
    json!({"id": 5, "type": "private", "first_name": "Ada", "username": "ada"})
}

fn ada() -> Value {
    json!({"id": 5, "is_bot": false, "first_name": "Ada", "last_name": "L", "username": "ada"})
}

fn group() -> Value {
    json!({"id": -1001, "type": "supergroup", "title": "Workshop", "is_forum": true})
}

fn message(chat: &Value, from: &Value, text: &str) -> Value {
    json!({"update_id": 9, "message": {"message_id": 1, "date": 1, "chat": chat, "from": from, "text": text}})
}

fn found(update: &Value) -> Option<Candidate> {
    let mut talk = talk();
    talk.heard(&updates(std::slice::from_ref(update)), Duration::ZERO);
    match talk.step(Duration::ZERO) {
        Step::Done(End::Found(candidate)) => Some(candidate),
        _ => None,
    }
}

#[test]
fn only_the_code_is_taken() {
    let table = [
        ("/start k3m9x7qa2b", true),
        ("/start  K3M9X7QA2B ", true),
        ("/start@Printer_Bot k3m9x7qa2b", true),
        ("k3m9x7qa2b", true),
        ("/start@other_bot k3m9x7qa2b", false),
        ("/start", false),
        ("/start k3m9x7qa2", false),
        ("/start k3m9x7qa2b more", false),
        ("/startk3m9x7qa2b", false),
        ("/stop k3m9x7qa2b", false),
        ("k3m9x7qa2b k3m9x7qa2b", false),
        ("", false),
    ];
    for (text, taken) in table {
        assert_eq!(found(&message(&private(), &ada(), text)).is_some(), taken, "{text}");
    }
}

#[test]
fn the_chat_the_topic_and_the_person_are_found() {
    let code = format!("/start {CODE}");
    let person = Some(Person { id: 5, name: "Ada L (@ada)".to_owned() });
    let of = |update: &Value| {
        let found = found(update).unwrap();
        (found.chat, found.thread, found.title, found.person)
    };
    let alone = (5, None, "the private chat with Ada (@ada)".to_owned(), person.clone());
    assert_eq!(of(&message(&private(), &ada(), &code)), alone);

    let title = "the group \"Workshop\"".to_owned();
    let mut in_topic = message(&group(), &ada(), &code);
    in_topic["message"]["message_thread_id"] = json!(17);
    // A mere reply has a thread as well.
    assert_eq!(of(&in_topic), (-1001, None, title.clone(), person.clone()));
    in_topic["message"]["is_topic_message"] = json!(true);
    assert_eq!(of(&in_topic), (-1001, Some(17), title.clone(), person));

    let anonymous = json!({"id": NOBODY, "is_bot": true, "first_name": "Group"});
    assert_eq!(of(&message(&group(), &anonymous, &code)), (-1001, None, title, None));

    let channel = json!({"id": -1002, "type": "channel", "title": "News\u{202e}"});
    let post =
        json!({"update_id": 9, "channel_post": {"message_id": 1, "date": 1, "chat": channel, "text": CODE}});
    assert_eq!(of(&post), (-1002, None, "the channel \"News\"".to_owned(), None));
}

#[test]
fn strangers_are_told_of_once_and_never_taken() {
    let mut talk = talk();
    let stranger = |id: i64, text: &str| {
        let from = json!({"id": id, "is_bot": false, "first_name": format!("N{id}")});
        let chat = json!({"id": id, "type": "private", "first_name": format!("N{id}")});
        message(&chat, &from, text)
    };
    let first = talk.heard(&updates(&[stranger(7, "hello"), stranger(7, "/start wrong")]), Duration::ZERO);
    assert_eq!(first, [Remark::Stranger("N7".to_owned())]);
    let many: Vec<Value> = (8..100).map(|id| stranger(id, "/start")).collect();
    assert_eq!(talk.heard(&updates(&many), Duration::ZERO).len(), MOST_STRANGERS - 1);
    assert_eq!(talk.heard(&updates(&[message(&group(), &ada(), "hello all")]), Duration::ZERO), []);
    assert!(matches!(talk.step(Duration::ZERO), Step::Ask { offset: 10, .. }));
}

#[test]
fn the_time_is_kept() {
    let mut talk = talk();
    let ask = |offset, hold| Step::Ask { offset, hold: Duration::from_secs(hold) };
    assert_eq!(talk.step(Duration::ZERO), ask(0, 5));
    assert_eq!(talk.step(Duration::from_secs(297)), ask(0, 3));
    assert_eq!(talk.step(Duration::from_millis(299_500)), ask(0, 0));
    assert_eq!(talk.step(DEADLINE), Step::Done(End::Late));
    // A pause that is longer than the time that is left is not waited for.
    let flood =
        json!({"ok": false, "error_code": 429, "description": "d", "parameters": {"retry_after": 400}});
    talk.heard(&answer(429, &flood), Duration::from_secs(1));
    assert_eq!(talk.step(Duration::from_secs(1)), Step::Done(End::Late));
}

#[test]
fn trouble_is_told_once_and_tried_again() {
    let (mut talk, second) = (talk(), Duration::from_secs(1));
    assert_eq!(talk.heard(&no_network(), second), [Remark::Trouble]);
    assert_eq!(talk.step(second), Step::Wait(PAUSE));
    assert_eq!(talk.heard(&refusal(502, "Bad Gateway"), second * 3), []);
    assert_eq!(talk.step(second * 5), Step::Ask { offset: 0, hold: HOLD });
    assert_eq!(talk.heard(&updates(&[]), second * 5), [Remark::Back]);
    assert_eq!(talk.heard(&updates(&[]), second * 6), []);
}

#[test]
fn somebody_elses_use_of_the_bot_ends_it() {
    let webhook = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook";
    let poller =
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    let table = [
        (vec![refusal(409, webhook)], Some(End::Webhook)),
        // One may be what is left of an earlier request.
        (vec![refusal(409, poller)], None),
        (vec![refusal(409, poller), updates(&[]), refusal(409, poller)], None),
        (
            vec![refusal(409, poller), updates(&[]), refusal(409, poller), refusal(409, poller)],
            Some(End::Poller),
        ),
        (vec![refusal(401, "Unauthorized")], Some(End::Refused)),
        (vec![no_network(), no_network(), no_network(), no_network()], None),
    ];
    for (outcomes, end) in table {
        let mut talk = talk();
        for outcome in &outcomes {
            talk.heard(outcome, Duration::ZERO);
        }
        let step = talk.step(PAUSE);
        assert_eq!(
            end.map(Step::Done),
            Some(step).filter(|step| matches!(step, Step::Done(_))),
            "{outcomes:?}"
        );
    }
}

#[test]
fn what_comes_after_the_code_is_left_for_the_service() {
    let mut talk = talk();
    let mut later = message(&private(), &ada(), "/status");
    later["update_id"] = json!(10);
    let code = message(&private(), &ada(), CODE);
    talk.heard(&updates(&[code, later]), Duration::ZERO);
    assert_eq!(talk.offset(), 10);
}

proptest! {
    #[test]
    fn any_update_is_taken(
        number in any::<i64>(),
        chat in "(\\{\"id\":-?[0-9]{1,19},\"type\":\"[a-z]{0,9}\",\"title\":\"[^\"\\\\\\x00-\\x1f]{0,20}\"\\}|7|null)",
        text in "(/start )?(k3m9x7qa2b|[^\"\\\\\\x00-\\x1f]{0,9})",
        kind in "(message|channel_post|edited_message)",
    ) {
        let body = format!(r#"{{"ok":true,"result":[{{"update_id":{number},"{kind}":{{"chat":{chat},"text":"{text}"}}}},3,null]}}"#);
        let mut talk = talk();
        talk.heard(&Outcome::Answered(Answer::read(200, None, body.as_bytes())), Duration::ZERO);
        let taken = matches!(talk.step(Duration::ZERO), Step::Done(End::Found(_)));
        prop_assert!(!taken || (text.contains(CODE) && kind != "edited_message"));
    }
}
