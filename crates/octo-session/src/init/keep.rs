//! When a service that has ended is started again, and when that is given up. Pure; time is an argument.

use std::time::Duration;

/// A service that lived so long was well.
const WELL: Duration = Duration::from_secs(10);
/// The first pause before it is started again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often in a row the main service may end young.
const TRIES: u32 = 5;

/// What is done about the end of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is started again after this pause.
    Again(Duration),
    /// The container ends with it.
    GiveUp,
}

/// What is remembered of a service.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Record {
    failures: u32,
}

impl Record {
    /// The service has ended after `lived`.
    pub(crate) fn ended(&mut self, lived: Duration, is_main: bool) -> Verdict {
        if lived >= WELL {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        if is_main && self.failures >= TRIES {
            return Verdict::GiveUp;
        }
        let doubled =
            FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.failures.min(16) - 1).unwrap_or(u32::MAX));
        Verdict::Again(doubled.min(LONGEST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YOUNG: Duration = Duration::from_millis(50);

    #[test]
    fn a_helper_is_started_for_ever_with_longer_pauses() {
        let mut record = Record::default();
        let pauses: Vec<_> = (0..9).map(|_| record.ended(YOUNG, false)).collect();
        let expected = [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
        assert_eq!(pauses, expected.map(|ms| Verdict::Again(Duration::from_millis(ms))));
        for _ in 0..1000 {
            record.ended(YOUNG, false);
        }
        assert_eq!(record.ended(YOUNG, false), Verdict::Again(LONGEST_PAUSE));
    }

    #[test]
    fn the_main_service_is_given_up_only_when_it_keeps_failing() {
        let mut record = Record::default();
        for _ in 0..100 {
            assert_eq!(record.ended(WELL, true), Verdict::Again(FIRST_PAUSE));
        }
        for _ in 0..3 {
            assert_ne!(record.ended(YOUNG, true), Verdict::GiveUp);
        }
        assert_eq!(record.ended(YOUNG, true), Verdict::GiveUp);
    }
}
