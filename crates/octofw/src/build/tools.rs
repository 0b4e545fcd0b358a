//! The versions of the tools that a build depends on, for the manifest and for the question whether anything changed.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};

use crate::command::{Command, CommandError};
use crate::lock::{Lock, TOOLS};

const SQUASHFS_TOOLS: &str = "install it with: apt-get install squashfs-tools";

/// A tool that is being asked.
type Asked<'scope> = ScopedJoinHandle<'scope, Result<String, CommandError>>;

/// Asks each tool for its version; what the caller knows already is taken as given.
///
/// The compilers did not take part in this build; they made the programs in the overlays. Where they are neither given
/// nor installed, they are left out. The names are those of [`crate::lock::TOOLS`].
///
/// # Errors
/// When a tool that every build needs is missing; the message says how to get it.
pub fn versions(given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, CommandError> {
    let mut versions = given.clone();
    versions.insert("octofw".into(), env!("CARGO_PKG_VERSION").into());
    let needed = [
        ("mksquashfs", "-version", SQUASHFS_TOOLS),
        ("unsquashfs", "-version", SQUASHFS_TOOLS),
        ("fakeroot", "--version", "install it with: apt-get install fakeroot"),
    ];
    let others = ["patch", "rustc", "aarch64-linux-gnu-gcc"];
    // All at once, since each takes as long to start as to answer.
    let (found, others) = thread::scope(|scope| {
        let needed: Vec<_> = needed
            .into_iter()
            .filter(|(program, ..)| !versions.contains_key(*program))
            .map(|(program, option, remedy)| {
                let ask = move || Command::new(program).arg(option).remedy(remedy).version();
                (program, scope.spawn(ask))
            })
            .collect();
        let others: Vec<_> = others
            .into_iter()
            .filter(|program| !versions.contains_key(*program))
            .map(|program| (program, scope.spawn(move || Command::new(program).arg("--version").version())))
            .collect();
        let answer = |(program, asked): (&'static str, Asked<'_>)| {
            asked.join().unwrap_or_else(|panic| resume_unwind(panic)).map(|printed| (program, printed))
        };
        let found: Result<Vec<_>, _> = needed.into_iter().map(answer).collect();
        (found, others.into_iter().filter_map(|asked| answer(asked).ok()).collect::<Vec<_>>())
    });
    versions.extend(found?.into_iter().chain(others).map(|(program, printed)| (program.into(), printed)));
    Ok(versions)
}

/// Those of the versions that a lock records too, as what this build has met.
#[must_use]
pub fn met(versions: &BTreeMap<String, String>) -> Lock {
    let mut met = Lock::new();
    for (name, ..) in TOOLS {
        if let Some(version) = versions.get(name) {
            met.lock_tool(name, version);
        }
    }
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_needed_tool_says_its_version_and_what_is_given_counts() {
        let given = BTreeMap::from([("rustc".to_owned(), "rustc 9.9".to_owned())]);
        let versions = versions(&given).unwrap();
        assert_eq!(versions["rustc"], "rustc 9.9");
        for (name, begins) in [
            ("mksquashfs", "mksquashfs version 4."),
            ("unsquashfs", "unsquashfs version 4."),
            ("fakeroot", "fakeroot version 1."),
        ] {
            assert!(versions[name].starts_with(begins), "{name}: {}", versions[name]);
        }
    }

    /// A program that was compiled in a container must not be said to be the work of this machine's compiler.
    #[test]
    fn a_compiler_that_is_given_is_not_asked_for_again() {
        let gcc = "aarch64-linux-gnu-gcc";
        let given = BTreeMap::from([(gcc.to_owned(), "gcc of the container".to_owned())]);
        let versions = versions(&given).unwrap();
        let compilers: Vec<_> = versions.iter().filter(|(name, _)| name.contains("cc")).collect();
        assert_eq!(compilers, [(&gcc.to_owned(), &"gcc of the container".to_owned())]);
    }

    #[test]
    fn a_lock_is_held_against_the_tools_that_it_records() {
        let versions = ["mksquashfs", "unsquashfs", "rustc"].map(|name| (name.to_owned(), "1".to_owned()));
        let names: Vec<String> = met(&versions.into()).tools().keys().cloned().collect();
        assert_eq!(names, ["mksquashfs", "rustc"]);
    }
}
