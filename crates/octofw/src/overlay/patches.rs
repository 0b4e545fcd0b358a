//! Applies an overlay's patches to the unpacked root: `patch -p1`, no fuzz.
//!
//! Found at any depth and sorted by path; the folder below `patches/` is the folder below the root to which a patch
//! belongs. A context that drifted fails the build: a patch that lands somewhere near is worse than none.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::scripts::windows_line;
use super::{Overlay, OverlayError, entries};
use crate::command::{Command, CommandError};
use crate::rootfs::inside::{Tree, mounted_above};

/// The folder's name.
pub const PATCHES: &str = "patches";
/// Largest patch, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// The patches of an overlay, relative to `patches/`, in the order in which they are applied.
///
/// # Errors
/// When the folder cannot be read.
pub fn find(overlay: &Overlay) -> Result<Vec<PathBuf>, OverlayError> {
    let mut found = Vec::new();
    search(overlay, Path::new(""), &mut found)?;
    found.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(found)
}

fn search(overlay: &Overlay, below: &Path, found: &mut Vec<PathBuf>) -> Result<(), OverlayError> {
    for (name, place) in entries(overlay, &overlay.folder.join(PATCHES).join(below))? {
        let path = below.join(&name);
        let metadata = fs::symlink_metadata(&place).map_err(|e| overlay.system(&place, e))?;
        if metadata.is_dir() {
            search(overlay, &path, found)?;
        } else if name.ends_with(".patch") {
            found.push(path);
        }
    }
    Ok(())
}

/// Every path that the patches name, relative to the root of the printer.
///
/// # Errors
/// When a patch cannot be read or is none.
pub fn paths(overlay: &Overlay) -> Result<Vec<PathBuf>, OverlayError> {
    let mut found = Vec::new();
    for (patch, targets) in named(overlay)? {
        found.push(patch.parent().unwrap_or(Path::new("")).to_owned());
        found.extend(targets);
    }
    Ok(found)
}

/// Each patch, relative to `patches/`, in the order in which they are applied, with the paths that it names.
///
/// # Errors
/// When a patch cannot be read or is none.
pub fn named(overlay: &Overlay) -> Result<Vec<(PathBuf, Vec<PathBuf>)>, OverlayError> {
    let mut found = Vec::new();
    for patch in find(overlay)? {
        let name = Path::new(PATCHES).join(&patch);
        let folder = patch.parent().unwrap_or(Path::new(""));
        let text = read(overlay, &name)?;
        let targets = targets(&text).map_err(|wrong| unfit(overlay, &name, wrong))?;
        let targets = targets.into_iter().map(|target| folder.join(target)).collect();
        found.push((patch, targets));
    }
    Ok(found)
}

/// Applies one patch of [`find`] to the tree; `trial` only looks whether it would apply.
///
/// Returns a note for each hunk that was found at other lines than it says.
///
/// # Errors
/// When it does not apply exactly, names a path outside the root or goes through a link.
pub fn apply(overlay: &Overlay, tree: &Tree, patch: &Path, trial: bool) -> Result<Vec<String>, OverlayError> {
    let name = Path::new(PATCHES).join(patch);
    let file = overlay.folder.join(&name).canonicalize().map_err(|e| overlay.system(&name, e))?;
    let text = read(overlay, &name)?;
    if let Some(line) = windows_line(&text) {
        let problem = "it has Windows line ends (CRLF); convert it with: sed -i 's/\\r$//'";
        return Err(overlay.unfit(at_line(&name, line), problem));
    }
    let folder = patch.parent().unwrap_or(Path::new(""));
    for target in targets(&text).map_err(|wrong| unfit(overlay, &name, wrong))? {
        check_target(overlay, tree, &name, &folder.join(target))?;
    }
    if !tree.look(folder).map_err(|e| overlay.system(&name, e))?.is_some_and(|found| found.is_dir()) {
        let problem = format!("there is no folder /{} in the root for it", folder.display());
        return Err(overlay.unfit(&name, problem));
    }
    let mut command = Command::new("patch");
    if trial {
        command = command.arg("--dry-run");
    }
    let printed = command
        .args(["-u", "-p1", "-F", "0", "--forward", "--no-backup-if-mismatch", "-i"])
        .arg(&file)
        .directory(tree.place(folder))
        .env("LC_ALL", "C")
        .without("POSIXLY_CORRECT")
        .without("VERSION_CONTROL")
        .without("PATCH_GET")
        .remedy("install it with: apt-get install patch")
        .run()
        .map_err(|error| {
            let failed = match &error {
                CommandError::Failed { tail, .. } => failed_hunk(&text, tail),
                _ => None,
            };
            overlay.failed(failed.map_or_else(|| name.clone(), |line| at_line(&name, line).into()), error)
        })?;
    let moved = printed.lines().filter(|line| line.contains("(offset"));
    Ok(moved.map(|line| format!("{}: {}: {}", overlay.name, name.display(), line.trim())).collect())
}

/// The paths that a patch names and the tree does not have.
///
/// # Errors
/// When the patch cannot be read or is none.
pub fn missing(overlay: &Overlay, tree: &Tree, patch: &Path) -> Result<Vec<PathBuf>, OverlayError> {
    let name = Path::new(PATCHES).join(patch);
    let folder = patch.parent().unwrap_or(Path::new(""));
    let mut found = paths_of(overlay, &name, folder)?;
    found.retain(|path| matches!(tree.look(path), Ok(None)));
    Ok(found)
}

/// The paths that a patch names, each once.
pub(crate) fn paths_of(overlay: &Overlay, name: &Path, folder: &Path) -> Result<Vec<PathBuf>, OverlayError> {
    let text = read(overlay, name)?;
    let found = targets(&text).map_err(|wrong| unfit(overlay, name, wrong))?;
    let mut found: Vec<_> = found.into_iter().map(|target| folder.join(target)).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

fn read(overlay: &Overlay, name: &Path) -> Result<Vec<u8>, OverlayError> {
    let place = overlay.folder.join(name);
    let system = |e| overlay.system(name, e);
    let metadata = fs::metadata(&place).map_err(system)?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(overlay.unfit(name, "it is not a file, or larger than 64 MiB; that is no patch"));
    }
    fs::read(place).map_err(system)
}

fn at_line(name: &Path, line: usize) -> String {
    format!("{}, line {line}", name.display())
}

fn unfit(overlay: &Overlay, name: &Path, (line, problem): (usize, String)) -> OverlayError {
    overlay.unfit(at_line(name, line), problem)
}

/// The line of the patch at which the first hunk begins that `patch` could not apply, from what it printed.
pub(crate) fn failed_hunk(text: &[u8], printed: &str) -> Option<usize> {
    let failed = printed.lines().position(|line| line.contains("FAILED at"))?;
    let number: usize =
        printed.lines().nth(failed)?.split_once("Hunk #")?.1.split(' ').next()?.parse().ok()?;
    let file = printed.lines().take(failed).filter_map(|line| line.split_once("file ")).last()?.1.trim();
    let mut hunk = Hunk::default();
    let (mut here, mut seen) = (false, 0);
    for (line, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let bytes = String::from_utf8_lossy(bytes);
        if hunk.takes(&bytes) {
            continue;
        }
        if let Some(path) = ["--- ", "+++ "].iter().find_map(|mark| bytes.strip_prefix(mark)) {
            let path = without_time(path);
            let begins = path.split_once('/').is_some_and(|(_, path)| path == file);
            here = begins || (here && bytes.starts_with("+++"));
            seen = 0;
        } else if let Some(begun) = Hunk::begins(&bytes) {
            hunk = begun;
            seen += 1;
            if here && seen == number {
                return Some(line + 1);
            }
        }
    }
    None
}

fn check_target(overlay: &Overlay, tree: &Tree, name: &Path, target: &Path) -> Result<(), OverlayError> {
    let system = |e| overlay.system(name, e);
    if let Some(mounted) = mounted_above(target) {
        let problem = format!(
            "it changes /{}, but on the printer something else is mounted over /{mounted}",
            target.display()
        );
        return Err(overlay.unfit(name, problem));
    }
    let link = match tree.link_above(target).map_err(system)? {
        Some(link) => Some(link),
        None => {
            tree.look(target).map_err(system)?.filter(|found| found.is_symlink()).map(|_| target.to_owned())
        }
    };
    match link {
        None => Ok(()),
        Some(link) => {
            let problem = format!(
                "it changes /{}, but /{} is a link; patch the path that the link leads to",
                target.display(),
                link.display()
            );
            Err(overlay.unfit(name, problem))
        }
    }
}

/// The paths that a patch names, without their first component, as `-p1` takes them; or the line and what is wrong.
pub(crate) fn targets(text: &[u8]) -> Result<Vec<PathBuf>, (usize, String)> {
    let mut found = Vec::new();
    let mut hunk = Hunk::default();
    let mut changes = false;
    let mut git = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = String::from_utf8_lossy(line);
        let wrong = |problem: String| (number + 1, problem);
        if hunk.takes(&line) {
            continue;
        }
        if let Some(names) = git_names(&line) {
            git = names;
            continue;
        }
        if let Some(begun) = Hunk::begins(&line) {
            hunk = begun;
            changes = true;
            continue;
        }
        if is_other_format(&line) {
            return Err(wrong(
                "it is no unified diff (patch would run an ed script); make it with: diff -u, or git diff"
                    .into(),
            ));
        }
        changes |= GIT_CHANGES.iter().any(|mark| line.starts_with(mark));
        let header =
            ["--- ", "+++ ", "Index: "].iter().find_map(|mark| line.strip_prefix(mark)).map(|rest| (rest, 1));
        let moved = ["rename from ", "rename to ", "copy from ", "copy to "];
        let header =
            header.or_else(|| moved.iter().find_map(|mark| line.strip_prefix(mark)).map(|rest| (rest, 0)));
        // A change without a hunk need not name its file anywhere else.
        let of_git = GIT_MODES.iter().any(|mark| line.starts_with(mark)).then_some(&git);
        let of_git = of_git.into_iter().flatten().map(|name| (name.as_str(), 1));
        for (rest, strip) in header.into_iter().chain(of_git) {
            found.extend(target(rest, strip).map_err(wrong)?);
        }
    }
    if changes {
        Ok(found)
    } else {
        Err((1, "it changes nothing: there is no hunk (@@ -1,2 +1,2 @@) in it".into()))
    }
}

/// The path of a header without its first `strip` components; none for that of no file. Or what is wrong with it.
fn target(header: &str, strip: usize) -> Result<Option<PathBuf>, String> {
    if header.starts_with('"') {
        return Err("it names a file in quotes; rename the file to one of plain characters".into());
    }
    let path = Path::new(without_time(header));
    if path == Path::new("/dev/null") {
        return Ok(None);
    }
    if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return Err(format!("it names {}, which is absolute or climbs out of the root", path.display()));
    }
    let stripped: PathBuf = path.components().filter(|part| *part != Component::CurDir).skip(strip).collect();
    Ok((!stripped.as_os_str().is_empty()).then_some(stripped))
}

/// The two names of git's `diff --git a/x b/x`. Like `patch`, takes none where blanks make more of them.
pub(crate) fn git_names(line: &str) -> Option<Vec<String>> {
    let names: Vec<String> =
        line.strip_prefix("diff --git ")?.split_whitespace().map(str::to_owned).collect();
    Some(if names.len() == 2 { names } else { Vec::new() })
}

/// The path of a header, without the time that may follow it. Blanks belong to the path only where a tab ends it.
pub(crate) fn without_time(header: &str) -> &str {
    let end = match header.find('\t') {
        Some(tab) => Some(tab),
        None => header.find(char::is_whitespace),
    };
    header.get(..end.unwrap_or(header.len())).unwrap_or(header)
}

/// Changes that git writes without a hunk.
const GIT_CHANGES: [&str; 5] =
    ["rename to ", "copy to ", "new mode ", "new file mode ", "deleted file mode "];
/// Those of them that name no file.
const GIT_MODES: [&str; 3] = ["new mode ", "new file mode ", "deleted file mode "];

/// Whether a line outside of a hunk is a command of an ed script or of a plain diff (`3,4c`, `3c4`, `7d`), or the mark
/// of a context diff.
fn is_other_format(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ',');
    let command = rest.len() < line.len() && rest.starts_with(['a', 'c', 'd', 'i', 's']);
    let numbers_only = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == ',');
    (command && numbers_only(rest.get(1..).unwrap_or_default())) || line.starts_with("***************")
}

/// How many lines of a hunk are still to come: a removed line may look like a header (`--- x` is the removed `-- x`).
#[derive(Default)]
struct Hunk {
    old: u64,
    new: u64,
}

impl Hunk {
    /// `@@ -12,3 +12,4 @@`; a missing count is 1.
    fn begins(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("@@ -")?.split(' ');
        let count = |range: &str| match range.split_once(',') {
            Some((_, count)) => count.parse().ok(),
            None => Some(1),
        };
        let old = count(words.next()?)?;
        let new = count(words.next()?.strip_prefix('+')?)?;
        Some(Self { old, new })
    }

    /// Whether the line belongs to the hunk.
    fn takes(&mut self, line: &str) -> bool {
        if self.old == 0 && self.new == 0 {
            return false;
        }
        match line.bytes().next() {
            Some(b'-') => self.old = self.old.saturating_sub(1),
            Some(b'+') => self.new = self.new.saturating_sub(1),
            Some(b'\\') => {}
            _ => (self.old, self.new) = (self.old.saturating_sub(1), self.new.saturating_sub(1)),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_a_patch_are_read_from_its_headers() {
        let text = b"diff --git a/etc/x b/etc/x\n--- a/etc/x\t2026-01-01 00:00:00\n+++ b/etc/x\n@@ -1 +1 @@\n-a\n+b\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\nrename to etc/y\n";
        let expected = ["etc/x", "etc/x", "new", "etc/y"].map(PathBuf::from);
        assert_eq!(targets(text).unwrap(), expected);
        assert_eq!(targets(b"Index: a/etc/z\n@@ -1 +1 @@\n-a\n+b\n").unwrap(), [PathBuf::from("etc/z")]);
        let blank =
            b"--- a/etc/x 2025-11-06 06:29:13.0 +0100\n+++ b/a file\t2025-11-06\n@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(targets(blank).unwrap(), ["etc/x", "a file"].map(PathBuf::from));
        let comment = b"--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n--- /etc/old\n context\n--- a/y\n+++ b/y\n";
        assert_eq!(targets(comment).unwrap(), ["x", "x", "y", "y"].map(PathBuf::from));
    }

    #[test]
    fn a_patch_that_climbs_is_refused() {
        for bad in ["--- a/../../x\n", "+++ /etc/passwd\n", "rename to ../x\n"] {
            assert!(targets(bad.as_bytes()).unwrap_err().1.contains("climbs out"), "{bad}");
        }
        assert!(targets(b"--- \"a/sb\\151n/x\"\n").unwrap_err().1.contains("in quotes"));
        for bad in ["", "words\n", "--- a/x\n+++ b/x\n"] {
            assert!(targets(bad.as_bytes()).unwrap_err().1.contains("changes nothing"), "{bad}");
        }
        for bad in ["1c\n", "3,4d\n", "3,4c5,6\n", "0a1\n", "***************\n"] {
            let text = format!("--- a/x\n+++ b/x\n{bad}");
            let (line, problem) = targets(text.as_bytes()).unwrap_err();
            assert!(line == 3 && problem.contains("no unified diff"), "{bad}");
        }
        assert_eq!(targets(b"5 apples\nold mode 100644\nnew mode 100755\n").unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn what_git_changes_without_a_hunk_is_named_by_its_own_header() {
        for (names, mark, expected) in [
            ("a/etc/x b/etc/x", "old mode 100644\nnew mode 100755", vec!["etc/x", "etc/x"]),
            ("a/etc/x b/etc/x", "new file mode 100644\nindex 0..1", vec!["etc/x", "etc/x"]),
            ("a/etc/x b/etc/x", "deleted file mode 100644\nindex 1..0", vec!["etc/x", "etc/x"]),
            ("a/etc/x y b/etc/x y", "old mode 100644\nnew mode 100755", vec![]),
        ] {
            let text = format!("diff --git a/old b/old\ndiff --git {names}\n{mark}\n");
            let expected: Vec<_> = expected.into_iter().map(PathBuf::from).collect();
            assert_eq!(targets(text.as_bytes()).unwrap(), expected, "{text}");
        }
        let climbs = b"diff --git a/../x b/../x\nold mode 100644\nnew mode 100755\n";
        let (line, problem) = targets(climbs).unwrap_err();
        assert!(line == 3 && problem.contains("climbs out"), "{problem}");
    }

    #[test]
    fn the_line_of_a_hunk_that_failed_is_found() {
        let text = b"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n--- a/etc/y\n+++ b/etc/y\n@@ -1 +1 @@\n-a\n+b\n@@ -9 +9 @@\n--- a\n+++ b\n";
        let cases = [
            ("patching file x\nHunk #1 FAILED at 1.\n1 out of 1 hunk FAILED", Some(3)),
            ("patching file x\npatching file etc/y\nHunk #2 FAILED at 9.\n", Some(11)),
            ("checking file etc/y\nHunk #1 FAILED at 1.\nHunk #2 FAILED at 9.\n", Some(8)),
            ("patching file z\nHunk #1 FAILED at 1.\n", None),
            ("Hunk #x FAILED at", None),
            ("can't find file to patch", None),
        ];
        for (printed, line) in cases {
            assert_eq!(failed_hunk(text, printed), line, "{printed}");
        }
    }

    #[test]
    fn patches_are_found_at_any_depth_sorted_by_path() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "patches/z.patch",
            "patches/etc/b.patch",
            "patches/etc/a.patch",
            "patches/etc-x/c.patch",
            "patches/README",
            "patches/usr/x.patch",
        ] {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, "").unwrap();
        }
        let overlay = Overlay::open(folder.path()).unwrap();
        let expected =
            ["etc-x/c.patch", "etc/a.patch", "etc/b.patch", "usr/x.patch", "z.patch"].map(PathBuf::from);
        assert_eq!(find(&overlay).unwrap(), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_patch_leads_out(text in "((--- |\\+\\+\\+ |rename to |@@ -1 \\+)[ab./\t0-9]{0,10}\n){0,4}") {
            for path in targets(text.as_bytes()).unwrap_or_default() {
                proptest::prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
            }
        }
    }
}
