//! Remembers on disk where a group went when it became a supergroup, until the settings name the new chat.

use super::super::config::Chat;
use crate::whole_file;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Version of the file.
const VERSION: u32 = 1;
/// A hundred bytes, and room for what a newer version adds.
const LIMIT: u64 = 16 * 1024;

/// Where a group went, as the state file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Moved {
    /// Version of this form.
    version: u32,
    /// The chat as the settings name it.
    configured: String,
    /// The chat it is now.
    chat_id: i64,
}

/// The state file of one configured chat.
#[derive(Debug)]
pub(in crate::bridge::telegram) struct MovedChat {
    path: PathBuf,
    configured: Chat,
}

impl MovedChat {
    /// The file of the bridge `id` in `data_dir` for the chat that the settings name.
    pub(in crate::bridge::telegram) fn new(data_dir: &Path, id: &str, configured: &Chat) -> Self {
        Self { path: data_dir.join(format!("{id}-chat.json")), configured: configured.clone() }
    }

    /// Where the configured chat went, if it did.
    pub(in crate::bridge::telegram) fn load(&self) -> Option<i64> {
        let moved = self.read()?;
        (moved.version <= VERSION && moved.configured == self.configured.to_string()).then_some(moved.chat_id)
    }

    /// Stores where the configured chat went. A failure is logged: the server tells again.
    pub(in crate::bridge::telegram) fn save(&self, chat_id: i64) {
        if self.read().is_some_and(|moved| moved.version > VERSION) {
            log::warn!("{} is from a newer version and stays as it is", self.path.display());
            return;
        }
        let moved = Moved { version: VERSION, configured: self.configured.to_string(), chat_id };
        let written = serde_json::to_vec(&moved)
            .map_err(std::io::Error::from)
            .and_then(|json| whole_file::replace(&self.path, &json));
        if let Err(error) = written {
            log::warn!("cannot write {}: {error}", self.path.display());
        }
    }

    fn read(&self) -> Option<Moved> {
        let json = whole_file::read(&self.path, LIMIT).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_move_of_the_configured_chat_is_remembered() {
        let place = tempfile::tempdir().unwrap();
        let moved = MovedChat::new(place.path(), "telegram", &Chat::Id(-100));
        assert_eq!(moved.load(), None);
        moved.save(-1_001_234);
        assert_eq!(MovedChat::new(place.path(), "telegram", &Chat::Id(-100)).load(), Some(-1_001_234));
        assert_eq!(MovedChat::new(place.path(), "telegram", &Chat::Id(-200)).load(), None);
    }

    #[test]
    fn what_a_newer_version_wrote_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("telegram-chat.json");
        let newer = r#"{"version":2,"configured":"-100","chat_id":-5,"more":[]}"#;
        std::fs::write(&path, newer).unwrap();
        let moved = MovedChat::new(place.path(), "telegram", &Chat::Id(-100));
        assert_eq!(moved.load(), None);
        moved.save(-7);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
        std::fs::write(&path, "no json").unwrap();
        moved.save(-7);
        assert_eq!(moved.load(), Some(-7));
    }
}
