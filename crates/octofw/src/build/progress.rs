//! A line on standard error for each finished stage of a build.

use std::io::Write;
use std::time::Instant;

/// Reports stages, or keeps quiet.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Reports when `shown` is true.
    pub fn new(shown: bool) -> Self {
        Self { shown }
    }

    /// Says that a stage is done and how many seconds it took.
    pub fn done(self, stage: &str, since: Instant) {
        self.say(&format!("{stage:<34} {:>6.2} s", since.elapsed().as_secs_f64()));
    }

    /// Warns, also when it keeps quiet.
    pub fn warn(self, line: &str) {
        Self { shown: true }.say(&format!("warning: {line}"));
    }

    /// Says something that is worth a line of its own.
    pub fn say(self, line: &str) {
        if self.shown {
            // Nobody may be reading; that is no reason to stop a build.
            let _ = writeln!(std::io::stderr(), "octofw: {line}");
        }
    }
}
