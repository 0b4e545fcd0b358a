//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Asks `condition` again and again until it gives a value, at most for `time`; panics with `awaited` otherwise.
pub(crate) fn until<T>(awaited: &str, time: Duration, condition: impl FnMut() -> Option<T>) -> T {
    within(time, condition).unwrap_or_else(|| panic!("waited {time:?} in vain for {awaited}"))
}

/// The same for whoever says more about it; none when the time is over.
pub(crate) fn within<T>(time: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
