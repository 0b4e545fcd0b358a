//! Where the cache lies.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variable: the folder of the cache. Scripts of overlays see it too.
pub const FOLDER: &str = "OCTOFW_CACHE";
/// Below the community's tree, beside its builder's own cache.
const IN_TREE: &str = "tmp/cache/octofw";
/// In a folder with a lock file, as that of this project.
const IN_PROJECT: &str = ".cache/octofw";

/// The folder: the one that was given, else the variable's, else that of the community's tree, else that of the project
/// whose lock file lies `here`, else that of the user (`$XDG_CACHE_HOME/octofw`, `~/.cache/octofw`). `get` reads a
/// variable of the environment.
#[must_use]
pub fn folder(
    given: Option<&Path>,
    tree: Option<&Path>,
    here: &Path,
    get: impl Fn(&str) -> Option<OsString>,
) -> PathBuf {
    let get = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(given) = given.map(Path::to_path_buf).or_else(|| get(FOLDER)) {
        return here.join(given);
    }
    if let Some(tree) = tree {
        return here.join(tree).join(IN_TREE);
    }
    if here.join(crate::lock::FILE_NAME).is_file() {
        return here.join(IN_PROJECT);
    }
    // A relative one is not valid, and to be ignored: XDG Base Directory Specification.
    let of_user = get("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let of_home = || get("HOME").filter(|home| home.is_absolute()).map(|home| home.join(".cache"));
    of_user.or_else(of_home).map_or_else(|| here.join(IN_PROJECT), |cache| cache.join("octofw"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_that_is_named_counts() {
        let folder_of = |given: Option<&str>, tree: Option<&str>, here: &Path, set: &[(&str, &str)]| {
            let get = |name: &str| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(*value))
            };
            folder(given.map(Path::new), tree.map(Path::new), here, get)
        };
        let here = tempfile::tempdir().unwrap();
        let here = here.path();
        let all = [("OCTOFW_CACHE", "/variable"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/me")];
        assert_eq!(folder_of(Some("given"), Some("/tree"), here, &all), here.join("given"));
        assert_eq!(folder_of(Some("/given"), None, here, &all), Path::new("/given"));
        assert_eq!(folder_of(None, Some("/tree"), here, &all), Path::new("/variable"));
        let [_, xdg, home] = all;
        assert_eq!(folder_of(None, Some("/tree"), here, &[xdg]), Path::new("/tree/tmp/cache/octofw"));
        assert_eq!(folder_of(None, Some("tree"), here, &[]), here.join("tree/tmp/cache/octofw"));
        assert_eq!(folder_of(None, None, here, &[xdg, home]), Path::new("/xdg/octofw"));
        assert_eq!(folder_of(None, None, here, &[home]), Path::new("/home/me/.cache/octofw"));
        let odd = [("OCTOFW_CACHE", ""), ("XDG_CACHE_HOME", "xdg"), home];
        assert_eq!(folder_of(None, None, here, &odd), Path::new("/home/me/.cache/octofw"));
        assert_eq!(folder_of(None, None, here, &[]), here.join(".cache/octofw"));
        std::fs::write(here.join("octofw.lock"), "").unwrap();
        assert_eq!(folder_of(None, None, here, &[xdg, home]), here.join(".cache/octofw"));
    }
}
