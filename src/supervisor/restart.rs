//! How long to wait before the worker is started again. Pure.

use std::time::Duration;

/// A worker that lived this long was well: the next death counts as the first.
const HEALTHY: Duration = Duration::from_secs(60);
/// The first waits. A single `kill -9` costs next to nothing; a crash loop costs the printer nothing either.
const STEPS: [Duration; 8] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// Counts deaths in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestartPolicy {
    in_a_row: u32,
    total: u32,
}

/// What to do after a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    /// Wait this long, then start again.
    pub after: Duration,
    /// Deaths in a row, this one included.
    pub in_a_row: u32,
    /// All deaths so far, for the status.
    pub total: u32,
}

impl RestartPolicy {
    /// Goes on from the counts of an earlier supervising process.
    pub fn resume(in_a_row: u32, total: u32) -> Self {
        Self { in_a_row, total }
    }

    /// All deaths so far.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// A process died that had lived for `lived`.
    pub fn died(&mut self, lived: Duration) -> Restart {
        self.in_a_row = if lived >= HEALTHY { 1 } else { self.in_a_row.saturating_add(1) };
        self.total = self.total.saturating_add(1);
        let step = (self.in_a_row as usize - 1).min(STEPS.len() - 1);
        let after = STEPS.get(step).copied().unwrap_or(HEALTHY);
        Restart { after, in_a_row: self.in_a_row, total: self.total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_death_restarts_at_once() {
        let restart = RestartPolicy::default().died(Duration::from_secs(3600));
        assert!(restart.after <= Duration::from_millis(100));
    }

    #[test]
    fn a_crash_loop_slows_down_to_a_bound() {
        let mut policy = RestartPolicy::default();
        let waits: Vec<_> = (0..20).map(|_| policy.died(Duration::from_millis(10)).after).collect();
        assert!(waits.is_sorted());
        assert_eq!(waits.last(), Some(&Duration::from_secs(60)));
        // Three kills within a minute are still back within five seconds each.
        assert!(waits[..4].iter().all(|w| *w < Duration::from_secs(5)));
    }

    #[test]
    fn a_healthy_life_forgives() {
        let mut policy = RestartPolicy::resume(7, 7);
        assert_eq!(policy.died(HEALTHY), Restart { after: STEPS[0], in_a_row: 1, total: 8 });
    }
}
