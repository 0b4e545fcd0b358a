//! Recordings of a real Moonraker, played through the real session and observer, give the events of the tables
//! beside them, uncut and cut at any boundary between messages and gone on from the stored memory.

use super::folder::Verdict;
use super::player::{self, Told};
use super::table::Table;
use super::transcript::Transcript;
use std::collections::BTreeSet;
use std::path::Path;

/// How the names of a folder's vectors end.
pub(crate) const SUFFIX: &str = ".jsonl";

/// Plays one transcript.
pub(crate) fn verdict(path: &Path) -> Verdict {
    let table = Table::beside(path);
    if let Some(reason) = table.as_ref().and_then(|table| table.skip.clone()) {
        return Verdict::Skipped(reason);
    }
    let transcript = Transcript::load(path);
    let (told, boundaries) = player::play(&transcript);
    let found = Table::of(&told);
    let expected = table.as_ref().unwrap_or(&found);
    let shown = table.is_none().then(|| found.text());
    if let Err(difference) = expected.compare(&told) {
        return Verdict::Failed(format!("{difference}\n{}", found.text()));
    }
    if let Err(difference) = keys(&transcript, &told) {
        return Verdict::Failed(difference);
    }
    // At each cut the old process is gone and a new one connects at once, as after a crash.
    for (index, boundary) in boundaries.iter().enumerate() {
        let mut cut = told[..boundary.told].to_vec();
        cut.extend(player::resume(&transcript, index, boundary));
        if let Err(difference) = expected.compare(&cut) {
            let t = transcript.items[index].0;
            let found = Table::of(&cut).text();
            return Verdict::Failed(format!("cut before message {index} at {t}: {difference}\n{found}"));
        }
        let differing = differing_keys(&told, &cut);
        if !differing.is_empty() {
            return Verdict::Failed(format!("cut before message {index}: other keys: {differing:?}"));
        }
    }
    Verdict::Ok(shown)
}

/// The keys that an outbox would hold of one of the two only. What may be missing are per cents, which are joined, and
/// a dialog that was being opened at the cut: a new connection is not told its first lines again.
fn differing_keys<'t>(whole: &'t [Told], cut: &'t [Told]) -> Vec<&'t str> {
    let keys = |told: &'t [Told]| told.iter().map(|told| told.event.key.as_str()).collect::<BTreeSet<_>>();
    let (whole, cut) = (keys(whole), keys(cut));
    let missing = whole
        .difference(&cut)
        .filter(|key| !["/progress/", "/prompt/"].iter().any(|part| key.contains(part)));
    missing.chain(cut.difference(&whole)).copied().collect()
}

/// The outbox takes a key once: no two facts may share one, and a fact keeps its key.
fn keys(transcript: &Transcript, told: &[Told]) -> Result<(), String> {
    let mut keys: Vec<&str> = told.iter().map(|told| told.event.key.as_str()).collect();
    keys.sort_unstable();
    if let Some(twice) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("two events have the key {}", twice[0]));
    }
    let (again, _) = player::play(transcript);
    for (one, other) in told.iter().zip(&again) {
        if one.event.key != other.event.key {
            return Err(format!("an event has the key {} once and {} then", one.event.key, other.event.key));
        }
    }
    Ok(())
}
