//! Progress and time left, reckoned as the plugin does it by the front end's settings.
//!
//! The domain has estimates of its own ([`crate::printer::Estimates`]). These here differ where the numbers on the phone
//! would differ from those of the front end: no limit of thirty days, whole millimetres of filament, nothing at all
//! before the first extrusion, and the speed's factor always counts.

use super::frontend::{FilePart, Frontend};
use crate::printer::{EstimateBy, Print, ProgressBy};

/// The progress from 0 to 1 that the front end shows. `whole_file` says that the bounds of the part that prints do not
/// count.
pub(super) fn progress(print: &Print, frontend: &Frontend, whole_file: bool) -> Option<f64> {
    let part = |way: &ProgressBy| match (way, whole_file) {
        (ProgressBy::FileRelative, true) => ProgressBy::FileAbsolute.of(print),
        (ProgressBy::Filament, _) => used_part(print).or(print.file_progress),
        (way, _) => way.of(print),
    };
    let known: Vec<f64> = frontend.progress.iter().filter_map(part).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// The filament used of what the file takes, from 0 to 1.
fn used_part(print: &Print) -> Option<f64> {
    let total = filament_total(print)?;
    Some((print.filament_used? / total).clamp(0.0, 1.0))
}

/// The filament that the file takes, in whole millimetres.
fn filament_total(print: &Print) -> Option<f64> {
    print.metadata.as_deref()?.filament_total.map(f64::trunc).filter(|total| *total > 0.0)
}

/// A progress in whole per cent, rounded down: 0.29 is 28, since it is a little less than 29 hundredths in binary, and so
/// the plugin has it.
pub(super) fn percent(progress: f64) -> u8 {
    // Within 0 and 100 by the clamp.
    (progress.clamp(0.0, 1.0) * 100.0) as u8
}

/// The time left in whole seconds; -1 where it is not known. `factor` is that of the speed.
pub(super) fn left(print: &Print, frontend: &Frontend, factor: Option<f64>) -> i64 {
    known(print, frontend, factor).unwrap_or(-1)
}

fn known(print: &Print, frontend: &Frontend, factor: Option<f64>) -> Option<i64> {
    let printed = print.print_duration?.as_secs_f64();
    if printed <= 0.0 {
        return None;
    }
    let part = match frontend.file_part {
        FilePart::Shown => progress(print, frontend, false),
        FilePart::Relative => ProgressBy::FileRelative.of(print),
    };
    let rest = |part: f64| printed / part - printed;
    let metadata = print.metadata.as_deref();
    let mut estimates = Vec::with_capacity(frontend.left.len());
    for way in &frontend.left {
        let estimate = match way {
            EstimateBy::File => part.filter(|part| *part > 0.0).map(rest),
            EstimateBy::Filament => {
                let used = print.filament_used.unwrap_or(0.0);
                match filament_total(print).filter(|total| used < *total) {
                    // The plugin divides by zero here, and knows nothing then.
                    Some(_) if used <= 0.0 => return None,
                    Some(total) => Some(rest(used / total)),
                    None => None,
                }
            }
            EstimateBy::Slicer => {
                let all = metadata.and_then(|metadata| metadata.estimated_time).map(|all| all.as_secs_f64());
                all.filter(|all| *all > 0.001).map(|all| all - printed)
            }
        };
        estimates.extend(estimate.filter(|estimate| *estimate > 0.0));
    }
    if estimates.is_empty() {
        return None;
    }
    let mean = estimates.iter().sum::<f64>() / estimates.len() as f64;
    let factor = factor.filter(|factor| factor.is_finite() && *factor > 0.0).unwrap_or(1.0);
    let left = mean / factor;
    // Some ten thousand years; what is beyond would not fit everywhere.
    (left.is_finite() && left < 3e11).then_some(left as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::Metadata;
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::Arc;
    use std::time::Duration;

    fn print(printed: f64, part: f64, used: f64) -> Print {
        let metadata = Metadata {
            estimated_time: Some(Duration::from_secs(4320)),
            filament_total: Some(3900.5),
            ..Metadata::default()
        };
        Print {
            print_duration: Duration::try_from_secs_f64(printed).ok(),
            progress: Some(part),
            file_progress: Some(part),
            display_progress: Some(part),
            filament_used: Some(used),
            metadata: Some(Arc::new(metadata)),
            ..Print::default()
        }
    }

    #[test]
    fn only_what_is_positive_counts() {
        let usual = Frontend::default();
        for (printed, part, used, expected) in [
            (0.0, 0.1, 10.0, -1),
            (30.0, 0.00125, 30.0, 10710),
            (3600.0, 0.001_350_961_538_461_538_4, 40.0, 1_003_096),
            (400.0, 0.0, 380.0, 3812),
            (4290.0, 1.0, 3900.0, 30),
            (400.0, 0.1, 0.0, -1),
            (5000.0, 1.0, 3900.0, -1),
        ] {
            assert_eq!(
                left(&print(printed, part, used), &usual, Some(1.0)),
                expected,
                "{printed} {part} {used}"
            );
        }
        assert_eq!(left(&print(400.0, 0.0, 380.0), &usual, Some(2.0)), 1906);
        let filament = Frontend::read(Some(&json!({"calcPrintProgress": "filament"})), None);
        assert_eq!(progress(&print(1.0, 0.9, 1950.0), &filament, true), Some(0.5));
        assert_eq!(progress(&print(1.0, 0.9, 9950.0), &filament, false), Some(1.0));
        let slicer = Frontend::read(Some(&json!({"calcEtaTime": ["slicer"]})), None);
        assert_eq!(left(&print(320.0, 0.5, 0.0), &slicer, None), 4000);
    }

    #[test]
    fn per_cents_are_those_of_the_plugin() {
        for (progress, whole) in [
            (0.0, 0),
            (0.07, 7),
            (0.28, 28),
            (0.29, 28),
            (0.57, 56),
            (0.58, 57),
            (0.999_999, 99),
            (1.0, 100),
            (1.5, 100),
            (-0.5, 0),
            (f64::NAN, 0),
        ] {
            assert_eq!(percent(progress), whole, "{progress}");
        }
    }

    proptest! {
        #[test]
        fn no_number_breaks_it(printed in any::<f64>(), part in any::<f64>(), used in any::<f64>(), factor in any::<f64>()) {
            let print = print(printed, part, used);
            let left = left(&print, &Frontend::default(), Some(factor));
            prop_assert!(left >= -1);
            prop_assert!(percent(part) <= 100);
        }
    }
}
