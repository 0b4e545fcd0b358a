//! `octofw` as people meet it: completions, manual, colours, the cache, what every command offers, and the recipe for
//! pipelines.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected shall stop"
)]

mod cache;
mod colours;
mod completions;
mod every_command;
mod manual;
mod pipelines;

use std::path::Path;
use std::process::{Command, Output};

/// The program under test.
const OCTOFW: &str = env!("CARGO_BIN_EXE_octofw");

/// Calls octofw in a folder, with nothing of ours in its environment that it would heed.
fn octofw(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(OCTOFW);
    command.args(arguments).current_dir(folder).env("HOME", folder);
    let heeded = ["NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "XDG_CACHE_HOME"];
    for name in heeded.into_iter().chain(["OCTOFW_CACHE", "OCTOFW_CACHE_SIZE", "SOURCE_DATE_EPOCH"]) {
        command.env_remove(name);
    }
    command
}

/// What a call printed, which must have ended with this code.
fn printed(output: Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    String::from_utf8(output.stdout).unwrap()
}
