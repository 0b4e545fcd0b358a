//! The faults ("exceptions") that the vendor's Moonraker raises; plain Moonraker has none.
//!
//! A fault is raised by a notification. One that stands is also in the list of those that stand, which follows at
//! once and after each change; one that is raised only once is in no list, and is kept here for a while.

use super::any::Any;
use super::wire::clipped;
use crate::printer::{Fault, FaultCode};
use std::sync::Arc;
use std::time::Duration;

/// Most faults that are kept.
const MAX_FAULTS: usize = 32;

/// Longest words of one, in bytes.
const MAX_WORDS: usize = 512;

/// How long a fault is kept that is in no list.
const RAISED: Duration = Duration::from_secs(10);

/// The level where none is told.
const LEVEL: u32 = 3;

/// The faults that are told.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// By the vendor's list.
    standing: Vec<Fault>,
    /// Raised, with the time at which it goes unless it is listed.
    raised: Vec<(Fault, Duration)>,
    told: Arc<[Fault]>,
}

impl Faults {
    /// Takes the list of those that stand: the result of `server.exception.query`, or the parameter of
    /// `notify_exception_status`. What is no list is left.
    pub(super) fn replace(&mut self, list: &Any<'_>) {
        let Some(exceptions) = list.get("exceptions").items() else { return };
        self.standing.clear();
        for fault in exceptions.iter().filter_map(fault).take(MAX_FAULTS) {
            if !self.standing.iter().any(|known| known.code == fault.code) {
                self.standing.push(fault);
            }
        }
        let standing = &self.standing;
        self.raised.retain(|(raised, _)| !standing.iter().any(|known| known.code == raised.code));
        self.collect();
    }

    /// Takes one that was raised just now: the parameter of `notify_exception_notification`.
    pub(super) fn raise(&mut self, exception: &Any<'_>, now: Duration) {
        let Some(fault) = fault(exception) else { return };
        if self.standing.iter().any(|known| known.code == fault.code) {
            return;
        }
        self.raised.retain(|(known, _)| known.code != fault.code);
        if self.raised.len() == MAX_FAULTS {
            self.raised.remove(0);
        }
        self.raised.push((fault, now + RAISED));
        self.collect();
    }

    /// Lets those go that were raised long ago.
    pub(super) fn pass_time(&mut self, now: Duration) {
        if self.next_tick().is_some_and(|tick| tick <= now) {
            self.raised.retain(|(_, until)| *until > now);
            self.collect();
        }
    }

    /// When the next one goes.
    pub(super) fn next_tick(&self) -> Option<Duration> {
        self.raised.iter().map(|(_, until)| *until).min()
    }

    /// All of them, the oldest first.
    pub(super) fn all(&self) -> Arc<[Fault]> {
        Arc::clone(&self.told)
    }

    fn collect(&mut self) {
        let raised = self.raised.iter().map(|(fault, _)| fault);
        self.told = self.standing.iter().chain(raised).cloned().collect();
    }
}

fn fault(exception: &Any<'_>) -> Option<Fault> {
    let number = |name| exception.get(name).count();
    Some(Fault {
        code: FaultCode { id: number("id")?, index: number("index").unwrap_or(0), code: number("code")? },
        level: number("level").unwrap_or(LEVEL),
        message: clipped(exception.get("message").text().unwrap_or_default(), MAX_WORDS).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    fn list(faults: &mut Faults, json: &str) {
        faults.replace(&Any::read(json.as_bytes()));
    }

    fn raise(faults: &mut Faults, json: &str, now: Duration) {
        faults.raise(&Any::read(json.as_bytes()), now);
    }

    fn codes(faults: &Faults) -> Vec<String> {
        faults.all().iter().map(|fault| fault.code.to_string()).collect()
    }

    #[test]
    fn one_that_stands_stays_until_it_is_cleared() {
        let mut faults = Faults::default();
        raise(&mut faults, r#"{"id":523,"index":1,"code":12,"level":2,"message":"no filament"}"#, NOW);
        list(
            &mut faults,
            r#"{"exceptions":[{"id":523,"index":1,"code":12,"level":2,"message":"no filament"}]}"#,
        );
        faults.pass_time(NOW + 2 * RAISED);
        assert_eq!(codes(&faults), ["523-1-12"]);
        assert_eq!((faults.all()[0].level, &*faults.all()[0].message), (2, "no filament"));
        assert_eq!(faults.next_tick(), None);
        list(&mut faults, r#"{"exceptions":[]}"#);
        assert_eq!(codes(&faults), [""; 0]);
    }

    #[test]
    fn one_that_is_in_no_list_goes_after_a_while_and_may_come_again() {
        let mut faults = Faults::default();
        list(&mut faults, r#"{"exceptions":[{"id":522,"index":0,"code":1}]}"#);
        raise(&mut faults, r#"{"id":2052,"code":7}"#, NOW);
        list(&mut faults, r#"{"exceptions":[{"id":522,"index":0,"code":1}]}"#);
        assert_eq!(codes(&faults), ["522-0-1", "2052-0-7"]);
        assert_eq!(faults.all()[0].level, LEVEL);
        faults.pass_time(NOW + RAISED / 2);
        assert_eq!(faults.next_tick(), Some(NOW + RAISED));
        faults.pass_time(NOW + RAISED);
        assert_eq!(codes(&faults), ["522-0-1"]);
        raise(&mut faults, r#"{"id":2052,"code":7}"#, NOW + 2 * RAISED);
        assert_eq!(codes(&faults), ["522-0-1", "2052-0-7"]);
    }

    #[test]
    fn what_has_no_numbers_is_none_and_the_list_stays_short() {
        let mut faults = Faults::default();
        for odd in [r#"{"id":"523","code":1}"#, "{}", r#"{"id":523,"code":-1}"#, r#"{"code":99}"#] {
            raise(&mut faults, odd, NOW);
        }
        list(&mut faults, r#"{"exceptions":null}"#);
        assert_eq!(codes(&faults), [""; 0]);
        for code in 0..100 {
            let message = "x".repeat(5000);
            raise(&mut faults, &format!(r#"{{"id":1,"code":{code},"message":"{message}"}}"#), NOW);
        }
        assert_eq!(faults.all().len(), MAX_FAULTS);
        assert_eq!(faults.all()[0].message.len(), MAX_WORDS);
        assert_eq!(codes(&faults).last().unwrap(), "1-0-99");
    }
}
