//! What became of the last commands, so that none is done twice, and the numbers of jobs.
//!
//! Written by the service.

use super::{Drawer, StoreError};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Most commands, and longest text of each, that are taken from the file.
const MOST_PAST: usize = 64;
const MOST_TEXT: usize = 1024;

/// What is kept of the work for Connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Commands {
    /// The commands that have ended, the newest last.
    pub(crate) past: Vec<PastCommand>,
    /// The command that runs, if it must not be run twice.
    pub(crate) running: Option<u32>,
    /// The number of the last job; 0: there was none.
    pub(crate) job_counter: u32,
    /// The command that started the job under way, if one did.
    pub(crate) start_cmd_id: Option<u32>,
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PastCommand {
    /// Connect's number for it.
    pub(crate) id: u32,
    /// Connect's word for the event that ended it.
    pub(crate) end: String,
    /// The reason that was told with it; empty: none.
    pub(crate) reason: String,
}

/// The file, as long as the service runs.
#[derive(Debug)]
pub(crate) struct CommandsFile {
    drawer: Drawer,
    stored: Commands,
}

impl CommandsFile {
    const NAME: &str = "commands";

    /// Opens it. The second is why it is begun anew, or not kept at all; the service goes on nevertheless.
    pub(crate) fn open(data_dir: &Path, id: &str) -> (Self, Option<StoreError>) {
        let mut drawer = Drawer::new(data_dir, id, Self::NAME);
        let (content, error) = match drawer.open() {
            Ok(content) => (content, None),
            Err(error) => (Map::new(), Some(error)),
        };
        (Self { drawer, stored: read(&content) }, error)
    }

    /// What is kept.
    pub(crate) fn kept(&self) -> &Commands {
        &self.stored
    }

    /// Keeps this, if it differs from what is kept. On the medium when it returns.
    ///
    /// # Errors
    ///
    /// If it cannot be written; the next call tries it again.
    pub(crate) fn keep(&mut self, commands: &Commands) -> Result<(), StoreError> {
        if self.stored == *commands {
            return Ok(());
        }
        let mut content = Map::new();
        let mut put = |name: &str, value: Value| content.insert(name.to_owned(), value);
        let entry = |past: &PastCommand| json!({"id": past.id, "end": past.end, "reason": past.reason});
        put("past", commands.past.iter().map(entry).collect());
        if let Some(id) = commands.running {
            put("running", id.into());
        }
        put("job_counter", commands.job_counter.into());
        if let Some(id) = commands.start_cmd_id {
            put("start_cmd_id", id.into());
        }
        self.drawer.write(content)?;
        self.stored = commands.clone();
        Ok(())
    }
}

fn read(content: &Map<String, Value>) -> Commands {
    let number = |value: Option<&Value>| u32::try_from(value?.as_u64()?).ok();
    let past = content.get("past").and_then(Value::as_array).into_iter().flatten().filter_map(|past| {
        let text = |name: &str| past.get(name)?.as_str().filter(|text| text.len() <= MOST_TEXT).map(str::to_owned);
        Some(PastCommand { id: number(past.get("id"))?, end: text("end")?, reason: text("reason")? })
    });
    Commands {
        past: past.take(MOST_PAST).collect(),
        running: number(content.get("running")),
        job_counter: number(content.get("job_counter")).unwrap_or_default(),
        start_cmd_id: number(content.get("start_cmd_id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_come_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, error) = CommandsFile::open(dir.path(), "p");
        assert!(error.is_none() && *file.kept() == Commands::default());
        let past = |id, end: &str, reason: &str| PastCommand { id, end: end.into(), reason: reason.into() };
        for kept in [
            Commands { running: Some(42), job_counter: 7, start_cmd_id: Some(42), ..Commands::default() },
            Commands {
                past: vec![past(u32::MAX, "FINISHED", ""), past(2, "REJECTED", "No such \"file\"")],
                job_counter: u32::MAX,
                ..Commands::default()
            },
        ] {
            file.keep(&kept).unwrap();
            assert_eq!(*CommandsFile::open(dir.path(), "p").0.kept(), kept);
        }
    }

    #[test]
    fn equal_content_is_not_written_and_a_failure_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, _) = CommandsFile::open(dir.path(), "p");
        file.keep(&Commands::default()).unwrap();
        assert!(!dir.path().join("p_commands.json").exists());
        let kept = Commands { job_counter: 1, ..Commands::default() };
        std::fs::create_dir(dir.path().join("p_commands.json.new")).unwrap();
        assert!(file.keep(&kept).is_err());
        std::fs::remove_dir(dir.path().join("p_commands.json.new")).unwrap();
        file.keep(&kept).unwrap();
        assert_eq!(*CommandsFile::open(dir.path(), "p").0.kept(), kept);
    }

    #[test]
    fn a_damaged_file_is_told_and_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("p_commands.json"), "{").unwrap();
        let (mut file, error) = CommandsFile::open(dir.path(), "p");
        assert!(matches!(error, Some(StoreError::PutAside { .. })));
        let kept = Commands { job_counter: 3, ..Commands::default() };
        file.keep(&kept).unwrap();
        assert_eq!(*CommandsFile::open(dir.path(), "p").0.kept(), kept);
    }
}
