//! What the Bot API takes: methods, their fields, and the types and limits of these.

use serde_json::{Value, json};

/// Which values a field takes.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A chat: an integer, or text.
    Chat,
    /// Text of so many UTF-16 units at most, and at least one.
    Text(usize),
    /// A whole number above zero.
    Positive,
    Bool,
    /// One of the parse modes.
    ParseMode,
    /// `LinkPreviewOptions`.
    LinkPreview,
}

struct Method {
    name: &'static str,
    /// Field, kind, whether it must be there.
    fields: &'static [(&'static str, Kind, bool)],
}

const METHODS: &[Method] = &[
    Method { name: "getMe", fields: &[] },
    Method { name: "getChat", fields: &[("chat_id", Kind::Chat, true)] },
    Method {
        name: "sendMessage",
        fields: &[
            ("chat_id", Kind::Chat, true),
            ("text", Kind::Text(4096), true),
            ("message_thread_id", Kind::Positive, false),
            ("disable_notification", Kind::Bool, false),
            ("parse_mode", Kind::ParseMode, false),
            ("link_preview_options", Kind::LinkPreview, false),
            ("disable_web_page_preview", Kind::Bool, false),
        ],
    },
];

/// Everything that is wrong with a call; empty for a good one.
pub(super) fn violations(method: &str, arguments: &Value) -> Vec<String> {
    // Method names are not case-sensitive.
    let Some(known) = METHODS.iter().find(|known| known.name.eq_ignore_ascii_case(method)) else {
        return vec![format!("there is no method {method}, or none that this stand-in knows")];
    };
    let Value::Object(given) = arguments else {
        return vec![format!("{method}: the arguments are no JSON object: {arguments}")];
    };
    let unknown = given
        .keys()
        .filter(|name| !known.fields.iter().any(|(field, ..)| field == name))
        .map(|name| format!("{method} has no field {name}"));
    let wrong = known.fields.iter().filter_map(|(field, kind, needed)| match given.get(*field) {
        None => needed.then(|| format!("{method} needs {field}")),
        Some(value) => (!kind.takes(value)).then(|| format!("{method} does not take {value} as {field}")),
    });
    unknown.chain(wrong).collect()
}

impl Kind {
    fn takes(self, value: &Value) -> bool {
        match self {
            Self::Chat => value.is_i64() || value.as_str().is_some_and(|text| !text.is_empty()),
            Self::Text(most) => {
                value.as_str().is_some_and(|text| (1..=most).contains(&text.encode_utf16().count()))
            }
            Self::Positive => value.as_u64().is_some_and(|number| number > 0),
            Self::Bool => value.is_boolean(),
            Self::ParseMode => {
                value.as_str().is_some_and(|mode| ["HTML", "Markdown", "MarkdownV2"].contains(&mode))
            }
            Self::LinkPreview => value.as_object().is_some_and(|options| {
                options.iter().all(|(name, value)| name == "is_disabled" && value.is_boolean())
            }),
        }
    }
}

/// The `result` of a good call, `number` being the id of the message it makes.
pub(super) fn result(method: &str, arguments: &Value, chat: i64, number: usize) -> Value {
    let group = json!({"id": chat, "type": "supergroup", "title": "Printers", "is_forum": true});
    match method.to_ascii_lowercase().as_str() {
        "getme" => json!({
            "id": 1, "is_bot": true, "first_name": "Printer", "username": "printer_bot",
            "can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": false
        }),
        "getchat" => group,
        _ => {
            let mut message = json!({
                "message_id": number, "date": 1_767_225_600, "chat": group, "text": arguments["text"],
                "from": {"id": 1, "is_bot": true, "first_name": "Printer", "username": "printer_bot"}
            });
            if let Some(thread) = arguments.get("message_thread_id") {
                message["message_thread_id"] = thread.clone();
                message["is_topic_message"] = Value::Bool(true);
            }
            message
        }
    }
}
