//! The print that is followed, and what is kept of it over a restart.

use super::outside::Outside;
use super::print_info;
use super::scan::Marks;
use super::secrets::data_folders;
use crate::clock::Moment;
use crate::whole_file;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a running print is told whatever it does.
pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// Length of an identity.
const ID: usize = 32;
/// Largest file, in bytes.
const MOST_FILE: u64 = 64 * 1024;
/// Most prints whose ends are still to be told.
const MOST_FORMER: usize = 8;
/// What the apps are told as the file of a print whose name they do not get yet.
const NAMELESS: &str = "None";

/// The print that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) known: Known,
    /// When it was begun or found by this process, on the monotonic clock; none if it was only read from disk so far.
    pub(super) since: Option<Duration>,
    /// It was found under way.
    pub(super) found: bool,
    /// Its progress counts by the whole file.
    pub(super) whole_file: bool,
    /// The progress that was seen last, in whole per cent.
    pub(super) percent: Option<u8>,
    /// The per cents that were told, a bit for each.
    pub(super) told: u128,
    /// The first progress is no news.
    pub(super) catching_up: bool,
    /// The position in the file up to which marks were told; none: nothing is told of what lies before.
    pub(super) position: Option<u64>,
    pub(super) marks: Option<Marks>,
    /// When the print is told next whatever it does.
    pub(super) hour: Option<Duration>,
    /// When the pause under way is told.
    pub(super) pause: Option<Duration>,
}

/// What is kept over a restart.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    /// Identity, of our own making.
    pub(super) id: String,
    /// The file, relative to the gcodes root.
    pub(super) path: String,
    pub(super) is_name: bool,
    /// The apps are not told its file: it was found under way by who knew nothing of it, and never paused since.
    pub(super) nameless: bool,
    /// Its record in the history, where there is one.
    pub(super) record: Option<String>,
    /// Start, in milliseconds since the Unix epoch.
    pub(super) started_ms: u64,
    /// In the file alone: prints before it whose ends are still to be told, the oldest first.
    former: Vec<Known>,
}

impl Known {
    /// Whether the job of that file, and of that record where both are known, is this print.
    pub(super) fn is(&self, path: &str, record: Option<&str>) -> bool {
        let other = matches!((self.record.as_deref(), record), (Some(mine), Some(its)) if mine != its);
        self.path == path && !other
    }

    /// A print of that file that begins at `started`, as time since the Unix epoch.
    pub(super) fn new(
        id: String,
        path: &str,
        is_name: bool,
        record: Option<String>,
        started: Duration,
    ) -> Self {
        let started_ms = started.as_millis() as u64;
        Self { id, path: path.to_owned(), is_name, nameless: false, record, started_ms, former: Vec::new() }
    }

    /// The file as the apps are told it.
    pub(super) fn shown(&self) -> &str {
        if self.nameless { NAMELESS } else { &self.path }
    }
}

impl Followed {
    /// A print that begins now.
    pub(super) fn begins(known: Known, now: Moment) -> Self {
        Self {
            known,
            since: Some(now.monotonic),
            found: false,
            whole_file: false,
            percent: None,
            told: 0,
            catching_up: false,
            position: Some(0),
            marks: None,
            hour: Some(now.monotonic + HOUR),
            pause: None,
        }
    }

    /// A print that was under way before anything of it was seen.
    pub(super) fn found(known: Known, now: Moment) -> Self {
        Self { found: true, whole_file: true, catching_up: true, position: None, ..Self::begins(known, now) }
    }

    /// A print of which the disk tells.
    pub(super) fn restored(known: Known) -> Self {
        let never = Moment { monotonic: Duration::ZERO, unix: Duration::ZERO };
        Self { since: None, hour: None, ..Self::found(known, never) }
    }

    /// Time since the start, pauses included.
    pub(super) fn duration(&self, now: Moment) -> Duration {
        match self.since {
            // The wall clock may have been set meanwhile.
            Some(since) if !self.found => now.monotonic.saturating_sub(since),
            _ => now.unix.saturating_sub(Duration::from_millis(self.known.started_ms)),
        }
    }

    /// Whether the job of that file, and of that record where both are known, is this print.
    pub(super) fn is(&self, path: &str, record: Option<&str>) -> bool {
        self.known.is(path, record)
    }

    /// Takes a progress in; gives the per cent to tell, if it is news.
    pub(super) fn progress(&mut self, percent: u8) -> Option<u8> {
        self.percent = Some(percent);
        let passed = percent.min(99);
        let all = (1_u128 << (passed + 1)) - 2;
        let new = all & !self.told;
        self.told |= all;
        let newest = (new != 0).then(|| 127 - new.leading_zeros())?;
        if std::mem::take(&mut self.catching_up) { None } else { u8::try_from(newest).ok() }
    }
}

/// A fresh identity of capital letters and digits.
pub(super) fn fresh_id<O: Outside>(outside: &mut O, length: usize) -> String {
    const SIGNS: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut id = String::with_capacity(length);
    while id.len() < length {
        let mut byte = [0];
        if !outside.chance(&mut byte) {
            log::warn!("octoapp: the system has no random numbers; identities repeat");
            id.push('0');
            continue;
        }
        // Beyond a multiple of 36 some signs would be more likely.
        let [byte] = byte;
        if byte < 252
            && let Some(sign) = SIGNS.get(usize::from(byte % 36))
        {
            id.push(char::from(*sign));
        }
    }
    id
}

/// A fresh identity of a print.
pub(super) fn fresh_print<O: Outside>(outside: &mut O) -> String {
    fresh_id(outside, ID)
}

/// The file in which the print is kept.
#[derive(Debug)]
pub(super) struct PrintFile {
    /// Where OctoApp's plugin may have kept what it knew.
    plugins: [PathBuf; 2],
    path: PathBuf,
    kept: Option<Known>,
}

impl PrintFile {
    pub(super) fn new(data_dir: &Path, printer_data: &Path, id: &str) -> Self {
        let path = data_dir.join(format!("{id}-print.json"));
        Self { plugins: data_folders(data_dir, printer_data), path, kept: None }
    }

    /// Identity and start of a print that OctoApp's plugin followed so far; see [`print_info::read`].
    pub(super) fn inherited(&self, file: &str, began: Duration) -> Option<(String, Duration)> {
        print_info::read(&self.plugins, file, began)
    }

    /// What it holds. One that cannot be read holds nothing.
    pub(super) fn load(&mut self) -> Option<Known> {
        let bytes = whole_file::read(&self.path, MOST_FILE);
        if let Err(error) = &bytes
            && !error.is_missing()
        {
            log::warn!("octoapp: {error}; a print under way gets a new identity");
        }
        let known: Known = serde_json::from_slice(&bytes.ok()?).ok()?;
        self.kept = Some(known.clone());
        let known = Known { former: Vec::new(), ..known };
        Some(known).filter(|known| !known.id.is_empty() && !known.path.is_empty())
    }

    /// Keeps the print. One that was kept until now stays beside it: its end is still to be told.
    pub(super) fn keep(&mut self, known: &Known) {
        let mut former = Vec::new();
        if let Some(kept) = &self.kept {
            former.clone_from(&kept.former);
            if kept.id != known.id && !kept.id.is_empty() {
                former.push(Known { former: Vec::new(), ..kept.clone() });
                former.drain(..former.len().saturating_sub(MOST_FORMER));
            }
        }
        self.write(Known { former, ..known.clone() });
    }

    fn write(&mut self, whole: Known) {
        if self.kept.as_ref() == Some(&whole) {
            return;
        }
        let written = serde_json::to_vec(&whole).map_err(Into::into);
        let written = written.and_then(|json| whole_file::replace(&self.path, &json));
        match written {
            Ok(()) => self.kept = Some(whole),
            Err(error) => log::warn!("octoapp: cannot keep the print in {}: {error}", self.path.display()),
        }
    }

    /// A print before the one that is kept, by the job's file and record.
    pub(super) fn former(&self, path: &str, record: Option<&str>) -> Option<&Known> {
        self.kept.as_ref()?.former.iter().find(|former| former.is(path, record))
    }

    /// The print of that identity is over, and its end was told.
    pub(super) fn forget(&mut self, id: &str) {
        let Some(kept) = &self.kept else { return };
        let mut whole = if kept.id == id {
            Known { former: kept.former.clone(), ..Known::default() }
        } else {
            kept.clone()
        };
        whole.former.retain(|former| former.id != id);
        if !whole.id.is_empty() || !whole.former.is_empty() {
            return self.write(whole);
        }
        self.kept = None;
        if let Err(error) = std::fs::remove_file(&self.path) {
            log::debug!("octoapp: {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { monotonic: Duration::from_secs(seconds), unix: Duration::from_secs(1000 + seconds) }
    }

    #[test]
    fn only_the_newest_new_per_cent_is_told() {
        let mut print = Followed::begins(Known::default(), at(0));
        for (percent, told) in [
            (0, None),
            (3, Some(3)),
            (2, None),
            (3, None),
            (50, Some(50)),
            (49, None),
            (100, Some(99)),
            (99, None),
        ] {
            assert_eq!(print.progress(percent), told, "{percent}");
        }
        let mut print = Followed::found(Known::default(), at(0));
        assert_eq!([42, 43, 43, 45].map(|percent| print.progress(percent)), [None, Some(43), None, Some(45)]);
    }

    #[test]
    fn the_file_keeps_a_print_until_its_end_is_told() {
        let place = tempfile::tempdir().unwrap();
        let known = Known { id: "A".into(), path: "a/b".into(), started_ms: 7, ..Known::default() };
        let mut file = PrintFile::new(place.path(), place.path(), "octoapp");
        assert_eq!(file.load(), None);
        file.keep(&known);
        let mut again = PrintFile::new(place.path(), place.path(), "octoapp");
        assert_eq!(again.load(), Some(known));
        again.forget("B");
        assert!(PrintFile::new(place.path(), place.path(), "octoapp").load().is_some());
        // The next one begins before that.
        let next = Known { id: "C".into(), path: "c".into(), ..Known::default() };
        again.keep(&next);
        again.keep(&next);
        let mut third = PrintFile::new(place.path(), place.path(), "octoapp");
        assert_eq!(third.load(), Some(next));
        assert_eq!(third.former("a/b", None).map(|former| former.id.as_str()), Some("A"));
        assert_eq!(third.former("c", None), None);
        third.forget("C");
        let mut fourth = PrintFile::new(place.path(), place.path(), "octoapp");
        assert_eq!(fourth.load(), None);
        assert!(fourth.former("a/b", None).is_some());
        fourth.forget("A");
        assert!(!place.path().join("octoapp-print.json").exists());
        for number in 0..20 {
            fourth.keep(&Known { id: format!("{number}"), path: "x".into(), ..Known::default() });
        }
        assert_eq!(fourth.kept.as_ref().map(|kept| kept.former.len()), Some(MOST_FORMER));
        for junk in [&b"{"[..], b"[]", b"{\"id\":5}", b"{}"] {
            std::fs::write(place.path().join("octoapp-print.json"), junk).unwrap();
            assert_eq!(PrintFile::new(place.path(), place.path(), "octoapp").load(), None);
        }
    }
}
