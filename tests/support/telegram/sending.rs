//! The methods that send.

use serde_json::{Map, Value, json};

use super::chats::{Chat, Refusal, bad};
use super::check::ATTACHED;
use super::files::Source;
use super::markup;
use super::request::Upload;
use super::world::{Asked, World};

/// The text and its entities, under these two names.
pub(super) fn marked(asked: &Asked<'_>, text: &str, entities: &str) -> Result<Map<String, Value>, Refusal> {
    marked_in(asked.arguments, text, entities)
}

fn marked_in(
    arguments: &Map<String, Value>,
    text: &str,
    entities: &str,
) -> Result<Map<String, Value>, Refusal> {
    let mut content = Map::new();
    let Some(given) = arguments.get(text).and_then(Value::as_str) else { return Ok(content) };
    let mode = arguments.get("parse_mode").and_then(Value::as_str);
    let (plain, found) =
        markup::parse(mode, given).map_err(|error| bad(format!("can't parse entities: {error}")))?;
    let plain = plain.trim();
    if plain.is_empty() {
        return Ok(content);
    }
    content.insert(text.to_owned(), json!(plain));
    let listed = arguments.get(entities).and_then(Value::as_array).filter(|_| mode.is_none());
    let found = listed.cloned().unwrap_or(found);
    if !found.is_empty() {
        content.insert(entities.to_owned(), Value::Array(found));
    }
    Ok(content)
}

/// The file that a value means: one of the same request, or one that is there.
fn source<'a>(value: &'a str, files: &'a [Upload]) -> Result<Source<'a>, Refusal> {
    if let Some(name) = value.strip_prefix(ATTACHED) {
        let upload = files.iter().find(|file| file.field == name);
        return upload
            .map(Source::Upload)
            .ok_or_else(|| bad(format!("{name}: there is no such file in the request")));
    }
    if value.starts_with("http:") || value.starts_with("https:") {
        // Nothing here fetches anything.
        return Err(bad("failed to get HTTP URL content"));
    }
    Ok(Source::Known(value))
}

/// What a message with a file of this kind consists of.
fn media(world: &mut World, kind: &str, value: &str, files: &[Upload]) -> Result<Value, Refusal> {
    let source = source(value, files)?;
    let made = if kind == "photo" { world.files.photo(source)? } else { world.files.file(kind, source)? };
    let mut content = json!({kind: made});
    if kind == "animation" {
        // The service gives both, for programs from before there were animations.
        let mut document = made;
        ["width", "height", "duration"]
            .iter()
            .for_each(|name| drop(document.as_object_mut().unwrap().remove(*name)));
        content["document"] = document;
    }
    Ok(content)
}

/// What an `InputMedia` makes.
pub(super) fn input_media(world: &mut World, item: &Value, files: &[Upload]) -> Result<Value, Refusal> {
    let item = item.as_object().unwrap();
    let kind = item["type"].as_str().unwrap();
    let mut content = media(world, kind, item["media"].as_str().unwrap_or_default(), files)?;
    content.as_object_mut().unwrap().extend(marked_in(item, "caption", "caption_entities")?);
    Ok(content)
}

/// The message that a call answers to, as part of the one it makes.
fn reply(world: &World, chat: &Chat, asked: &Asked<'_>) -> Result<Option<Value>, Refusal> {
    let parameters = asked.arguments.get("reply_parameters");
    let id = parameters.map_or_else(|| asked.number("reply_to_message_id"), |it| it["message_id"].as_i64());
    let Some(id) = id else { return Ok(None) };
    match world.message(chat.id, id) {
        Some(message) => {
            let mut shown = message.shown.clone();
            // One level is all that the service gives.
            shown.as_object_mut().unwrap().remove("reply_to_message");
            Ok(Some(shown))
        }
        None if asked.flag("allow_sending_without_reply")
            || parameters.is_some_and(|it| it["allow_sending_without_reply"] == true) =>
        {
            Ok(None)
        }
        None => Err(bad("message to be replied not found")),
    }
}

/// Carries out a method that sends; none for any other.
pub(super) fn send(world: &mut World, method: &str, asked: &Asked<'_>) -> Option<Result<Value, Refusal>> {
    let kind = match method {
        "sendmessage" => "text messages",
        "sendphoto" => "photos",
        "senddocument" => "documents",
        "sendvideo" => "videos",
        "sendanimation" => "GIFs",
        "sendaudio" => "music",
        "sendvoice" => "voice messages",
        "sendmediagroup" => return Some(album(world, asked)),
        "copymessage" => return Some(copy(world, asked)),
        _ => return None,
    };
    Some(one(world, &method["send".len()..], kind, asked))
}

fn one(world: &mut World, field: &str, kind: &str, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    chat.writable(kind)?;
    let thread = chat.thread(asked.number("message_thread_id"))?;
    let reply = reply(world, &chat, asked)?;
    let mut content = if field == "message" {
        let content = marked(asked, "text", "entities")?;
        if content.is_empty() {
            return Err(bad("message text is empty"));
        }
        Value::Object(content)
    } else {
        let caption = marked(asked, "caption", "caption_entities")?;
        let mut content = media(world, field, asked.text(field).unwrap_or_default(), asked.files)?;
        content.as_object_mut().unwrap().extend(caption);
        content
    };
    if let Some(options) = asked.arguments.get("link_preview_options") {
        content["link_preview_options"] = options.clone();
    }
    if let Some(reply) = reply {
        content["reply_to_message"] = reply;
    }
    // Other keyboards belong to the chat, and are not part of the message.
    if let Some(markup) =
        asked.arguments.get("reply_markup").filter(|markup| markup.get("inline_keyboard").is_some())
    {
        content["reply_markup"] = markup.clone();
    }
    Ok(world.post(&chat, thread, None, content))
}

fn album(world: &mut World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    chat.writable("photos")?;
    let thread = chat.thread(asked.number("message_thread_id"))?;
    let reply = reply(world, &chat, asked)?;
    let items = asked.arguments["media"].as_array().unwrap();
    // All or nothing: an item that is refused takes the others with it.
    let made: Result<Vec<Value>, Refusal> =
        items.iter().map(|item| input_media(world, item, asked.files)).collect();
    let group = format!("{}", 10_000 + world.messages.len());
    let post = |mut content: Value| {
        content["media_group_id"] = json!(group);
        if let Some(reply) = &reply {
            content["reply_to_message"] = reply.clone();
        }
        world.post(&chat, thread, None, content)
    };
    Ok(made?.into_iter().map(post).collect())
}

fn copy(world: &mut World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    chat.writable("text messages")?;
    let thread = chat.thread(asked.number("message_thread_id"))?;
    let from = asked.number("from_chat_id").unwrap_or_default();
    let original = world.message(from, asked.number("message_id").unwrap_or_default());
    let mut content = original.ok_or_else(|| bad("message to copy not found"))?.shown.clone();
    let envelope =
        ["message_id", "from", "chat", "date", "message_thread_id", "is_topic_message", "reply_markup"];
    envelope.iter().for_each(|name| drop(content.as_object_mut().unwrap().remove(*name)));
    let posted = world.post(&chat, thread, None, content);
    Ok(json!({"message_id": posted["message_id"]}))
}
