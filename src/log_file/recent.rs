//! The last lines of the log, for whoever looks at the set-up page.

use log::{Level, LevelFilter, Log, Metadata, Record};
use simplelog::{Config, SharedLogger};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Most lines.
const MOST: usize = 40;
/// Longest line, in characters.
const LONGEST: usize = 300;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When, as time since the Unix epoch.
    pub at: Duration,
    /// How grave it is.
    pub level: Level,
    /// What happened.
    pub text: String,
}

/// The last lines, from information on; all handles are of the same ones.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Mutex<VecDeque<Line>>>);

impl Recent {
    /// The lines, the newest first.
    pub fn lines(&self) -> Vec<Line> {
        self.own().iter().rev().cloned().collect()
    }

    fn own(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, line: Line) {
        let mut lines = self.own();
        if lines.len() >= MOST {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

impl Log for Recent {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // As in the log itself: nothing of the libraries, whose lines may hold a token.
        metadata.level() <= Level::Info && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut text = record.args().to_string();
            if let Some((at, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(at);
            }
            let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.note(Line { at, level: record.level(), text });
        }
    }

    fn flush(&self) {}
}

impl SharedLogger for Recent {
    fn level(&self) -> LevelFilter {
        LevelFilter::Info
    }

    fn config(&self) -> Option<&Config> {
        None
    }

    fn as_log(self: Box<Self>) -> Box<dyn Log> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(recent: &Recent, level: Level, target: &str, text: &str) {
        recent.log(&Record::builder().level(level).target(target).args(format_args!("{text}")).build());
    }

    #[test]
    fn the_last_lines_of_our_own_are_kept() {
        let recent = Recent::default();
        for number in 0..50 {
            log(&recent, Level::Info, "octobridge::worker", &number.to_string());
        }
        log(&recent, Level::Debug, "octobridge::worker", "too fine");
        log(&recent, Level::Warn, "ureq", "of a library");
        log(&recent, Level::Error, "octobridge", &"é".repeat(400));
        let lines = recent.lines();
        assert_eq!(lines.len(), MOST);
        assert_eq!(lines[0].text, "é".repeat(300));
        assert_eq!((lines[1].text.as_str(), lines[39].text.as_str()), ("49", "11"));
    }
}
