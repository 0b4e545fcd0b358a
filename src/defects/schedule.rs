//! When a picture is checked. Pure: time is an argument, as time of the monotonic clock.

use super::checker::Outcome;
use super::config::Config;
use super::failure::Class;
use std::collections::VecDeque;
use std::time::Duration;

/// Longest time after a failure that may pass by itself.
const AFTER_TRANSIENT: Duration = Duration::from_secs(300);
/// The time for which requests are counted.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The rules of one printer's checks.
#[derive(Debug)]
pub struct Schedule {
    interval: Duration,
    first_delay: Duration,
    per_day: Option<usize>,
    oldest: Duration,
    job: Option<Job>,
    /// How many jobs there were.
    jobs: u64,
    in_flight: bool,
    /// When requests were made, within the last day.
    requests: VecDeque<Duration>,
}

/// The job that ran last. It is kept while nothing runs, so that a job which is there again is the same one.
#[derive(Debug)]
struct Job {
    key: String,
    number: u64,
    due: Duration,
    muted: bool,
}

/// The right to one check, to be given back with what came of it.
#[derive(Debug)]
#[must_use = "without it no further check begins"]
pub struct Ticket {
    job: u64,
    /// Most requests that the check may make: what is left of the day's.
    pub most_requests: u32,
}

impl Schedule {
    /// With nothing checked yet. A picture older than `oldest` is not checked.
    pub fn new(config: &Config, oldest: Duration) -> Self {
        Self {
            interval: config.interval,
            first_delay: config.first_delay,
            per_day: config.per_day.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
            oldest,
            job: None,
            jobs: 0,
            in_flight: false,
            requests: VecDeque::new(),
        }
    }

    /// Whether a check is due but for its picture. `job` is the key of the job that runs, none while none does; a key
    /// that is new begins anew. To be called every few seconds.
    pub fn is_due(&mut self, job: Option<&str>, now: Duration) -> bool {
        let Some(key) = job else { return false };
        if self.job.as_ref().is_none_or(|job| job.key != key) {
            self.jobs += 1;
            let due = now.saturating_add(self.first_delay);
            self.job = Some(Job { key: key.to_owned(), number: self.jobs, due, muted: false });
        }
        let waits = self.job.as_ref().is_none_or(|job| job.muted || now < job.due);
        !self.in_flight && !waits && self.left(now) > 0
    }

    /// Begins a check if one is due and the picture is fresh; `frame_age` is its age, none where there is none.
    pub fn begin(&mut self, job: Option<&str>, frame_age: Option<Duration>, now: Duration) -> Option<Ticket> {
        if !self.is_due(job, now) || frame_age.is_none_or(|age| age > self.oldest) {
            return None;
        }
        let most_requests = self.left(now);
        let job = self.job.as_mut()?;
        job.due = now.saturating_add(self.interval);
        self.in_flight = true;
        Some(Ticket { job: job.number, most_requests })
    }

    /// Takes notice of what came of a check.
    pub fn done(&mut self, ticket: Ticket, outcome: &Outcome, now: Duration) {
        self.in_flight = false;
        if let Some(most) = self.per_day {
            // More than are counted need not be remembered.
            let made = usize::try_from(outcome.requests).unwrap_or(usize::MAX).min(most);
            self.requests.extend(std::iter::repeat_n(now, made));
            while self.requests.len() > most {
                self.requests.pop_front();
            }
        }
        let Err(failure) = &outcome.result else { return };
        let passes = matches!(failure.class, Class::Transient | Class::Interrupted);
        if let Some(job) = self.job.as_mut().filter(|job| passes && job.number == ticket.job) {
            let asked = failure.retry_after.unwrap_or_default();
            job.due = now.saturating_add(AFTER_TRANSIENT.max(asked).min(self.interval));
        }
    }

    /// Checks the job of this key no more: its alarm was a false one.
    pub fn mute(&mut self, key: &str) {
        if let Some(job) = self.job.as_mut().filter(|job| job.key == key) {
            job.muted = true;
        }
    }

    /// A check of the job of this key is due at once, whatever was said of its alarms.
    pub fn hurry(&mut self, key: &str, now: Duration) {
        if let Some(job) = self.job.as_mut().filter(|job| job.key == key) {
            (job.due, job.muted) = (now, false);
        }
    }

    /// Whether the job that ran last is not checked any more.
    pub fn is_muted(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.muted)
    }

    /// How long no check begins because the day's requests are used up; none if some are left.
    pub fn used_up_for(&self, now: Duration) -> Option<Duration> {
        let most = self.per_day?;
        // The oldest of those that count frees the first place.
        let place = self.requests.len().checked_sub(most)?;
        let free = self.requests.get(place)?.saturating_add(DAY);
        free.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    /// How many requests are left of the day's.
    fn left(&mut self, now: Duration) -> u32 {
        let Some(most) = self.per_day else { return u32::MAX };
        while self.requests.front().is_some_and(|at| now.saturating_sub(*at) >= DAY) {
            self.requests.pop_front();
        }
        u32::try_from(most.saturating_sub(self.requests.len())).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
