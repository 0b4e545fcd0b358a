//! Progress of the job, by whole per cents.

use super::{Observer, Seen};
use crate::clock::Moment;
use crate::printer::memory::Risen;
use crate::printer::{Event, EventKind, whole_percent};

impl Seen<'_> {
    /// Whole per cent, from 0 to 100.
    fn percent(self) -> Option<u32> {
        let print = self.print;
        let progress = print.slicer_progress.or(print.progress).or(print.file_progress)?;
        whole_percent(progress).map(u32::from)
    }
}

impl Observer {
    /// The job's start is told, and its progress with it: what is printed by now is no news.
    pub(super) fn progress_begins(&mut self, seen: Option<Seen<'_>>) {
        let Some(job) = &mut self.memory.job else { return };
        job.percent = seen.and_then(Seen::percent).map(Risen);
    }

    /// A fall is a job that began anew under its name, or a number that was not this job's: the head of a file counts
    /// as printed until the file's bounds are known, and so does the whole of the job before for a moment.
    pub(super) fn progress(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        let Some(percent) = seen.percent() else { return };
        let name = match job.percent.replace(Risen(percent)) {
            // By one it only wavers.
            Some(Risen(last)) if percent <= last && percent + 1 >= last => {
                job.percent = Some(Risen(last));
                return;
            }
            Some(Risen(last)) if percent < last => {
                job.falls = job.falls.wrapping_add(1);
                job.progress_name(percent)
            }
            _ => job.progress_name(percent),
        };
        let kind = EventKind::Progress { percent: u8::try_from(percent).unwrap_or(100) };
        events.extend(self.job_event(kind, &name, Some(seen), now));
    }
}

impl crate::printer::memory::ActiveJob {
    /// The same per cent after a fall is another fact.
    fn progress_name(&self, percent: u32) -> String {
        match self.falls {
            0 => format!("progress/{percent}"),
            falls => format!("progress/{falls}/{percent}"),
        }
    }
}
