//! The versions of the tools that a build depends on, for the manifest and for the question whether anything changed.

use std::collections::BTreeMap;

use crate::command::{Command, CommandError};

const SQUASHFS_TOOLS: &str = "install it with: apt-get install squashfs-tools";

/// Asks each tool for its version; what the caller knows already is taken as given.
///
/// The compilers did not take part in this build; they made the programs in the overlays. Where they are neither given
/// nor installed, they are left out.
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
    for (program, option, remedy) in needed {
        let printed = first_line(&Command::new(program).arg(option).remedy(remedy))?;
        versions.insert(program.into(), printed);
    }
    for (name, program) in [("patch", "patch"), ("rustc", "rustc"), ("cc", "aarch64-linux-gnu-gcc")] {
        if !versions.contains_key(name)
            && let Ok(printed) = first_line(&Command::new(program).arg("--version"))
        {
            versions.insert(name.into(), printed);
        }
    }
    Ok(versions)
}

/// Some versions of unsquashfs report failure after printing their version.
fn first_line(command: &Command) -> Result<String, CommandError> {
    let text = match command.clone().env("LC_ALL", "C").run() {
        Ok(text) => text,
        Err(CommandError::Failed { tail, .. }) if tail.contains("version") => tail,
        Err(error) => return Err(error),
    };
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
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
}
