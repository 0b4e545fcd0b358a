//! What the API does not know fails the test that owns the stand-in.

use serde_json::{Value, json};

use super::{FORUM, PERSON, TOKEN, call, done, form, jpeg, post, refused, telegram, upload};

fn message(more: &Value) -> Value {
    let mut arguments = json!({"chat_id": PERSON, "text": "a"});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    arguments
}

fn keyboard(button: &Value) -> Value {
    message(&json!({"reply_markup": {"inline_keyboard": [[button]]}}))
}

#[test]
fn what_the_api_does_not_know_is_a_violation() {
    let telegram = telegram();
    let command = |name: &str| json!({"commands": [{"command": name, "description": "d"}]});
    let table = [
        ("sendMesage", message(&json!({})), "no method sendMesage"),
        ("getMe", json!({"x": 1}), "no field x"),
        ("sendMessage", json!({"chat_id": PERSON}), "needs text"),
        ("sendMessage", json!({"text": "a"}), "needs chat_id"),
        ("sendMessage", message(&json!({"thread": 7})), "no field thread"),
        ("sendMessage", message(&json!({"message_thread_id": "7"})), "is no Integer: \"7\""),
        ("sendMessage", message(&json!({"message_thread_id": 7.0})), "is no Integer: 7.0"),
        ("sendMessage", message(&json!({"message_thread_id": null})), "is no Integer: null"),
        ("sendMessage", message(&json!({"disable_notification": 1})), "is no Boolean"),
        ("sendMessage", message(&json!({"parse_mode": "html"})), "parse_mode"),
        ("sendMessage", message(&json!({"link_preview_options": {"disabled": true}})), "no field disabled"),
        ("sendMessage", message(&json!({"link_preview_options": "{}"})), "is no LinkPreviewOptions"),
        ("sendMessage", message(&json!({"chat_id": "Printers"})), "neither a number nor an @name"),
        ("sendMessage", message(&json!({"text": ""})), "1 to 4096"),
        ("sendMessage", message(&json!({"text": "a".repeat(4097)})), "1 to 4096"),
        ("sendMessage", message(&json!({"text": "🎲".repeat(2049)})), "not 4098"),
        ("sendPhoto", json!({"chat_id": PERSON, "photo": "x", "caption": "a".repeat(1025)}), "0 to 1024"),
        ("sendMessage", keyboard(&json!({"text": "b", "callback_data": ""})), "1 to 64"),
        ("sendMessage", keyboard(&json!({"text": "b", "callback_data": "é".repeat(33)})), "not 66"),
        ("sendMessage", keyboard(&json!({"text": "b", "callback": "x"})), "no field callback"),
        ("sendMessage", keyboard(&json!({"text": "b"})), "does one thing"),
        (
            "sendMessage",
            keyboard(&json!({"text": "b", "callback_data": "x", "url": "https://a"})),
            "does one thing",
        ),
        ("sendMessage", keyboard(&json!({"text": "", "callback_data": "x"})), "has a text"),
        (
            "sendMessage",
            message(
                &json!({"reply_markup": {"inline_keyboard": [vec![json!({"text": "b", "callback_data": "x"}); 9]]}}),
            ),
            "1 to 8 buttons",
        ),
        ("answerCallbackQuery", json!({"callback_query_id": "1", "text": "d".repeat(201)}), "0 to 200"),
        ("editMessageText", json!({"chat_id": PERSON, "text": "a"}), "chat_id and message_id"),
        ("setMyCommands", command("Status"), "only a-z"),
        ("setMyCommands", command("a-b"), "only a-z"),
        ("setMyCommands", command(&"a".repeat(33)), "1 to 32"),
        ("setMyCommands", json!({"commands": [{"command": "a", "description": ""}]}), "1 to 256"),
        ("setMyCommands", json!({"commands": [{"command": "a"}]}), "needs description"),
        ("setMyCommands", json!({"commands": [], "scope": {"type": "everyone"}}), "scope"),
        ("getUpdates", json!({"limit": 101}), "1 to 100"),
        ("getUpdates", json!({"allowed_updates": ["messages"]}), "allowed_updates[0]"),
        ("sendChatAction", json!({"chat_id": PERSON, "action": "uploading"}), "action"),
        ("sendMediaGroup", json!({"chat_id": PERSON, "media": []}), "2 to 10"),
        ("sendPhoto", json!({"chat_id": PERSON, "photo": "attach://p"}), "no file p"),
        ("sendPhoto", json!({"chat_id": PERSON, "photo": {"file": 1}}), "photo"),
        ("getGameHighScores", json!({"user_id": 1}), "has not learned getGameHighScores"),
    ];
    for (method, arguments, expected) in table {
        let (status, answer) = call(&telegram, method, &arguments);
        let expected_status = if method == "sendMesage" { 404 } else { 400 };
        assert!(status == expected_status || status == 501, "{method} {arguments}: {answer}");
        let violations = telegram.take_violations();
        let told = matches!(&violations[..], [only] if only.contains(expected));
        assert!(told, "{method} {arguments}: {violations:?} has no `{expected}`");
    }
    assert_eq!(telegram.messages(PERSON), Vec::<Value>::new());
    assert_eq!(telegram.done("").len(), 0);
}

#[test]
fn requests_of_another_form_are_violations() {
    let telegram = telegram();
    let whole = String::from_utf8(form(&[("chat_id", "7"), ("text", "a")], &[])).unwrap();
    let send = format!("/bot{TOKEN}/sendMessage");
    let multipart = "multipart/form-data; boundary=xyz";
    let json = "application/json";
    let table = [
        (&*send, json, "[]".to_owned(), "no object"),
        (&*send, json, "{\"chat_id\": 7,".to_owned(), "no JSON"),
        (&*send, "text/plain", "{}".to_owned(), "content type"),
        (&*send, "multipart/form-data", whole.clone(), "no boundary"),
        (&*send, multipart, whole.replace("--xyz--\r\n", ""), "without an end"),
        (&*send, multipart, whole.replace("\r\n", "\n"), "begins with no boundary"),
        (&*send, multipart, whole.replace("name=", "label="), "without a name"),
        (&*send, multipart, whole.replacen("chat_id", "text", 1), "text is there twice"),
        ("/getMe", json, "{}".to_owned(), "Not Found"),
    ];
    for (path, kind, body, expected) in table {
        let (status, answer) = post(&telegram, path, kind, body.as_bytes());
        assert!(status == 400 || status == 404, "{body}: {answer}");
        let violations = telegram.take_violations();
        let told = matches!(&violations[..], [only] if only.contains(expected));
        assert!(told, "{body}: {violations:?} has no `{expected}`");
    }
    for (fields, files, expected) in [
        (
            &[("chat_id", "7"), ("disable_notification", "yes"), ("text", "a")][..],
            0,
            "disable_notification is `yes`",
        ),
        (&[("chat_id", "7"), ("text", "a")][..], 1, "nothing refers to the file photo"),
    ] {
        let photo = jpeg(40, 30);
        let photo = [("photo", "a.jpg", &*photo)];
        assert_eq!(upload(&telegram, "sendMessage", fields, &photo[..files]).0, 400);
        let violations = telegram.take_violations();
        assert!(matches!(&violations[..], [only] if only.contains(expected)), "{violations:?}");
    }
}

#[test]
fn every_form_that_the_service_takes_is_taken() {
    let telegram = telegram();
    let markup = r#"{"inline_keyboard":[[{"text":"Go","callback_data":"go"}]]}"#;
    let fields =
        [("chat_id", "-1005"), ("message_thread_id", "42"), ("text", "a b&c"), ("reply_markup", markup)];
    let encoded = "chat_id=-1005&message_thread_id=42&text=a+b%26c&reply_markup=\
                   %7B%22inline_keyboard%22%3A%5B%5B%7B%22text%22%3A%22Go%22%2C%22callback_data%22%3A%22go%22%7D%5D%5D%7D";
    upload(&telegram, "sendMessage", &fields, &[]);
    let path = format!("/bot{TOKEN}/sendMessage");
    post(&telegram, &path, "application/x-www-form-urlencoded", encoded.as_bytes());
    post(&telegram, &format!("{path}?{encoded}"), "text/plain", b"");
    let json = json!({
        "chat_id": FORUM, "message_thread_id": 42, "text": "a b&c",
        "reply_markup": {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}
    });
    done(&telegram, "SendMessage", &json);
    let calls = telegram.calls();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|call| call.arguments == json), "{calls:#?}");
    let got = agent_get(&format!("{}{path}?chat_id=7&text=hi", telegram.url()));
    assert_eq!(got["result"]["text"], "hi");
    // A chat goes by its number as text, too.
    done(&telegram, "sendMessage", &json!({"chat_id": "-1005", "text": "a"}));
}

fn agent_get(url: &str) -> Value {
    let text = super::agent().get(url).call().unwrap().body_mut().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn another_token_is_refused() {
    let telegram = telegram();
    let (status, answer) = post(&telegram, "/bot1:b/getMe", "application/json", b"{}");
    assert_eq!((status, &answer["description"]), (401, &json!("Unauthorized")));
    assert_eq!(done(&telegram, "getMe", &json!({}))["username"], "printer_bot");
    telegram.name_bot("MyPrinterBot");
    assert_eq!(done(&telegram, "getMe", &json!({}))["username"], "MyPrinterBot");
    assert_eq!(refused(&telegram, "getChat", &json!({"chat_id": 8})), "Bad Request: chat not found");
}

#[test]
#[should_panic(expected = "the Bot API would not know")]
fn a_violation_fails_the_test_that_owns_the_stand_in() {
    let telegram = telegram();
    call(&telegram, "sendMessage", &json!({"chat_id": PERSON}));
}
