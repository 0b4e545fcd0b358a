//! Asks `cargo tree` which crates are linked into a package for a target, and reads its answer.
//!
//! `cargo metadata` would give all that any member, test or build script of the workspace needs, with the union
//! of their features; `cargo tree` resolves for one package, and leaves out what only runs while compiling.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::SbomError;
use crate::command::Command;

/// A crate by name and version.
pub(crate) type CrateId = (String, String);

/// A linked crate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Its licence as its manifest has it; empty when it has none.
    pub(crate) license: String,
    /// What it is linked with.
    pub(crate) needs: BTreeSet<CrateId>,
}

/// All linked crates, and which of them is the package itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: CrateId,
    pub(crate) crates: BTreeMap<CrateId, Linked>,
}

pub(crate) fn ask(manifest: &Path, package: &str, target: &str) -> Result<Tree, SbomError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--quiet", "--manifest-path"])
        .arg(manifest)
        .args(["--package", package, "--target", target, "--edges", "normal,no-proc-macro"])
        .args(["--prefix", "depth", "--charset", "ascii", "--color", "never", "--format", "\t{p}\t{l}\t"])
        .remedy("install Rust with rustup")
        .output()
        .map_err(|source| SbomError::Cargo { package: package.to_owned(), source })?;
    parse(&String::from_utf8_lossy(&output)).map_err(|line| SbomError::Tree { line })
}

/// Reads lines of `DEPTH \t NAME vVERSION (SOURCE) \t LICENCE \t`, perhaps with `(*)` behind, which says that the
/// crate's own needs were printed before. An error is the line that is not understood.
pub(crate) fn parse(text: &str) -> Result<Tree, String> {
    let mut crates: BTreeMap<CrateId, Linked> = BTreeMap::new();
    let mut above: Vec<CrateId> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut fields = line.split('\t');
        let mut field = || fields.next().ok_or_else(|| line.to_owned());
        let depth: usize = field()?.parse().map_err(|_| line.to_owned())?;
        let mut words = field()?.split(' ');
        let license = field()?.to_owned();
        let name = words.next().filter(|name| !name.is_empty()).ok_or_else(|| line.to_owned())?;
        let version = words.next().and_then(|word| word.strip_prefix('v')).ok_or_else(|| line.to_owned())?;
        let id = (name.to_owned(), version.to_owned());
        // One step deeper at most, and only one crate at the top.
        if depth > above.len() || (depth == 0 && !above.is_empty()) {
            return Err(line.to_owned());
        }
        above.truncate(depth);
        if let Some(parent) = above.last() {
            crates.entry(parent.clone()).or_default().needs.insert(id.clone());
        }
        crates.entry(id.clone()).or_default().license = license;
        above.push(id);
    }
    let root = above.first().cloned().ok_or_else(|| "nothing at all".to_owned())?;
    Ok(Tree { root, crates })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(name: &str, version: &str) -> CrateId {
        (name.to_owned(), version.to_owned())
    }

    #[test]
    fn edges_come_from_depths_and_repeated_crates_keep_theirs() {
        let text = "0\tapp v0.1.0 (/somewhere)\tMIT\t\n1\ta v1.0.0\tISC\t\n2\tb v2.0.0\tMIT OR Apache-2.0\t\n\
                    1\tc v3.0.0+build.1\t\t\n2\ta v1.0.0\tISC\t (*)\n";
        let tree = parse(text).unwrap();
        assert_eq!(tree.root, id("app", "0.1.0"));
        let needs = |name: &str, version: &str| {
            tree.crates[&id(name, version)].needs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(needs("app", "0.1.0"), ["a", "c"]);
        assert_eq!(needs("a", "1.0.0"), ["b"]);
        assert_eq!(needs("c", "3.0.0+build.1"), ["a"]);
        assert_eq!(tree.crates[&id("b", "2.0.0")].license, "MIT OR Apache-2.0");
        assert_eq!(tree.crates.len(), 4);
    }

    #[test]
    fn lines_that_make_no_tree_are_refused() {
        for text in [
            "",
            "x\ta v1\t\t",
            "1\ta v1\t\t",
            "0\ta 1\t\t",
            "0\ta v1",
            "0\ta v1\t\t\n0\tb v1\t\t",
            "0\ta v1\t\t\n2\tb v1\t\t",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "([0-9]{1,3}|\t|a v1|\n|.){0,40}") {
            let _ = parse(&text);
        }
    }
}
