//! The messages that are kept up to date while a job is under way: the answer to `/status`, and the one that the
//! settings ask for. Pure: says when which of them is to be written, and as what.

use super::update::{Place, Shown};
use super::wording;
use crate::clock::Moment;
use crate::printer::{PrintState, Sight};
use std::sync::Arc;
use std::time::Duration;

/// Most messages at once; the oldest is left as it is.
const MOST: usize = 4;
/// How often a message is looked after in a chat with one person, and in a group.
const EACH: Duration = Duration::from_secs(15);
const EACH_IN_GROUP: Duration = Duration::from_secs(30);
/// How soon after a change it may be changed again, in both: what Telegram bears.
const GAP: Duration = Duration::from_secs(5);
const GAP_IN_GROUP: Duration = Duration::from_secs(10);
/// How often its picture is renewed.
const PICTURE: Duration = Duration::from_secs(300);
/// Failures in a row after which a message is given up.
const MOST_FAILURES: u32 = 6;

/// One message.
#[derive(Debug, Clone)]
struct Post {
    number: u64,
    place: Place,
    /// Where it is; none before it is sent.
    shown: Option<Shown>,
    /// The beginning of the keys of its job.
    job: Arc<str>,
    /// Whether the settings ask for it.
    own: bool,
    /// What it says.
    said: String,
    state: Option<PrintState>,
    /// When it was looked after last, and its picture, on the monotonic clock; none before the first time.
    written: Option<Duration>,
    pictured: Option<Duration>,
    failures: u32,
}

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    number: u64,
    /// Where.
    pub(super) place: Place,
    /// In place of which message; none for a new one.
    pub(super) over: Option<Shown>,
    /// What.
    pub(super) text: String,
    /// Whether with a new picture.
    pub(super) picture: bool,
    /// Whether the settings ask for the message.
    pub(super) own: bool,
    /// Whether it is the last word.
    last: bool,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Write this.
    Write(Task),
    /// Wait until this moment of the monotonic clock, or until the job's state changes.
    Wait(Duration),
    /// There is nothing to keep.
    Rest,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Board {
    posts: Vec<Post>,
    numbers: u64,
}

impl Board {
    /// A message that is there already is kept up to date from now on, in place of one that somebody else asked for in
    /// the same place.
    pub(super) fn keep(&mut self, shown: Shown, job: Arc<str>, own: bool, written: Option<Duration>) {
        self.posts.retain(|post| post.own || post.place != shown.place);
        let post =
            Post { shown: Some(shown), written, pictured: written, ..self.post(shown.place, job, own) };
        self.add(post);
    }

    /// A message about this job is wanted.
    pub(super) fn want(&mut self, place: Place, job: &Arc<str>) {
        if !self.posts.iter().any(|post| post.own && post.job == *job) {
            let post = self.post(place, Arc::clone(job), true);
            self.add(post);
        }
    }

    fn post(&mut self, place: Place, job: Arc<str>, own: bool) -> Post {
        self.numbers += 1;
        let (number, said) = (self.numbers, String::new());
        Post {
            number,
            place,
            shown: None,
            job,
            own,
            said,
            state: None,
            written: None,
            pictured: None,
            failures: 0,
        }
    }

    fn add(&mut self, post: Post) {
        if self.posts.len() >= MOST {
            self.posts.remove(0);
        }
        self.posts.push(post);
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.posts.is_empty()
    }

    /// What is to be done at `now`; `text` is what there is to say of the printer.
    pub(super) fn step(&mut self, sight: Option<&Sight>, text: &dyn Fn() -> String, now: Moment) -> Step {
        let now = now.monotonic;
        let mut next: Option<Duration> = None;
        for post in &mut self.posts {
            match post.step(sight, text, now) {
                Ok(task) => return Step::Write(task),
                Err(until) => next = Some(next.map_or(until, |next| next.min(until))),
            }
        }
        next.map_or(Step::Rest, Step::Wait)
    }

    /// What became of a task: where the message is now; none if it could not be written.
    pub(super) fn written(&mut self, task: &Task, shown: Option<Shown>, now: Moment) {
        let Some(index) = self.posts.iter().position(|post| post.number == task.number) else { return };
        let Some(post) = self.posts.get_mut(index) else { return };
        post.written = Some(now.monotonic);
        match shown {
            Some(shown) => {
                (post.shown, post.failures) = (Some(shown), 0);
                post.said.clone_from(&task.text);
                if task.picture {
                    post.pictured = Some(now.monotonic);
                }
            }
            None => post.failures += 1,
        }
        if post.failures >= MOST_FAILURES || (task.last && shown.is_some()) {
            self.posts.remove(index);
        }
    }

    /// Where the messages are that were sent: for which job, and whether the settings ask for it.
    pub(super) fn sent(&self) -> impl Iterator<Item = (Shown, &Arc<str>, bool)> {
        self.posts.iter().filter_map(|post| Some((post.shown?, &post.job, post.own)))
    }
}

impl Post {
    /// What to write now, or until when to wait.
    fn step(
        &mut self,
        sight: Option<&Sight>,
        text: &dyn Fn() -> String,
        now: Duration,
    ) -> Result<Task, Duration> {
        let (each, gap) = match self.place.chat < 0 {
            true => (EACH_IN_GROUP, GAP_IN_GROUP),
            false => (EACH, GAP),
        };
        let slower = 1 << self.failures.min(MOST_FAILURES);
        let (each, gap) = (each * slower, gap * slower);
        let due = |wait| self.written.map_or(Duration::ZERO, |written| written + wait);
        let Some(sight) = sight else { return Err(now + each) };
        let state = sight.snapshot.print.as_ref().map(|print| print.state);
        // A job that runs has no key for a moment after the service has started.
        let unknown = sight.job.is_none() && state.is_some_and(PrintState::is_active);
        let last = !unknown && sight.job.as_ref() != Some(&self.job);
        let wait = due(if last || self.state != state { gap } else { each });
        if now < wait {
            return Err(wait);
        }
        self.state = state;
        let picture = last || self.pictured.is_none_or(|pictured| now >= pictured + PICTURE);
        let text = if last && sight.job.is_some() { wording::JOB_OVER.to_owned() } else { text() };
        if text == self.said && !picture {
            self.written = Some(now);
            return Err(now + each);
        }
        let (place, over, own) = (self.place, self.shown, self.own);
        Ok(Task { number: self.number, place, over, text, picture, own, last })
    }
}

#[cfg(test)]
mod tests;
