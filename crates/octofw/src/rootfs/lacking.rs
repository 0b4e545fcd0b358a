//! What a step that failed in a rehearsal could not do without, as far as its error shows it.
//!
//! Commands of ours say it themselves; here is what other programs let on: a path of the root that is not there, a
//! command that is not found, an address that nobody reaches.

use std::path::{Component, Path, PathBuf};

use super::inside::Tree;
use crate::command::CommandError;
use crate::overlay::patches::{self, PATCHES};
use crate::overlay::{Overlay, OverlayError};
use crate::script_tools::said::Lack;

/// How programs say that the network did not answer.
const NO_NETWORK: [&str; 10] = [
    "not allowed",
    "Could not resolve",
    "could not resolve",
    "Failed to connect",
    "name resolution",
    "unable to access 'http",
    "Network is unreachable",
    "Connection refused",
    "module lookup disabled",
    "unable to resolve",
];
/// How they say that something is not there.
const NOT_THERE: [&str; 6] =
    ["No such file", "not found", "No rule to make", "does not exist", "cannot stat", "cannot open"];

/// What the step `part` of an overlay lacked; empty where the error shows nothing of the kind. Scripts run in
/// `directory`.
pub(super) fn of(
    overlay: &Overlay,
    part: &Path,
    error: &OverlayError,
    directory: &Path,
    tree: &Tree,
) -> Vec<Lack> {
    if let Ok(patch) = part.strip_prefix(PATCHES) {
        return of_patch(overlay, part, patch, tree);
    }
    let OverlayError::Failed { source: CommandError::Failed { tail, .. }, .. } = error else {
        return Vec::new();
    };
    of_output(tail, &empty_submodules(directory), tree)
}

/// What a program lacked, by the end of what it printed.
pub(crate) fn of_output(tail: &str, modules: &[String], tree: &Tree) -> Vec<Lack> {
    for line in tail.lines().rev() {
        if let Some(module) = modules.iter().find(|module| line.contains(module.as_str())) {
            return vec![Lack::Network { what: format!("the submodule {module}") }];
        }
        if NO_NETWORK.iter().any(|mark| line.contains(mark)) {
            let address = tail.lines().rev().find_map(address).unwrap_or("what it fetches");
            return vec![Lack::Network { what: address.to_owned() }];
        }
        if let Some(program) = missing_program(line) {
            return vec![Lack::Program { what: program.to_owned() }];
        }
        if let Some(path) = missing_path(line, tree) {
            return vec![Lack::Vendor { what: format!("/{}", path.display()) }];
        }
    }
    Vec::new()
}

/// A patch that does not apply is for files that this base does not have, or has in a version of its own.
fn of_patch(overlay: &Overlay, part: &Path, patch: &Path, tree: &Tree) -> Vec<Lack> {
    let vendor = |what: String| Lack::Vendor { what };
    let missing = patches::missing(overlay, tree, patch).unwrap_or_default();
    if !missing.is_empty() {
        return missing.iter().map(|path| vendor(format!("/{}", path.display()))).collect();
    }
    let named = patches::paths_of(overlay, part, patch.parent().unwrap_or(Path::new("")));
    let other = |path: &PathBuf| vendor(format!("/{} as the vendor has it", path.display()));
    named.unwrap_or_default().iter().map(other).collect()
}

/// A path of the root that the line names and that is not there.
fn missing_path(line: &str, tree: &Tree) -> Option<PathBuf> {
    if !NOT_THERE.iter().any(|mark| line.contains(mark)) {
        return None;
    }
    let root = tree.root().to_str()?;
    let (_, rest) = line.split_once(root)?;
    let end = rest.find(|c: char| c.is_whitespace() || "'\"`:;,)’".contains(c)).unwrap_or(rest.len());
    // What begins as the root's name and goes on otherwise lies beside it.
    let path = PathBuf::from(rest.get(..end)?.strip_prefix('/')?.trim_start_matches('/'));
    let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
    (is_below && matches!(tree.look(&path), Ok(None))).then_some(path)
}

/// The command that a shell did not find: `x.sh: line 3: ffmpeg: command not found`, `x.sh: 3: go: not found`.
fn missing_program(line: &str) -> Option<&str> {
    let before = line.strip_suffix("command not found").or_else(|| line.strip_suffix("not found"))?;
    let name = before.trim_end().strip_suffix(':')?.rsplit(' ').next()?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

fn address(line: &str) -> Option<&str> {
    line.split(|c: char| c.is_whitespace() || "'\"".contains(c))
        .find(|word| word.starts_with("http") && word.contains("://"))
}

/// Folders of the tree's submodules that were not fetched.
fn empty_submodules(directory: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(directory.join(".gitmodules")).unwrap_or_default();
    let is_empty = |path: &&str| {
        !std::fs::read_dir(directory.join(path)).is_ok_and(|mut entries| entries.next().is_some())
    };
    submodules(&text).filter(is_empty).map(str::to_owned).collect()
}

/// The folders that a `.gitmodules` names.
pub(crate) fn submodules(text: &str) -> impl Iterator<Item = &str> {
    let values =
        text.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim_start().strip_prefix('='));
    values.map(str::trim).filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_error_shows_what_was_lacking() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("root/etc")).unwrap();
        fs::create_dir_all(folder.path().join("scripts")).unwrap();
        fs::create_dir_all(folder.path().join("deps/empty")).unwrap();
        fs::write(folder.path().join(".gitmodules"), "[submodule \"x\"]\n\tpath = deps/empty\n\turl = y\n")
            .unwrap();
        let tree = Tree::at(folder.path().join("root"));
        let overlay = Overlay::open(folder.path()).unwrap();
        let root = tree.root().display();
        let network = |what: &str| vec![Lack::Network { what: what.into() }];
        let cases = [
            (
                format!("ERROR: not found at {root}/etc/nginx/x"),
                vec![Lack::Vendor { what: "/etc/nginx/x".into() }],
            ),
            (
                format!("cp: cannot stat '{root}/info/c': No such file or directory\nmake: *** [x] Error 1"),
                vec![Lack::Vendor { what: "/info/c".into() }],
            ),
            (format!("{root}/etc: not found"), Vec::new()),
            (format!("{root}.tools/x: not found"), Vec::new()),
            (format!("{root}/etc/../../x: not found"), Vec::new()),
            (
                "./x.sh: line 3: ffmpeg: command not found".into(),
                vec![Lack::Program { what: "ffmpeg".into() }],
            ),
            ("./x.sh: 3: go: not found".into(), vec![Lack::Program { what: "go".into() }]),
            ("fatal: unable to access 'https://a/b.git/': refused".into(), network("https://a/b.git/")),
            ("fatal: transport 'https' not allowed".into(), network("what it fetches")),
            (
                "+ git remote add origin https://a/b.git\nfatal: transport 'https' not allowed".into(),
                network("https://a/b.git"),
            ),
            (
                "make: *** /x/deps/empty: No such file or directory.  Stop.".into(),
                network("the submodule deps/empty"),
            ),
            ("it broke".into(), Vec::new()),
            (String::new(), Vec::new()),
        ];
        for (tail, expected) in cases {
            let source =
                CommandError::Failed { line: String::new(), status: String::new(), tail: tail.clone() };
            let error = overlay.failed("scripts/1.sh", source);
            assert_eq!(
                of(&overlay, Path::new("scripts/1.sh"), &error, folder.path(), &tree),
                expected,
                "{tail}"
            );
        }
    }
}
