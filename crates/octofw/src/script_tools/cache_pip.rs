//! `cache_pip.sh ROOT REQUIREMENT…`: Python packages into the root, by the root's own pip, out of wheels that are kept.

use std::ffi::OsString;
use std::path::Path;

use super::chroot;
use super::{Surroundings, ToolError};

/// How scripts call it.
pub const NAME: &str = "cache_pip.sh";
const USAGE: &str = "cache_pip.sh ROOT REQUIREMENT...";

/// Wheels lie where programs in the root see `/root/pip`.
const INSTALL: &str = "exec pip3 install --no-index --find-links=/root/pip \"$@\"";
const DOWNLOAD: &str = "exec pip3 download -d /root/pip \"$@\"";

pub(super) fn run(arguments: &[OsString], surroundings: &Surroundings) -> Result<(), ToolError> {
    let [root, packages @ ..] = arguments else { return Err(ToolError::Usage(USAGE)) };
    if packages.is_empty() {
        return Err(ToolError::Usage(USAGE));
    }
    let inside = chroot::Inside::of(Path::new(root), surroundings)?;
    for program in ["pip3", "sh"] {
        inside.find(program)?;
    }
    let call = |script: &str| {
        let words = ["sh", "-c", script, "sh"].map(OsString::from);
        inside.run(&words.into_iter().chain(packages.iter().cloned()).collect::<Vec<_>>())
    };
    if call(INSTALL)? == 0 {
        return Ok(());
    }
    let names: Vec<_> = packages.iter().map(|name| name.to_string_lossy()).collect();
    let what = format!("Python packages {}", names.join(" "));
    let wheels = surroundings.chroot_cache.join("root/pip");
    let remedy = format!(
        "pip download --platform manylinux2014_aarch64 --only-binary :all: --python-version VERSION -d {} {}",
        wheels.display(),
        names.join(" ")
    );
    if surroundings.offline || call(DOWNLOAD)? != 0 || call(INSTALL)? != 0 {
        return Err(surroundings.missing(what, remedy));
    }
    Ok(())
}
