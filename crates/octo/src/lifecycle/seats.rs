//! How many programs of the runtime somebody may hold at one time: logs that are followed, and commands in containers. Each
//! is a process on the host, which no limit of a container bounds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::lock;

/// Of each user.
const MOST: usize = 16;

/// Who holds how many. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<String, usize>>>);

/// One of a user's, as long as this is kept.
pub struct Seat {
    seats: Seats,
    user: String,
}

impl Seats {
    /// One for this user; `None` where they hold as many as they may.
    pub(super) fn take(&self, user: &str) -> Option<Seat> {
        let mut held = lock(&self.0);
        let count = held.entry(user.to_owned()).or_default();
        // An entry that is there already counts one at least, so nothing is left behind here.
        if *count >= MOST {
            return None;
        }
        *count += 1;
        Some(Seat { seats: self.clone(), user: user.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = lock(&self.seats.0);
        match held.get_mut(&self.user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(held.remove(&self.user)),
        }
    }
}
