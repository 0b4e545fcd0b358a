//! Recordings of OctoApp's companion plugin: messages of Moonraker go into the real session, observer and bridge, and
//! the requests that come out are compared with those of the plugin, on a clock that jumps.
//!
//! Deviations are rules, each with its number in `docs/octoapp.md`; see [`deviations`].

mod course;
mod deviations;
mod equal;
pub(crate) mod expect;
mod failures;
pub(crate) mod moonraker;
mod wanted;
pub(crate) mod world;

use super::folder::Verdict;
use octobridge::bridge::octoapp::rehearsal::encrypt;
use serde_json::Value;
use std::path::Path;

/// How the names of a folder's vectors end.
pub(crate) const SUFFIX: &str = ".json";
/// The folder of the generation that this is.
const GENERATION: &str = "3.x";

/// Plays one vector.
pub(crate) fn verdict(path: &Path) -> Verdict {
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    if folder != GENERATION && folder != "octoapp" {
        return Verdict::Skipped(format!("it is of the generation {folder}"));
    }
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let vector: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let result = match vector["level"].as_str() {
        Some("cipher") => ciphers(&vector),
        Some("sender") => sender(&vector),
        Some("moonraker") => expect::compare(&vector, &world::play(&vector)),
        level => Err(format!("nobody knows the level {level:?}")),
    };
    match result {
        Ok(()) => Verdict::Ok(None),
        Err(difference) => Verdict::Failed(difference),
    }
}

/// Ciphertexts, bit for bit.
fn ciphers(vector: &Value) -> Result<(), String> {
    for case in vector["vectors"].as_array().unwrap() {
        let text = |field: &str| case[field].as_str().unwrap();
        let iv = hex(text("iv_hex"));
        let made = encrypt(text("plain_text"), text("encryption_key"), iv.try_into().unwrap());
        if made != text("android_data") {
            return Err(format!("`{}` becomes {made}", text("plain_text")));
        }
    }
    Ok(())
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// Events handed straight to what sends them, a fresh bridge for each.
fn sender(vector: &Value) -> Result<(), String> {
    for case in vector["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        let one = world::one_case(vector, case);
        expect::compare(&one.0, &one.1).map_err(|difference| format!("{name}: {difference}"))?;
    }
    Ok(())
}
