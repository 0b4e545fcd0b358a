//! How far a job is, by each of the numbers that front ends call progress.

use super::Print;
use super::estimates::used_part;

/// A way of reckoning the progress of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressBy {
    /// Position in the part of the file that prints; in the whole file while that part is not known.
    FileRelative,
    /// Position in the whole file. Does not begin at 0 when the file has pictures at its head.
    FileAbsolute,
    /// What the display shows: what the slicer wrote into the file (`M73`), or else the position in the whole file.
    Slicer,
    /// Filament used of the filament that the file takes; position in the whole file while that is not known.
    Filament,
}

impl ProgressBy {
    /// The progress of `print` from 0 to 1, where it is known.
    pub fn of(self, print: &Print) -> Option<f64> {
        let absolute = print.file_progress;
        let progress = match self {
            Self::FileRelative => print.progress.or(absolute),
            Self::FileAbsolute => absolute,
            Self::Slicer => print.display_progress,
            Self::Filament => used_part(print).or(absolute),
        };
        progress.filter(|progress| progress.is_finite()).map(|progress| progress.clamp(0.0, 1.0))
    }

    /// The mean of those of `ways` that are known.
    pub fn mean(ways: &[Self], print: &Print) -> Option<f64> {
        let known = || ways.iter().filter_map(|way| way.of(print));
        let count = known().count();
        (count > 0).then(|| known().sum::<f64>() / count as f64)
    }
}

impl Print {
    /// The one progress to tell, from 0 to 1: the slicer's own, which counts the time, where it wrote one into the
    /// file; else the position in the part of the file that prints.
    pub fn best_progress(&self) -> Option<f64> {
        self.slicer_progress.or_else(|| ProgressBy::FileRelative.of(self))
    }
}

/// A progress in whole per cent, rounded down; none where it is not within 0 and 1.
pub fn whole_percent(progress: f64) -> Option<u8> {
    // A hair more, since 0.29 is a little less than 29 hundredths in binary.
    (0.0..=1.0).contains(&progress).then_some((progress * 100.0 + 1e-9) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Metadata;
    use std::sync::Arc;

    #[test]
    fn each_way_has_its_number_and_what_stands_in_for_it() {
        use ProgressBy::{Filament, FileAbsolute, FileRelative, Slicer};
        let mut print = Print::default();
        for way in [FileRelative, FileAbsolute, Slicer, Filament] {
            assert_eq!(way.of(&print), None);
        }
        print.file_progress = Some(0.9);
        let all = |print: &Print| [FileRelative, FileAbsolute, Slicer, Filament].map(|way| way.of(print));
        assert_eq!(all(&print), [Some(0.9), Some(0.9), None, Some(0.9)]);
        print.progress = Some(0.1);
        print.display_progress = Some(0.2);
        print.filament_used = Some(30.0);
        assert_eq!(all(&print), [Some(0.1), Some(0.9), Some(0.2), Some(0.9)]);
        let metadata = Metadata { filament_total: Some(100.0), ..Metadata::default() };
        print.metadata = Some(Arc::new(metadata));
        assert_eq!(all(&print), [Some(0.1), Some(0.9), Some(0.2), Some(0.3)]);
        print.filament_used = Some(300.0);
        assert_eq!(Filament.of(&print), Some(1.0));
        print.display_progress = Some(f64::NAN);
        assert_eq!(Slicer.of(&print), None);
    }

    #[test]
    fn a_mean_is_of_what_is_known() {
        let print = Print { file_progress: Some(0.5), progress: Some(0.25), ..Print::default() };
        let ways = [ProgressBy::FileRelative, ProgressBy::FileAbsolute, ProgressBy::Slicer];
        assert_eq!(ProgressBy::mean(&ways, &print), Some(0.375));
        assert_eq!(ProgressBy::mean(&[ProgressBy::Slicer], &print), None);
        assert_eq!(ProgressBy::mean(&[], &print), None);
    }

    #[test]
    fn per_cent_are_rounded_down() {
        for (progress, expected) in [(0.0, 0), (0.29, 29), (0.2899, 28), (0.999, 99), (1.0, 100)] {
            assert_eq!(whole_percent(progress), Some(expected), "{progress}");
        }
        for senseless in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(whole_percent(senseless), None);
        }
    }
}
