//! How fast messages may follow each other in one chat. Pure.
//!
//! Telegram's published limits: about one message a second in a chat, where short bursts pass, and 20 a minute
//! in a group. They are no promise; a 429 is obeyed all the same.

use super::super::config::Chat;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Most chats whose pace is kept; the one that was added first goes.
const MOST_CHATS: usize = 16;

/// The paces of all chats. Clones are the same ones, so that all who send keep them together.
#[derive(Debug, Clone, Default)]
pub(in crate::bridge::telegram) struct Paces(Arc<Mutex<Vec<(Chat, Pace)>>>);

impl Paces {
    /// Takes one message to `chat`, if it may go at `now`; else says from when on it may.
    pub(in crate::bridge::telegram) fn take(&self, chat: &Chat, now: Duration) -> Result<(), Duration> {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pace)) = paces.iter_mut().find(|(known, _)| known == chat) {
            return pace.take(now);
        }
        if paces.len() >= MOST_CHATS {
            paces.remove(0);
        }
        let mut pace = Pace::new(chat.is_group());
        let taken = pace.take(now);
        paces.push((chat.clone(), pace));
        taken
    }
}

/// A token bucket on the monotonic clock.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Most messages at once.
    burst: f64,
    /// Time after which one more is allowed.
    interval: Duration,
    tokens: f64,
    filled: Duration,
}

impl Pace {
    /// The pace for a group, or for a single person.
    fn new(group: bool) -> Self {
        // In a group 3 at once and 17 more in the rest of a minute make 20.
        let (burst, interval) = match group {
            true => (3.0, Duration::from_millis(3530)),
            false => (5.0, Duration::from_secs(1)),
        };
        Self { burst, interval, tokens: burst, filled: Duration::ZERO }
    }

    /// Takes one message if it may go at `now`; else says from when on it may.
    fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let passed = now.saturating_sub(self.filled);
        self.tokens = (self.tokens + passed.div_duration_f64(self.interval)).min(self.burst);
        self.filled = now;
        // A rounding error must not cost a second wait.
        if self.tokens >= 1.0 - 1e-6 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(now + self.interval.mul_f64(1.0 - self.tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends as fast as allowed from `start` on, and says when.
    fn times(group: bool, start: u64, count: usize) -> Vec<f64> {
        let mut pace = Pace::new(group);
        let mut now = Duration::from_secs(start);
        let mut sent = Vec::new();
        while sent.len() < count {
            match pace.take(now) {
                Ok(()) => sent.push((now - Duration::from_secs(start)).as_secs_f64()),
                Err(later) => {
                    assert!(later > now);
                    now = later;
                }
            }
        }
        sent
    }

    #[test]
    fn a_person_gets_one_a_second_after_a_short_burst() {
        for (time, expected) in times(false, 100, 8).iter().zip([0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0]) {
            assert!((time - expected).abs() < 0.01, "{time} {expected}");
        }
    }

    #[test]
    fn a_group_never_gets_more_than_twenty_in_a_minute() {
        let sent = times(true, 0, 100);
        for start in &sent {
            let within = sent.iter().filter(|time| (*start..start + 60.0).contains(*time)).count();
            assert!(within <= 20, "{within} from {start}");
        }
        assert!(sent[99] < 99.0 * 3.6);
    }
    #[test]
    fn all_who_send_keep_the_pace_of_a_chat_together() {
        let (one, group) = (Paces::default(), Chat::Id(-100));
        let other = one.clone();
        let at = Duration::from_secs(1000);
        let took = [&one, &other, &one, &other].map(|paces| paces.take(&group, at).is_ok());
        assert_eq!(took, [true, true, true, false]);
        assert!(other.take(&Chat::Id(7), at).is_ok());
        for id in 0..100 {
            let _ = one.take(&Chat::Id(1000 + id), at);
        }
        assert_eq!(one.0.lock().unwrap().len(), MOST_CHATS);
    }
}
