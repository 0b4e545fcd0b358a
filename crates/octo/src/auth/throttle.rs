//! How often somebody may try to log in or to register.
//!
//! An attempt counts before its password is looked at, so that many at one time do not get past. Three counts, each with its
//! own patience: of a user from one address, where a person mistypes; of an address, which tries many users; of a user from
//! anywhere, which many addresses try. The last is generous, so that nobody is easily locked out by others.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::Instant;

use super::client::network;

/// Tries of a user from one address before there is a pause.
const PAIR: u32 = 5;
/// Of an address.
const ADDRESS: u32 = 30;
/// Of a user from anywhere.
const USER: u32 = 100;
/// The first pause; each further try doubles it.
const FIRST: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// After so long without a try, all is forgotten. Longer than the longest pause: who waits no longer than he must, and tries
/// on, does not begin anew.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// Counts that are kept; the oldest makes room.
const KEPT: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(String, IpAddr),
    Address(IpAddr),
    User(String),
}

impl Key {
    const fn free(&self) -> u32 {
        match self {
            Self::Pair(..) => PAIR,
            Self::Address(_) => ADDRESS,
            Self::User(_) => USER,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    tries: u32,
    last: Instant,
}

impl Count {
    /// How long after its last try the next may come.
    fn pause(self, free: u32) -> Duration {
        match self.tries.checked_sub(free) {
            None => Duration::ZERO,
            Some(over) => FIRST.saturating_mul(1 << over.min(20)).min(LONGEST),
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub struct Throttle {
    counts: HashMap<Key, Count>,
}

impl Throttle {
    /// Counts a try; gives how long to wait where it comes too early, and then it does not count.
    ///
    /// # Errors
    /// When it comes too early.
    pub fn attempt(&mut self, user: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let keys = keys(user, address);
        let is_old = |count: &Count| now.saturating_duration_since(count.last) >= FORGOTTEN;
        let wait = keys.iter().filter_map(|key| {
            let count = self.counts.get(key).filter(|count| !is_old(count))?;
            let ready = count.last + count.pause(key.free());
            (ready > now).then(|| ready - now)
        });
        if let Some(wait) = wait.max() {
            return Err(wait);
        }
        self.forget(now);
        for key in keys {
            let count = self.counts.entry(key).or_insert(Count { tries: 0, last: now });
            let before = if is_old(count) { 0 } else { count.tries };
            count.tries = before.saturating_add(1);
            count.last = now;
        }
        Ok(())
    }

    /// The try was right: the user is forgotten; of the address it is taken back, so that one right password does not free the
    /// address for more guesses at others'.
    pub fn succeeded(&mut self, user: &str, address: IpAddr) {
        for key in keys(user, address) {
            match key {
                Key::Address(_) => {
                    if let Some(count) = self.counts.get_mut(&key) {
                        count.tries = count.tries.saturating_sub(1);
                    }
                }
                Key::Pair(..) | Key::User(_) => {
                    self.counts.remove(&key);
                }
            }
        }
    }

    /// Counts that are kept, for tests of their bound.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn forget(&mut self, now: Instant) {
        if self.counts.len() + 3 <= KEPT {
            return;
        }
        self.counts.retain(|_, count| now.saturating_duration_since(count.last) < LONGEST);
        // A flood of names and addresses: half of the counts, the oldest, go at once, so that this is rare.
        if self.counts.len() + 3 > KEPT {
            let mut times: Vec<Instant> = self.counts.values().map(|count| count.last).collect();
            times.sort_unstable();
            if let Some(&middle) = times.get(times.len() / 2) {
                self.counts.retain(|_, count| count.last > middle);
            }
        }
    }
}

fn keys(user: &str, address: IpAddr) -> [Key; 3] {
    // Names are compared without case in the database; long ones are nobody's.
    let user: String = user.chars().take(64).flat_map(char::to_lowercase).collect();
    let address = network(address);
    [Key::Pair(user.clone(), address), Key::Address(address), Key::User(user)]
}
