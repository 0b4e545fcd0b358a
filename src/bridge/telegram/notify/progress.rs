//! Which steps of the progress are told: each once, from wherever the job is found.
//!
//! Nothing of it is stored: what was told before this program began to watch is known by the keys of the messages.

use std::sync::Arc;

/// Most falls that are looked for in what was told before.
const MOST_FALLS: u32 = 50;

/// The progress of one job, as it was told.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// The job, by the beginning of its keys.
    job: Option<Arc<str>>,
    /// The per cent that was told last.
    base: Option<u8>,
    /// How often the progress fell back: the same step may come again after that.
    falls: u32,
}

/// A step to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The number to show.
    pub(super) percent: u8,
    /// Tells the same step after a fall apart from the one before.
    pub(super) falls: u32,
}

impl Steps {
    /// A job begins, and its start tells how far it is.
    pub(super) fn begin(&mut self, job: &str, percent: Option<u8>, step: u8) {
        *self = Self { job: Some(Arc::from(job)), base: None, falls: 0 };
        self.base = percent.and_then(|percent| first(percent, step));
    }

    /// A job is found that far, whose start was told before this program began to watch.
    fn found(job: &Arc<str>, percent: u8, step: u8, told: &dyn Fn(Step) -> bool) -> Self {
        let highest = |falls| (0..=100).rev().find(|percent| told(Step { percent: *percent, falls }));
        // What is far below a step that was told comes after a fall.
        let fell = |falls| highest(falls).is_some_and(|last: u8| percent < last.saturating_sub(step));
        let falls = (0..MOST_FALLS).find(|falls| !fell(*falls)).unwrap_or(MOST_FALLS);
        // Of a job without any step the start told how far it was.
        let base = highest(falls).unwrap_or(percent / step * step);
        Self { job: Some(Arc::clone(job)), base: Some(base), falls }
    }

    /// The job is that far. `step` is above zero; `told` knows the steps of the job that were told before.
    pub(super) fn reach(
        &mut self,
        job: &Arc<str>,
        percent: u8,
        step: u8,
        told: &dyn Fn(Step) -> bool,
    ) -> Option<Step> {
        if self.job.as_ref() != Some(job) {
            *self = Self::found(job, percent, step, told);
        }
        let floor = percent / step * step;
        let Some(base) = self.base else {
            self.base = first(percent, step);
            return self.base.map(|percent| Step { percent, falls: self.falls });
        };
        // A print that starts anew under the same name; less is jitter.
        if percent < base.saturating_sub(step) {
            self.base = Some(floor);
            self.falls += 1;
            return None;
        }
        if percent < base.saturating_add(step) && !(percent == 100 && base < 100) {
            return None;
        }
        let shown = if percent == 100 { 100 } else { floor };
        self.base = Some(shown);
        Some(Step { percent: shown, falls: self.falls })
    }
}

/// What is told of a job whose progress was not told yet.
fn first(percent: u8, step: u8) -> Option<u8> {
    let floor = percent / step * step;
    (percent == 0 || floor > 0).then_some(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is told of these per cents, each step with a dash where nothing is.
    fn told(start: Option<u8>, step: u8, percents: &[u8]) -> String {
        let mut steps = Steps::default();
        let job: Arc<str> = Arc::from("a");
        steps.begin(&job, start, step);
        let told = percents.iter().map(|percent| said(steps.reach(&job, *percent, step, &|_| false)));
        told.collect::<Vec<_>>().join(" ")
    }

    fn said(step: Option<Step>) -> String {
        step.map_or("-".to_owned(), |step| step.percent.to_string())
    }

    #[test]
    fn a_restart_neither_repeats_a_step_nor_leaves_one_out() {
        for (start, before, after, expected) in [
            // The start told the 35 already.
            (Some(37), &[37][..], &[38, 40][..], "- 40"),
            (None, &[], &[38, 40], "- 40"),
            (Some(0), &[5, 10], &[12, 15], "- 15"),
            // What was passed meanwhile is one message; jitter is none.
            (Some(0), &[5, 10], &[28, 30], "25 30"),
            (Some(0), &[5, 50], &[49, 50, 55], "- - 55"),
            // It fell before the restart, or meanwhile.
            (Some(0), &[5, 50, 8, 10, 15], &[16, 20, 50], "- 20 50"),
            (Some(0), &[5, 50, 8], &[8, 10], "- 10"),
            (Some(0), &[5, 50], &[8, 10], "- 10"),
            (Some(0), &[50, 8, 40, 3], &[4, 5, 10], "- 5 10"),
        ] {
            let (mut steps, mut told) = (Steps::default(), Vec::new());
            let job: Arc<str> = Arc::from("a");
            steps.begin(&job, start, 5);
            told.extend(before.iter().filter_map(|percent| steps.reach(&job, *percent, 5, &|_| false)));
            let mut steps = Steps::default();
            let heard = after
                .iter()
                .map(|percent| said(steps.reach(&job, *percent, 5, &|step| told.contains(&step))));
            assert_eq!(heard.collect::<Vec<_>>().join(" "), expected, "{start:?} {before:?} {after:?}");
        }
        // Whoever claims to know everything.
        let known = Steps::default().reach(&Arc::from("a"), 3, 5, &|_| true);
        assert_eq!(known, None);
    }

    #[test]
    fn steps() {
        for (start, step, percents, expected) in [
            (Some(37), 5, &[37, 38, 40, 41, 44, 45][..], "- - 40 - - 45"),
            (None, 5, &[37, 40], "35 40"),
            (None, 5, &[0, 3, 5, 10], "0 - 5 10"),
            (None, 5, &[1, 4, 5], "- - 5"),
            (Some(0), 5, &[1, 4, 5], "- - 5"),
            // A jump is one message; jitter is none.
            (Some(10), 5, &[47, 46, 45, 47, 50], "45 - - - 50"),
            (Some(25), 5, &[24, 25, 26], "- - -"),
            // A fall is silent, and steps go on from there.
            (Some(50), 5, &[52, 8, 9, 10, 15], "- - - 10 15"),
            (Some(10), 5, &[5, 4, 5, 10], "- - 5 10"),
            // The end is always a step.
            (Some(90), 7, &[97, 100, 100], "91 100 -"),
            (Some(95), 10, &[99, 100], "- 100"),
            (None, 100, &[0, 99, 100], "0 - 100"),
        ] {
            assert_eq!(told(start, step, percents), expected, "{start:?} {step} {percents:?}");
        }
    }

    #[test]
    fn another_job_begins_anew_and_a_fall_has_other_keys() {
        let mut steps = Steps::default();
        let (one, two): (Arc<str>, Arc<str>) = (Arc::from("1"), Arc::from("2"));
        let mut reach = |job, percent| steps.reach(job, percent, 5, &|_| false);
        assert_eq!([reach(&one, 47), reach(&one, 50)], [None, Some(Step { percent: 50, falls: 0 })]);
        assert_eq!([reach(&two, 47), reach(&two, 50)], [None, Some(Step { percent: 50, falls: 0 })]);
        assert_eq!(reach(&two, 8), None);
        assert_eq!(reach(&two, 50), Some(Step { percent: 50, falls: 1 }));
    }

    proptest! {
        #[test]
        fn no_step_comes_twice_without_a_fall(
            step in 1u8..=100, percents in proptest::collection::vec(0u8..=100, 0..60),
        ) {
            let (mut steps, job) = (Steps::default(), Arc::from("a"));
            let told: Vec<(u32, u8)> = percents
                .iter()
                .filter_map(|percent| steps.reach(&job, *percent, step, &|_| false))
                .map(|step| (step.falls, step.percent))
                .collect();
            prop_assert!(told.windows(2).all(|pair| pair[0] < pair[1]), "{told:?}");
        }
    }
}
