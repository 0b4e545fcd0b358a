//! The numbers of jobs: new for every print, never used again.

use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The server is said to hold numbers in 31 bits; half of that leaves room to count on from any number of the history.
const MOST: u64 = 1 << 30;

/// The job under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Job {
    /// Its number.
    pub(super) id: u32,
    /// The beginning of its events' keys; none as long as it is not known.
    pub(super) key: Option<Arc<str>>,
    /// The command that started it, directly or as a transfer.
    pub(super) command: Option<u32>,
}

/// The numbers that were given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Jobs {
    /// The last one.
    last: u32,
    /// The job under way.
    pub(super) current: Option<Job>,
}

impl Jobs {
    /// A job runs: the one that is known already by its key, or another one. Returns whether it is another.
    pub(super) fn run(&mut self, key: Option<&Arc<str>>, command: Option<u32>) -> bool {
        if let Some(job) = &mut self.current {
            match (&job.key, key) {
                (Some(known), Some(key)) if known != key => {}
                (None, Some(key)) => {
                    job.key = Some(Arc::clone(key));
                    return false;
                }
                _ => return false,
            }
        }
        // A new database counts from the beginning again, and a number is never given twice.
        let id = key
            .and_then(|key| number(key))
            .filter(|id| *id > self.last)
            .unwrap_or(self.last.saturating_add(1));
        self.last = id;
        self.current = Some(Job { id, key: key.cloned(), command });
        true
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.current.as_ref().map(|job| job.id)
    }

    pub(super) fn to_json(&self) -> Value {
        let mut kept = json!({ "last": self.last });
        if let (Some(job), Some(kept)) = (&self.current, kept.as_object_mut()) {
            kept.insert("id".into(), job.id.into());
            kept.insert("key".into(), job.key.as_deref().into());
            kept.insert("command".into(), job.command.into());
        }
        kept
    }

    /// What [`Self::to_json`] wrote; what is missing or senseless in it is as if never known.
    pub(super) fn from_json(kept: &Map<String, Value>) -> Self {
        let whole =
            |name: &str| kept.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
        let current = whole("id").filter(|id| *id > 0).map(|id| Job {
            id,
            key: kept.get("key").and_then(Value::as_str).map(Arc::from),
            command: whole("command").filter(|command| *command > 0),
        });
        let last = whole("last").unwrap_or_default().max(current.as_ref().map_or(0, |job| job.id));
        Self { last, current }
    }
}

/// The number of the record in Moonraker's history, which is hexadecimal, plus one: the first may be 0.
fn number(key: &str) -> Option<u32> {
    let (record, _) = key.split_once('-')?;
    let number = u64::from_str_radix(record, 16).ok()?.checked_add(1)?;
    u32::try_from(number).ok().filter(|number| u64::from(*number) <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Arc<str> {
        text.into()
    }

    #[test]
    fn a_number_is_that_of_the_history_plus_one() {
        for (key, expected) in [
            ("000000-1700000000000", Some(1)),
            ("00002A-1700000000000", Some(43)),
            ("00000f-5", Some(16)),
            ("m1700000000000-3", None),
            ("FFFFFFFFFFFFFFFFFF-1", None),
            ("ffffffff-1", None),
            ("000000", None),
            ("", None),
        ] {
            assert_eq!(number(key), expected, "{key}");
        }
    }

    #[test]
    fn no_number_is_given_twice() {
        let mut jobs = Jobs::default();
        assert!(jobs.run(Some(&key("000004-1")), Some(70)));
        assert_eq!(jobs.id(), Some(5));
        // The same job again, and its key.
        assert!(!jobs.run(Some(&key("000004-1")), None));
        assert!(!jobs.run(None, None));
        assert_eq!(jobs.current.as_ref().unwrap().command, Some(70));
        // Another database begins anew; another job follows at once.
        assert!(jobs.run(Some(&key("000000-9")), None));
        assert_eq!(jobs.id(), Some(6));
        jobs.current = None;
        assert!(jobs.run(None, None));
        assert_eq!(jobs.id(), Some(7));
        assert!(!jobs.run(Some(&key("000001-10")), None));
        assert_eq!(jobs.id(), Some(7));
        jobs.current = None;
        assert!(jobs.run(Some(&key("00000a-10")), None));
        assert_eq!(jobs.id(), Some(11));
    }

    #[test]
    fn a_restart_keeps_job_and_count() {
        let mut jobs = Jobs::default();
        jobs.run(Some(&key("000004-1")), Some(70));
        let mut again = Jobs::from_json(jobs.to_json().as_object().unwrap());
        assert_eq!(again, jobs);
        assert!(!again.run(Some(&key("000004-1")), None));
        assert_eq!(again.current.as_ref().unwrap().command, Some(70));
        assert!(again.run(Some(&key("000005-1")), None));
        for senseless in [json!({}), json!({"id": 0, "last": -1}), json!({"id": "x", "key": 5, "last": 1e30})]
        {
            let jobs = Jobs::from_json(senseless.as_object().unwrap());
            assert_eq!(jobs, Jobs::default(), "{senseless}");
        }
        let jobs = Jobs::from_json(json!({"id": 9, "last": 3}).as_object().unwrap());
        assert_eq!(jobs.last, 9);
    }
}
