//! The table that the stand-in goes by.

use crate::support::telegram::Description;

#[test]
fn the_table_is_whole() {
    let description = Description::get();
    assert_eq!(description.missing(), Vec::<String>::new(), "types that nothing describes");
    assert!(description.methods().count() > 150);
    // What is only the common name of several objects is referred to by those.
    let unused = description.unused();
    let described = |name: &&str| description.object(name).is_none_or(|fields| !fields.is_empty());
    let unused: Vec<&str> = unused.into_iter().filter(described).collect();
    assert_eq!(
        unused,
        ["MenuButton", "ResponseParameters"],
        "all three buttons in one, and what goes with a refusal"
    );
}

#[test]
fn it_says_what_the_reference_says() {
    let description = Description::get();
    let field = |method: &str, name: &str| {
        let method = description.method(method).unwrap();
        let field = method.fields.iter().find(|field| field.name == name);
        field.map(|field| {
            (field.needed, format!("{:?}", field.kinds), field.limit.map(|limit| (limit.low, limit.high)))
        })
    };
    let table = [
        ("sendMessage", "chat_id", Some((true, "[Integer, Text]", None))),
        ("SENDMESSAGE", "text", Some((true, "[Text]", Some((1, 4096))))),
        ("sendMessage", "message_thread_id", Some((false, "[Integer]", None))),
        ("sendMessage", "disable_notification", Some((false, "[Boolean]", None))),
        ("sendMessage", "photo", None),
        ("sendPhoto", "photo", Some((true, "[Text, File]", None))),
        ("sendPhoto", "caption", Some((false, "[Text]", Some((0, 1024))))),
        ("sendLocation", "latitude", Some((true, "[Float]", None))),
        ("getUpdates", "limit", Some((false, "[Integer]", Some((1, 100))))),
        ("getUpdates", "allowed_updates", Some((false, "[Array(Named(\"UpdateType\"))]", None))),
        ("answerCallbackQuery", "text", Some((false, "[Text]", Some((0, 200))))),
        ("setMyCommands", "commands", Some((true, "[Array(Named(\"BotCommand\"))]", None))),
    ];
    for (method, name, expected) in table {
        let expected = expected.map(|(needed, kinds, limit)| (needed, kinds.to_owned(), limit));
        assert_eq!(field(method, name), expected, "{method}.{name}");
    }
    let returns = |method: &str| format!("{:?}", description.method(method).unwrap().returns);
    assert_eq!(returns("getUpdates"), "[Array(Named(\"Update\"))]");
    assert_eq!(returns("editMessageText"), "[Named(\"Message\"), Boolean]");
}
