//! What the image brought: whether it is whole, and whether somebody works on the running root, which forgets.

use super::Finding;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Starts the service at boot.
const INIT_SCRIPT: &str = "etc/init.d/S66octoapp";
/// What must be there to run, below the root.
const PROGRAMS: [&str; 3] = [INIT_SCRIPT, "home/lava/bin/octoapp.sh", "usr/local/bin/octobridge"];
/// Where a printer keeps what is changed in its root while it runs.
const CHANGES: &str = "oem/overlay/upper";
/// Keeps those changes over a restart, until the next upgrade.
const KEEP: &str = "oem/.debug";

/// Whether this is the root of a printer with the vendor's system, where the image put us.
pub(super) fn is_printer(root: &Path) -> bool {
    root.join("home/lava").is_dir() && root.join("etc/init.d").is_dir()
}

/// What there is to say of the root of a printer; nothing of other machines.
pub(super) fn examine(root: &Path) -> Vec<Finding> {
    if !is_printer(root) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for program in PROGRAMS {
        let runs = std::fs::metadata(root.join(program))
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
        let changed = root.join(CHANGES).join(program).exists();
        if !runs {
            findings.push(Finding::fail(
                format!("/{program} is missing or not executable"),
                "restart the printer, which forgets changes; if it stays so, flash the image again",
            ));
        } else if changed && program == INIT_SCRIPT {
            findings.push(Finding::warn(
                format!("/{program} was put in place or changed on the running printer"),
                "flash an image that has it: the printer lists its init scripts before such changes count, so that it \
                 does not start this one at boot",
            ));
        } else if changed && !root.join(KEEP).exists() {
            findings.push(Finding::warn(
                format!("/{program} was put in place or changed on the running printer, which forgets that at a restart"),
                "flash an image that has the change",
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok("program, launcher and init script are there"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Level;

    #[test]
    fn what_the_root_of_a_printer_lacks_or_forgets_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(examine(root), [], "this is no printer");
        let put = |path: &str, mode| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let worst = |part: &str| {
            let findings = examine(root);
            let worst = findings.iter().max_by_key(|finding| finding.level).unwrap();
            assert!(format!("{worst:?}").contains(part), "{findings:?}");
            worst.level
        };
        PROGRAMS.iter().for_each(|program| put(program, 0o755));
        assert_eq!(worst("are there"), Level::Ok);
        put("usr/local/bin/octobridge", 0o644);
        assert_eq!(worst("not executable"), Level::Fail);
        put("usr/local/bin/octobridge", 0o755);
        put("oem/overlay/upper/usr/local/bin/octobridge", 0o755);
        assert_eq!(worst("forgets that at a restart"), Level::Warn);
        put(KEEP, 0o644);
        assert_eq!(worst("are there"), Level::Ok);
        put("oem/overlay/upper/etc/init.d/S66octoapp", 0o755);
        assert_eq!(worst("does not start this one at boot"), Level::Warn);
    }
}
