//! What became of the last commands, so that none is done twice, and the numbers of jobs.
//!
//! Written by the service.

use super::{Drawer, StoreError};
use crate::bridge::prusa_connect::connect::kept::Kept;
use crate::bridge::prusa_connect::transfer;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Most tools that are read.
const MOST_TOOLS: usize = 32;

/// What is kept of the work for Connect.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Commands {
    /// What the line to Connect must know of its commands. Its token and code are kept elsewhere, and are none here.
    pub(crate) line: Kept,
    /// What must be known of the jobs and tools.
    pub(crate) machine: Value,
    /// The transfer under way.
    pub(crate) transfer: Option<transfer::Kept>,
    /// The file that came to be printed, and is not printed yet.
    pub(crate) print: Option<transfer::Print>,
    /// The tools, from 0, that are mapped to toolheads for the job under way.
    pub(crate) mapped: Vec<u8>,
}

/// The file, as long as the service runs.
pub(crate) struct CommandsFile {
    drawer: Drawer,
    stored: Commands,
}

impl CommandsFile {
    pub(super) const NAME: &str = "commands";

    /// What is kept, for somebody else than the service: nothing is changed.
    pub(crate) fn look(data_dir: &Path, id: &str) -> Commands {
        let content = Drawer::new(data_dir, id, Self::NAME).read_as_it_is();
        read(&content.ok().flatten().unwrap_or_default())
    }

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
        let commands = Commands { line, ..commands.clone() };
        if self.stored == commands {
            return Ok(());
        }
        let mut content = Map::new();
        let mut put = |name: &str, value: Value| content.insert(name.to_owned(), value);
        // Its text is JSON.
        put("line", serde_json::from_str(&commands.line.to_text()).unwrap_or_default());
        put("machine", commands.machine.clone());
        if let Some(transfer) = &commands.transfer {
            put("transfer", transfer.to_json().into());
        }
        if let Some(print) = &commands.print {
            put("print", json!([print.path, print.command]));
        }
        if !commands.mapped.is_empty() {
            put("mapped", commands.mapped.clone().into());
        }
        self.drawer.write(content)?;
        self.stored = commands;
        Ok(())
    }
}

fn read(content: &Map<String, Value>) -> Commands {
    let line = content.get("line").and_then(|line| Kept::from_text(&line.to_string())).unwrap_or_default();
    let print = |print: &Value| {
        let command = u32::try_from(print.get(1)?.as_u64()?).ok()?;
        Some(transfer::Print { path: print.get(0)?.as_str()?.to_owned(), command })
    };
    let tools = content.get("mapped").and_then(Value::as_array).into_iter().flatten();
    Commands {
        line: Kept { token: None, code: None, ..line },
        machine: content.get("machine").cloned().unwrap_or_default(),
        transfer: content.get("transfer").and_then(Value::as_str).and_then(transfer::Kept::from_json),
        print: content.get("print").and_then(print),
        mapped: tools.filter_map(|tool| u8::try_from(tool.as_u64()?).ok()).take(MOST_TOOLS).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::prusa_connect::connect::ledger::{End, Past};
    use crate::bridge::prusa_connect::connect::state::State;
    use crate::bridge::prusa_connect::connect::token::Token;

    #[test]
    fn commands_come_back_as_they_were_and_no_secret_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let (mut file, error) = CommandsFile::open(dir.path(), "p");
        assert!(error.is_none() && *file.kept() == Commands::default());
        let past = |id, end, reason: &str| Past { id, end, reason: reason.into(), untold: id == 2 };
        let line = Kept {
            past: vec![past(u32::MAX, End::Finished, ""), past(2, End::Rejected, "No such \"file\"")],
            running: Some(42),
            state: State::Printing,
            ..Kept::default()
        };
        let print = Some(transfer::Print { path: "a \"b\".gcode".to_owned(), command: 42 });
        let transfer = transfer::Kept::from_json(r#"{"id":7,"command":42,"path":"/local/a \"b\".gcode"}"#);
        for kept in [
            Commands {
                line,
                machine: json!({"job": {"last": 7}}),
                transfer: transfer.clone(),
                print,
                mapped: vec![0, 3],
            },
            Commands { transfer, ..Commands::default() },
        ] {
            let with_token = Kept { token: Token::new("hunter2"), ..kept.line.clone() };
            file.keep(&Commands { line: with_token, ..kept.clone() }).unwrap();
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
        let kept = Commands { machine: json!({"job": 1}), ..Commands::default() };
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
        let kept = Commands { machine: json!({"job": 3}), ..Commands::default() };
        file.keep(&kept).unwrap();
        assert!(*CommandsFile::open(dir.path(), "p").0.kept() == kept);
    }
}
