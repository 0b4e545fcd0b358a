//! Progress of the job, by whole per cents that only rise.

use super::{Observer, Seen};
use crate::clock::Moment;
use crate::printer::memory::Risen;
use crate::printer::{Event, EventKind, ProgressBy, whole_percent};

/// A found progress that falls by more than this was not the job's: the head of a file counts as printed until the
/// file's bounds are known, and so does the whole of the job before for a moment.
const WRONG: u32 = 5;

impl Seen<'_> {
    /// Whole per cent from 0 to 99. At 100 the job is about to be over, or the last one is still shown.
    fn percent(self) -> Option<u32> {
        let percent = ProgressBy::FileRelative.of(self.print).and_then(whole_percent)?;
        Some(u32::from(percent)).filter(|percent| *percent < 100)
    }
}

impl Observer {
    /// The job's start is told, and its progress with it: what is printed by now is no news.
    pub(super) fn progress_begins(&mut self, seen: Option<Seen<'_>>) {
        let Some(job) = &mut self.memory.job else { return };
        job.percent = Some(Risen(seen.and_then(Seen::percent).unwrap_or(0)));
    }

    pub(super) fn progress(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        let Some(percent) = seen.percent() else { return };
        let Some(Risen(highest)) = job.percent else {
            // An older program told the start.
            job.percent = Some(Risen(percent));
            return;
        };
        if percent <= highest {
            if !job.percent_told && percent + WRONG < highest {
                job.percent = Some(Risen(percent));
            }
            return;
        }
        job.percent = Some(Risen(percent));
        job.percent_told = true;
        let kind = EventKind::Progress { percent: u8::try_from(percent).unwrap_or(99) };
        events.extend(self.job_event(kind, &format!("progress/{percent}"), Some(seen), now));
    }
}
