//! Overlays written on the spot, and what is found in them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use octofw::lint::{Report, Settings, lint};
use tempfile::TempDir;

use crate::base;

/// An init script that no rule has anything to say about.
pub(crate) const INIT: &str = "#!/bin/sh\ncase $1 in\nstart) start-stop-daemon -S -b -m -p /var/run/x.pid -c lava \
                               -x /bin/busybox ;;\nstop) start-stop-daemon -K -p /var/run/x.pid ;;\nrestart) $0 stop; \
                               $0 start ;;\nstatus) kill -0 \"$(cat /var/run/x.pid)\" ;;\nesac\n";
/// A script that no rule has anything to say about.
pub(crate) const SCRIPT: &str = "#!/bin/sh\nset -eu\n[ -n \"$CREATE_FIRMWARE\" ] || exit 1\n";

/// Overlays in the order in which they apply.
pub(crate) struct Bed {
    pub(crate) folder: TempDir,
    pub(crate) settings: Settings,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), settings: Settings::default() }
    }

    /// The folder of an overlay, made where it is not there.
    pub(crate) fn overlay(&mut self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        if !self.settings.overlays.contains(&folder) {
            fs::create_dir_all(&folder).unwrap();
            self.settings.overlays.push(folder.clone());
        }
        folder
    }

    fn place(&mut self, path: &str) -> PathBuf {
        let (overlay, path) = path.split_once(": ").unwrap_or(("01-a", path));
        let place = self.overlay(overlay).join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    /// A file with mode 0644; `02-b: root/x` is in another overlay than the first.
    pub(crate) fn file(&mut self, path: &str, text: impl AsRef<[u8]>) -> &mut Self {
        self.with_mode(path, text, 0o644)
    }

    /// A file with mode 0755.
    pub(crate) fn program(&mut self, path: &str, text: impl AsRef<[u8]>) -> &mut Self {
        self.with_mode(path, text, 0o755)
    }

    pub(crate) fn with_mode(&mut self, path: &str, text: impl AsRef<[u8]>, mode: u32) -> &mut Self {
        let place = self.place(path);
        fs::write(&place, text).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) -> &mut Self {
        symlink(target, self.place(path)).unwrap();
        self
    }

    pub(crate) fn pipe(&mut self, path: &str) -> &mut Self {
        nix::unistd::mkfifo(&self.place(path), nix::sys::stat::Mode::S_IRWXU).unwrap();
        self
    }

    /// Looks at the overlays against the base.
    pub(crate) fn based(&mut self) -> &mut Self {
        self.settings.base = Some(base::packed().to_owned());
        self
    }

    pub(crate) fn report(&mut self) -> Report {
        // An overlay that is asked for is there, if only as a folder.
        if self.settings.image.is_none() {
            self.overlay("01-a");
        }
        lint(&self.settings).unwrap()
    }

    /// The codes of what is found and not allowed, sorted, each once.
    pub(crate) fn codes(&mut self) -> Vec<&'static str> {
        codes(&self.report())
    }
}

/// The codes of what is found and not allowed, sorted, each once.
pub(crate) fn codes(report: &Report) -> Vec<&'static str> {
    let open = report.findings.iter().filter(|finding| finding.allowed.is_none());
    let mut codes: Vec<_> = open.map(|finding| finding.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Writes overlays into a bed.
pub(crate) type Fill = for<'a> fn(&'a mut Bed) -> &'a mut Bed;

/// A rule, what breaks it, and what does not.
pub(crate) struct Row {
    pub(crate) code: &'static str,
    pub(crate) bad: Fill,
    pub(crate) good: Fill,
}
