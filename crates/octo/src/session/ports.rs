//! Host ports of sessions: three in a row each, from a pool. Pure; whether a port can be had now is asked of the caller.

use std::collections::BTreeSet;

use super::Service;

/// Ports of one session.
pub const EACH: u16 = Service::ALL.len() as u16;
/// Ports of a pool whose end is not set.
const DEFAULT_POOL: u16 = 1000;

/// The pool, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    first: u16,
    last: u16,
}

impl Pool {
    /// From the first port to the last; without one, a thousand ports.
    #[must_use]
    pub fn new(first: u16, last: Option<u16>) -> Self {
        Self { first, last: last.unwrap_or_else(|| first.saturating_add(DEFAULT_POOL - 1)) }
    }

    /// How many sessions have room in it.
    #[must_use]
    pub const fn room(self) -> usize {
        if self.last < self.first {
            return 0;
        }
        // In usize: the whole range has one port more than a u16 counts.
        ((self.last - self.first) as usize + 1) / EACH as usize
    }

    /// The first port of each place.
    fn places(self) -> impl Iterator<Item = u16> {
        // Never beyond `last`, so the sum fits.
        (0..self.room()).map(move |place| self.first + place as u16 * EACH)
    }
}

/// The first port of three that are free: not in `reserved`, and `bindable` says of each that it can be had now. Places
/// in `kept`, of sessions that are stopped, are taken only when there is no other, so that those can be resumed as they
/// were. `None` when the pool is exhausted.
pub fn find(
    pool: Pool,
    reserved: &BTreeSet<u16>,
    kept: &BTreeSet<u16>,
    mut bindable: impl FnMut(u16) -> bool,
) -> Option<u16> {
    // Ends included: the last place may end with the last port there is.
    let of = |first: u16| first..=first + (EACH - 1);
    let overlaps = |first: u16, set: &BTreeSet<u16>| set.range(of(first)).next().is_some();
    let free: Vec<u16> = pool.places().filter(|first| !overlaps(*first, reserved)).collect();
    let (late, early): (Vec<u16>, Vec<u16>) = free.into_iter().partition(|first| overlaps(*first, kept));
    early.into_iter().chain(late).find(|first| of(*first).all(&mut bindable))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ports: &[u16]) -> BTreeSet<u16> {
        ports.iter().copied().collect()
    }

    #[test]
    fn places_are_taken_in_their_order() {
        let pool = Pool::new(100, Some(109));
        assert_eq!(pool.room(), 3);
        type Row = (&'static [u16], &'static [u16], &'static [u16], Option<u16>);
        let rows: [Row; 9] = [
            (&[], &[], &[], Some(100)),
            (&[100], &[], &[], Some(103)),
            // Of an older layout, not on our steps.
            (&[102, 105], &[], &[], Some(106)),
            (&[], &[], &[101], Some(103)),
            (&[], &[], &[100, 104], Some(106)),
            (&[], &[100, 101, 102], &[], Some(103)),
            (&[103, 106], &[100, 101, 102], &[], Some(100)),
            (&[100, 103, 106], &[], &[], None),
            (&[], &[], &[102, 105, 108], None),
        ];
        for (reserved, kept, busy, expected) in rows {
            let found = find(pool, &set(reserved), &set(kept), |port| !busy.contains(&port));
            assert_eq!(found, expected, "{reserved:?} {kept:?} {busy:?}");
        }
    }

    #[test]
    fn odd_pools_neither_panic_nor_wrap() {
        assert_eq!(Pool::new(41820, None), Pool::new(41820, Some(42819)));
        assert_eq!(Pool::new(65000, None).room(), 178);
        assert_eq!(Pool::new(10, Some(9)).room(), 0);
        assert_eq!(Pool::new(65534, Some(65535)).room(), 0);
        assert_eq!(Pool::new(65533, Some(65535)).room(), 1);
        assert_eq!(find(Pool::new(65533, None), &set(&[]), &set(&[]), |_| true), Some(65533));
        assert_eq!(Pool::new(0, Some(u16::MAX)).room(), 21845);
        assert_eq!(
            find(Pool::new(0, Some(u16::MAX)), &set(&[]), &set(&[]), |port| port > 65530),
            Some(65532)
        );
    }

    proptest! {
        #[test]
        fn what_is_found_is_free_and_in_the_pool(
            first in 1u16..60000, length in 0u16..60,
            reserved in prop::collection::btree_set(0u16..60, 0..20),
            kept in prop::collection::btree_set(0u16..60, 0..20),
            busy in prop::collection::btree_set(0u16..60, 0..20),
        ) {
            let at = |set: BTreeSet<u16>| -> BTreeSet<u16> { set.into_iter().map(|port| port + first).collect() };
            let (reserved, kept, busy) = (at(reserved), at(kept), at(busy));
            let pool = Pool::new(first, Some(first + length));
            let free = |port: u16| !reserved.contains(&port) && !busy.contains(&port);
            match find(pool, &reserved, &kept, |port| !busy.contains(&port)) {
                Some(found) => {
                    prop_assert!(found >= first && found + 2 <= first + length);
                    prop_assert!((found..=found + 2).all(free));
                }
                None => prop_assert!(!pool.places().any(|place| (place..=place + 2).all(free))),
            }
        }
    }
}
