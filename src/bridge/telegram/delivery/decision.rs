//! What to do with a message after an answer, by what the answer means and what was tried before. Pure.

use super::super::api::Class;
use std::time::Duration;

/// How long to leave an unusable chat or token alone between two tries.
pub(in crate::bridge::telegram) const PROBE: Duration = Duration::from_secs(10 * 60);
/// Longest wait between two tries of a message that met a transient failure.
const SLOWEST: Duration = Duration::from_secs(60);
/// The same while the printer's clock is not set: that heals by itself, and soon.
const SLOWEST_WITHOUT_CLOCK: Duration = Duration::from_secs(10);
/// How often one message follows a group that moves.
const MOST_MOVES: u32 = 3;

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
    use super::super::super::api::{Answer, Envelope, Outcome, Parameters, classify};
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
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
