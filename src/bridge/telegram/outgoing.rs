//! Where messages are handed in: what a note asks for, done to the outbox.

use super::config::{Kind, Kinds};
use super::darkroom::Darkroom;
use super::notify::Note;
use super::wire::Stored;
use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::{Entry, FileStore, Pushed, Queue, Store};
use std::sync::Arc;

/// The way to the chat. Clones are the same way.
#[derive(Debug)]
pub(super) struct Outgoing<S = FileStore> {
    queue: Queue<S>,
    darkroom: Darkroom,
    silent: Kinds,
}

impl<S> Clone for Outgoing<S> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), darkroom: self.darkroom.clone(), silent: self.silent }
    }
}

impl<S: Store> Outgoing<S> {
    /// Into `queue`, whose pictures are in `darkroom`; kinds in `silent` make no sound.
    pub(super) fn new(queue: Queue<S>, darkroom: Darkroom, silent: Kinds) -> Self {
        Self { queue, darkroom, silent }
    }

    /// Hands in a text. When this returns, one that must not be lost is on disk. Says whether it is new.
    pub(super) fn post(&self, note: Note, buttons: Vec<(String, String)>) -> bool {
        if let Some((key, both)) = &note.takes_back {
            let waited =
                self.queue.discard_where("it was over before it was told", |held| held.entry.key == *key);
            if waited > 0 && *both {
                return false;
            }
        }
        self.push(note, None, buttons)
    }

    /// Hands in a picture with its caption. Says whether it is new.
    pub(super) fn post_picture(&self, note: Note, frame: &Arc<Frame>, now: Moment) -> bool {
        let number = self.darkroom.keep(Arc::clone(frame), note.importance, now);
        let is_new = self.push(note, Some(number), Vec::new());
        if !is_new {
            self.darkroom.forget(number);
        }
        is_new
    }

    fn push(&self, note: Note, picture: Option<u64>, buttons: Vec<(String, String)>) -> bool {
        let held = (!note.held.is_zero()).then(|| (note.at + note.held).as_millis());
        let stored = Stored {
            text: note.text,
            picture,
            // An alert is to wake people.
            silent: self.silent.has(note.kind) && note.kind != Kind::Alert,
            not_before_ms: held.and_then(|until| u64::try_from(until).ok()),
            buttons,
        };
        let body = match serde_json::to_vec(&stored) {
            Ok(body) => body,
            Err(error) => {
                log::error!("telegram: cannot write down a message: {error}");
                return false;
            }
        };
        let slot = note.slot.map(str::to_owned);
        let entry = Entry { key: note.key, importance: note.importance, at: note.at, slot, body };
        matches!(self.queue.push(entry), Pushed::Queued { .. })
    }

    /// Whether a picture grew too old to be sent, since this was asked last: a fresh one is due.
    pub(super) fn take_lost_picture(&self) -> bool {
        self.darkroom.take_lost()
    }
}
