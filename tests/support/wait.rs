//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Asks `condition` again and again until it gives a value, at most for `within`; panics with `awaited` otherwise.
pub(crate) fn until<T>(awaited: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain for {awaited}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}
