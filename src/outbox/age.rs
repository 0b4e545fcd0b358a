//! How long a message has waited, by clocks that may be wrong.
//!
//! Pure. The wall clock is believed once for each message: at the first look at it while the clock is set. Before and
//! after that the monotonic clock counts, so that no jump makes a message old, and none that waited for the clock to
//! be set is new then.

use crate::calendar;
use crate::clock::Moment;
use std::time::Duration;

/// The age of one message, as it was at its first look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aged {
    age: Duration,
    /// The look, on the monotonic clock.
    looked: Duration,
    /// Whether the wall clock was asked.
    dated: bool,
}

impl Aged {
    /// The age at a later moment of the monotonic clock.
    pub(super) fn at(self, monotonic: Duration) -> Duration {
        self.age.saturating_add(monotonic.saturating_sub(self.looked))
    }
}

/// The clock as it was seen last.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Option<Moment>,
}

impl Watch {
    /// Looks at the clock.
    pub(super) fn look(&mut self, now: Moment) -> Look {
        if !calendar::is_set(now.unix) {
            return Look { earliest: None, monotonic: now.monotonic };
        }
        let last = self.last.replace(now).unwrap_or(now);
        let unset_since = last.unix.saturating_add(now.monotonic.saturating_sub(last.monotonic));
        Look { earliest: Some(now.unix.min(unset_since)), monotonic: now.monotonic }
    }
}

/// One look at the clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// What the wall clock shows now, or would show had nobody set it since the last look: a message of that
    /// time may carry either clock's, and the younger age is the safe one. None while it is not set.
    earliest: Option<Duration>,
    monotonic: Duration,
}

impl Look {
    /// The age of a message that happened `at` (wall clock, time since the Unix epoch); `before` is what an earlier
    /// look made of it.
    pub(super) fn age(self, at: Duration, before: Option<Aged>) -> Aged {
        if let Some(aged) = before.filter(|aged| aged.dated || self.earliest.is_none()) {
            return aged;
        }
        let seen = before.map(|aged| aged.at(self.monotonic)).unwrap_or_default();
        let told = self.earliest.filter(|_| calendar::is_set(at)).map(|now| now.saturating_sub(at));
        let age = seen.max(told.unwrap_or_default());
        Aged { age, looked: self.monotonic, dated: self.earliest.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-21, in seconds.
    const TODAY: u64 = 1_795_222_000;
    const DAY: u64 = 86_400;

    fn moment(monotonic: u64, unix: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(monotonic), unix: Duration::from_secs(unix) }
    }

    #[test]
    fn ages() {
        // Looks as (monotonic, wall clock); the message's time; its age after the last look.
        type Case<'a> = (&'a [(u64, u64)], u64, u64);
        let cases: &[Case<'_>] = &[
            // A message from before the start.
            (&[(5, TODAY)], TODAY - 30, 30),
            (&[(5, TODAY), (905, TODAY + 900)], TODAY - 30, 930),
            // The clock is not set yet, then it is: the time in between counts.
            (&[(5, 70)], TODAY - 30, 0),
            (&[(5, 70), (25, 90)], 60, 20),
            (&[(5, 70), (95, TODAY)], 60, 90),
            (&[(5, 70), (95, TODAY), (105, TODAY + 10)], 60, 100),
            (&[(5, 70), (95, TODAY)], TODAY - 300, 300),
            (&[(5, 70), (95, TODAY)], TODAY - 30, 90),
            // A clock that is set once more, forwards and back.
            (&[(5, TODAY), (15, TODAY + 400 * DAY)], TODAY - 30, 40),
            (&[(5, TODAY), (15, TODAY - 100 * DAY)], TODAY - 30, 40),
            (&[(5, TODAY), (15, 0), (25, TODAY + 20)], TODAY - 30, 50),
            // A message from the future.
            (&[(5, TODAY)], TODAY + 50, 0),
        ];
        for (looks, at, expected) in cases {
            let (mut watch, mut aged, mut now) = (Watch::default(), None, Duration::ZERO);
            for (monotonic, unix) in *looks {
                aged = Some(watch.look(moment(*monotonic, *unix)).age(Duration::from_secs(*at), aged));
                now = Duration::from_secs(*monotonic);
            }
            assert_eq!(aged.unwrap().at(now).as_secs(), *expected, "{looks:?} {at}");
        }
    }

    proptest! {
        /// However the clock is set in between, a message is never thought older than it is.
        #[test]
        fn no_jump_makes_a_message_old(
            // How long until the next look, and where to set the clock after how much of that.
            looks in proptest::collection::vec((1u64..DAY, proptest::option::of(0..2 * TODAY), 0.0..1.0f64), 2..20),
            pushed in any::<prop::sample::Index>(),
            moment_of_push in 0.0..1.0f64,
        ) {
            let (mut watch, mut monotonic, mut offset) = (Watch::default(), 0, TODAY as i64);
            let wall = |monotonic: u64, offset: i64| monotonic.saturating_add_signed(offset);
            watch.look(moment(monotonic, wall(monotonic, offset)));
            let pushed = pushed.index(looks.len());
            let mut message: Option<(u64, u64, Option<Aged>)> = None;
            for (n, (until, set_to, when)) in looks.into_iter().enumerate() {
                let start = monotonic;
                let set_at = start + (until as f64 * when) as u64;
                let new_offset = set_to.map_or(offset, |set_to| set_to as i64 - set_at as i64);
                if n == pushed {
                    let push = start + (until as f64 * moment_of_push) as u64;
                    let shown = wall(push, if push >= set_at { new_offset } else { offset });
                    message = Some((push, shown, None));
                }
                (offset, monotonic) = (new_offset, start + until);
                let look = watch.look(moment(monotonic, wall(monotonic, offset)));
                if let Some((push, shown, aged)) = &mut message {
                    *aged = Some(look.age(Duration::from_secs(*shown), *aged));
                    let age = aged.unwrap().at(Duration::from_secs(monotonic)).as_secs();
                    prop_assert!(age <= monotonic - *push, "{age} > {}", monotonic - *push);
                }
            }
        }
    }
}
