//! The waiting messages in order, with their bounds and the keys that were taken.
//!
//! Pure: knows nothing of disks.

use super::age::{Aged, Look};
use super::{Entry, Limits, record};
use std::collections::VecDeque;
use std::time::Duration;

/// A waiting message with the handle by which it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Handle; valid until the process ends.
    pub id: u64,
    /// The message.
    pub entry: Entry,
    /// How old it is, once somebody looked.
    aged: Option<Aged>,
}

/// What became of a pushed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It waits.
    Queued {
        /// How many waiting messages it replaced (same slot).
        replaced: usize,
        /// How many less important ones had to go to make room.
        dropped: usize,
    },
    /// Its key was taken before.
    Duplicate,
    /// There is no room: everything that waits is more important, or the message is too large.
    Refused,
}

/// The list.
#[derive(Debug)]
pub(super) struct List {
    limits: Limits,
    held: VecDeque<Held>,
    settled: VecDeque<String>,
    bytes: usize,
    next_id: u64,
}

impl List {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, held: VecDeque::new(), settled: VecDeque::new(), bytes: 0, next_id: 1 }
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) fn head(&self) -> Option<&Held> {
        self.held.front()
    }

    pub(super) fn held(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// Keys of settled messages, oldest first.
    pub(super) fn settled(&self) -> impl Iterator<Item = &str> {
        self.settled.iter().map(String::as_str)
    }

    /// Bytes of the waiting messages, as the limits count them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `entry` in, and returns the messages that had to go for it.
    pub(super) fn push(&mut self, entry: Entry) -> (Pushed, Vec<Held>) {
        if !record::fits(&entry) {
            return (Pushed::Refused, Vec::new());
        }
        if self.is_taken(&entry.key) {
            return (Pushed::Duplicate, Vec::new());
        }
        let Some(victims) = self.room_for(&entry) else {
            return (Pushed::Refused, Vec::new());
        };
        let mut gone = self.take_where(|held| entry.slot.is_some() && held.entry.slot == entry.slot);
        let replaced = gone.len();
        gone.extend(self.take_where(|held| victims.contains(&held.id)));
        let dropped = gone.len() - replaced;
        self.append(entry);
        (Pushed::Queued { replaced, dropped }, gone)
    }

    /// Takes the message of `id` out; its key stays taken.
    pub(super) fn settle(&mut self, id: u64) -> Option<Held> {
        self.take_where(|held| held.id == id).pop()
    }

    /// Takes out what is too old at `monotonic`, the moment of `look`, by which messages get their ages.
    pub(super) fn expire(&mut self, look: Look, monotonic: Duration) -> Vec<Held> {
        for held in &mut self.held {
            held.aged = Some(look.age(held.entry.at, held.aged));
        }
        self.take_where(|held| {
            held.aged.is_some_and(|aged| aged.at(monotonic) > held.entry.importance.kept_for())
        })
    }

    /// Takes the message of `key` out, if it waits, and remembers the key.
    pub(super) fn settle_key(&mut self, key: &str) {
        if self.take_where(|held| held.entry.key == key).is_empty() && !self.settled.iter().any(|k| k == key)
        {
            self.remember(key.to_owned());
        }
    }

    /// Sets the bounds, and returns how many messages had to go for them.
    pub(super) fn limit(&mut self, limits: Limits) -> usize {
        self.limits = limits;
        let mut dropped = 0;
        while self.held.len() > limits.entries || self.bytes > limits.bytes {
            let Some(victim) = self.held.iter().min_by_key(|held| held.entry.importance).map(|held| held.id)
            else {
                break;
            };
            self.settle(victim);
            dropped += 1;
        }
        dropped
    }

    /// Puts what `other` knows behind what this list knows; `other`'s handles stay valid.
    pub(super) fn absorb(&mut self, other: List) {
        for held in &mut self.held {
            held.id += other.next_id;
        }
        self.next_id += other.next_id;
        for key in &other.settled {
            self.settle_key(key);
        }
        for held in other.held {
            let known = self.held.iter_mut().find(|mine| mine.entry.key == held.entry.key);
            match known {
                Some(mine) => (mine.id, mine.aged) = (held.id, held.aged),
                None => {
                    let (handle, aged) = (held.id, held.aged);
                    let (pushed, _) = self.push(held.entry);
                    if let (Pushed::Queued { .. }, Some(last)) = (pushed, self.held.back_mut()) {
                        (last.id, last.aged) = (handle, aged);
                    }
                }
            }
        }
    }

    /// Whether a message of that key waits, or is remembered as settled.
    pub(super) fn is_taken(&self, key: &str) -> bool {
        self.settled.iter().any(|settled| settled == key)
            || self.held.iter().any(|held| held.entry.key == key)
    }

    fn append(&mut self, entry: Entry) {
        self.bytes += record::entry_len(&entry);
        self.held.push_back(Held { id: self.next_id, entry, aged: None });
        self.next_id += 1;
    }

    /// The handles of the messages that must go for `entry` to fit; none if it may not displace enough.
    fn room_for(&self, entry: &Entry) -> Option<Vec<u64>> {
        let staying =
            || self.held.iter().filter(|held| entry.slot.is_none() || held.entry.slot != entry.slot);
        let mut count = staying().count() + 1;
        let mut bytes: usize =
            staying().map(|held| record::entry_len(&held.entry)).sum::<usize>() + record::entry_len(entry);
        let mut order: Vec<&Held> =
            staying().filter(|held| held.entry.importance <= entry.importance).collect();
        order.sort_by_key(|held| held.entry.importance);
        let mut victims = Vec::new();
        let mut candidates = order.into_iter();
        while count > self.limits.entries || bytes > self.limits.bytes {
            let victim = candidates.next()?;
            count -= 1;
            bytes -= record::entry_len(&victim.entry);
            victims.push(victim.id);
        }
        Some(victims)
    }

    /// Takes out what `goes` says, and remembers the keys.
    pub(super) fn take_where(&mut self, goes: impl Fn(&Held) -> bool) -> Vec<Held> {
        let mut gone = Vec::new();
        let mut at = 0;
        while let Some(held) = self.held.get(at) {
            if !goes(held) {
                at += 1;
                continue;
            }
            if let Some(held) = self.held.remove(at) {
                self.bytes -= record::entry_len(&held.entry);
                self.remember(held.entry.key.clone());
                gone.push(held);
            }
        }
        gone
    }

    fn remember(&mut self, key: String) {
        self.settled.push_back(key);
        while self.settled.len() > self.limits.keys {
            self.settled.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Importance::{self, Important, Normal, Passing, Terminal};
    use super::*;
    use std::time::Duration;

    fn entry(key: &str, importance: Importance) -> Entry {
        Entry { key: key.to_owned(), importance, at: Duration::ZERO, slot: None, body: vec![0; 10] }
    }

    fn list(entries: usize) -> List {
        List::new(Limits { entries, bytes: 10_000, keys: 3, history: 1000 })
    }

    fn keys(list: &List) -> Vec<&str> {
        list.held().map(|held| held.entry.key.as_str()).collect()
    }

    const QUEUED: Pushed = Pushed::Queued { replaced: 0, dropped: 0 };

    #[test]
    fn a_key_is_taken_once_also_after_delivery() {
        let mut list = list(10);
        assert_eq!(list.push(entry("a", Terminal)).0, QUEUED);
        assert_eq!(list.push(entry("a", Terminal)).0, Pushed::Duplicate);
        let id = list.head().unwrap().id;
        assert_eq!(list.settle(id).unwrap().entry.key, "a");
        assert_eq!(list.settle(id), None);
        assert_eq!(list.push(entry("a", Terminal)).0, Pushed::Duplicate);
    }

    #[test]
    fn old_keys_are_forgotten() {
        let mut list = list(10);
        for key in ["a", "b", "c", "d"] {
            list.push(entry(key, Normal));
            let id = list.head().unwrap().id;
            list.settle(id);
        }
        assert_eq!(list.settled().collect::<Vec<_>>(), ["b", "c", "d"]);
        assert_eq!(list.push(entry("a", Normal)).0, QUEUED);
    }

    #[test]
    fn the_least_important_oldest_goes_first() {
        // What waits (room for three), what comes, what waits then.
        type Case<'a> = (&'a [(&'a str, Importance)], (&'a str, Importance), &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            (&[("a", Passing), ("b", Passing), ("c", Terminal)], ("d", Passing), &["b", "c", "d"]),
            (&[("a", Normal), ("b", Passing), ("c", Terminal)], ("d", Terminal), &["a", "c", "d"]),
            (&[("a", Terminal), ("b", Important), ("c", Important)], ("d", Terminal), &["a", "c", "d"]),
            (&[("a", Terminal), ("b", Terminal), ("c", Terminal)], ("d", Terminal), &["b", "c", "d"]),
            (&[("a", Terminal), ("b", Terminal), ("c", Terminal)], ("d", Important), &["a", "b", "c"]),
            (&[("a", Normal), ("b", Normal), ("c", Important)], ("d", Passing), &["a", "b", "c"]),
        ];
        for (before, (key, importance), after) in cases {
            let mut list = list(3);
            for (key, importance) in *before {
                assert_eq!(list.push(entry(key, *importance)).0, QUEUED);
            }
            let (pushed, gone) = list.push(entry(key, *importance));
            assert_eq!(keys(&list), *after, "{before:?} then {key}");
            let refused = !after.contains(key);
            assert_eq!(pushed == Pushed::Refused, refused);
            assert_eq!(gone.len(), usize::from(!refused));
        }
    }

    #[test]
    fn the_newest_word_replaces_the_older_one() {
        let mut list = list(10);
        let progress = |key| Entry { slot: Some("progress".to_owned()), ..entry(key, Passing) };
        list.push(progress("5%"));
        list.push(entry("paused", Normal));
        assert_eq!(list.push(progress("10%")).0, Pushed::Queued { replaced: 1, dropped: 0 });
        assert_eq!(keys(&list), ["paused", "10%"]);
        assert_eq!(list.push(progress("5%")).0, Pushed::Duplicate);
    }

    #[test]
    fn bytes_are_bounded() {
        let mut list = List::new(Limits { entries: 100, bytes: 100, keys: 3, history: 1000 });
        let size = record::entry_len(&entry("a", Normal));
        for key in ["a", "b", "c", "d", "e", "f"] {
            list.push(entry(key, Normal));
        }
        assert_eq!(list.len(), 100 / size);
        assert_eq!(list.bytes(), list.len() * size);
        let large = Entry { body: vec![0; 200], ..entry("large", Terminal) };
        assert_eq!(list.push(large).0, Pushed::Refused);
    }

    #[test]
    fn lower_limits_drop_the_least_important_oldest() {
        let mut list = list(10);
        for (key, importance) in [("a", Terminal), ("b", Normal), ("c", Normal), ("d", Important)] {
            list.push(entry(key, importance));
        }
        assert_eq!(list.limit(Limits { entries: 3, bytes: 10_000, keys: 3, history: 1000 }), 1);
        assert_eq!(keys(&list), ["a", "c", "d"]);
    }

    #[test]
    fn absorbing_keeps_order_and_handles() {
        let mut disk = list(10);
        for key in ["old", "both", "sent"] {
            disk.push(entry(key, Terminal));
        }
        let mut memory = list(10);
        for key in ["sent", "both", "new"] {
            memory.push(entry(key, Terminal));
        }
        let sent = memory.head().unwrap().id;
        memory.settle(sent);
        let ids: Vec<(String, u64)> = memory.held().map(|held| (held.entry.key.clone(), held.id)).collect();
        disk.absorb(memory);
        assert_eq!(keys(&disk), ["old", "both", "new"]);
        assert_eq!(disk.push(entry("sent", Terminal)).0, Pushed::Duplicate);
        for (key, id) in ids {
            assert_eq!(disk.settle(id).unwrap().entry.key, key);
        }
        assert_eq!(keys(&disk), ["old"]);
    }
}
