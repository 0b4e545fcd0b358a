//! What a build says on standard error: a line for each finished stage, and on a terminal the stage that is going on.

use std::io::{self, IsTerminal as _, Write};
use std::time::Instant;

/// Takes back a line that was not ended.
const CLEAR: &str = "\r\x1b[K";

/// Reports stages, or keeps quiet.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    shown: bool,
    /// Whether what was written can be taken back.
    terminal: bool,
}

impl Progress {
    /// Reports when `shown` is true.
    pub fn new(shown: bool) -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        Self { shown, terminal: !dumb && io::stderr().is_terminal() }
    }

    /// Says what is going on, until something else is said. Only on a terminal: elsewhere nobody waits for it.
    pub fn begin(self, stage: &str) {
        if self.shown && self.terminal {
            let mut err = io::stderr().lock();
            // Nobody may be reading; that is no reason to stop a build.
            let _ = write!(err, "{CLEAR}octofw: {stage} …").and_then(|()| err.flush());
        }
    }

    /// Says that a stage is done and how many seconds it took.
    pub fn done(self, stage: &str, since: Instant) {
        self.say(&format!("{stage:<34} {:>6.2} s", since.elapsed().as_secs_f64()));
    }

    /// Warns, also when it keeps quiet.
    pub fn warn(self, line: &str) {
        Self { shown: true, ..self }.say(&format!("warning: {line}"));
    }

    /// Says something that is worth a line of its own.
    pub fn say(self, line: &str) {
        if self.shown {
            let _ = writeln!(io::stderr(), "{}octofw: {line}", self.clear());
        }
    }

    /// What to print before anything else is printed on standard error.
    #[must_use]
    pub fn clear(self) -> &'static str {
        if self.terminal { CLEAR } else { "" }
    }
}
