//! Whose question the runtime is asked next. It answers few at one time, in the order in which they come; so that nobody
//! waits behind hundreds of somebody else's, each user has few of theirs among those that wait there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::lock;

/// Of each user, at one time.
const MOST: usize = 2;
/// Users that are remembered, before those who ask nothing are forgotten.
const USERS: usize = 1000;

/// Who asks how much.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<Semaphore>>>);

/// The right to ask the runtime something, as long as this is kept.
pub struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// The right, once this user's earlier questions have been answered.
    pub(super) async fn take(&self, user: &str) -> Turn {
        let mine = {
            let mut users = lock(&self.0);
            if users.len() > USERS {
                users.retain(|_, turns| Arc::strong_count(turns) > 1);
            }
            Arc::clone(users.entry(user.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(MOST))))
        };
        // None is ever closed.
        Turn { _permit: mine.acquire_owned().await.ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn those_who_ask_nothing_are_forgotten_and_others_are_not() {
        let turns = Turns::default();
        let held: Vec<Option<Turn>> = (0..MOST).map(|_| turns.take("ann").now_or_never()).collect();
        assert!(held.iter().all(Option::is_some));
        for number in 0..3 * USERS {
            assert!(turns.take(&number.to_string()).now_or_never().is_some());
        }
        assert!(lock(&turns.0).len() <= USERS + 1);
        assert!(turns.take("ann").now_or_never().is_none());
        drop(held);
        assert!(turns.take("ann").now_or_never().is_some());
    }
}
