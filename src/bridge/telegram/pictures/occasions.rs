//! What pictures are wanted of besides the course of a job: its end, and whatever else somebody asks to see. One after
//! the other; each waits a little for a picture that is newer than itself.

use super::wish::Wish;
use crate::camera::Frame;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long a newer picture is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked for meanwhile.
const SOON: Duration = Duration::from_millis(500);
/// Most that wait at once.
const MOST: usize = 4;

/// The end of a job, or another moment of which a picture is wanted.
#[derive(Debug)]
pub(super) struct Occasion {
    /// Key of the message that shows it.
    pub(super) key: String,
    /// What to write below the picture.
    pub(super) headline: String,
    /// When it was, on the monotonic clock.
    since: Duration,
    /// When a picture of it is looked for next, on the monotonic clock.
    look: Duration,
    /// Whether it is the end of a job.
    last: bool,
    /// A picture of before, for when the camera gives none.
    spare: Option<Arc<Frame>>,
}

impl Occasion {
    /// One at `now` of the monotonic clock; `last` is the end of a job.
    pub(super) fn new(
        key: String,
        headline: String,
        last: bool,
        spare: Option<Arc<Frame>>,
        now: Duration,
    ) -> Self {
        Self { key, headline, since: now, look: now, last, spare }
    }
}

/// Those that wait for their picture.
#[derive(Debug, Default)]
pub(super) struct Occasions(VecDeque<Occasion>);

impl Occasions {
    /// Puts one behind the others. Of too many the oldest is given up, but no job's end.
    pub(super) fn push(&mut self, occasion: Occasion) {
        if self.0.len() >= MOST {
            let other = self.0.iter().position(|occasion| !occasion.last).unwrap_or_default();
            self.0.remove(other);
        }
        self.0.push_back(occasion);
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The picture that the first needs at `now` of the monotonic clock; none until it is looked for again.
    pub(super) fn wish(&self, now: Duration) -> Option<Wish> {
        let first = self.0.front()?;
        let passed = now.saturating_sub(first.since);
        match passed >= PATIENCE {
            true => Some(Wish::Any),
            false => (now >= first.look).then_some(Wish::End(passed)),
        }
    }

    /// When [`Self::wish`] is worth asking, on the monotonic clock; none where none waits.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.front().map(|first| first.look.min(first.since + PATIENCE))
    }

    /// Looks for a picture of the first again, soon after `now` of the monotonic clock.
    pub(super) fn look_again(&mut self, now: Duration) {
        if let Some(first) = self.0.front_mut() {
            first.look = now + SOON;
        }
    }

    /// The first, which has its picture, or is given up.
    pub(super) fn take(&mut self) -> Option<Occasion> {
        self.0.pop_front()
    }

    /// The picture of before that must do for the first.
    pub(super) fn spare(&self) -> Option<Arc<Frame>> {
        self.0.front()?.spare.clone()
    }
}
