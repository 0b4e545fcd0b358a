//! `cache_git.sh DIR URL REVISION`: a clone at one commit. A bare clone of each address is kept.

use std::ffi::OsString;
use std::path::Path;

use super::said::{Lack, Said};
use super::{Surroundings, ToolError, place, system, text};
use crate::build::progress::Progress;
use crate::cache::mark;
use crate::command::{Command, CommandError, quoted};

/// How scripts call it.
pub const NAME: &str = "cache_git.sh";
const USAGE: &str = "cache_git.sh DIR URL REVISION";

pub(super) fn run(
    arguments: &[OsString],
    surroundings: &Surroundings,
    progress: &Progress,
) -> Result<(), ToolError> {
    let [folder, url, revision] = arguments else { return Err(ToolError::Usage(USAGE)) };
    let (url, revision) = (text(url, USAGE)?, text(revision, USAGE)?);
    if [url, revision].iter().any(|word| word.is_empty() || word.starts_with('-')) {
        return Err(ToolError::Usage(USAGE));
    }
    let folder = place::of(Path::new(folder), surroundings)?;
    let wanted = |folder: &Path| commit(folder, revision).filter(|_| is_commit(revision));
    let there = folder.join(".git").exists();
    if there && wanted(&folder).is_some_and(|wanted| commit(&folder, "HEAD") == Some(wanted)) {
        // Who builds may have changed files of it; a machine that builds gets it as it was published.
        return if surroundings.ci { check_out(&folder, revision, surroundings) } else { Ok(()) };
    }
    let mirror = surroundings.store.repository(url);
    let _using = surroundings.store.begin();
    if wanted(&mirror).is_none() {
        let _alone = if surroundings.offline { None } else { Some(surroundings.store.alone(url)?) };
        // Another build may have brought it meanwhile.
        if wanted(&mirror).is_none() {
            update(&mirror, url, revision, surroundings, progress)?;
        }
    }
    mark(&mirror);
    if there {
        git(&["fetch", "--quiet", "--tags"])
            .arg(&mirror)
            .arg("+refs/*:refs/mirror/*")
            .directory(&folder)
            .run()?;
    } else {
        let parent = folder.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(system(format!("cannot make {}", parent.display())))?;
        git(&["clone", "--quiet", "--no-checkout", "--"]).arg(&mirror).arg(&folder).run()?;
        git(&["remote", "set-url", "origin", url]).directory(&folder).run()?;
    }
    check_out(&folder, revision, surroundings)
}

/// Brings the bare clone up to date, so that it has the revision.
fn update(
    mirror: &Path,
    url: &str,
    revision: &str,
    surroundings: &Surroundings,
    progress: &Progress,
) -> Result<(), ToolError> {
    // A branch or a tag is taken as it was last seen.
    if surroundings.offline && commit(mirror, revision).is_some() {
        return Ok(());
    }
    if surroundings.offline {
        let remedy = format!("git clone --mirror {url} {}", quoted(mirror.as_os_str()));
        return Err(surroundings.missing(format!("commit {revision} of {url}"), remedy));
    }
    progress.say(&format!("fetch {url}"));
    let lacked = |error: CommandError| {
        surroundings.say(&Said::Lacked(Lack::Network { what: url.to_owned() }));
        ToolError::from(error)
    };
    if mirror.exists() {
        git(&["fetch", "--quiet", "--prune", "origin"]).directory(mirror).run().map_err(lacked)?;
    } else {
        surroundings.store.keep_repository(url, |folder| {
            git(&["clone", "--quiet", "--mirror", "--", url]).arg(folder).run().map(drop).map_err(lacked)
        })?;
    }
    if commit(mirror, revision).is_none() {
        // A commit that no branch has, as of a pull request.
        git(&["fetch", "--quiet", "origin", revision]).directory(mirror).run().map_err(lacked)?;
    }
    Ok(())
}

fn check_out(folder: &Path, revision: &str, surroundings: &Surroundings) -> Result<(), ToolError> {
    // A branch of the clone is the one that was fetched, not one that was checked out before.
    let name = [format!("refs/remotes/origin/{revision}"), revision.to_owned()]
        .into_iter()
        .find(|name| commit(folder, name).is_some())
        .unwrap_or_else(|| revision.to_owned());
    git(&["checkout", "--quiet", "--force", "--detach", &name]).directory(folder).run()?;
    if !folder.join(".gitmodules").exists() {
        return Ok(());
    }
    let modules = git(&["submodule", "update", "--init", "--recursive", "--checkout", "--force"]);
    modules.directory(folder).run().map(drop).map_err(|error| {
        let what = format!("submodules of {}", folder.display());
        if surroundings.offline {
            return surroundings
                .missing(what, format!("git -C {} submodule update --init --recursive", folder.display()));
        }
        surroundings.say(&Said::Lacked(Lack::Network { what }));
        error.into()
    })
}

/// The full name of a commit, where the repository has it.
fn commit(folder: &Path, revision: &str) -> Option<String> {
    if !folder.exists() {
        return None;
    }
    let name = format!("{revision}^{{commit}}");
    let found = git(&["rev-parse", "--verify", "--quiet", &name]).directory(folder).output().ok()?;
    String::from_utf8(found).ok().map(|text| text.trim().to_owned())
}

/// Whether a revision is a whole commit, which cannot come to mean another one.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Git that asks nobody, gives up on a dead connection, and looks at no repository above.
fn git(arguments: &[&str]) -> Command {
    Command::new("git")
        .args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60", "-c", "advice.detachedHead=false"])
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .without("GIT_DIR")
        .without("GIT_WORK_TREE")
        .remedy("install it with: apt-get install git")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_commit_is_one() {
        for (revision, whole) in [
            ("8e2a2e50e8642a4f368e4e4794585b2a2d2e2857", true),
            ("8e2a2e5", false),
            ("main", false),
            ("zz2a2e50e8642a4f368e4e4794585b2a2d2e2857", false),
        ] {
            assert_eq!(is_commit(revision), whole, "{revision}");
        }
    }
}
