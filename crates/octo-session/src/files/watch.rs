//! What happens below a directory, told as it happens: what comes in quick succession is told once.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use notify::event::{ModifyKind, RenameMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};
use rustix::fs::FileType;
use serde::Serialize;
use tokio::sync::mpsc;

use super::inside::Inside;
use super::jail::{self, Jail, step};
use super::refusal::{Code, Refusal};
use super::tree::{is_unfinished, kind_word};

/// How long after the first of several changes they are told.
pub(crate) const QUIET: Duration = Duration::from_millis(250);
/// How many changes wait to be told; more are summed up by what is there when it is looked at.
const WAITING: usize = 4096;
/// A listener that answers no ping for so long is gone.
const PING: Duration = Duration::from_secs(20);

/// What happened to a path, as far as the system's notices say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    Modified,
    Deleted,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Notice {
    #[serde(rename = "type")]
    kind: &'static str,
    path: String,
    entry_type: &'static str,
}

/// The changes of a short while, one for each path.
#[derive(Debug, Default)]
pub(crate) struct Gathered(BTreeMap<Inside, (Change, bool)>);

impl Gathered {
    /// Takes a change in. What appeared and went again was never there; what went and came back has changed.
    pub(crate) fn add(&mut self, path: Inside, change: Change, folder: bool) {
        use Change::{Created, Deleted, Modified};
        let sum = match (self.0.get(&path).map(|(before, _)| *before), change) {
            (Some(Created), Deleted) => {
                self.0.remove(&path);
                return;
            }
            (Some(Created), _) => Created,
            (Some(Deleted), Created | Modified) => Modified,
            (_, change) => change,
        };
        self.0.insert(path, (sum, folder));
    }

    /// Hands out what was gathered.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (Inside, Change, bool)> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(path, (change, folder))| (path, change, folder))
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What is watched, and what of it is told.
#[derive(Debug)]
pub(crate) struct Watch {
    folder: OwnedFd,
    top: Inside,
    endings: Vec<String>,
}

impl Watch {
    /// Opens what is to be watched.
    pub(crate) fn of(jail: &Jail, top: &Inside, endings: Option<&str>) -> Result<Watch, Refusal> {
        let endings =
            endings.unwrap_or_default().split(',').map(str::trim).filter(|ending| !ending.is_empty());
        let endings = endings.map(|ending| format!(".{}", ending.trim_start_matches('.'))).collect();
        Ok(Watch { folder: jail.folder(top)?, top: top.clone(), endings })
    }

    /// Tells the other side what happens, until it goes.
    pub(crate) async fn tell(self, mut socket: WebSocket) {
        let (to, mut from) = mpsc::channel::<Event>(WAITING);
        let place = PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd()));
        let heard = move |event: notify::Result<Event>| {
            if let Ok(event) = event {
                // A flood is not kept: what is lost of it is found by whoever looks.
                let _ = to.try_send(event);
            }
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        let started = notify::RecommendedWatcher::new(heard, config).and_then(|mut watcher| {
            watcher.watch(&place.join("."), RecursiveMode::Recursive)?;
            Ok(watcher)
        });
        let _watcher = match started {
            Ok(watcher) => watcher,
            Err(error) => {
                let refusal =
                    Refusal::new(Code::IoError, format!("{}: it cannot be watched: {error}", self.top));
                tracing::warn!("{refusal}");
                let text = serde_json::json!({ "error": refusal.message, "code": "IO_ERROR" }).to_string();
                let _ = socket.send(Message::Text(text.into())).await;
                return;
            }
        };
        let mut gathered = Gathered::default();
        let mut due = None;
        let mut ping = tokio::time::interval(PING);
        let mut answered = true;
        loop {
            tokio::select! {
                event = from.recv() => {
                    let Some(event) = event else { return };
                    for (path, change, folder) in self.changes(&event, &place) {
                        gathered.add(path, change, folder);
                    }
                    if due.is_none() && !gathered.is_empty() {
                        due = Some(tokio::time::Instant::now() + QUIET);
                    }
                }
                () = async { tokio::time::sleep_until(due.unwrap_or_else(tokio::time::Instant::now)).await }, if due.is_some() => {
                    due = None;
                    for (path, change, folder) in gathered.take() {
                        let Some(notice) = self.notice(&path, change, folder) else { continue };
                        let Ok(text) = serde_json::to_string(&notice) else { continue };
                        if socket.send(Message::Text(text.into())).await.is_err() {
                            return;
                        }
                    }
                }
                message = socket.recv() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    Some(Ok(_)) => answered = true,
                },
                _ = ping.tick() => {
                    if !answered || socket.send(Message::Ping(axum::body::Bytes::new())).await.is_err() {
                        return;
                    }
                    answered = false;
                }
            }
        }
    }

    /// What an event says, by path below the watched directory.
    fn changes(&self, event: &Event, place: &Path) -> Vec<(Inside, Change, bool)> {
        let change_of = |index: usize| match event.kind {
            EventKind::Create(_) => Some(Change::Created),
            EventKind::Remove(_) => Some(Change::Deleted),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Some(Change::Deleted),
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Change::Created),
            // Both ends of a rename, which are told one by one before.
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any | ModifyKind::Metadata(_))
                if index == 0 =>
            {
                Some(Change::Modified)
            }
            _ => None,
        };
        let is_folder = matches!(
            event.kind,
            EventKind::Create(notify::event::CreateKind::Folder)
                | EventKind::Remove(notify::event::RemoveKind::Folder)
        );
        let paths = event.paths.iter().enumerate().filter_map(|(index, path)| {
            let below = path.strip_prefix(place).ok()?;
            let inside = Inside::parse(below.as_os_str().as_bytes()).ok()?;
            let (_, name) = inside.split()?;
            if is_unfinished(name) {
                return None;
            }
            Some((inside.clone(), change_of(index)?, is_folder))
        });
        paths.collect()
    }

    /// The line about a change, if it is wanted. The kind of what is there now is looked at; of what is gone, it is
    /// what the notice said.
    fn notice(&self, path: &Inside, change: Change, was_folder: bool) -> Option<Notice> {
        let there = look(&self.folder, path);
        let change = match (change, there) {
            (Change::Created | Change::Modified, None) => return None,
            (Change::Deleted, Some(_)) => Change::Modified,
            (change, _) => change,
        };
        let kind = there.unwrap_or(if was_folder { FileType::Directory } else { FileType::RegularFile });
        let word = match (change, kind == FileType::Directory) {
            (Change::Created, true) => "dir_created",
            (Change::Deleted, true) => "dir_deleted",
            // Its entries are told themselves.
            (Change::Modified, true) => return None,
            (Change::Created, false) => "file_created",
            (Change::Modified, false) => "file_modified",
            (Change::Deleted, false) => "file_deleted",
        };
        let shown = self.top.append(path).to_string();
        let wanted = kind == FileType::Directory
            || self.endings.is_empty()
            || self.endings.iter().any(|ending| shown.ends_with(ending.as_str()));
        wanted.then(|| Notice { kind: word, path: shown, entry_type: kind_word(kind) })
    }
}

/// What is at `path` now; links are not followed on any part.
fn look(folder: &OwnedFd, path: &Inside) -> Option<FileType> {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY;
    let (above, name) = path.split()?;
    let mut at = rustix::io::fcntl_dupfd_cloexec(folder, 0).ok()?;
    for part in above.parts() {
        at = step(&at, part, flags, rustix::fs::Mode::empty()).ok()?;
    }
    jail::status(&at, name).ok().map(|status| jail::kind(&status))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_path_become_one() {
        use Change::{Created, Deleted, Modified};
        for (changes, expected) in [
            (vec![Created, Modified, Modified], Some(Created)),
            (vec![Modified, Modified], Some(Modified)),
            (vec![Created, Modified, Deleted], None),
            (vec![Deleted, Created], Some(Modified)),
            (vec![Modified, Deleted], Some(Deleted)),
            (vec![Created, Deleted, Created], Some(Created)),
        ] {
            let mut gathered = Gathered::default();
            for change in &changes {
                gathered.add(Inside::parse(b"a").unwrap(), *change, false);
            }
            assert_eq!(gathered.take().next().map(|(_, change, _)| change), expected, "{changes:?}");
            assert!(gathered.is_empty());
        }
    }
}
