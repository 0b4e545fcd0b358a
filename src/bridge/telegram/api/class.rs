//! What an answer of the Bot API means. Pure.
//!
//! Follows the open-source Bot API server (`tdlib/telegram-bot-api`) and texts that many bots report: often
//! only the description tells failures apart, so it is matched by parts and without case. What does not look
//! like the API's own answer (a proxy's page, a captive portal) never costs a message.

use super::outcome::{Fault, FaultKind, Outcome};
use super::wire::Answer;
use std::time::Duration;

/// The wait for a flood limit that names none, and the longest that is believed.
const FLOOD: i64 = 5;
const LONGEST_FLOOD: i64 = 24 * 3600;

/// What an outcome means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Class {
    /// Carried out.
    Done,
    /// Too much; nothing to this chat for a while.
    Flood(Duration),
    /// The group became a supergroup with this id.
    Migrated(i64),
    /// The topic is gone or closed.
    ThreadGone,
    /// The message to change is gone.
    EditGone,
    /// The markup is not understood.
    Markup,
    /// The text is too long.
    TooLong,
    /// The picture or the whole request is refused.
    PhotoRefused,
    /// Something on the way to the API does not let so much through.
    TooLarge,
    /// The bot may write there, and send no pictures.
    WordsOnly,
    /// The bot may not write there.
    ChatGone,
    /// The token is wrong, or nothing of the kind is at this address.
    TokenRefused,
    /// Another program polls with this token.
    Conflict,
    /// It may go better next time.
    Transient,
    /// As transient, until the clock is set.
    ClockNotSet,
    /// Refused for a reason that will not go away: a mistake of ours.
    Refused,
}

/// What `outcome` means.
pub(in crate::bridge::telegram) fn classify(outcome: &Outcome) -> Class {
    match outcome {
        Outcome::Answered(answer) => classify_answer(answer),
        Outcome::Failed(Fault { kind: FaultKind::ClockNotSet, .. }) => Class::ClockNotSet,
        Outcome::Failed(Fault { kind: FaultKind::Network, .. }) => Class::Transient,
    }
}

fn classify_answer(answer: &Answer) -> Class {
    let Some(envelope) = &answer.envelope else {
        // Not the API's words. A proxy's 400 or 403 is no judgement of Telegram's on the message.
        return match answer.status {
            429 => Class::Flood(flood(answer, None, "")),
            401 | 404 | 421 => Class::TokenRefused,
            413 => Class::TooLarge,
            _ => Class::Transient,
        };
    };
    if envelope.ok {
        return Class::Done;
    }
    let description = envelope.description.as_deref().unwrap_or_default().to_lowercase();
    let parameters = envelope.parameters.unwrap_or_default();
    if let Some(id) = parameters.migrate_to_chat_id.filter(|id| *id != 0) {
        return Class::Migrated(id);
    }
    match envelope.error_code.unwrap_or(i64::from(answer.status)) {
        400 => classify_bad_request(&description),
        401 | 404 | 421 => Class::TokenRefused,
        403 => Class::ChatGone,
        408 => Class::Transient,
        409 => Class::Conflict,
        413 => Class::PhotoRefused,
        429 => Class::Flood(flood(answer, parameters.retry_after, &description)),
        code if (400..500).contains(&code) => Class::Refused,
        _ => Class::Transient,
    }
}

fn classify_bad_request(description: &str) -> Class {
    const TABLE: &[(&str, Class)] = &[
        ("thread not found", Class::ThreadGone),
        ("topic_closed", Class::ThreadGone),
        ("topic_deleted", Class::ThreadGone),
        ("not modified", Class::Done),
        ("message to edit not found", Class::EditGone),
        ("can't be edited", Class::EditGone),
        ("can't parse entities", Class::Markup),
        ("too long", Class::TooLong),
        ("too_long", Class::TooLong),
        ("photo_invalid_dimensions", Class::PhotoRefused),
        ("image_process_failed", Class::PhotoRefused),
        ("rights to send photos", Class::WordsOnly),
        ("rights to send documents", Class::WordsOnly),
        ("chat_send_photos_forbidden", Class::WordsOnly),
        ("chat_send_docs_forbidden", Class::WordsOnly),
        ("chat_send_media_forbidden", Class::WordsOnly),
        ("chat not found", Class::ChatGone),
        ("user not found", Class::ChatGone),
        ("peer_id_invalid", Class::ChatGone),
        ("chat_write_forbidden", Class::ChatGone),
        ("chat_restricted", Class::ChatGone),
        ("chat_send_plain_forbidden", Class::ChatGone),
        ("was deactivated", Class::ChatGone),
        ("not enough rights", Class::ChatGone),
        ("have no rights", Class::ChatGone),
        ("need administrator rights", Class::ChatGone),
    ];
    TABLE.iter().find(|(part, _)| description.contains(part)).map_or(Class::Refused, |(_, class)| *class)
}

/// How long a flood limit lasts: from the parameters, else the header, else the description, else a guess.
fn flood(answer: &Answer, parameter: Option<i64>, description: &str) -> Duration {
    let in_words = || {
        let (_, rest) = description.split_once("retry after ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let seconds = parameter.or(answer.retry_after).or_else(in_words).unwrap_or(FLOOD);
    Duration::from_secs(seconds.clamp(1, LONGEST_FLOOD).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::super::wire::{Envelope, Parameters};
    use super::*;

    fn refusal(code: i64, description: &str) -> Answer {
        let description = Some(description.to_owned());
        let envelope = Envelope { ok: false, error_code: Some(code), description, ..Envelope::default() };
        Answer { status: code as u16, retry_after: None, envelope: Some(envelope) }
    }

    fn with(mut answer: Answer, parameters: Parameters) -> Answer {
        answer.envelope.as_mut().unwrap().parameters = Some(parameters);
        answer
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn answers_mean_what_the_table_says() {
        let migrated = Parameters { migrate_to_chat_id: Some(-1_001_987_654_321), ..Parameters::default() };
        let wait = Parameters { retry_after: Some(17), ..Parameters::default() };
        let cases = [
            // The cases of the vectors `b-errors`.
            (with(refusal(429, "Too Many Requests: retry after 17"), wait), Class::Flood(seconds(17))),
            (
                with(refusal(400, "Bad Request: group chat was upgraded to a supergroup chat"), migrated),
                Class::Migrated(-1_001_987_654_321),
            ),
            (refusal(403, "Forbidden: bot was blocked by the user"), Class::ChatGone),
            (refusal(403, "Forbidden: user is deactivated"), Class::ChatGone),
            (
                refusal(400, "Bad Request: not enough rights to send text messages to the chat"),
                Class::ChatGone,
            ),
            (refusal(400, "Bad Request: TOPIC_CLOSED"), Class::ThreadGone),
            (refusal(400, "Bad Request: message to edit not found"), Class::EditGone),
            (refusal(400, "Bad Request: message can't be deleted"), Class::Refused),
            (refusal(400, "Bad Request: message is too long"), Class::TooLong),
            (refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"), Class::PhotoRefused),
            (refusal(413, "Request Entity Too Large"), Class::PhotoRefused),
            (refusal(401, "Unauthorized"), Class::TokenRefused),
            (refusal(409, "Conflict: terminated by other getUpdates request"), Class::Conflict),
            (refusal(500, "Internal Server Error"), Class::Transient),
            (refusal(400, "Bad Request: unsupported start tag \"x\""), Class::Refused),
            // What else bots report.
            (refusal(400, "Bad Request: message thread not found"), Class::ThreadGone),
            (refusal(400, "Bad Request: message is not modified: exactly the same"), Class::Done),
            (refusal(400, "Bad Request: can't parse entities: unsupported"), Class::Markup),
            (refusal(400, "Bad Request: IMAGE_PROCESS_FAILED"), Class::PhotoRefused),
            (refusal(400, "Bad Request: chat not found"), Class::ChatGone),
            (refusal(403, "Forbidden: bot was kicked from the supergroup chat"), Class::ChatGone),
            (refusal(404, "Not Found"), Class::TokenRefused),
            (refusal(421, "Misdirected Request"), Class::TokenRefused),
            (refusal(502, "Bad Gateway"), Class::Transient),
            (refusal(429, "Too Many Requests: retry after 33"), Class::Flood(seconds(33))),
            (refusal(429, ""), Class::Flood(seconds(5))),
            (Answer { retry_after: Some(8), ..refusal(429, "retry after 33") }, Class::Flood(seconds(8))),
        ];
        for (answer, expected) in cases {
            assert_eq!(classify(&Outcome::Answered(answer.clone())), expected, "{answer:?}");
        }
    }

    #[test]
    fn what_is_not_the_api_is_judged_by_its_status() {
        let page = |status| Answer { status, retry_after: None, envelope: None };
        let cases = [
            (page(200), Class::Transient),
            (page(302), Class::Transient),
            (page(400), Class::Transient),
            (page(403), Class::Transient),
            (page(413), Class::TooLarge),
            (page(502), Class::Transient),
            (page(401), Class::TokenRefused),
            (page(404), Class::TokenRefused),
            (page(429), Class::Flood(seconds(5))),
            (Answer { retry_after: Some(2), ..page(429) }, Class::Flood(seconds(2))),
        ];
        for (answer, expected) in cases {
            assert_eq!(classify(&Outcome::Answered(answer.clone())), expected, "{answer:?}");
        }
        let ok = Envelope { ok: true, ..Envelope::default() };
        let answer = Answer { status: 200, retry_after: None, envelope: Some(ok) };
        assert_eq!(classify(&Outcome::Answered(answer)), Class::Done);
    }
}
