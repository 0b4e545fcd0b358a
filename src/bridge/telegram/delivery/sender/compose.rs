//! What is said of what lies in the outbox: the words, how many messages in one, as a text or as a picture.

use super::super::super::api::{Call, keyboard};
use super::super::super::markup::Format;
use super::super::super::{notify, text};
use super::super::Shape;
use super::super::stored::Stored;
use super::Sender;
use crate::camera::Frame;
use crate::outbox::{Held, Store};
use std::time::Duration;

/// Length of a text that was too long for the server, in UTF-16 units.
const SHORT: usize = 1000;
/// Most messages that are told in one after a long silence.
const MOST_JOINED: usize = 20;
/// Largest picture that goes as one, in bytes.
const MOST_PHOTO: usize = 10_000_000;
/// Longest time for which a message is held back.
const LONGEST_HOLD: Duration = Duration::from_secs(60);

impl<A, S: Store> Sender<A, S> {
    /// What to say of `held`, which messages behind it are said with it, and whether that makes no sound: after a long
    /// silence one message tells what happened, instead of a row of them.
    pub(super) fn words(&self, held: &Held, stored: &Stored, now: Duration) -> (String, Vec<u64>, bool) {
        let mut words = notify::dated(&stored.text, held.entry.at, now);
        let (mut joined, mut silent) = (Vec::new(), stored.silent);
        if self.attempt.alone || !is_plain(stored) || !notify::is_late(held.entry.at, now) {
            return (words, joined, silent);
        }
        let row = self.queue.peek_row(MOST_JOINED, |_| true);
        for other in row.iter().skip(1) {
            let read = serde_json::from_slice::<Stored>(&other.entry.body).ok();
            let Some(next) = read.filter(|next| is_plain(next) && waits(next, now).is_none()) else { break };
            let more = format!("{words}\n\n{}", notify::dated(&next.text, other.entry.at, now));
            if more.encode_utf16().count() > text::MOST_MESSAGE {
                break;
            }
            words = more;
            joined.push(other.id);
            // Whatever is to wake people does so in company as well.
            silent &= next.silent;
        }
        (words, joined, silent)
    }

    /// The call that says `words`, in the shape that is tried now.
    pub(super) fn compose<'f>(
        &self,
        words: &str,
        stored: &Stored,
        frame: Option<&'f Frame>,
        thread: Option<i64>,
    ) -> Call<'f> {
        let format = if self.attempt.undressed { Format::Plain } else { self.format };
        let most = match self.attempt.shape {
            Shape::Text => text::MOST_MESSAGE,
            Shape::Photo | Shape::Document => text::MOST_CAPTION,
        };
        let most = if self.attempt.shortened { SHORT.min(most) } else { most };
        let words = format.dress(&text::shorten(words, most));
        let jpeg = frame.map(|frame| frame.jpeg.as_slice()).unwrap_or_default();
        let mut call = match self.attempt.shape {
            Shape::Text => Call::message(&self.chat, thread, &words),
            Shape::Photo => Call::photo(&self.chat, thread, &words, jpeg),
            Shape::Document => Call::document(&self.chat, thread, &words, jpeg),
        };
        if let Some(mode) = format.parse_mode() {
            call = call.with("parse_mode", mode);
        }
        if stored.silent {
            call = call.with("disable_notification", true);
        }
        if !stored.buttons.is_empty() {
            call = call.with("reply_markup", keyboard(&stored.buttons));
        }
        call
    }
}

/// Whether a message is nothing but text, so that it can be joined to others.
fn is_plain(stored: &Stored) -> bool {
    stored.picture.is_none() && stored.buttons.is_empty()
}

/// How much longer a message must wait for what may make it not worth sending. A clock that was set meanwhile does not
/// make that long.
pub(super) fn waits(stored: &Stored, now: Duration) -> Option<Duration> {
    let until = Duration::from_millis(stored.not_before_ms?);
    let wait = until.checked_sub(now)?;
    (!wait.is_zero() && wait <= LONGEST_HOLD).then_some(wait)
}

/// As what a picture goes at first (Bot API, `sendPhoto`: 10 MB, sides of 10,000 together and no more than 20 to 1).
pub(super) fn shape_of(frame: &Frame) -> Shape {
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    let slim = width.max(height) > 20 * width.min(height);
    if frame.jpeg.len() > MOST_PHOTO || width + height > 10_000 || slim {
        return Shape::Document;
    }
    Shape::Photo
}
