//! Which command came last and what became of it, so that none is done twice, and the numbers of jobs.
//!
//! Written by the service.

use super::{Drawer, StoreError};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Longest reason that is kept, in bytes.
const MOST: usize = 1024;

/// What is kept of the work for Connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Commands {
    /// The command that came last.
    pub(crate) last: Option<LastCommand>,
    /// The number of the last job; 0: there was none.
    pub(crate) job_counter: u32,
    /// The command that started the job under way, if one did.
    pub(crate) start_cmd_id: Option<u32>,
}

/// The command that came last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastCommand {
    /// Connect's number for it.
    pub(crate) id: u32,
    /// Connect's word for the event that ended it; none while it is worked on.
    pub(crate) result: Option<String>,
    /// The reason that was told with it.
    pub(crate) reason: Option<String>,
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
        if let Some(LastCommand { id, result, reason }) = &commands.last {
            put("last", json!({"id": id, "result": result, "reason": reason}));
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
    let last = content.get("last").and_then(|last| {
        let text = |name: &str| last.get(name)?.as_str().filter(|text| text.len() <= MOST).map(str::to_owned);
        Some(LastCommand { id: number(last.get("id"))?, result: text("result"), reason: text("reason") })
    });
    Commands {
        last,
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
        let last = |result: Option<&str>| {
            Some(LastCommand { id: 42, result: result.map(str::to_owned), reason: result.map(str::to_owned) })
        };
        for kept in [
            Commands { last: last(None), job_counter: 7, start_cmd_id: Some(42) },
            Commands { last: last(Some("REJECTED")), job_counter: u32::MAX, start_cmd_id: None },
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
