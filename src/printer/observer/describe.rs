//! The job as its events carry it.

use super::Seen;
use crate::printer::memory::{ActiveJob, Risen};
use crate::printer::{Estimates, Job, Layer};

impl ActiveJob {
    /// What is known of the job, with what is seen of it where that is its own.
    pub(super) fn describe(&self, seen: Option<Seen<'_>>) -> Job {
        let layer = seen.and_then(Seen::layer);
        let begun = self.layer.map(|Risen(number)| number);
        // A reckoned number may be that of a moment; those that were told are sure.
        let sure = layer.filter(|layer| !layer.reckoned).map(|layer| layer.number);
        let print = seen.map(|seen| seen.print);
        Job {
            file: self.file.clone().unwrap_or_default(),
            file_is_name: self.file_is_name,
            id: self.record.as_ref().map(|record| record.id.clone()),
            total_duration: print.and_then(|print| print.total_duration),
            progress: print.and_then(|print| print.slicer_progress.or(print.progress)),
            print_duration: print.and_then(|print| print.print_duration),
            stage: None,
            left: print.and_then(Estimates::best_guess),
            layer: sure.or(begun).filter(|number| *number > 0),
            layers: print.and_then(Layer::count),
            filament_used: print.and_then(|print| print.filament_used),
            by: None,
        }
    }
}
