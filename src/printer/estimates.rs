//! Time left, by each way of reckoning that the printer's front ends use. Pure functions of what is seen.

use super::{Print, ProgressBy};
use std::time::Duration;

/// An estimate beyond this is nonsense, and left out.
const MOST: f64 = 30.0 * 86_400.0;

/// Progress from which on the time printed so far says something of the time left.
const TELLING: f64 = 0.05;

/// A way of reckoning the time left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EstimateBy {
    /// From the time printed so far and the progress.
    File,
    /// From the time printed so far and the filament used.
    Filament,
    /// The slicer's estimate less the time printed so far.
    Slicer,
}

/// Estimates of the time that a job still takes, never below zero; each is none where it cannot be reckoned, or
/// comes to more than 30 days.
///
/// Before the first extrusion only the slicer's exists. Heating and pauses are in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimates {
    /// From the time printed so far and the progress in the file.
    pub file: Option<Duration>,
    /// From the time printed so far and the filament used.
    pub filament: Option<Duration>,
    /// The slicer's estimate less the time printed so far.
    pub slicer: Option<Duration>,
}

impl Estimates {
    /// Reckons for `print`, with the position in the part of the file that prints as progress.
    pub fn of(print: &Print) -> Self {
        Self::with_progress(print, ProgressBy::FileRelative.of(print))
    }

    /// Reckons for `print`, with a progress from 0 to 1 that was found another way.
    pub fn with_progress(print: &Print, progress: Option<f64>) -> Self {
        let Some(printed) = print.print_duration.map(|printed| printed.as_secs_f64()) else {
            return Self::default();
        };
        let rest = |part: f64| {
            let telling = printed > 0.0 && part > 0.0 && part <= 1.0;
            if telling { span(printed / part - printed) } else { None }
        };
        let metadata = print.metadata.as_deref();
        let filament = used_part(print).filter(|part| *part < 1.0);
        let estimated = metadata.and_then(|metadata| metadata.estimated_time);
        Self {
            file: progress.and_then(rest),
            filament: filament.and_then(rest),
            slicer: estimated.filter(|all| !all.is_zero()).and_then(|all| span(all.as_secs_f64() - printed)),
        }
    }

    /// One of them.
    pub fn by(&self, way: EstimateBy) -> Option<Duration> {
        match way {
            EstimateBy::File => self.file,
            EstimateBy::Filament => self.filament,
            EstimateBy::Slicer => self.slicer,
        }
    }

    /// The mean of those of `ways` that exist and have not run out, as front ends show it.
    pub fn mean(&self, ways: &[EstimateBy]) -> Option<Duration> {
        let positive = || ways.iter().filter_map(|way| self.by(*way)).filter(|left| !left.is_zero());
        let count = u32::try_from(positive().count()).ok().filter(|count| *count > 0)?;
        positive().sum::<Duration>().checked_div(count)
    }

    /// The mean of all three, as [`Self::mean`] has it.
    pub fn average(&self) -> Option<Duration> {
        self.mean(&[EstimateBy::File, EstimateBy::Filament, EstimateBy::Slicer])
    }

    /// The same with a factor on the speed (`M220`; 1 is as sliced), for front ends that divide by it.
    pub fn at_speed(self, factor: f64) -> Self {
        if !(factor.is_finite() && factor > 0.0) {
            return self;
        }
        let slowed = |left: Option<Duration>| left.and_then(|left| span(left.as_secs_f64() / factor));
        Self { file: slowed(self.file), filament: slowed(self.filament), slicer: slowed(self.slicer) }
    }

    /// The one number to tell: what the source says itself; else the slicer's estimate, into which the one by the
    /// progress ([`Print::best_progress`]) is blended as the job goes on; else that by the progress alone, from 5 % on.
    /// None while no job is under way.
    pub fn best_guess(print: &Print) -> Option<Duration> {
        if !print.state.is_active() {
            return None;
        }
        if let Some(told) = print.told_left.and_then(|told| span(told.as_secs_f64())) {
            return Some(told);
        }
        let progress = print.best_progress();
        let estimates = Self::with_progress(print, progress);
        let file = estimates.file.filter(|_| progress.is_some_and(|progress| progress >= TELLING));
        match (estimates.slicer, file, progress) {
            (Some(slicer), Some(file), Some(progress)) if !slicer.is_zero() => {
                span(slicer.as_secs_f64() * (1.0 - progress) + file.as_secs_f64() * progress)
            }
            (slicer, file, _) => file.or(slicer),
        }
    }
}

/// The part of the filament that is used, where both are known. May be above 1.
pub(super) fn used_part(print: &Print) -> Option<f64> {
    let total = print.metadata.as_deref()?.filament_total.filter(|total| *total > 0.0)?;
    let part = print.filament_used? / total;
    part.is_finite().then_some(part)
}

fn span(seconds: f64) -> Option<Duration> {
    if seconds > MOST { None } else { Duration::try_from_secs_f64(seconds.max(0.0)).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::{Metadata, PrintState};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn print(printed: f64, progress: f64, used: f64, total: f64, estimated: f64) -> Print {
        let known = |value: f64| (value >= 0.0).then_some(value);
        let metadata = Metadata {
            estimated_time: known(estimated).map(Duration::from_secs_f64),
            filament_total: known(total),
            ..Metadata::default()
        };
        Print {
            state: PrintState::Printing,
            print_duration: known(printed).map(Duration::from_secs_f64),
            progress: known(progress),
            filament_used: known(used),
            metadata: Some(Arc::new(metadata)),
            ..Print::default()
        }
    }

    fn seconds(left: Option<Duration>) -> f64 {
        left.map_or(-1.0, |left| (left.as_secs_f64() * 10.0).round() / 10.0)
    }

    /// -1 is none, here and there.
    #[test]
    fn each_way_reckons_as_front_ends_do() {
        // printed, progress, used, total, estimated: file, filament, slicer, average, best guess
        let cases = [
            // All is known, a quarter is done: 600/0.25-600, 600/0.2-600, 2000-600.
            ([600.0, 0.25, 20.0, 100.0, 2000.0], [1800.0, 2400.0, 1400.0, 1866.7, 1500.0]),
            // Nothing is extruded yet.
            ([0.0, 0.0, 0.0, 100.0, 2000.0], [-1.0, -1.0, 2000.0, 2000.0, 2000.0]),
            // The slicer alone counts at the beginning, whatever the file says.
            ([20.0, 0.01, 1.0, 100.0, 2000.0], [1980.0, 1980.0, 1980.0, 1980.0, 1980.0]),
            ([20.0, 0.04, 1.0, -1.0, 2000.0], [480.0, -1.0, 1980.0, 1230.0, 1980.0]),
            // Without the slicer nothing is said before five per cent.
            ([20.0, 0.04, 1.0, -1.0, -1.0], [480.0, -1.0, -1.0, 480.0, -1.0]),
            ([20.0, 0.05, 1.0, -1.0, -1.0], [380.0, -1.0, -1.0, 380.0, 380.0]),
            // The slicer was wrong: its estimate has run out, and does not count in the mean.
            ([2100.0, 0.7, 70.0, 100.0, 2000.0], [900.0, 900.0, 0.0, 900.0, 900.0]),
            ([2100.0, -1.0, -1.0, -1.0, 2000.0], [-1.0, -1.0, 0.0, -1.0, 0.0]),
            // More filament than planned, or none at all.
            ([600.0, 0.5, 120.0, 100.0, -1.0], [600.0, -1.0, -1.0, 600.0, 600.0]),
            ([600.0, 0.5, 0.0, 100.0, -1.0], [600.0, -1.0, -1.0, 600.0, 600.0]),
            ([600.0, 0.5, 50.0, 0.0, 0.0], [600.0, -1.0, -1.0, 600.0, 600.0]),
            // The end.
            ([600.0, 1.0, 100.0, 100.0, 600.0], [0.0, -1.0, 0.0, -1.0, 0.0]),
            // More than thirty days.
            ([600.0, 0.0001, 0.001, 100.0, 2_600_000.0], [-1.0, -1.0, -1.0, -1.0, -1.0]),
            // The time printed is not known.
            ([-1.0, 0.5, 50.0, 100.0, 2000.0], [-1.0, -1.0, -1.0, -1.0, -1.0]),
        ];
        for ([printed, progress, used, total, estimated], expected) in cases {
            let print = print(printed, progress, used, total, estimated);
            let of = Estimates::of(&print);
            let all = [of.file, of.filament, of.slicer, of.average(), Estimates::best_guess(&print)];
            assert_eq!(all.map(seconds), expected, "{printed} {progress} {used} {total} {estimated}");
        }
    }

    #[test]
    fn what_the_source_says_wins() {
        let mut print = print(600.0, 0.25, 20.0, 100.0, 2000.0);
        print.told_left = Some(Duration::from_secs(77));
        assert_eq!(seconds(Estimates::best_guess(&print)), 77.0);
        print.told_left = Some(Duration::from_secs(31 * 86_400));
        assert_eq!(seconds(Estimates::best_guess(&print)), 1500.0);
        print.state = PrintState::Complete;
        assert_eq!(Estimates::best_guess(&print), None);
    }

    #[test]
    fn the_slicers_own_progress_counts_the_time() {
        // 600/0.4-600 instead of 600/0.25-600, and blended with 2000-600 by it.
        let mut print = print(600.0, 0.25, -1.0, -1.0, -1.0);
        print.slicer_progress = Some(0.4);
        assert_eq!(seconds(Estimates::best_guess(&print)), 900.0);
        assert_eq!(seconds(Estimates::of(&print).file), 1800.0);
        let mut print = self::print(600.0, 0.25, -1.0, -1.0, 2000.0);
        print.slicer_progress = Some(0.4);
        assert_eq!(seconds(Estimates::best_guess(&print)), 1200.0);
    }

    #[test]
    fn a_factor_on_the_speed_divides() {
        let of = Estimates::of(&print(600.0, 0.25, -1.0, -1.0, 2000.0));
        assert_eq!(seconds(of.at_speed(2.0).file), 900.0);
        assert_eq!(seconds(of.at_speed(0.5).slicer), 2800.0);
        for senseless in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(of.at_speed(senseless), of);
        }
    }

    #[test]
    fn a_mean_is_of_the_chosen_ways() {
        let of = Estimates::of(&print(600.0, 0.25, 20.0, 100.0, 2000.0));
        assert_eq!(seconds(of.mean(&[EstimateBy::File, EstimateBy::Slicer])), 1600.0);
        assert_eq!(seconds(of.mean(&[EstimateBy::Filament])), 2400.0);
        assert_eq!(of.mean(&[]), None);
    }

    proptest! {
        #[test]
        fn no_value_breaks_it(
            printed in any::<Option<u32>>(), progress in any::<Option<f64>>(), used in any::<Option<f64>>(),
            total in any::<Option<f64>>(), estimated in any::<Option<u64>>(), factor in any::<f64>(),
        ) {
            let metadata = Metadata {
                estimated_time: estimated.map(Duration::from_secs),
                filament_total: total,
                ..Metadata::default()
            };
            let print = Print {
                state: PrintState::Printing,
                print_duration: printed.map(|printed| Duration::from_secs(printed.into())),
                progress,
                filament_used: used,
                metadata: Some(Arc::new(metadata)),
                ..Print::default()
            };
            let of = Estimates::of(&print);
            for of in [of, of.at_speed(factor)] {
                for left in [of.file, of.filament, of.slicer, of.average()].into_iter().flatten() {
                    prop_assert!(left <= Duration::from_secs(30 * 86_400));
                }
            }
            let _ = Estimates::best_guess(&print);
        }
    }
}
