//! `cache_file.sh TARGET URL SHA256 [DIR]`: a file of the network, by its content; unpacked into a folder where one is
//! named.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use super::{Surroundings, ToolError, place, store, system, text};
use crate::build::progress::Progress;
use crate::command::Command;
use crate::digest::of_file;

/// How scripts call it.
pub const NAME: &str = "cache_file.sh";
const USAGE: &str =
    "cache_file.sh TARGET URL SHA256 [DIR], with a URL of http, https or file and 64 hexadecimal digits";
/// Most bytes that are fetched, or that one unpacked file may have: a slot of the printer holds 300 MiB.
const MOST: u64 = 4 << 30;
/// Bytes that `ulimit -f` counts by in a POSIX shell.
const LIMIT_UNIT: u64 = 512;

pub(super) fn run(
    arguments: &[OsString],
    surroundings: &Surroundings,
    progress: &Progress,
) -> Result<(), ToolError> {
    let (target, url, sha256, unpacked) = match arguments {
        [target, url, sha256] => (target, url, sha256, None),
        [target, url, sha256, folder] => (target, url, sha256, Some(folder)),
        _ => return Err(ToolError::Usage(USAGE)),
    };
    let (url, sha256) = (text(url, USAGE)?, text(sha256, USAGE)?.to_ascii_lowercase());
    if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) || protocol(url).is_none() {
        return Err(ToolError::Usage(USAGE));
    }
    let target = place::of(Path::new(target), surroundings)?;
    bring(&target, url, &sha256, surroundings, progress)?;
    match unpacked {
        // The community's scripts pass an empty one for none.
        Some(folder) if !folder.is_empty() => unpack(&target, Path::new(folder), surroundings, progress),
        _ => Ok(()),
    }
}

/// What a URL is fetched by.
pub(crate) fn protocol(url: &str) -> Option<&str> {
    let (protocol, rest) = url.split_once("://")?;
    (["http", "https", "file"].contains(&protocol) && !rest.is_empty()).then_some(protocol)
}

/// Puts the file at `target`: from there, from the store, or from the network.
fn bring(
    target: &Path,
    url: &str,
    sha256: &str,
    surroundings: &Surroundings,
    progress: &Progress,
) -> Result<(), ToolError> {
    match of_file(target) {
        Ok((found, _)) if found == sha256 => return Ok(()),
        Ok(_) => {}
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
        Err(e) => return Err(system(format!("cannot read {}", target.display()))(e)),
    }
    let store = &surroundings.store;
    let _using = store.begin();
    if store.take(sha256, target)? {
        return Ok(());
    }
    if surroundings.offline {
        return Err(surroundings.missing(format!("{url} (SHA-256 {sha256})"), store.by_hand(sha256)));
    }
    progress.say(&format!("fetch {url}"));
    let fetched = store.unfinished()?;
    let checked = fetch(url, &fetched, surroundings).and_then(|()| {
        let (found, _) = of_file(&fetched).map_err(system(format!("cannot read {}", fetched.display())))?;
        if found == sha256 {
            return Ok(());
        }
        let path = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Err(ToolError::Mismatch { path, found, expected: sha256.to_owned(), from: url.to_owned() })
    });
    checked?;
    store.keep(&fetched, sha256, name_in(url))?;
    store.take(sha256, target).map(drop)
}

/// The file's name in an address, without what may be secret there.
pub(crate) fn name_in(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = path.split_once("://").unwrap_or_default();
    path.trim_end_matches('/').rsplit_once('/').map(|(_, name)| name).unwrap_or_default()
}

fn fetch(url: &str, to: &Path, surroundings: &Surroundings) -> Result<(), ToolError> {
    if let Some(path) = url.strip_prefix("file://") {
        return store::copy(Path::new(path), to).map_err(system(format!("cannot copy {path}")));
    }
    let fetched = Command::new("curl")
        .args(["--fail", "--location", "--silent", "--show-error", "--proto", "=http,https"])
        .args(["--connect-timeout", "30", "--speed-limit", "1", "--speed-time", "60", "--retry", "2"])
        .args(["--max-filesize", &MOST.to_string(), "--output"])
        .arg(to)
        .args(["--", url])
        .remedy("install it with: apt-get install curl")
        .run();
    fetched.map(drop).map_err(|error| {
        use super::said::{Lack, Said};
        surroundings.say(&Said::Lacked(Lack::Network { what: url.to_owned() }));
        error.into()
    })
}

/// Empties the folder and unpacks the archive into it. What is no archive leaves it empty, as scripts know it.
fn unpack(
    archive: &Path,
    folder: &Path,
    surroundings: &Surroundings,
    progress: &Progress,
) -> Result<(), ToolError> {
    let folder = place::of_emptied(folder, surroundings)?;
    let failed = || system(format!("cannot empty {}", folder.display()));
    match fs::symlink_metadata(&folder) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&folder).map_err(failed())?,
        Ok(_) => fs::remove_file(&folder).map_err(failed())?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed()(e)),
    }
    fs::create_dir_all(&folder).map_err(failed())?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (tool, command) = match name.as_str() {
        name if name.ends_with(".tar.gz") => ("tar", tar("-xzf", archive, &folder)),
        name if name.ends_with(".tar.xz") => ("tar and xz-utils", tar("-xJf", archive, &folder)),
        name if name.ends_with(".zip") => {
            let words = ["unzip", "-q", "-o"].map(OsString::from);
            let rest = [archive.as_os_str(), "-d".as_ref(), folder.as_os_str()].map(OsString::from);
            ("unzip", words.into_iter().chain(rest).collect::<Vec<_>>())
        }
        _ => return Ok(()),
    };
    progress.say(&format!("unpack {name}"));
    // Only a shell can bound what a child may write. Owners are taken by number: names are those of the build machine.
    let limit = format!("ulimit -f {}; exec \"$@\"", MOST / LIMIT_UNIT);
    Command::new("sh")
        .args(["-c", &limit, "sh"])
        .args(command)
        .remedy(format!("install it with: apt-get install {tool}"))
        .run()?;
    Ok(())
}

fn tar(option: &str, archive: &Path, folder: &Path) -> Vec<OsString> {
    let words = ["tar", "--numeric-owner", option].map(OsString::from);
    let rest = [archive.as_os_str(), "-C".as_ref(), folder.as_os_str()].map(OsString::from);
    words.into_iter().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_last_part_of_the_path() {
        for (url, name) in [
            ("https://example.org/a/tool.tar.gz", "tool.tar.gz"),
            ("https://me:secret@example.org/tool.zip?token=secret#x", "tool.zip"),
            ("https://me:secret@example.org", ""),
            ("https://me:secret@example.org/", ""),
            ("file:///srv/x", "x"),
        ] {
            assert_eq!(name_in(url), name, "{url}");
        }
    }

    #[test]
    fn only_what_can_be_fetched_is_an_address() {
        for (url, known) in [
            ("https://example.org/x", true),
            ("http://example.org/x", true),
            ("file:///x", true),
            ("ftp://example.org/x", false),
            ("https://", false),
            ("-o/etc/passwd", false),
            ("", false),
        ] {
            assert_eq!(protocol(url).is_some(), known, "{url}");
        }
    }
}
