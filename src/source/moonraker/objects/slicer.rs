//! The slicer's own progress (`M73`), told apart from what the display falls back to.
//!
//! Klipper shows `M73` and the position in the file under one name: the position as long as a job brought no `M73`, and
//! again in a pause, until the next one. What is left of the job before stays as well, if the next begins at once.

/// The display follows the file if it is no further from it than this.
const SAME: f64 = 0.002;

/// By no more than this the slicer's progress goes on at a time; it is written in whole per cents.
const STEP: f64 = 0.011;

/// What the slicer says of a job's progress.
#[derive(Debug, Default)]
pub(super) struct Slicer {
    /// Another job begins.
    new_job: bool,
    /// What the display showed when the job began; counts for nothing.
    left_over: Option<f64>,
    /// What it showed last.
    shown: Option<f64>,
    /// It has shown something else in this job.
    moved: bool,
    /// The slicer's progress; none as long as it told none in this job.
    known: Option<f64>,
}

impl Slicer {
    /// Another job begins; what is shown at the next look is of the one before.
    pub(super) fn begin(&mut self) {
        self.new_job = true;
    }

    /// Takes what the display and the file's position say at one moment.
    pub(super) fn look(&mut self, display: Option<f64>, file: Option<f64>) {
        let Some(display) = display else { return };
        if std::mem::take(&mut self.new_job) {
            *self = Self { left_over: Some(display), shown: Some(display), ..Self::default() };
        }
        let is_other = |shown: &mut f64| (*shown - display).abs() > f64::EPSILON;
        self.left_over.take_if(is_other);
        self.moved |= self.shown.replace(display).is_some_and(|mut shown| is_other(&mut shown));
        let apart = file.is_none_or(|file| (display - file).abs() > SAME);
        // A display that never shows anything but 0 says nothing.
        let told = apart && self.left_over.is_none() && (display > 0.0 || self.moved);
        // The file may pass by what the slicer told; what the display falls back to is seldom so near.
        let goes_on = self.known.is_some_and(|known| (display - known).abs() <= STEP);
        if told || goes_on {
            self.known = Some(display);
        }
    }

    /// The slicer's progress from 0 to 1, where it told one.
    pub(super) fn progress(&self) -> Option<f64> {
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step: what the display shows, where the file is, and the slicer's progress that is known then. `-1` is none,
    /// a step of `[-1, -1, -1]` the begin of a job.
    fn check(title: &str, steps: &[[f64; 3]]) {
        let known = |number: f64| (number >= 0.0).then_some(number);
        let mut slicer = Slicer::default();
        for (index, [display, file, expected]) in steps.iter().enumerate() {
            if *display < 0.0 && *file < 0.0 {
                slicer.begin();
                continue;
            }
            slicer.look(known(*display), known(*file));
            assert_eq!(slicer.progress(), known(*expected), "{title}: step {index}");
        }
    }

    const BEGIN: [f64; 3] = [-1.0; 3];

    #[test]
    fn a_file_without_it_has_none() {
        check("falls back", &[BEGIN, [0.0, 0.0, -1.0], [0.3, 0.3, -1.0], [0.999, 0.999, -1.0]]);
        check("found in the middle", &[[0.3, 0.3, -1.0], [0.301, 0.302, -1.0], [0.9, 0.9, -1.0]]);
        // A host that knows neither M73 nor how to fall back.
        check("always nothing", &[BEGIN, [0.0, 0.0, -1.0], [0.0, 0.5, -1.0], [0.0, 1.0, -1.0]]);
        check("nothing is shown", &[BEGIN, [-1.0, 0.5, -1.0]]);
        check("found before M73", &[[0.875, 0.875, -1.0], [0.0, 0.885, 0.0]]);
        check("found at nothing", &[[0.0, 0.5, -1.0], [0.0, 0.6, -1.0]]);
        check("pictures at the head", &[BEGIN, [0.0, 0.0, -1.0], [0.87, 0.87, -1.0], [0.9, 0.9, -1.0]]);
    }

    #[test]
    fn what_the_slicer_tells_stays_through_meetings_with_the_file() {
        check(
            "meets",
            &[
                BEGIN,
                [0.0, 0.0, -1.0],
                [0.01, 0.03, 0.01],
                [0.24, 0.2, 0.24],
                [0.24, 0.239, 0.24],
                [0.24, 0.241, 0.24],
                [0.25, 0.25, 0.25],
                [0.26, 0.3, 0.26],
            ],
        );
        check(
            "zero, by M73",
            &[BEGIN, [0.0, 0.0, -1.0], [0.875, 0.875, -1.0], [0.0, 0.885, 0.0], [0.0, 0.89, 0.0]],
        );
        check("found in the middle", &[[0.24, 0.31, 0.24], [0.25, 0.32, 0.25]]);
        check("without a file", &[[0.24, -1.0, 0.24]]);
    }

    #[test]
    fn in_a_pause_the_last_one_stands() {
        check(
            "pause",
            &[
                [0.4, 0.55, 0.4],
                [0.55, 0.55, 0.4],
                // Printing again, without another M73 yet.
                [0.56, 0.56, 0.4],
                [0.41, 0.57, 0.41],
            ],
        );
    }

    #[test]
    fn the_job_before_counts_for_nothing() {
        check(
            "left over",
            &[
                [1.0, 0.99, 1.0],
                BEGIN,
                [1.0, 0.0, -1.0],
                [1.0, 0.02, -1.0],
                [0.0, 0.03, 0.0],
                [0.01, 0.04, 0.01],
            ],
        );
        check("and the next has none", &[[0.9, 0.5, 0.9], BEGIN, [0.9, 0.0, -1.0], [0.02, 0.02, -1.0]]);
    }
}
