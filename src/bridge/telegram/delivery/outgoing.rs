//! Where messages are handed in: what a note asks for, done to the outbox.

use super::super::config::{Kind, Kinds};
use super::super::notify::Note;
use super::darkroom::Darkroom;
use super::stored::Stored;
use crate::camera::Frame;
use crate::clock::Moment;
use crate::outbox::{Entry, FileStore, Pushed, Queue, Store};
use std::sync::Arc;

/// The way to the chat. Clones are the same way.
#[derive(Debug)]
pub(in crate::bridge::telegram) struct Outgoing<S = FileStore> {
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
    pub(in crate::bridge::telegram) fn new(queue: Queue<S>, darkroom: Darkroom, silent: Kinds) -> Self {
        Self { queue, darkroom, silent }
    }

    /// Hands in a text. When this returns, one that must not be lost is on disk. Says whether it is new.
    pub(in crate::bridge::telegram) fn post(&self, note: Note, buttons: Vec<(String, String)>) -> bool {
        if let Some((key, both)) = &note.takes_back {
            let taken = self.queue.take_back(key, "it was over before it was told");
            if taken && *both {
                return false;
            }
        }
        self.push(note, None, buttons)
    }

    /// Hands in a picture with its caption. Says whether it is new.
    pub(in crate::bridge::telegram) fn post_picture(
        &self,
        note: Note,
        frame: &Arc<Frame>,
        now: Moment,
    ) -> bool {
        let number = self.darkroom.keep(Arc::clone(frame), note.importance, now);
        let is_new = self.push(note, Some(number), Vec::new());
        if !is_new {
            self.darkroom.forget(number);
        }
        is_new
    }

    /// Whether a message of that key was handed in before, not long ago.
    pub(in crate::bridge::telegram) fn knows(&self, key: &str) -> bool {
        self.queue.knows(key)
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
    pub(in crate::bridge::telegram) fn take_lost_picture(&self) -> bool {
        self.darkroom.take_lost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::{Importance, Limits, Outbox};
    use std::time::Duration;

    fn note(key: &str, takes_back: Option<(&str, bool)>) -> Note {
        Note {
            key: key.to_owned(),
            kind: Kind::Pause,
            importance: Importance::Normal,
            at: Duration::from_secs(1_795_227_600),
            text: key.to_owned(),
            slot: None,
            held: Duration::ZERO,
            takes_back: takes_back.map(|(key, both)| (key.to_owned(), both)),
        }
    }

    #[test]
    fn a_pause_is_told_with_its_end_or_not_at_all() {
        for (begun, both, expected) in [
            (false, true, &[][..]),
            (false, false, &["end"]),
            // It may be in the chat already, which must not say for ever that the job is paused.
            (true, true, &["pause", "end"]),
            (true, false, &["pause", "end"]),
        ] {
            let place = tempfile::tempdir().unwrap();
            let (outbox, _) = Outbox::open(&place.path().join("journal"), Limits::default());
            let queue = Queue::new(outbox);
            let outgoing = Outgoing::new(queue.clone(), Darkroom::default(), Kinds::NONE);
            outgoing.post(note("pause", None), Vec::new());
            if begun {
                assert!(queue.begin(vec![queue.peek().unwrap().id]));
            }
            outgoing.post(note("end", Some(("pause", both))), Vec::new());
            let waiting: Vec<String> =
                queue.peek_row(9, |_| true).into_iter().map(|held| held.entry.key).collect();
            assert_eq!(waiting, expected, "{begun} {both}");
        }
    }
}
