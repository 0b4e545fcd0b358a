//! What a script fetches, and whether anything says what it must be.

use super::super::finding::{At, Findings};
use super::super::shell::{Command, Script, Values, Word};
use super::{UNPINNED_DOWNLOAD, UNPINNED_GIT};

/// Commands that check what was fetched.
const CHECKS: [&str; 11] = [
    "sha256sum",
    "sha512sum",
    "sha384sum",
    "sha1sum",
    "b2sum",
    "b3sum",
    "shasum",
    "minisign",
    "signify",
    "gpg",
    "gpgv",
];

pub(super) fn look(script: &Script, at: At<'_>, findings: &mut Findings) {
    let values = Values::of(script);
    let is_checked = script.commands.iter().any(|command| {
        CHECKS.iter().any(|check| command.behind(check).is_some())
            || command
                .behind("openssl")
                .is_some_and(|words| words.first().is_some_and(|word| word.text == "dgst"))
    });
    let checks_out = script.commands.iter().any(|command| checks_out(command, &values));
    for command in &script.commands {
        let at = at.line(command.line());
        if let Some(what) = fetched(command, &values, is_checked) {
            findings.add(&UNPINNED_DOWNLOAD, at, what);
        }
        if let Some(what) = cloned(command, &values, checks_out) {
            findings.add(&UNPINNED_GIT, at, what);
        }
    }
}

/// What a command downloads without saying what it must be.
fn fetched(command: &Command, values: &Values, is_checked: bool) -> Option<String> {
    for program in ["curl", "wget", "aria2c"] {
        let Some(behind) = command.behind(program) else { continue };
        let asks_only = behind.iter().all(|word| matches!(word.text.as_str(), "--version" | "-V" | "--help"));
        if !is_checked && !asks_only {
            return Some(format!("{program} fetches something that no sum is checked of"));
        }
    }
    if let Some([_, _, rest @ ..]) = command.behind("cache_file.sh") {
        let sum = rest.first().map(|word| values.expand(&word.text)).unwrap_or_default();
        if !is_hash(&sum, &[64]) && !sum.contains('$') {
            return Some(format!("cache_file.sh is given no SHA-256 but {sum:?}"));
        }
    }
    let packages = packages(command)?;
    let open = packages.into_iter().find(|package| {
        let name = values.expand(&package.text);
        !name.contains('$') && !name.is_empty() && !is_pinned(&name)
    })?;
    Some(format!("the package {} is installed in whatever version there is", open.text))
}

fn is_pinned(package: &str) -> bool {
    let is_path =
        package.starts_with(['.', '/']) || package.ends_with(".whl") || package.ends_with(".tar.gz");
    let has_version = package
        .rsplit_once('@')
        .is_some_and(|(name, version)| !name.is_empty() && version != "latest" && version != "master");
    is_path || package.contains("==") || has_version
}

/// Packages that a package manager is told to install.
fn packages(command: &Command) -> Option<Vec<&Word>> {
    for program in ["pip", "pip3", "npm", "cache_pip.sh", "go", "cargo"] {
        let Some(behind) = command.behind(program) else { continue };
        let behind = match program {
            // The root comes first.
            "cache_pip.sh" => behind.get(1..)?,
            _ => {
                let place = behind.iter().position(|word| !word.text.starts_with('-'))?;
                let verb = behind.get(place).map(|word| word.text.as_str())?;
                let installs = verb == "install" || (program == "npm" && matches!(verb, "i" | "add"));
                installs.then(|| behind.get(place.checked_add(1)?..)).flatten()?
            }
        };
        let says = |option: &str| behind.iter().any(|word| word.text == option);
        if says("--require-hashes") || says("--no-index") || says("--version") || says("--locked") {
            return None;
        }
        let mut packages = Vec::new();
        let mut words = behind.iter();
        while let Some(word) = words.next() {
            match word.text.as_str() {
                "-r" | "-c" | "-t" | "-d" | "-i" | "-f" | "--target" | "--prefix" | "--root"
                | "--find-links" | "--index-url" | "--extra-index-url" | "--requirement" | "--constraint"
                | "--path" | "--git" | "--cache-dir" | "-C" => drop(words.next()),
                // Whatever follows is another command.
                "&&" | ";" | "|" => break,
                text if text.starts_with('-') => {}
                _ => packages.push(word),
            }
        }
        return Some(packages);
    }
    None
}

/// What a command clones without a commit.
fn cloned(command: &Command, values: &Values, checks_out: bool) -> Option<String> {
    if let Some([_, _, rest @ ..]) = command.behind("cache_git.sh") {
        let commit = rest.first().map(|word| values.expand(&word.text)).unwrap_or_default();
        let is_open = !is_hash(&commit, &[40, 64]) && !commit.contains('$');
        return is_open.then(|| format!("cache_git.sh is given no whole hash of a commit but {commit:?}"));
    }
    let behind = command.behind("git")?;
    let clones = behind.iter().any(|word| word.text == "clone");
    (clones && !checks_out).then(|| "git clone takes whatever the branch is at".to_owned())
}

/// Whether a command checks out a commit by its whole hash, or by a variable that may hold one.
fn checks_out(command: &Command, values: &Values) -> bool {
    let Some(behind) = command.behind("git") else { return false };
    let is_verb = |word: &Word| matches!(word.text.as_str(), "checkout" | "reset" | "switch" | "fetch");
    behind.iter().any(is_verb)
        && behind.iter().any(|word| {
            let text = values.expand(&word.text);
            is_hash(&text, &[40, 64]) || (text.starts_with('$') && !word.text.contains('/'))
        })
}

fn is_hash(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
