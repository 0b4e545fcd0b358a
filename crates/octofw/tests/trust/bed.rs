//! A folder with a small base, an overlay, and the image that `octofw build` makes of the two.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use octofw::standin::container::{ContainerOptions, write_container};
use tempfile::TempDir;

/// The program under test.
pub(crate) const OCTOFW: &str = env!("CARGO_BIN_EXE_octofw");

/// A base root with packages of two package managers.
const ROOT: &str = r#"
set -e; umask 022; mkdir root; cd root; mkdir -p etc var/lib/dpkg usr/lib/python3.11/site-packages/numpy-1.26.4.dist-info
echo root:x:0:0 >etc/passwd
printf 'Package: busybox\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1:1.35.0-4\n\n' >var/lib/dpkg/status
printf 'Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n' >>var/lib/dpkg/status
echo x >usr/lib/python3.11/site-packages/numpy-1.26.4.dist-info/METADATA
find . -exec touch -h -d @1700000000 {} +
cd ..; mksquashfs root base.squashfs -b 65536 -all-root -no-xattrs -noappend -mkfs-time 1700000100 -quiet -no-progress
"#;

pub(crate) struct Bed {
    folder: TempDir,
}

impl Bed {
    /// A folder with `base.bin` and the overlay `01-test`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("sh").args(["-c", ROOT]).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", said(&made));
        let bed = Self { folder };
        write_container(&bed.path("base.squashfs"), &ContainerOptions::default(), &bed.path("base.bin"))
            .unwrap();
        bed.write("overlays/01-test/root/etc/new", "new\n");
        bed.write("overlays/01-test/root/opt/tool", "tool\n");
        bed
    }

    /// A bed in which the image was built: `dist/firmware.bin`.
    pub(crate) fn built() -> Self {
        let bed = Self::new();
        bed.build(&[]);
        bed
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A program called in the folder.
    pub(crate) fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("SOURCE_DATE_EPOCH").env_remove("GIT_VERSION");
        command
    }

    pub(crate) fn octofw(&self, arguments: &[&str]) -> Output {
        self.command(OCTOFW, arguments).output().unwrap()
    }

    /// Calls octofw, which must succeed.
    pub(crate) fn fine(&self, arguments: &[&str]) -> String {
        let output = self.octofw(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Calls octofw, which must end with this code and these words.
    pub(crate) fn fails(&self, arguments: &[&str], code: i32, expected: &str) -> String {
        let output = self.octofw(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
        said
    }

    pub(crate) fn build(&self, more: &[&str]) -> String {
        // The compilers' versions are given: their programs are slow to answer.
        let call =
            ["build", "--base", "base.bin", "--overlay", "overlays/01-test", "--out", "dist/firmware.bin"];
        let tools = ["--tool", "rustc=1", "--tool", "aarch64-linux-gnu-gcc=1"];
        self.fine(&[&call[..], &tools, more].concat())
    }
}

/// All that a program printed.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
