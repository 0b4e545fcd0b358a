//! What photos and checks must know after a restart: when the next of a job is due, and which requests count for the
//! day. A few lines of text, replaced as a whole with each photo and each check, and never between them.

use crate::calendar;
use crate::clock::Moment;
use crate::whole_file;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Thirty lines, and room for long names of jobs.
const LIMIT: u64 = 16 * 1024;
/// Most lines that are read; a day has far fewer groups of requests.
const MOST_LINES: usize = 200;

/// Something of a job that is due some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Due {
    /// The beginning of the job's keys.
    pub(in crate::bridge::telegram) job: String,
    /// Until then.
    pub(in crate::bridge::telegram) left: Duration,
}

/// What is remembered, as seen at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::bridge::telegram) struct Page {
    /// The next photo.
    pub(in crate::bridge::telegram) photo: Option<Due>,
    /// The next check.
    pub(in crate::bridge::telegram) check: Option<Due>,
    /// Whether the job of the next check is not checked any more.
    pub(in crate::bridge::telegram) muted: bool,
    /// For how long so many requests count for the day.
    pub(in crate::bridge::telegram) requests: Vec<(Duration, u32)>,
}

/// The file.
#[derive(Debug)]
pub(in crate::bridge::telegram) struct Diary {
    path: PathBuf,
    page: Page,
    written: String,
    failing: bool,
}

impl Diary {
    /// The file of the bridge `id` in `data_dir`, as it is at `now`.
    pub(in crate::bridge::telegram) fn open(data_dir: &Path, id: &str, now: Moment) -> Self {
        // The version in the name keeps two versions of the program apart.
        let path = data_dir.join(format!("{id}-pictures-v1"));
        let written = whole_file::read_text(&path, LIMIT).unwrap_or_else(|error| {
            if !error.is_missing() {
                log::warn!("the times of photos and checks begin anew: {error}");
            }
            String::new()
        });
        let page = read(&written, now);
        Self { path, page, written, failing: false }
    }

    /// What it says.
    pub(in crate::bridge::telegram) fn page(&self) -> &Page {
        &self.page
    }

    /// Changes what it says. A failure is logged once: the printer's storage is full or broken, and all goes on.
    pub(in crate::bridge::telegram) fn change(&mut self, now: Moment, change: impl FnOnce(&mut Page)) {
        change(&mut self.page);
        let text = write(&self.page, now);
        if text == self.written {
            return;
        }
        let outcome = whole_file::replace(&self.path, text.as_bytes());
        if let (Err(error), false) = (&outcome, self.failing) {
            log::warn!(
                "cannot write {}: {error}; a restart may repeat a photo or a check",
                self.path.display()
            );
        }
        self.failing = outcome.is_err();
        if !self.failing {
            self.written = text;
        }
    }
}

/// A moment by the wall clock; 0 where that is not set.
fn stamp(left: Duration, now: Moment) -> u64 {
    if calendar::is_set(now.unix) { now.unix.saturating_add(left).as_secs() } else { 0 }
}

/// The end of the hour, so that a day has few lines. A moment after it is still that hour: clocks wander, and what is read
/// and written again must stay as it is.
fn hour(stamp: u64) -> u64 {
    stamp.saturating_add(3540) / 3600 * 3600
}

/// How long it is until then. What no clock tells is far away: rather a photo too few than a bill too many. Whoever
/// asks knows how far it can be at most.
fn left(stamp: u64, now: Moment) -> Duration {
    match stamp > 0 && calendar::is_set(now.unix) {
        true => Duration::from_secs(stamp).saturating_sub(now.unix),
        false => Duration::MAX,
    }
}

fn write(page: &Page, now: Moment) -> String {
    let mut lines = Vec::new();
    // A job's key that is no word in a line is not one of ours.
    let is_word = |due: &&Due| !due.job.contains(char::is_control);
    if let Some(photo) = page.photo.as_ref().filter(is_word) {
        lines.push(format!("photo {} {}\n", stamp(photo.left, now), photo.job));
    }
    if let Some(check) = page.check.as_ref().filter(is_word) {
        let word = if page.muted { "muted" } else { "check" };
        lines.push(format!("{word} {} {}\n", stamp(check.left, now), check.job));
    }
    let mut requests: Vec<(u64, u32)> = Vec::new();
    for (left, count) in &page.requests {
        let until = hour(stamp(*left, now));
        match requests.iter_mut().find(|(known, _)| *known == until) {
            Some((_, sum)) => *sum = sum.saturating_add(*count),
            None => requests.push((until, *count)),
        }
    }
    lines.extend(requests.iter().map(|(until, count)| format!("requests {until} {count}\n")));
    lines.concat()
}

fn read(text: &str, now: Moment) -> Page {
    let mut page = Page::default();
    for line in text.lines().take(MOST_LINES) {
        let mut parts = line.splitn(3, ' ');
        let (Some(word), Some(stamp), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let Ok(stamp) = stamp.parse::<u64>() else { continue };
        let left = left(stamp, now);
        let due = || Some(Due { job: rest.to_owned(), left });
        match word {
            "photo" => page.photo = due(),
            "check" | "muted" => (page.check, page.muted) = (due(), word == "muted"),
            "requests" => page.requests.extend(rest.parse().ok().map(|count| (left, count))),
            _ => {}
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Moment {
        let monotonic = Duration::from_secs(seconds);
        Moment { monotonic, unix: Duration::from_secs(1_795_227_600) + monotonic }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn due(left: u64) -> Option<Due> {
        Some(Due { job: "a job/1".to_owned(), left: seconds(left) })
    }

    #[test]
    fn what_is_due_is_known_after_a_restart() {
        let place = tempfile::tempdir().unwrap();
        let mut diary = Diary::open(place.path(), "telegram", at(0));
        assert_eq!(diary.page(), &Page::default());
        let page = Page {
            photo: due(3600),
            check: due(1800),
            muted: true,
            requests: vec![(seconds(5000), 2), (seconds(5001), 3), (seconds(9000), 4)],
        };
        diary.change(at(100), |it| *it = page.clone());
        // The monotonic clock begins anew.
        let later = Moment { monotonic: seconds(1), ..at(1100) };
        let expected = Page {
            photo: due(2600),
            check: due(800),
            muted: true,
            // Until the end of the hour, each; 02:20 is the first moment of these.
            requests: vec![(seconds(6000 - 1100), 5), (seconds(9600 - 1100), 4)],
        };
        assert_eq!(Diary::open(place.path(), "telegram", later).page(), &expected);
        assert_eq!(read(&write(&expected, later), later), expected, "it does not wander");
        assert_eq!(Diary::open(place.path(), "telegram_two", later).page(), &Page::default());
        // Without a clock it is long until then, as it is for what was written without one.
        let unset = Moment { unix: seconds(9), ..later };
        let mut diary = Diary::open(place.path(), "telegram", unset);
        assert_eq!(diary.page().photo.as_ref().unwrap().left, Duration::MAX);
        diary.change(unset, |it| it.photo = due(5));
        assert_eq!(
            Diary::open(place.path(), "telegram", later).page().photo.as_ref().unwrap().left,
            Duration::MAX
        );
    }

    #[test]
    fn the_same_is_not_written_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("telegram-pictures-v1");
        let mut diary = Diary::open(place.path(), "telegram", at(0));
        diary.change(at(0), |it| it.photo = due(10));
        std::fs::remove_file(&path).unwrap();
        diary.change(at(0), |it| it.photo = due(10));
        assert!(!path.exists());
        diary.change(at(0), |it| it.photo = due(11));
        assert!(path.exists());
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in "((photo|check|muted|requests|x)? ?[0-9]{0,25} ?\\PC{0,9}\n?){0,9}") {
            let page = read(&text, at(0));
            let again = read(&write(&page, at(0)), at(0));
            prop_assert_eq!(page.photo.map(|due| due.job), again.photo.map(|due| due.job));
        }
    }
}
