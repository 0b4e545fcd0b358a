//! Progress of the job, by whole per cents.

use super::{Observer, Seen};
use crate::clock::Moment;
use crate::printer::memory::{ActiveJob, Risen};
use crate::printer::{Event, EventKind, whole_percent};

impl ActiveJob {
    /// Whole per cent, from 0 to 100. Once it was the slicer's it stays so: a new process does not know that again before
    /// the slicer tells the next, and the position in the file is another number.
    fn percent_of(&mut self, seen: Seen<'_>) -> Option<u32> {
        let print = seen.print;
        self.by_slicer |= print.slicer_progress.is_some();
        let by_file = || print.progress.or(print.file_progress).filter(|_| !self.by_slicer);
        print.slicer_progress.or_else(by_file).and_then(whole_percent).map(u32::from)
    }
}

impl Observer {
    /// The job's start is told, and its progress with it: what is printed by now is no news.
    pub(super) fn progress_begins(&mut self, seen: Option<Seen<'_>>) {
        let Some(job) = &mut self.memory.job else { return };
        job.percent = seen.and_then(|seen| job.percent_of(seen)).map(Risen);
    }

    /// A fall is a job that began anew under its name, or a number that was not this job's: the head of a file counts
    /// as printed until the file's bounds are known, and so does the whole of the job before for a moment.
    pub(super) fn progress(&mut self, seen: Seen<'_>, now: Moment, events: &mut Vec<Event>) {
        let Some(job) = &mut self.memory.job else { return };
        let Some(percent) = job.percent_of(seen) else { return };
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

impl ActiveJob {
    /// The same per cent after a fall is another fact.
    fn progress_name(&self, percent: u32) -> String {
        match self.falls {
            0 => format!("progress/{percent}"),
            falls => format!("progress/{falls}/{percent}"),
        }
    }
}
