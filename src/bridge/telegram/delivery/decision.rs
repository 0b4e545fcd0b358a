//! What an answer of the Bot API means, and what to do with the message next. Pure.
//!
//! Follows the open-source Bot API server (`tdlib/telegram-bot-api`) and texts that many bots report: often
//! only the description tells failures apart, so it is matched by parts and without case. What does not look
//! like the API's own answer (a proxy's page, a captive portal) never costs a message.

use super::super::api::Answer;
use serde_json::Value;
use std::time::Duration;

/// How long to leave an unusable chat or token alone between two tries.
pub(in crate::bridge::telegram) const PROBE: Duration = Duration::from_secs(10 * 60);
/// Longest wait between two tries of a message that met a transient failure.
const SLOWEST: Duration = Duration::from_secs(60);
/// The same while the printer's clock is not set: that heals by itself, and soon.
const SLOWEST_WITHOUT_CLOCK: Duration = Duration::from_secs(10);
/// The wait for a flood limit that names none, and the longest that is believed.
const FLOOD: i64 = 5;
const LONGEST_FLOOD: i64 = 24 * 3600;
/// How often one message follows a group that moves.
const MOST_MOVES: u32 = 3;

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::bridge::telegram) enum Outcome {
    /// The server answered.
    Answered(Answer),
    /// There was no answer; whether the request was carried out is unknown.
    Failed(Fault),
}

impl Outcome {
    /// What the method gave; null where it gave nothing.
    pub(in crate::bridge::telegram) fn result(&self) -> &Value {
        match self {
            Self::Answered(Answer { envelope: Some(envelope), .. }) => &envelope.result,
            Self::Answered(_) | Self::Failed(_) => &Value::Null,
        }
    }
}

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Fault {
    /// What kind of failure.
    pub(in crate::bridge::telegram) kind: FaultKind,
    /// What happened, for the status; free of secrets.
    pub(in crate::bridge::telegram) text: String,
}

/// Kinds of failures without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum FaultKind {
    /// No network, no name, refused, reset, too slow, or no trust in the certificate.
    Network,
    /// The certificate is not valid yet, and the printer's clock was never set.
    ClockNotSet,
}

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

/// What was tried with the message so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Attempt {
    /// Transient failures in a row.
    pub(in crate::bridge::telegram) failures: u32,
    /// Whether the request named a topic.
    pub(in crate::bridge::telegram) with_thread: bool,
    /// Whether the text was shortened already.
    pub(in crate::bridge::telegram) shortened: bool,
    /// Whether it went without its markup already.
    pub(in crate::bridge::telegram) undressed: bool,
    /// Whether it goes without others that could be told with it.
    pub(in crate::bridge::telegram) alone: bool,
    /// What became of its picture.
    pub(in crate::bridge::telegram) shape: Shape,
    /// Whether it may be its size that keeps it from getting through.
    pub(in crate::bridge::telegram) doubted: bool,
    /// How often the chat moved under this message.
    pub(in crate::bridge::telegram) moves: u32,
}

/// As what a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::bridge::telegram) enum Shape {
    /// As a text.
    #[default]
    Text,
    /// As a picture with a caption.
    Photo,
    /// The picture as a file, with a caption: its bounds are wider.
    Document,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bridge::telegram) enum Decision {
    /// It is delivered.
    Delivered,
    /// The same request again after this time.
    Retry(Duration),
    /// The same text at once, without the topic.
    WithoutThread,
    /// A shorter text at once.
    Shorten,
    /// The same text at once, without its markup.
    Undress,
    /// The same at once, in this shape.
    Reshape(Shape),
    /// The same text at once, to this chat from now on.
    MoveTo(i64),
    /// Leave the chat alone for this time, then try again.
    ProbeChat(Duration),
    /// Leave the whole API alone for this time, then try again.
    ProbeToken(Duration),
    /// It cannot be delivered.
    GiveUp,
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

/// What to do with a text message after an outcome of this class. `spread` from 0 to 1 is chance.
pub(in crate::bridge::telegram) fn decide(class: Class, attempt: Attempt, spread: f64) -> Decision {
    match class {
        Class::Done => Decision::Delivered,
        Class::Flood(wait) => Decision::Retry(wait),
        Class::Migrated(id) if attempt.moves < MOST_MOVES => Decision::MoveTo(id),
        Class::PhotoRefused | Class::TooLarge if attempt.shape == Shape::Photo => {
            Decision::Reshape(Shape::Document)
        }
        Class::PhotoRefused | Class::TooLarge if attempt.shape == Shape::Document => {
            Decision::Reshape(Shape::Text)
        }
        // A text is small: something else is wrong with it.
        Class::Migrated(_) | Class::Transient | Class::TooLarge => {
            Decision::Retry(backoff(attempt.failures, SLOWEST, spread))
        }
        Class::ClockNotSet => Decision::Retry(backoff(attempt.failures, SLOWEST_WITHOUT_CLOCK, spread)),
        Class::Conflict => Decision::Retry(Duration::from_secs(10)),
        Class::ThreadGone if attempt.with_thread => Decision::WithoutThread,
        Class::WordsOnly if attempt.shape != Shape::Text => Decision::Reshape(Shape::Text),
        // The General topic is closed: nowhere is left in this chat.
        Class::ThreadGone | Class::ChatGone | Class::WordsOnly => Decision::ProbeChat(PROBE),
        Class::TokenRefused => Decision::ProbeToken(PROBE),
        Class::TooLong | Class::PhotoRefused if !attempt.shortened => Decision::Shorten,
        Class::Markup if !attempt.undressed => Decision::Undress,
        Class::TooLong | Class::PhotoRefused | Class::EditGone | Class::Markup | Class::Refused => {
            Decision::GiveUp
        }
    }
}

/// 1, 2, 4 … seconds up to `slowest`, less up to a quarter by chance, so that printers that lost the same
/// network do not come back at once.
fn backoff(failures: u32, slowest: Duration, spread: f64) -> Duration {
    let full = Duration::from_secs(1 << failures.min(10)).min(slowest);
    let spread = if spread.is_finite() { spread.clamp(0.0, 1.0) } else { 0.0 };
    full.mul_f64(1.0 - 0.25 * spread).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::super::super::api::{Envelope, Parameters};
    use super::*;
    use proptest::prelude::*;

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
            // The rest of telegram.md 9.8.
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

    #[test]
    fn decisions() {
        let first = Attempt::default();
        let threaded = Attempt { with_thread: true, ..first };
        let shortened = Attempt { shortened: true, ..first };
        let photo = Attempt { shape: Shape::Photo, ..first };
        let cases = [
            (Class::Done, first, Decision::Delivered),
            (Class::Flood(seconds(40)), first, Decision::Retry(seconds(40))),
            (Class::Migrated(-5), first, Decision::MoveTo(-5)),
            (Class::Migrated(-5), Attempt { moves: 3, failures: 2, ..first }, Decision::Retry(seconds(4))),
            (Class::ThreadGone, threaded, Decision::WithoutThread),
            (Class::ThreadGone, first, Decision::ProbeChat(seconds(600))),
            (Class::ChatGone, first, Decision::ProbeChat(seconds(600))),
            (Class::TokenRefused, first, Decision::ProbeToken(seconds(600))),
            (Class::Conflict, first, Decision::Retry(seconds(10))),
            (Class::TooLong, first, Decision::Shorten),
            (Class::TooLong, shortened, Decision::GiveUp),
            (Class::PhotoRefused, first, Decision::Shorten),
            (Class::PhotoRefused, shortened, Decision::GiveUp),
            (Class::PhotoRefused, photo, Decision::Reshape(Shape::Document)),
            (
                Class::PhotoRefused,
                Attempt { shape: Shape::Document, ..first },
                Decision::Reshape(Shape::Text),
            ),
            (Class::TooLarge, first, Decision::Retry(seconds(1))),
            (Class::TooLarge, photo, Decision::Reshape(Shape::Document)),
            (Class::TooLarge, Attempt { shape: Shape::Document, ..first }, Decision::Reshape(Shape::Text)),
            (Class::WordsOnly, photo, Decision::Reshape(Shape::Text)),
            (Class::WordsOnly, Attempt { shape: Shape::Document, ..first }, Decision::Reshape(Shape::Text)),
            (Class::WordsOnly, first, Decision::ProbeChat(seconds(600))),
            (Class::TooLong, photo, Decision::Shorten),
            (Class::EditGone, first, Decision::GiveUp),
            (Class::Markup, first, Decision::Undress),
            (Class::Markup, Attempt { undressed: true, ..first }, Decision::GiveUp),
            (Class::Refused, first, Decision::GiveUp),
        ];
        for (class, attempt, expected) in cases {
            assert_eq!(decide(class, attempt, 0.0), expected, "{class:?} {attempt:?}");
        }
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits = |class, spread| -> Vec<f64> {
            let wait = |failures| match decide(class, Attempt { failures, ..Attempt::default() }, spread) {
                Decision::Retry(wait) => wait.as_secs_f64(),
                other => panic!("{other:?}"),
            };
            (0..8).map(wait).collect()
        };
        assert_eq!(waits(Class::Transient, 0.0), [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(waits(Class::Transient, 1.0), [1.0, 1.5, 3.0, 6.0, 12.0, 24.0, 45.0, 45.0]);
        assert_eq!(waits(Class::ClockNotSet, 0.0), [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]);
    }

    proptest! {
        #[test]
        fn nothing_leads_to_a_hot_loop_or_an_endless_wait(
            status in any::<u16>(),
            header in any::<Option<i64>>(),
            envelope in proptest::option::of((any::<bool>(), any::<Option<i64>>(), "\\PC{0,40}", any::<Option<i64>>(), any::<Option<i64>>())),
            failures in any::<u32>(),
            spread in any::<f64>(),
        ) {
            let envelope = envelope.map(|(ok, error_code, description, retry_after, migrate_to_chat_id)| Envelope {
                ok,
                error_code,
                description: Some(description),
                parameters: Some(Parameters { retry_after, migrate_to_chat_id }),
                result: serde_json::Value::Null,
            });
            let answer = Answer { status, retry_after: header, envelope };
            let class = classify(&Outcome::Answered(answer));
            let attempt = Attempt {
                failures,
                with_thread: false,
                shortened: true,
                undressed: true,
                alone: true,
                shape: Shape::Text,
                doubted: false,
                moves: MOST_MOVES,
            };
            match decide(class, attempt, spread) {
                Decision::Retry(wait) => prop_assert!(wait >= seconds(1) && wait <= seconds(86_400)),
                Decision::ProbeChat(wait) | Decision::ProbeToken(wait) => prop_assert_eq!(wait, PROBE),
                Decision::Delivered | Decision::GiveUp => {}
                other => prop_assert!(false, "{:?} once more without end", other),
            }
        }
    }
}
