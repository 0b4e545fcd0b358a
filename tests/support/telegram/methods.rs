//! Carries out calls that are in order.

use serde_json::{Value, json};

use super::changing;
use super::chats::{Refusal, Topic, bad};
use super::check;
use super::description::{Description, Kind};
use super::sending;
use super::world::{Asked, Commands, World, person};

/// The result of a call, or the service's refusal; a text when the stand-in is at fault.
pub(super) fn carry_out(
    world: &mut World,
    method: &str,
    asked: &Asked<'_>,
) -> Result<Result<Value, Refusal>, String> {
    let described = Description::get().method(method).unwrap();
    let method = method.to_ascii_lowercase();
    let sent = sending::send(world, &method, asked).or_else(|| changing::change(world, &method, asked));
    let result = match sent.or_else(|| other(world, &method, asked)) {
        Some(result) => result,
        // Nothing is seen of what the others do.
        None if described.returns == [Kind::Boolean] => world.meant_if_any(asked).map(|()| json!(true)),
        None => return Err(format!("the stand-in has not learned {}, which the API has", described.name)),
    };
    if let Ok(result) = &result {
        let wrong = check::any(&described.returns, result, &described.name);
        if !wrong.is_empty() {
            return Err(format!("the stand-in's own answer is none of the API's: {wrong:?}: {result}"));
        }
    }
    Ok(result)
}

impl World {
    fn meant_if_any(&self, asked: &Asked<'_>) -> Result<(), Refusal> {
        if asked.arguments.contains_key("chat_id") { self.meant(asked).map(drop) } else { Ok(()) }
    }
}

fn other(world: &mut World, method: &str, asked: &Asked<'_>) -> Option<Result<Value, Refusal>> {
    Some(match method {
        "getme" => Ok(world.bot.clone()),
        "getchat" => chat(world, asked),
        "getchatmember" => member(world, asked),
        "getchatmembercount" => world.meant(asked).map(|_| json!(2)),
        "sendchataction" => action(world, asked),
        "getfile" => world.files.get(asked.text("file_id").unwrap_or_default()),
        "answercallbackquery" => answer(world, asked),
        "setmycommands" | "deletemycommands" => Ok(set_commands(world, asked)),
        "getmycommands" => Ok(commands(world, asked)),
        "setwebhook" | "deletewebhook" => Ok(webhook(world, asked)),
        "getwebhookinfo" => Ok(json!({
            "url": world.updates.webhook.clone().unwrap_or_default(), "has_custom_certificate": false,
            "pending_update_count": world.updates.waiting()
        })),
        "createforumtopic" => create_topic(world, asked),
        "closeforumtopic" | "deleteforumtopic" | "reopenforumtopic" => end_topic(world, method, asked),
        _ => return None,
    })
}

fn chat(world: &World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    let mut shown = chat.shown_in_full();
    let newest = chat.pinned.last().and_then(|id| world.message(chat.id, *id));
    if let Some(message) = newest {
        shown["pinned_message"] = message.shown.clone();
    }
    Ok(shown)
}

fn member(world: &World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    world.meant(asked)?;
    let id = asked.number("user_id").unwrap_or_default();
    let user = if world.bot["id"] == id { world.sender() } else { person(id) };
    Ok(json!({"status": "member", "user": user}))
}

fn action(world: &World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    chat.writable("text messages")?;
    chat.thread(asked.number("message_thread_id"))?;
    Ok(json!(true))
}

fn answer(world: &mut World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let id = asked.text("callback_query_id").unwrap_or_default();
    let press = world.presses.iter_mut().find(|press| press.id == id && !press.old && press.answer.is_none());
    let press =
        press.ok_or_else(|| bad("query is too old and response timeout expired or query ID is invalid"))?;
    press.answer = Some(Value::Object(asked.arguments.clone()));
    Ok(json!(true))
}

/// The scope and the language that a call is about.
fn audience(asked: &Asked<'_>) -> (Value, String) {
    let scope = asked.arguments.get("scope").cloned().unwrap_or_else(|| json!({"type": "default"}));
    (scope, asked.text("language_code").unwrap_or_default().to_owned())
}

fn set_commands(world: &mut World, asked: &Asked<'_>) -> Value {
    let (scope, language) = audience(asked);
    world.commands.retain(|other| (&other.scope, &other.language) != (&scope, &language));
    if let Some(commands) = asked.arguments.get("commands") {
        world.commands.push(Commands { scope, language, commands: commands.clone() });
    }
    json!(true)
}

fn commands(world: &World, asked: &Asked<'_>) -> Value {
    let (scope, language) = audience(asked);
    let found = world.commands.iter().find(|set| (&set.scope, &set.language) == (&scope, &language));
    found.map_or_else(|| json!([]), |set| set.commands.clone())
}

fn webhook(world: &mut World, asked: &Asked<'_>) -> Value {
    world.updates.webhook = asked.text("url").filter(|url| !url.is_empty()).map(str::to_owned);
    world.updates.allow(asked.arguments.get("allowed_updates"));
    if asked.flag("drop_pending_updates") {
        world.updates.drop_all();
    }
    json!(true)
}

fn create_topic(world: &mut World, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    chat.writable("text messages")?;
    if chat.kind != super::ChatKind::Forum {
        return Err(bad("the chat is not a forum"));
    }
    let name = asked.arguments["name"].clone();
    let posted = world.post(
        &chat,
        None,
        None,
        json!({"forum_topic_created": {"name": name, "icon_color": 7_322_096}}),
    );
    let id = posted["message_id"].as_i64().unwrap();
    if let Some(topics) = &mut world.chat_mut(chat.id).topics {
        topics.push(Topic { id, closed: false });
    }
    Ok(json!({"message_thread_id": id, "name": name, "icon_color": 7_322_096}))
}

fn end_topic(world: &mut World, method: &str, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let chat = world.meant(asked)?;
    let id = asked.number("message_thread_id").unwrap_or_default();
    if method != "reopenforumtopic" {
        chat.thread(Some(id))?;
        world.chat_mut(chat.id).end_topic(id, method == "closeforumtopic");
        return Ok(json!(true));
    }
    let chat = world.chat_mut(chat.id);
    chat.topics.iter_mut().flatten().filter(|topic| topic.id == id).for_each(|topic| topic.closed = false);
    chat.ended.retain(|topic| topic.id != id || !topic.closed);
    Ok(json!(true))
}
