use super::*;
use proptest::prelude::*;
use serde_json::json;

fn written(text: &str) -> Value {
    let chat = json!({"id": -100, "type": "supergroup"});
    json!({"update_id": 1, "message": {"chat": chat, "from": {"id": 7, "is_bot": false}, "date": 5, "text": text}})
}

#[test]
fn commands_are_parsed() {
    let found = |text: &str| match read(&written(text), "MyBot") {
        Incoming::Command(command) => Some((command.name, command.args, command.personal)),
        Incoming::Nothing(_) => None,
        other => panic!("{other:?}"),
    };
    let is = |name: &str, args: &str, personal| Some((name.to_owned(), args.to_owned(), personal));
    for (text, expected) in [
        ("/status", is("status", "", false)),
        ("/STATUS", is("status", "", false)),
        ("/status@mybot", is("status", "", true)),
        ("/Status@MYBOT  now ", is("status", "now", true)),
        ("/gcode G28 X\nM114", is("gcode", "G28 X\nM114", false)),
        ("/gcode\nG28\n\n  M114 ", is("gcode", "G28\n\n  M114", false)),
        ("/status@", None),
        ("/status@OtherBot", None),
        ("/status@OtherBot @MyBot", None),
        ("/ status", None),
        ("/", None),
        ("/@MyBot", None),
        (" /status", None),
        ("status", None),
        ("", None),
    ] {
        assert_eq!(found(text), expected, "{text:?}");
    }
    // Before its own name is known, nothing is addressed to the bot.
    assert!(matches!(read(&written("/a@"), ""), Incoming::Nothing(_)));
}

#[test]
fn who_is_nobody_and_who_is_no_person() {
    let from = |from: Value, sender: Option<Value>| {
        let mut update = written("/status");
        update["message"]["from"] = from;
        if let Some(sender) = sender {
            update["message"]["sender_chat"] = sender;
        }
        match read(&update, "b") {
            Incoming::Command(command) => Some(command.origin.user),
            _ => None,
        }
    };
    let channel = Some(json!({"id": -5, "type": "channel"}));
    assert_eq!(from(json!({"id": 7, "is_bot": false}), None), Some(Some(7)));
    assert_eq!(from(json!({"id": 7, "is_bot": true}), None), None);
    assert_eq!(from(json!({"id": ANONYMOUS, "is_bot": true}), channel.clone()), Some(None));
    assert_eq!(from(json!({"id": 136_817_688, "is_bot": true}), channel.clone()), Some(None));
    assert_eq!(from(json!({"id": 777_000, "is_bot": false}), channel), Some(None));
    assert_eq!(from(json!(null), None), Some(None));
}

#[test]
fn topics_and_reply_chains_are_told_apart() {
    for (topic, thread, expected) in [
        (Some(true), Some(10), Some(10)),
        (Some(true), Some(1), None),
        (Some(false), Some(10), None),
        (None, Some(10), None),
        (Some(true), None, None),
    ] {
        let mut update = written("/status");
        update["message"]["is_topic_message"] = json!(topic);
        update["message"]["message_thread_id"] = json!(thread);
        let Incoming::Command(command) = read(&update, "b") else { panic!("{update}") };
        assert_eq!(command.origin.place, Place { chat: -100, thread: expected });
    }
}

#[test]
fn presses_without_a_message_that_can_be_changed() {
    let press = |message: Value| {
        let update =
            json!({"callback_query": {"id": "9", "from": {"id": 7}, "data": "x", "message": message}});
        match read(&update, "b") {
            Incoming::Press(press) => press.shown,
            other => panic!("{other:?}"),
        }
    };
    let place = Place { chat: -100, thread: None };
    let chat = json!({"id": -100});
    for (message, expected) in [
        (json!({"chat": chat, "message_id": 3, "date": 9, "text": "a"}), Some((Some(3), false))),
        (json!({"chat": chat, "message_id": 3, "date": 9, "photo": []}), Some((Some(3), true))),
        (json!({"chat": chat, "message_id": 3, "date": 0}), Some((None, true))),
        (json!(null), None),
        (json!({"message_id": 3}), None),
    ] {
        let expected = expected.map(|(message, captioned)| Shown { place, message, captioned });
        assert_eq!(press(message), expected);
    }
}

#[test]
fn the_bots_own_standing() {
    for (status, member) in
        [("member", true), ("administrator", true), ("left", false), ("kicked", false), ("restricted", false)]
    {
        let update = json!({"my_chat_member": {"chat": {"id": -5}, "new_chat_member": {"status": status}}});
        assert_eq!(read(&update, "b"), Incoming::Standing { chat: -5, member }, "{status}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "(/[a-z]{0,4}(@[a-z]{0,3})?[ \n]?\\PC{0,9}|\\PC{0,9})".prop_map(Value::from),
    ];
    let names = proptest::sample::select(vec![
        "update_id",
        "message",
        "callback_query",
        "my_chat_member",
        "chat",
        "from",
        "id",
        "type",
        "text",
        "date",
        "document",
        "file_id",
        "file_size",
        "data",
        "new_chat_member",
        "status",
        "migrate_to_chat_id",
        "is_topic_message",
        "message_thread_id",
        "sender_chat",
        "is_bot",
        "edited_message",
        "message_id",
    ]);
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(names.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_update_is_read(update in any_json(), bot in "[a-zA-Z_]{0,8}") {
        let _ = (number(&update), date(&update));
        if let Incoming::Command(command) = read(&update, &bot) {
            prop_assert!(!command.name.is_empty());
            prop_assert!(!command.name.contains(char::is_whitespace) && !command.name.contains('@'));
        }
    }
}
