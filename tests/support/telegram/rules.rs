//! What a caller can know beforehand and the table does not say: counts, names and parts that belong together.

use serde_json::{Map, Value};

use super::check::ATTACHED;
use super::request::Upload;

/// Everything that is wrong with a call whose fields and types are right; empty for a good one.
pub(super) fn violations(method: &str, arguments: &Map<String, Value>, files: &[Upload]) -> Vec<String> {
    let mut found = attachments(arguments, files);
    if let Some(rows) = arguments.get("reply_markup").and_then(|markup| markup["inline_keyboard"].as_array())
    {
        found.extend(keyboard(rows));
    }
    let method = method.to_ascii_lowercase();
    let mut count = |field: &str, low: usize, high: usize| {
        let count = arguments.get(field).and_then(Value::as_array).map_or(0, Vec::len);
        if !(low..=high).contains(&count) {
            found.push(format!("{method} takes {low} to {high} of {field}, not {count}"));
        }
    };
    match method.as_str() {
        "sendmediagroup" => count("media", 2, 10),
        "deletemessages" => count("message_ids", 1, 100),
        "setmycommands" => {
            count("commands", 0, 100);
            let names = arguments["commands"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|item| item["command"].as_str());
            let good = |name: &str| name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            let bad = names.filter(|name| !good(name));
            found.extend(bad.map(|name| format!("a command's name has only a-z, 0-9 and _: `{name}`")));
        }
        "editmessagetext" | "editmessagecaption" | "editmessagemedia" | "editmessagereplymarkup" => {
            let inline = arguments.contains_key("inline_message_id");
            let of_chat = arguments.contains_key("chat_id") && arguments.contains_key("message_id");
            if inline == of_chat {
                found.push(format!("{method} takes chat_id and message_id, or inline_message_id"));
            }
        }
        _ => {}
    }
    found
}

/// Files that nothing refers to, and references to files that are not there.
fn attachments(arguments: &Map<String, Value>, files: &[Upload]) -> Vec<String> {
    let mut named = Vec::new();
    arguments.values().for_each(|value| references(value, &mut named));
    let unused = files.iter().filter(|file| !named.contains(&file.field.as_str()));
    let unused = unused.map(|file| format!("nothing refers to the file {}", file.field));
    let missing = named.iter().filter(|name| files.iter().all(|file| file.field != **name));
    let missing = missing.map(|name| format!("there is no file {name} in the request"));
    unused.chain(missing).collect()
}

fn references<'a>(value: &'a Value, named: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => named.extend(text.strip_prefix(ATTACHED)),
        Value::Array(items) => items.iter().for_each(|item| references(item, named)),
        Value::Object(fields) => fields.values().for_each(|value| references(value, named)),
        _ => {}
    }
}

/// Fields of a button that say how it looks; exactly one of the others says what it does.
const LOOKS: [&str; 3] = ["text", "style", "icon_custom_emoji_id"];

fn keyboard(rows: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let rows: Vec<&Vec<Value>> = rows.iter().filter_map(Value::as_array).collect();
    let total: usize = rows.iter().map(|row| row.len()).sum();
    if total > 100 || rows.iter().any(|row| !(1..=8).contains(&row.len())) {
        found.push(format!("an inline keyboard has 1 to 8 buttons in a row and 100 in all: {rows:?}"));
    }
    for button in rows.into_iter().flatten().filter_map(Value::as_object) {
        let does = button.keys().filter(|name| !LOOKS.contains(&name.as_str())).count();
        if does != 1 || button.get("text").is_none_or(|text| text == "") {
            found.push(format!("a button has a text and does one thing: {button:?}"));
        }
    }
    found
}
