//! What `octobridge doctor` finds of Telegram: whether the API can be reached, knows the bot, and lets it into the chat.
//!
//! Nothing is sent to the chat, so that some things stay open: whether the bot may write there, and whether the topic is
//! still there.

use super::api::{Api, Call, Class, Client, FaultKind, Outcome, classify};
use super::config::{API_URL, Chat, Config, redact};
use super::delivery::MovedChat;
use super::text;
use crate::bridge::Examination;
use crate::clock::{Clock, SystemClock};
use crate::doctor::Finding;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Longest question.
const PATIENCE: Duration = Duration::from_secs(8);
/// Most of a name that is shown, in UTF-16 units.
const NAME: usize = 60;

/// Asks the Bot API for the bot and for its chat.
pub fn examine(examination: &Examination<'_>) -> Vec<Finding> {
    // What is wrong with the settings was told.
    let Ok(config) = Config::read(examination.setting) else { return Vec::new() };
    let mut client = Client::within(&config, Arc::clone(&examination.tls), PATIENCE, PATIENCE);
    let now = || SystemClock::new().now().unix;
    let outcome = client.call(&Call::new("getMe"), now());
    let bot = match classify(&outcome) {
        Class::Done => shown(outcome.result(), &["username", "first_name"]),
        class => return vec![no_bot(&config, class, &outcome)],
    };
    let mut findings = vec![Finding::ok(format!("bot {bot} answers at {}", config.api_url))];
    let moved = MovedChat::new(examination.data_dir, examination.id, &config.chat).load();
    let chat = moved.map_or_else(|| config.chat.clone(), Chat::Id);
    let outcome = client.call(&Call::new("getChat").with("chat_id", &chat), now());
    match classify(&outcome) {
        Class::Done => {
            let title = shown(outcome.result(), &["title", "username", "first_name"]);
            findings.push(Finding::ok(format!("the bot finds its chat {title} ({chat})")));
            findings.extend(config.thread.map(|thread| judge_topic(thread, outcome.result())));
        }
        Class::Migrated(id) => findings.push(has_moved(&chat, id)),
        class => findings.push(no_chat(&chat, class, &outcome)),
    }
    findings.extend(moved.map(|id| has_moved(&config.chat, id)));
    findings
}

/// Why there is no bot of this token, and what to do.
pub(super) fn no_bot(config: &Config, class: Class, outcome: &Outcome) -> Finding {
    let said = said(outcome);
    match class {
        // What comes from somewhere else is no judgement on the token.
        _ if is_foreign(outcome) => trouble(&config.api_url, class, outcome),
        Class::TokenRefused if config.api_url == API_URL => Finding::fail(
            format!("the token is refused ({said})"),
            "copy it from @BotFather (/mybots, API Token) and store it with `octobridge secret set telegram_bot_token`",
        ),
        Class::TokenRefused => Finding::fail(
            format!("the token is refused at {} ({said})", config.api_url),
            "check TELEGRAM_API_URL (api_url); else copy the token from @BotFather (/mybots, API Token) and store it \
             with `octobridge secret set telegram_bot_token`",
        ),
        class => trouble(&config.api_url, class, outcome),
    }
}

fn no_chat(chat: &Chat, class: Class, outcome: &Outcome) -> Finding {
    let said = said(outcome);
    let is_out = matches!(outcome, Outcome::Answered(answer) if answer.status == 403);
    match class {
        Class::ChatGone if is_out => Finding::fail(
            format!("the bot is not let into the chat {chat} ({said})"),
            "add the bot to the group again, or unblock it in its chat and press Start; then try `octobridge test`",
        ),
        Class::ChatGone => Finding::fail(
            format!("the bot knows no chat {chat} ({said})"),
            "write to the bot once, or add it to the group, and check TELEGRAM_CHAT_ID (chat_id): a group's number is \
             negative",
        ),
        class => trouble("the chat", class, outcome),
    }
}

/// Troubles that are not the token's, nor the chat's.
fn trouble(place: &str, class: Class, outcome: &Outcome) -> Finding {
    match outcome {
        Outcome::Failed(fault) if fault.kind == FaultKind::ClockNotSet => {
            return Finding::fail(
                fault.text.clone(),
                "connect the printer to a network with access to a time server",
            );
        }
        Outcome::Failed(fault) => {
            let otherwise = "check the network, and a firewall in it";
            return Finding::fail_with_remedy_inside(&fault.text, otherwise);
        }
        Outcome::Answered(_) => {}
    }
    let said = said(outcome);
    match class {
        Class::Flood(_) => {
            Finding::warn(format!("too many requests ({said})"), "wait some minutes and ask again")
        }
        _ if is_foreign(outcome) => Finding::fail(
            format!("something else answers in place of {place} ({said})"),
            "check TELEGRAM_API_URL (api_url) if it is set, and whether this network wants a log-in in a browser or \
             has a proxy; else ask again later",
        ),
        _ => Finding::fail(format!("{place} has trouble ({said})"), "ask again in some minutes"),
    }
}

/// Whether an answer is not in the API's words.
fn is_foreign(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Answered(answer) if answer.envelope.is_none())
}

fn has_moved(from: &Chat, to: i64) -> Finding {
    Finding::warn(
        format!("the group {from} became a supergroup, {to}"),
        format!("set TELEGRAM_CHAT_ID (chat_id) to {to}"),
    )
}

fn judge_topic(thread: i64, chat: &Value) -> Finding {
    let is_group = chat.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("group"));
    if is_group && chat.get("is_forum").and_then(Value::as_bool) != Some(true) {
        return Finding::warn(
            format!("the chat has no topics, and messages are for its topic {thread}"),
            "set TELEGRAM_THREAD_ID (thread_id) to 0, or switch topics on in the group's settings",
        );
    }
    // The API has no question for it.
    Finding::ok(format!("whether topic {thread} is there only a message tells: `octobridge test`"))
}

/// The first of these fields that an answer's result has, for people.
fn shown(result: &Value, fields: &[&str]) -> String {
    let found = fields.iter().find_map(|field| Some((*field, result.get(field)?.as_str()?)));
    match found {
        Some(("username", name)) => format!("@{}", text::shorten(&text::name(name), NAME)),
        Some((_, name)) => format!("\"{}\"", text::shorten(&text::name(name), NAME)),
        None => "without a name".to_owned(),
    }
}

/// What the server said, for people.
fn said(outcome: &Outcome) -> String {
    let Outcome::Answered(answer) = outcome else { return String::new() };
    match answer.envelope.as_ref().and_then(|envelope| envelope.description.as_deref()) {
        Some(said) => format!("it says \"{}\"", text::shorten(&redact(&text::name(said)), 100)),
        None => format!("HTTP {}", answer.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;
    use proptest::prelude::*;

    #[test]
    fn a_topic_is_judged_by_the_kind_of_its_chat() {
        for (chat, level) in [
            (r#"{"type":"supergroup","is_forum":true}"#, Level::Ok),
            (r#"{"type":"supergroup"}"#, Level::Warn),
            (r#"{"type":"group"}"#, Level::Warn),
            // Bots may have topics in private chats.
            (r#"{"type":"private"}"#, Level::Ok),
            ("null", Level::Ok),
        ] {
            assert_eq!(judge_topic(7, &serde_json::from_str(chat).unwrap()).level, level, "{chat}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_taken(
            result in r#"(\{"(title|username)":"[^"\\\\]{0,99}"\}|\[\]|7|null|\[true\]|"x")"#,
        ) {
            let Ok(result) = serde_json::from_str::<Value>(&result) else { return Ok(()) };
            let name = shown(&result, &["title", "username"]);
            prop_assert!(name.encode_utf16().count() <= NAME + 2 && !name.contains(char::is_control));
            let _ = judge_topic(7, &result);
        }
    }
}
