//! Who may do what. A chat and a person must both be listed before the printer obeys.

use super::super::config::Access;
use crate::clock::Moment;
use std::time::Duration;

/// How often strangers get an answer, all of them together.
const ANSWER_EACH: Duration = Duration::from_secs(60);

/// What somebody may do somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::bridge::telegram) enum Right {
    /// Ask for the numbers of the chat and the person.
    Stranger,
    /// Look at the printer.
    Watch,
    /// Control the printer.
    Control,
}

impl Access {
    /// Whether anybody may use commands at all.
    pub(in crate::bridge::telegram) fn is_open(&self) -> bool {
        !self.chats.is_empty() && !self.users.is_empty()
    }

    /// What `user` may do in `chat`. Who hides behind a group's name is nobody.
    pub(in crate::bridge::telegram) fn right(&self, chat: i64, user: Option<i64>) -> Right {
        if !self.is_open() || !self.chats.contains(&chat) {
            return Right::Stranger;
        }
        match user {
            Some(user) if self.users.contains(&user) => Right::Control,
            _ => Right::Watch,
        }
    }

    /// The group has another number from now on. Says whether that matters.
    pub(in crate::bridge::telegram) fn moved(&mut self, from: i64, to: i64) -> bool {
        let matters = self.chats.contains(&from) && !self.chats.contains(&to);
        if matters {
            self.chats.retain(|chat| *chat != from);
            self.chats.push(to);
        }
        matters
    }
}

/// Lets through one thing a minute.
#[derive(Debug, Default)]
pub(super) struct Minute(Option<Duration>);

impl Minute {
    /// Whether this one may pass.
    pub(super) fn pass(&mut self, now: Moment) -> bool {
        let free = self.0.is_none_or(|last| now.monotonic >= last + ANSWER_EACH);
        if free {
            self.0 = Some(now.monotonic);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chat_and_the_person_must_both_be_listed() {
        let access = |chats: &[i64], users: &[i64]| Access { chats: chats.to_vec(), users: users.to_vec() };
        let usual = access(&[-100, 5], &[5, 6]);
        for (access, chat, user, right) in [
            (&usual, -100, Some(5), Right::Control),
            (&usual, 5, Some(5), Right::Control),
            (&usual, -100, Some(7), Right::Watch),
            (&usual, -100, None, Right::Watch),
            (&usual, -200, Some(5), Right::Stranger),
            (&usual, 6, Some(6), Right::Stranger),
            (&access(&[], &[5]), 5, Some(5), Right::Stranger),
            (&access(&[5], &[]), 5, Some(5), Right::Stranger),
            (&access(&[], &[]), 0, None, Right::Stranger),
        ] {
            assert_eq!(access.right(chat, user), right, "{access:?} {chat} {user:?}");
        }
    }

    #[test]
    fn a_group_keeps_its_rights_when_it_moves() {
        let mut access = Access { chats: vec![-4242], users: vec![5] };
        assert!(!access.moved(-1, -1001));
        assert_eq!(access.right(-1001, Some(5)), Right::Stranger);
        assert!(access.moved(-4242, -1001));
        assert!(!access.moved(-4242, -1001), "the second of the two messages");
        assert_eq!(
            [access.right(-4242, Some(5)), access.right(-1001, Some(5))],
            [Right::Stranger, Right::Control]
        );
    }

    #[test]
    fn one_a_minute_passes() {
        let at = |seconds| Moment { monotonic: Duration::from_secs(seconds), unix: Duration::ZERO };
        let mut minute = Minute::default();
        let passed: Vec<bool> = [0, 1, 59, 60, 100, 120].map(|second| minute.pass(at(second))).to_vec();
        assert_eq!(passed, [true, false, false, true, false, true]);
    }
}
