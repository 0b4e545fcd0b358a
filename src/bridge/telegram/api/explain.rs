//! What came of a call in words: what happened and what to do about it.

use super::super::config::redact;
use super::super::text;
use super::class::Class;
use super::outcome::Outcome;

/// What happened and what to do about it, in one line without secrets.
pub(in crate::bridge::telegram) fn explain(class: Class, outcome: &Outcome) -> String {
    let answer = match outcome {
        Outcome::Failed(fault) => return fault.text.clone(),
        Outcome::Answered(answer) => answer,
    };
    let said = answer.envelope.as_ref().and_then(|envelope| envelope.description.as_deref());
    let said = match said {
        Some(said) => format!("\"{}\"", text::shorten(&redact(&text::name(said)), 100)),
        None => format!("HTTP {}", answer.status),
    };
    let remedy = match class {
        Class::TokenRefused => {
            "the token is refused; check TELEGRAM_BOT_TOKEN with @BotFather, and TELEGRAM_API_URL if it is set"
        }
        Class::WordsOnly => {
            "no pictures may be sent to the chat, so their captions come alone; let the bot send photos there"
        }
        Class::ChatGone | Class::ThreadGone => {
            "the bot may not write to the chat; check TELEGRAM_CHAT_ID, and that the bot is a member, unblocked and allowed to send"
        }
        Class::Flood(_) => "too many messages; waiting as told",
        Class::Conflict => "another program uses the same token",
        Class::Migrated(_) => "the chat moved more than once; set TELEGRAM_CHAT_ID to its present number",
        Class::Transient | Class::TooLarge | Class::ClockNotSet | Class::Done => {
            "the server has trouble; trying again"
        }
        Class::EditGone | Class::Markup | Class::TooLong | Class::PhotoRefused | Class::Refused => {
            "the message was refused and dropped; please report this"
        }
    };
    format!("{remedy} (the server says {said})")
}
