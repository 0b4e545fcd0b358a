//! How the last check went, for whoever asks.

use super::checker::Outcome;
use super::failure::{Class, Failure};
use super::verdict::Verdict;
use crate::calendar;
use crate::clock::Moment;

/// The last check.
#[derive(Debug, Clone, PartialEq)]
pub struct Last {
    /// When it ended.
    pub at: Moment,
    /// The verdict, or why there is none.
    pub result: Result<Verdict, Failure>,
}

/// How the checks go. A failed one takes the place of the verdict before it: what was clean an hour ago says nothing.
#[derive(Debug, Default)]
pub struct Health {
    last: Option<Last>,
}

impl Health {
    /// Takes notice of a check. Gives the failure's text if its cause is another than that of the check before, so that
    /// each is told once.
    pub fn note(&mut self, outcome: &Outcome, at: Moment) -> Option<&str> {
        let failure = outcome.result.as_ref().err();
        if failure.is_some_and(|failure| failure.class == Class::Interrupted) {
            return None;
        }
        let before = self.last.as_ref().and_then(|last| last.result.as_ref().err());
        let cause = |failure: &Failure| (failure.class, failure.code);
        let is_new = before.map(cause) != failure.map(cause);
        let last = self.last.insert(Last { at, result: outcome.result.clone() });
        last.result.as_ref().err().filter(|_| is_new).map(|failure| failure.text.as_str())
    }

    /// The last check; none if there was none.
    pub fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    /// Whether the last check failed.
    pub fn is_failing(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.result.is_err())
    }

    /// Whether no check can succeed before the settings change.
    pub fn is_misconfigured(&self) -> bool {
        let class =
            self.last.as_ref().and_then(|last| last.result.as_ref().err()).map(|failure| failure.class);
        class == Some(Class::BadKey)
    }

    /// The last check in one line, with its time.
    pub fn line(&self, now: Moment) -> String {
        let Some(last) = &self.last else { return "no check yet".to_owned() };
        // By the clock that does not jump: the other may have been set since.
        let age = now.monotonic.saturating_sub(last.at.monotonic);
        let when = match calendar::is_set(now.unix) {
            true => calendar::utc(now.unix.saturating_sub(age)),
            false => format!("{} min ago", age.as_secs() / 60),
        };
        match &last.result {
            Ok(verdict) => {
                let found = if verdict.defect { "defect" } else { "no defect" };
                let summary = if verdict.summary.is_empty() { "" } else { ": " };
                let confidence = verdict.confidence;
                format!("last check {when}: {found}, confidence {confidence:.2}{summary}{}", verdict.summary)
            }
            Err(failure) => format!("last check {when} failed: {}", failure.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// 2026-11-21 09:00 UTC, one hour after the start.
    fn moment(minutes: u64) -> Moment {
        let after = Duration::from_secs(minutes * 60);
        Moment {
            monotonic: Duration::from_secs(3600) + after,
            unix: Duration::from_secs(1_795_251_600) + after,
        }
    }

    fn verdict(defect: bool, confidence: f64, summary: &str) -> Outcome {
        let verdict = Verdict { defect, confidence, summary: summary.to_owned() };
        Outcome { requests: 1, result: Ok(verdict) }
    }

    fn failed(class: Class, code: Option<u16>, text: &str) -> Outcome {
        let failure = Failure { code, ..Failure::new(class, text.to_owned()) };
        Outcome { requests: 1, result: Err(failure) }
    }

    #[test]
    fn the_last_check_is_told_with_its_time() {
        let mut health = Health::default();
        assert_eq!(health.line(moment(0)), "no check yet");
        let table = [
            (
                verdict(false, 0.04, "clean"),
                "last check 2026-11-21 09:00 UTC: no defect, confidence 0.04: clean",
            ),
            (verdict(true, 0.7, ""), "last check 2026-11-21 09:00 UTC: defect, confidence 0.70"),
            (
                failed(Class::Permanent, Some(402), "no credits"),
                "last check 2026-11-21 09:00 UTC failed: no credits",
            ),
        ];
        for (outcome, expected) in table {
            health.note(&outcome, moment(0));
            assert_eq!(health.line(moment(5)), expected);
        }
    }

    #[test]
    fn a_clock_that_was_set_meanwhile_changes_no_age() {
        let mut health = Health::default();
        let unset = Moment { unix: Duration::from_secs(40), ..moment(0) };
        health.note(&verdict(false, 0.0, ""), unset);
        let later = Moment { monotonic: moment(7).monotonic, unix: Duration::from_secs(460) };
        assert_eq!(health.line(later), "last check 7 min ago: no defect, confidence 0.00");
        assert_eq!(health.line(moment(7)), "last check 2026-11-21 09:00 UTC: no defect, confidence 0.00");
    }

    #[test]
    fn a_failure_never_looks_like_a_clean_print() {
        let mut health = Health::default();
        health.note(&verdict(false, 0.0, ""), moment(0));
        assert!(!health.is_failing());
        for class in [Class::Transient, Class::Permanent, Class::BadKey, Class::Unreadable] {
            health.note(&failed(class, None, "x"), moment(1));
            assert!(health.is_failing() && !health.line(moment(2)).contains("no defect"), "{class:?}");
            assert_eq!(health.is_misconfigured(), class == Class::BadKey);
        }
    }

    #[test]
    fn each_cause_is_told_once() {
        let mut health = Health::default();
        let slow = failed(Class::Transient, Some(503), "slow");
        let slow_again = failed(Class::Transient, Some(503), "slow, request 2");
        let steps = [
            (slow.clone(), Some("slow")),
            (slow_again, None),
            (failed(Class::Permanent, Some(402), "credits"), Some("credits")),
            (slow.clone(), Some("slow")),
            (failed(Class::Interrupted, None, "stop"), None),
            (slow.clone(), None),
            (verdict(false, 0.0, ""), None),
            (slow, Some("slow")),
        ];
        for (number, (outcome, expected)) in steps.into_iter().enumerate() {
            assert_eq!(health.note(&outcome, moment(0)), expected, "step {number}");
        }
    }
}
