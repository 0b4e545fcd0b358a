//! Messages: sent, refused, changed, deleted and pinned as the service does it.

use serde_json::{Value, json};

use super::{FORUM, GROUP, PERSON, done, refused, telegram};
use crate::support::telegram::{Chat, Outcome, Standing};

#[test]
fn a_message_is_what_was_sent() {
    let telegram = telegram();
    let markup = json!({"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]});
    let sent = done(
        &telegram,
        "sendMessage",
        &json!({"chat_id": FORUM, "message_thread_id": 42, "text": "<b>a&amp;b</b> <i>🎲</i>", "parse_mode": "HTML",
                "reply_markup": markup}),
    );
    assert_eq!(sent["text"], "a&b 🎲");
    assert_eq!(
        sent["entities"],
        json!([{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 4, "length": 2}])
    );
    assert_eq!((&sent["message_thread_id"], &sent["is_topic_message"]), (&json!(42), &json!(true)));
    assert_eq!((&sent["reply_markup"], &sent["chat"]["is_forum"]), (&markup, &json!(true)));
    assert_eq!(sent["from"]["username"], "printer_bot");
    let answer =
        json!({"chat_id": FORUM, "text": "b", "reply_parameters": {"message_id": sent["message_id"]}});
    assert_eq!(done(&telegram, "sendMessage", &answer)["reply_to_message"]["text"], "a&b 🎲");
    // Where there are no topics their number is not looked at.
    let sent =
        done(&telegram, "sendMessage", &json!({"chat_id": GROUP, "message_thread_id": 42, "text": "c"}));
    assert_eq!(sent.get("message_thread_id"), None);
    assert_eq!(telegram.messages(FORUM).len(), 2);
    assert_eq!(telegram.messages(GROUP), [sent]);
}

#[test]
fn markup_is_read_as_the_service_reads_it() {
    let telegram = telegram();
    let send = |mode: &str, text: &str| json!({"chat_id": PERSON, "text": text, "parse_mode": mode});
    let read = [
        ("HTML", "50% [v2] (final)!.gcode", "50% [v2] (final)!.gcode"),
        ("HTML", "a &lt;b&gt; &amp;amp; &unknown;", "a <b> &amp; &unknown;"),
        ("HTML", "<a href=\"https://a/?b=1&amp;c\">x</a>", "x"),
        ("MarkdownV2", "Cube\\_20mm\\.gcode *bold*", "Cube_20mm.gcode bold"),
        ("MarkdownV2", "`a.b`", "a.b"),
        ("MarkdownV2", "back\\\\slash", "back\\slash"),
    ];
    for (mode, text, expected) in read {
        assert_eq!(done(&telegram, "sendMessage", &send(mode, text))["text"], expected, "{text}");
    }
    let start = "Bad Request: can't parse entities: ";
    let wrong = [
        ("HTML", "abc <x>", "Unsupported start tag \"x\" at byte offset 4"),
        ("HTML", "a < b", "Unclosed start tag at byte offset 2"),
        ("HTML", "</b>", "Unexpected end tag at byte offset 0"),
        ("HTML", "<b><i>x</b>", "Unmatched end tag at byte offset 7, expected \"</i>\", found \"</b>\""),
        ("HTML", "<b>x", "Can't find end tag corresponding to start tag \"b\" at byte offset 4"),
        ("MarkdownV2", "a.b", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "a_b", "Can't find end of Italic entity at byte offset 1"),
    ];
    for (mode, text, expected) in wrong {
        assert_eq!(
            refused(&telegram, "sendMessage", &send(mode, text)),
            format!("{start}{expected}"),
            "{text}"
        );
    }
    // Limits count what is left of the text.
    let long = format!("<b>{}</b>", "a".repeat(4096));
    done(&telegram, "sendMessage", &send("HTML", &long));
    assert_eq!(
        refused(&telegram, "sendMessage", &json!({"chat_id": PERSON, "text": " \n"})),
        "Bad Request: message text is empty"
    );
}

#[test]
fn what_the_service_does_not_do_it_refuses_in_its_words() {
    let telegram = telegram();
    telegram.add_chat(Chat::forum(-1009, &[5]));
    telegram.close_topic(-1009, 5);
    let to = |chat: i64, more: &Value| {
        let mut arguments = json!({"chat_id": chat, "text": "a"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let thread = |id: i64| json!({"message_thread_id": id});
    let table = [
        (to(9, &json!({})), "Bad Request: chat not found"),
        (to(FORUM, &thread(43)), "Bad Request: message thread not found"),
        (to(FORUM, &thread(1)), "Bad Request: message thread not found"),
        (to(PERSON, &thread(42)), "Bad Request: message thread not found"),
        (to(-1009, &thread(5)), "Bad Request: TOPIC_CLOSED"),
        (
            to(PERSON, &json!({"reply_parameters": {"message_id": 99}})),
            "Bad Request: message to be replied not found",
        ),
    ];
    for (arguments, expected) in table {
        assert_eq!(refused(&telegram, "sendMessage", &arguments), expected, "{arguments}");
        assert_eq!(telegram.calls().last().unwrap().outcome, Outcome::Refused(400));
    }
    assert_eq!(telegram.violations(), Vec::<String>::new(), "none of this is a mistake of the caller's");
    let standings = [
        (GROUP, Standing::Out, "Forbidden: bot was kicked from the group chat"),
        (FORUM, Standing::Out, "Forbidden: bot was kicked from the supergroup chat"),
        (PERSON, Standing::Out, "Forbidden: bot was blocked by the user"),
        (PERSON, Standing::Deactivated, "Forbidden: user is deactivated"),
        (FORUM, Standing::Muted, "Bad Request: not enough rights to send text messages to the chat"),
    ];
    for (chat, standing, expected) in standings {
        telegram.stand(chat, standing);
        assert_eq!(refused(&telegram, "sendMessage", &to(chat, &json!({}))), expected);
        telegram.stand(chat, Standing::Member);
        done(&telegram, "sendMessage", &to(chat, &json!({})));
    }
    telegram.migrate(GROUP, -1010, false);
    let (status, answer) = super::call(&telegram, "sendMessage", &to(GROUP, &json!({})));
    assert_eq!(
        (status, answer),
        (
            400,
            json!({
                "ok": false, "error_code": 400, "parameters": {"migrate_to_chat_id": -1010},
                "description": "Bad Request: group chat was upgraded to a supergroup chat"
            })
        )
    );
    done(&telegram, "sendMessage", &to(-1010, &json!({})));
    telegram.delete_topic(FORUM, 42);
    assert_eq!(
        refused(&telegram, "sendMessage", &to(FORUM, &thread(42))),
        "Bad Request: message thread not found"
    );
}

#[test]
fn edits_change_what_is_there() {
    let telegram = telegram();
    let markup = json!({"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]});
    let sent =
        done(&telegram, "sendMessage", &json!({"chat_id": PERSON, "text": "a", "reply_markup": markup}));
    let id = sent["message_id"].as_i64().unwrap();
    let edit = |text: &str, more: &Value| {
        let mut arguments = json!({"chat_id": PERSON, "message_id": id, "text": text});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    let same = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same \
                as a current content and reply markup of the message";
    let with_markup = json!({"reply_markup": markup});
    assert_eq!(refused(&telegram, "editMessageText", &edit("a", &with_markup)), same);
    assert_eq!(
        refused(
            &telegram,
            "editMessageText",
            &edit(" <b></b>a", &json!({"parse_mode": "HTML", "reply_markup": markup}))
        ),
        same
    );
    let edited = done(&telegram, "editMessageText", &edit("b", &with_markup));
    assert_eq!((&edited["text"], edited["edit_date"].is_u64()), (&json!("b"), true));
    assert_eq!(edited["reply_markup"], markup);
    // Without buttons they go, which is a change.
    assert_eq!(done(&telegram, "editMessageText", &edit("b", &json!({}))).get("reply_markup"), None);
    assert_eq!(
        refused(&telegram, "editMessageReplyMarkup", &json!({"chat_id": PERSON, "message_id": id})),
        same
    );
    assert_eq!(telegram.message(PERSON, id).unwrap()["text"], "b");
    let caption = json!({"chat_id": PERSON, "message_id": id, "caption": "c"});
    assert_eq!(
        refused(&telegram, "editMessageCaption", &caption),
        "Bad Request: there is no caption in the message to edit"
    );
    let said = telegram.say(PERSON, PERSON, "hello");
    for (message, expected) in [(said, "message can't be edited"), (99, "message to edit not found")] {
        let arguments = json!({"chat_id": PERSON, "message_id": message, "text": "x"});
        assert_eq!(refused(&telegram, "editMessageText", &arguments), format!("Bad Request: {expected}"));
    }
}

#[test]
fn messages_are_deleted_and_pinned() {
    let telegram = telegram();
    let send = || {
        done(&telegram, "sendMessage", &json!({"chat_id": FORUM, "text": "a"}))["message_id"]
            .as_i64()
            .unwrap()
    };
    let (first, second, third) = (send(), send(), send());
    let at = |message: i64| json!({"chat_id": FORUM, "message_id": message});
    for message in [first, second] {
        done(&telegram, "pinChatMessage", &at(message));
    }
    assert_eq!(telegram.pinned(FORUM), [first, second]);
    assert_eq!(
        done(&telegram, "getChat", &json!({"chat_id": FORUM}))["pinned_message"]["message_id"],
        second
    );
    done(&telegram, "unpinChatMessage", &at(second));
    assert_eq!(
        refused(&telegram, "unpinChatMessage", &at(second)),
        "Bad Request: message to unpin not found"
    );
    assert_eq!(refused(&telegram, "pinChatMessage", &at(99)), "Bad Request: message to pin not found");
    telegram.let_pin(FORUM, false);
    let rights = "Bad Request: not enough rights to manage pinned messages in the chat";
    assert_eq!(refused(&telegram, "pinChatMessage", &at(second)), rights);
    done(&telegram, "deleteMessage", &at(first));
    assert_eq!(telegram.pinned(FORUM), Vec::<i64>::new());
    assert_eq!(refused(&telegram, "deleteMessage", &at(first)), "Bad Request: message to delete not found");
    telegram.age(FORUM, second);
    assert_eq!(refused(&telegram, "deleteMessage", &at(second)), "Bad Request: message can't be deleted");
    done(&telegram, "deleteMessages", &json!({"chat_id": FORUM, "message_ids": [first, second, third]}));
    let left: Vec<Value> =
        telegram.messages(FORUM).iter().map(|message| message["message_id"].clone()).collect();
    assert_eq!(left, [json!(second)]);
}

#[test]
fn commands_are_kept_by_scope() {
    let telegram = telegram();
    let commands = json!([{"command": "status", "description": "How it goes"}]);
    let chat = json!({"type": "chat", "chat_id": FORUM});
    done(&telegram, "setMyCommands", &json!({"commands": commands}));
    done(&telegram, "setMyCommands", &json!({"commands": [], "scope": chat}));
    assert_eq!(telegram.commands(&json!({"type": "default"})), ["status"]);
    assert_eq!(telegram.commands(&chat), Vec::<String>::new());
    assert_eq!(done(&telegram, "getMyCommands", &json!({})), commands);
    done(&telegram, "deleteMyCommands", &json!({}));
    assert_eq!(done(&telegram, "getMyCommands", &json!({})), json!([]));
    // What the service does unseen.
    assert_eq!(done(&telegram, "setMyName", &json!({"name": "Printer"})), true);
    assert_eq!(done(&telegram, "sendChatAction", &json!({"chat_id": PERSON, "action": "typing"})), true);
    assert_eq!(
        refused(&telegram, "sendChatAction", &json!({"chat_id": 9, "action": "typing"})),
        "Bad Request: chat not found"
    );
}
