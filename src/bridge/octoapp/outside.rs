//! What the bridge needs of the world. The real one is Moonraker and the network; tests pass their own.

use super::scan::Marks;
use serde_json::Value;

/// Why a value of the database could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is none.
    Missing,
    /// Nobody knows whether there is one: the text says why.
    Failed(String),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// An answer came.
    Answered { status: u16, body: Vec<u8> },
    /// None came; the text says why and what to do.
    Failed(String),
}

/// The world. Every call may block for some seconds.
pub(super) trait Outside {
    /// A value of Moonraker's database, as the text of its JSON.
    fn read(&mut self, namespace: &str, key: &[&str]) -> Result<String, Unread>;

    /// Sets a value there; an object is merged into one that is there.
    fn write(&mut self, namespace: &str, key: &[&str], value: &Value) -> Result<(), String>;

    /// Deletes a value there.
    fn delete(&mut self, namespace: &str, key: &[&str]) -> Result<(), String>;

    /// Sends JSON.
    fn post(&mut self, url: &str, body: &str) -> Reply;

    /// Fetches a small file.
    fn get(&mut self, url: &str) -> Reply;

    /// Scans a file of the gcodes root, unless it was scanned before: gives what is in it, or does so in the background
    /// and hands it in with the print's identity later. One without an identity is only scanned in advance.
    fn scan(&mut self, print: &str, path: &str) -> Option<Marks>;

    /// Whether OctoApp's own plugin looks after this printer; none where Moonraker does not answer.
    fn plugin_runs(&mut self) -> Option<bool>;

    /// Fills `bytes` by chance, unguessable. False where the system has none to give.
    fn chance(&mut self, bytes: &mut [u8]) -> bool;
}
