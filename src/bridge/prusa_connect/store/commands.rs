//! What became of the last commands, so that none is done twice, and the numbers of jobs.
//!
//! Written by the service.

use super::{Drawer, StoreError};
use crate::bridge::prusa_connect::connect::kept::Kept;
use serde_json::{Map, Value};
use std::path::Path;

/// What is kept of the work for Connect.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Commands {
    /// What the line to Connect must know of its commands. Its token and code are kept elsewhere, and are none here.
    pub(crate) line: Kept,
    /// The number of the last job; 0: there was none.
    pub(crate) job_counter: u32,
    /// The command that started the job under way, if one did.
    pub(crate) start_cmd_id: Option<u32>,
}

/// The file, as long as the service runs.
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
        let line = Kept { token: None, code: None, ..commands.line.clone() };
        let commands = Commands { line, ..*commands };
        if self.stored == commands {
            return Ok(());
        }
        let mut content = Map::new();
        let mut put = |name: &str, value: Value| content.insert(name.to_owned(), value);
        // Its text is JSON.
        put("line", serde_json::from_str(&commands.line.to_text()).unwrap_or_default());
        put("job_counter", commands.job_counter.into());
        if let Some(id) = commands.start_cmd_id {
            put("start_cmd_id", id.into());
        }
        self.drawer.write(content)?;
        self.stored = commands;
        Ok(())
    }
}

fn read(content: &Map<String, Value>) -> Commands {
    let number = |name: &str| u32::try_from(content.get(name)?.as_u64()?).ok();
    let line = content.get("line").and_then(|line| Kept::from_text(&line.to_string())).unwrap_or_default();
    Commands {
        line: Kept { token: None, code: None, ..line },
        job_counter: number("job_counter").unwrap_or_default(),
        start_cmd_id: number("start_cmd_id"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::prusa_connect::connect::ledger::{End, Past};
    use crate::bridge::prusa_connect::connect::token::Token;

    #[test]
    fn commands_come_back_as_they_were_and_no_secret_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, error) = CommandsFile::open(dir.path(), "p");
        assert!(error.is_none() && *file.kept() == Commands::default());
        let past = |id, end, reason: &str| Past { id, end, reason: reason.into() };
        let line = Kept {
            past: vec![past(u32::MAX, End::Finished, ""), past(2, End::Rejected, "No such \"file\"")],
            running: Some(42),
            untold: Some(2),
            ..Kept::default()
        };
        for kept in [
            Commands { line, job_counter: 7, start_cmd_id: Some(42) },
            Commands { job_counter: u32::MAX, ..Commands::default() },
        ] {
            let with_token = Kept { token: Token::new("hunter2"), ..kept.line.clone() };
            file.keep(&Commands { line: with_token, ..kept }).unwrap();
            assert!(*CommandsFile::open(dir.path(), "p").0.kept() == kept);
            let text = std::fs::read_to_string(dir.path().join("p_commands.json")).unwrap();
            assert!(!text.contains("hunter2"));
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
        assert!(*CommandsFile::open(dir.path(), "p").0.kept() == kept);
    }

    #[test]
    fn a_damaged_file_is_told_and_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("p_commands.json"), "{").unwrap();
        let (mut file, error) = CommandsFile::open(dir.path(), "p");
        assert!(matches!(error, Some(StoreError::PutAside { .. })));
        let kept = Commands { job_counter: 3, ..Commands::default() };
        file.keep(&kept).unwrap();
        assert!(*CommandsFile::open(dir.path(), "p").0.kept() == kept);
    }
}
