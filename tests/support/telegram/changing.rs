//! The methods that change, delete and pin what was sent.

use serde_json::{Value, json};

use super::chats::{Refusal, bad};
use super::sending;
use super::world::{Asked, Message, World, now};

const SAME: &str = "message is not modified: specified new message content and reply markup are exactly the same as a \
                    current content and reply markup of the message";

/// Carries out a method that changes; none for any other.
pub(super) fn change(world: &mut World, method: &str, asked: &Asked<'_>) -> Option<Result<Value, Refusal>> {
    Some(match method {
        "editmessagetext" | "editmessagecaption" | "editmessagemedia" | "editmessagereplymarkup" => {
            edit(world, method, asked)
        }
        "deletemessage" => delete(world, asked, &[asked.number("message_id").unwrap_or_default()], true),
        "deletemessages" => delete(world, asked, &asked.numbers("message_ids"), false),
        "pinchatmessage" => pin(world, asked),
        "unpinchatmessage" => unpin(world, asked),
        "unpinallchatmessages" => unpin_all(world, asked),
        _ => return None,
    })
}

/// The parts of a message that an edit may touch.
const CONTENT: [&str; 11] = [
    "text",
    "entities",
    "link_preview_options",
    "caption",
    "caption_entities",
    "photo",
    "document",
    "video",
    "animation",
    "audio",
    "reply_markup",
];

/// What an edit takes away before it puts its own in.
fn replaced(method: &str) -> &'static [&'static str] {
    match method {
        "editmessagetext" => &CONTENT[..3],
        "editmessagecaption" => &CONTENT[3..5],
        "editmessagemedia" => &CONTENT[3..10],
        _ => &[],
    }
}

fn edit(world: &mut World, method: &str, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    chat.writable("text messages")?;
    let id = asked.number("message_id").ok_or_else(|| bad("message identifier is not specified"))?;
    let message = world.message(chat.id, id).ok_or_else(|| bad("message to edit not found"))?.clone();
    if !message.own {
        return Err(bad("message can't be edited"));
    }
    let has_media = CONTENT[5..10].iter().any(|part| message.shown.get(*part).is_some());
    let content = match method {
        "editmessagetext" if has_media => return Err(bad("there is no text in the message to edit")),
        "editmessagetext" => {
            let content = sending::marked(asked, "text", "entities")?;
            if content.is_empty() {
                return Err(bad("message text is empty"));
            }
            content
        }
        "editmessagecaption" if !has_media => return Err(bad("there is no caption in the message to edit")),
        "editmessagecaption" => sending::marked(asked, "caption", "caption_entities")?,
        "editmessagemedia" if !has_media => return Err(bad("there is no media in the message to edit")),
        "editmessagemedia" => {
            let made = sending::input_media(world, &asked.arguments["media"], asked.files)?;
            made.as_object().unwrap().clone()
        }
        _ => serde_json::Map::new(),
    };
    let mut shown = message.shown.clone();
    let parts = shown.as_object_mut().unwrap();
    replaced(method).iter().for_each(|part| drop(parts.remove(*part)));
    parts.extend(content);
    if method == "editmessagetext"
        && let Some(options) = asked.arguments.get("link_preview_options")
    {
        parts.insert("link_preview_options".to_owned(), options.clone());
    }
    // An edit without buttons takes them away.
    parts.remove("reply_markup");
    let markup = asked.arguments.get("reply_markup");
    if let Some(markup) = markup.filter(|markup| markup["inline_keyboard"] != json!([])) {
        parts.insert("reply_markup".to_owned(), markup.clone());
    }
    // How a link is shown is no change of a text that may have none.
    let mut looked_at = CONTENT.iter().filter(|part| **part != "link_preview_options");
    if looked_at.all(|part| shown.get(*part) == message.shown.get(*part)) {
        return Err(bad(SAME));
    }
    shown["edit_date"] = json!(now());
    super::check::must_be("Message", &shown);
    world.message_mut(chat.id, id).unwrap().shown = shown.clone();
    Ok(shown)
}

fn delete(world: &mut World, asked: &Asked<'_>, ids: &[i64], alone: bool) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    for id in ids {
        match world.message(chat.id, *id) {
            Some(Message { deletable: true, .. }) => {}
            // Of several, those that are gone are passed over.
            _ if !alone => {}
            Some(_) => return Err(bad("message can't be deleted")),
            None => return Err(bad("message to delete not found")),
        }
    }
    let deleted =
        |message: &Message| message.chat == chat.id && ids.contains(&message.id) && message.deletable;
    world.messages.retain(|message| !deleted(message));
    world.chat_mut(chat.id).pinned.retain(|id| !ids.contains(id));
    Ok(json!(true))
}

fn pin(world: &mut World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    let id = asked.number("message_id").unwrap_or_default();
    world.message(chat.id, id).ok_or_else(|| bad("message to pin not found"))?;
    if !chat.may_pin {
        return Err(bad("not enough rights to manage pinned messages in the chat"));
    }
    let pinned = &mut world.chat_mut(chat.id).pinned;
    pinned.retain(|other| *other != id);
    pinned.push(id);
    Ok(json!(true))
}

fn unpin(world: &mut World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    if !chat.may_pin {
        return Err(bad("not enough rights to manage pinned messages in the chat"));
    }
    let id = asked.number("message_id").or_else(|| chat.pinned.last().copied());
    let pinned = &mut world.chat_mut(chat.id).pinned;
    let place = pinned.iter().position(|pinned| Some(*pinned) == id);
    pinned.remove(place.ok_or_else(|| bad("message to unpin not found"))?);
    Ok(json!(true))
}

fn unpin_all(world: &mut World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    if !chat.may_pin {
        return Err(bad("not enough rights to manage pinned messages in the chat"));
    }
    world.chat_mut(chat.id).pinned.clear();
    Ok(json!(true))
}
