//! Recordings of the official SDK for Python: what its application does goes into the line, and the requests that come
//! out are compared with those of the SDK, on a clock that jumps.
//!
//! A vector is played by parts of the bridge, each of which knows some actions and commands. A further one is an
//! [`play::Actor`] and a line in [`parts`].

mod application;
mod cameras;
mod expect;
mod files;
mod info;
mod known;
mod parts;
mod play;
mod stage;
mod transfers;

use super::folder::Verdict;
use serde_json::Value;
use std::path::Path;

/// How the names of a folder's vectors end.
pub(crate) const SUFFIX: &str = ".json";

/// Plays one vector.
pub(crate) fn verdict(path: &Path) -> Verdict {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vector: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let missing = parts::missing(&vector);
    if !missing.is_empty() {
        return Verdict::Skipped(format!("it waits for {}", missing.join(" and ")));
    }
    match played(&vector) {
        Ok(()) => known::proof(&vector).map_or_else(Verdict::Failed, |()| Verdict::Ok(None)),
        Err(difference) => Verdict::Failed(difference),
    }
}

/// The first difference.
fn played(vector: &Value) -> Result<(), String> {
    if parts::steps(vector).next().is_some() {
        expect::compare(vector, &play::play(vector)?)
    } else if !vector["inputs"]["cipher"].is_null() {
        known::cipher(vector)
    } else {
        known::derived(vector)
    }
}
