//! What people do reaches the bot by `getUpdates`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{FORUM, GROUP, PERSON, call, done, refused, telegram};
use crate::support::telegram::{Behaviour, Standing, Telegram, Which};
use crate::support::wait;

const SOON: Duration = Duration::from_secs(10);

fn updates(telegram: &Telegram, arguments: &Value) -> Vec<Value> {
    done(telegram, "getUpdates", arguments).as_array().unwrap().clone()
}

fn texts(updates: &[Value]) -> Vec<&str> {
    updates.iter().map(|update| update["message"]["text"].as_str().unwrap()).collect()
}

#[test]
fn an_offset_confirms_what_came_before_it() {
    let telegram = telegram();
    for text in ["/status", "b", "c", "d"] {
        telegram.say_in(FORUM, Some(42), 11, text);
    }
    let got = updates(&telegram, &json!({}));
    assert_eq!(texts(&got), ["/status", "b", "c", "d"]);
    assert_eq!(got[0]["message"]["entities"], json!([{"type": "bot_command", "offset": 0, "length": 7}]));
    assert_eq!(
        (&got[0]["message"]["message_thread_id"], &got[0]["message"]["from"]["id"]),
        (&json!(42), &json!(11))
    );
    let first = got[0]["update_id"].as_i64().unwrap();
    assert_eq!(texts(&updates(&telegram, &json!({"limit": 2}))), ["/status", "b"], "nothing was confirmed");
    assert_eq!(texts(&updates(&telegram, &json!({"offset": first + 1}))), ["b", "c", "d"]);
    assert_eq!(texts(&updates(&telegram, &json!({"offset": 0}))), ["b", "c", "d"]);
    assert_eq!(texts(&updates(&telegram, &json!({"offset": -1}))), ["d"], "the others are forgotten");
    assert_eq!(telegram.waiting_updates(), 1);
    assert_eq!(updates(&telegram, &json!({"offset": first + 4})), Vec::<Value>::new());
    assert_eq!((telegram.waiting_updates(), telegram.polls().len(), telegram.calls().len()), (0, 6, 0));
}

#[test]
fn only_wanted_kinds_come_from_then_on() {
    let telegram = telegram();
    assert_eq!(updates(&telegram, &json!({"allowed_updates": ["callback_query"]})), Vec::<Value>::new());
    telegram.say(PERSON, PERSON, "a");
    assert_eq!(updates(&telegram, &json!({})), Vec::<Value>::new(), "it is remembered");
    assert_eq!(telegram.allowed_updates(), ["callback_query"]);
    updates(&telegram, &json!({"allowed_updates": []}));
    telegram.say(PERSON, PERSON, "b");
    assert_eq!(texts(&updates(&telegram, &json!({}))), ["b"]);
}

#[test]
fn a_long_poll_ends_with_the_first_update() {
    let telegram = telegram();
    std::thread::scope(|scope| {
        let begun = Instant::now();
        let poll = scope.spawn(|| updates(&telegram, &json!({"timeout": 50})));
        wait::until("the poll", SOON, || (!telegram.polls().is_empty()).then_some(()));
        telegram.say(PERSON, PERSON, "at last");
        assert_eq!(texts(&poll.join().unwrap()), ["at last"]);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    });
    let begun = Instant::now();
    let next = json!({"timeout": 1, "offset": 2000});
    assert_eq!(updates(&telegram, &next), Vec::<Value>::new());
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn the_older_of_two_polls_loses() {
    let telegram = telegram();
    std::thread::scope(|scope| {
        let older = scope.spawn(|| call(&telegram, "getUpdates", &json!({"timeout": 50})));
        wait::until("the poll", SOON, || (!telegram.polls().is_empty()).then_some(()));
        let newer = scope.spawn(|| call(&telegram, "getUpdates", &json!({"timeout": 50})));
        let (status, answer) = older.join().unwrap();
        assert_eq!(status, 409);
        assert_eq!(
            answer["description"],
            "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
        );
        telegram.set_webhook(Some("https://elsewhere.example/"));
        let (status, answer) = newer.join().unwrap();
        assert_eq!(
            (status, &answer["description"]),
            (409, &json!("Conflict: terminated by setWebhook request"))
        );
    });
    let webhook = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
    assert_eq!(refused(&telegram, "getUpdates", &json!({})), webhook);
    assert_eq!(done(&telegram, "getWebhookInfo", &json!({}))["url"], "https://elsewhere.example/");
    done(&telegram, "deleteWebhook", &json!({}));
    assert_eq!(updates(&telegram, &json!({})), Vec::<Value>::new());
}

#[test]
fn buttons_are_pressed_and_answered() {
    let telegram = telegram();
    let markup = json!({"inline_keyboard": [[{"text": "Yes", "callback_data": "c:1"}, {"text": "No", "callback_data": "c:0"}]]});
    let question =
        json!({"chat_id": FORUM, "message_thread_id": 42, "text": "Cancel?", "reply_markup": markup});
    let message = done(&telegram, "sendMessage", &question)["message_id"].as_i64().unwrap();
    let press = telegram.press(FORUM, message, 11, "No");
    let got = updates(&telegram, &json!({}));
    let query = &got[0]["callback_query"];
    assert_eq!(
        (&query["id"], &query["data"], &query["from"]["id"]),
        (&json!(press), &json!("c:0"), &json!(11))
    );
    assert_eq!(query["message"]["text"], "Cancel?");
    assert_eq!(telegram.unanswered(), std::slice::from_ref(&press));
    let answer = json!({"callback_query_id": press, "text": "Not cancelled"});
    done(&telegram, "answerCallbackQuery", &answer);
    assert_eq!((telegram.unanswered().len(), telegram.answer_to(&press)), (0, Some(answer)));
    let old = "Bad Request: query is too old and response timeout expired or query ID is invalid";
    assert_eq!(refused(&telegram, "answerCallbackQuery", &json!({"callback_query_id": "77"})), old);
    // A button of a message that is gone, and one that the service has given up.
    telegram.remove(FORUM, message);
    let press = telegram.press_with(FORUM, message, 11, "c:1");
    telegram.expire_presses();
    let got = updates(&telegram, &json!({"offset": -1}));
    assert_eq!(got[0]["callback_query"]["message"]["date"], 0);
    assert_eq!(refused(&telegram, "answerCallbackQuery", &json!({"callback_query_id": press})), old);
}

#[test]
fn the_bot_is_told_of_its_standing_and_of_migrations() {
    let telegram = telegram();
    telegram.stand(PERSON, Standing::Out);
    telegram.stand(PERSON, Standing::Member);
    telegram.migrate(GROUP, -1010, true);
    let raw = json!({"update_id": 5000, "edited_message": {
        "message_id": 10, "from": {"id": 1111, "is_bot": false, "first_name": "Ann"}, "date": 1, "edit_date": 2,
        "chat": {"id": 1111, "first_name": "Ann", "type": "private"}, "text": "/cancel"
    }});
    telegram.update(raw.clone());
    let got = updates(&telegram, &json!({}));
    let status = |update: &Value| update["my_chat_member"]["new_chat_member"]["status"].clone();
    assert_eq!((status(&got[0]), status(&got[1])), (json!("kicked"), json!("member")));
    assert_eq!(got[2]["message"]["migrate_to_chat_id"], -1010);
    assert_eq!(
        (&got[3]["message"]["migrate_from_chat_id"], &got[3]["message"]["chat"]["id"]),
        (&json!(GROUP), &json!(-1010))
    );
    assert_eq!(got[4], raw);
}

#[test]
#[should_panic(expected = "Update.message has no field txt")]
fn an_update_that_the_service_would_not_send_is_no_test() {
    let message = json!({"message_id": 1, "date": 1, "chat": {"id": 7, "type": "private"}, "txt": "a"});
    telegram().update(json!({"message": message}));
}

#[test]
fn polls_misbehave_too() {
    let telegram = telegram();
    telegram.misbehave(Which::Method("getUpdates"), 2, Behaviour::Refuse(502, "Bad Gateway"));
    telegram.say(PERSON, PERSON, "a");
    for _ in 0..2 {
        assert_eq!(refused(&telegram, "getUpdates", &json!({})), "Bad Gateway");
    }
    assert_eq!(texts(&updates(&telegram, &json!({}))), ["a"]);
    telegram.misbehave(Which::Method("getUpdates"), 1, Behaviour::Lost);
    assert_eq!(call(&telegram, "getUpdates", &json!({})).0, 0);
    assert_eq!(texts(&updates(&telegram, &json!({}))), ["a"], "an answer that was lost confirms nothing");
}
