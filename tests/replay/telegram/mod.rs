//! The vectors of the realtime bridge and its chat.

mod chat;
mod expect;
mod objects;
mod vector;
mod whole;
mod world;

use crate::folder::Verdict;
use std::path::Path;
use std::time::Duration;
use vector::{Vector, What};

/// How the names of the files end.
pub(crate) const SUFFIX: &str = ".json";

pub(crate) fn verdict(path: &Path) -> Verdict {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with("b-") {
        return objects::verdict(path);
    }
    let vector = Vector::read(path);
    if let Some(feature) = &vector.optional_feature {
        return Verdict::Skipped(format!("an optional feature that does not exist here: {feature}"));
    }
    if vector.events.iter().any(|event| matches!(event.what, What::Http(..))) {
        // The chat's part runs without sockets as well, should there be one.
        if let Err(difference) = whole::play(&vector, Duration::ZERO) {
            return Verdict::Failed(difference);
        }
    }
    match expect::compare(&vector, &world::play(&vector)) {
        Ok(()) => Verdict::Ok(None),
        Err(difference) => Verdict::Failed(difference),
    }
}

/// The same through the whole program over sockets, in real time.
#[allow(dead_code, reason = "only the tests with peers have the time for it")]
pub(crate) fn over_sockets(path: &Path) -> Result<(), String> {
    let vector = Vector::read(path);
    let log = whole::play(&vector, Duration::from_secs(6))?;
    expect::compare(&vector, &log)
}
