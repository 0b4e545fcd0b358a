//! `chroot_firmware.sh ROOT COMMAND…`: a command of the root itself, which is for another processor, without root.
//!
//! proot shows it the root as `/`, and starts every program through qemu's user emulation, also where the machine's
//! processor is the printer's: only so can its calls be watched. The owners that it sets do not exist on the build
//! machine and are in no list that fakeroot keeps, so they are told and not recorded: the call does nothing and
//! succeeds. Of the build machine it sees the harmless devices, the address of the name server, and folders that are kept
//! between builds.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::ownership::{self, Watch};
use super::survey::Survey;
use super::{COMMAND, Surroundings, ToolError, filtered, system};
use crate::command::{Command, CommandError};
use crate::rootfs::inside::{Leads, Tree};

/// How scripts call it.
pub const NAME: &str = "chroot_firmware.sh";
const USAGE: &str = "chroot_firmware.sh ROOT COMMAND...";
/// The emulator, by the name that Debian gives its static build.
pub const QEMU: &str = "qemu-aarch64-static";
/// Where proot looks for the build machine's files on behalf of the emulator.
const HOST: &str = "/host-rootfs";
/// Where the emulator sees the pipe that it tells its calls to.
const CALLS: &str = "/.octofw-calls";
/// Longest first line of a script that counts, as for the kernel.
const FIRST_LINE: u64 = 256;
const KILL: &str = "--kill-on-exit";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What every program expects, with the minor number.
const DEVICES: [(&str, &str); 5] =
    [("null", "3"), ("zero", "5"), ("full", "7"), ("random", "8"), ("urandom", "9")];
/// What belongs to the build machine's processes and not to those in the root.
const FOREIGN: [&str; 5] = ["LD_PRELOAD", "FAKEROOTKEY", "FAKED_MODE", "TMPDIR", "LD_LIBRARY_PATH"];

pub(super) fn run(arguments: &[OsString], surroundings: &Surroundings) -> Result<u8, ToolError> {
    let [root, command @ ..] = arguments else { return Err(ToolError::Usage(USAGE)) };
    let Some(program) = command.first() else { return Err(ToolError::Usage(USAGE)) };
    let inside = Inside::of(Path::new(root), surroundings)?;
    inside.find(program)?;
    inside.run(command)
}

/// The root, ready for commands to run in it.
#[derive(Debug)]
pub struct Inside<'a> {
    root: PathBuf,
    surroundings: &'a Surroundings,
}

impl<'a> Inside<'a> {
    /// The root at `root`.
    ///
    /// # Errors
    /// When there is none, or it would be the build machine's own.
    pub fn of(root: &Path, surroundings: &'a Surroundings) -> Result<Self, ToolError> {
        let real = root.canonicalize().map_err(system(format!("cannot find the root {}", root.display())))?;
        let build = surroundings.build.canonicalize().unwrap_or_else(|_| surroundings.build.clone());
        if !real.is_dir() || !real.starts_with(&build) || real == build {
            let problem = format!("it is no root of this build, which is below {}", build.display());
            return Err(ToolError::Place { path: root.to_owned(), problem });
        }
        Ok(Self { root: real, surroundings })
    }

    /// Looks whether the root has a command, by path or in the usual folders, and what a script of it is started by.
    ///
    /// # Errors
    /// When it has not; the base lacks it then.
    pub fn find(&self, program: impl AsRef<OsStr>) -> Result<(), ToolError> {
        let name = Path::new(program.as_ref());
        let missing = || self.surroundings.vendor(name.display().to_string());
        let place = self.place_of(name).ok_or_else(missing)?;
        let mut first = Vec::new();
        let read = File::open(&place).and_then(|file| file.take(FIRST_LINE).read_to_end(&mut first));
        read.map_err(system(format!("cannot read {} of the root", name.display())))?;
        match started_by(&first).into_iter().find(|name| self.place_of(Path::new(name)).is_none()) {
            Some(missing) => Err(self.surroundings.vendor(&missing)),
            None => Ok(()),
        }
    }

    /// Where the file of a command lies on the build machine.
    fn place_of(&self, program: &Path) -> Option<PathBuf> {
        let tree = Tree::at(&self.root);
        let file = |path: &Path| match tree.follow(path) {
            Ok(Leads::To(found)) => Some(tree.place(&found)).filter(|place| place.is_file()),
            _ => None,
        };
        if program.components().count() > 1 || program.is_absolute() {
            return file(program);
        }
        PATH.split(':').find_map(|folder| file(&Path::new(folder).join(program)))
    }

    /// Runs a command in the root; its output goes where ours goes. Gives its exit code.
    ///
    /// # Errors
    /// When proot or the emulator is missing, or the tree cannot be looked at.
    pub fn run(&self, command: &[OsString]) -> Result<u8, ToolError> {
        let scratch = tempfile::Builder::new().prefix("chroot-").tempdir_in(&self.surroundings.build);
        let scratch = scratch.map_err(system("cannot make a folder for proot"))?;
        let host = scratch.path().join("host");
        let qemu = on_path(QEMU, "qemu-user-static")?;
        // A machine that builds begins with nothing.
        let emptied = scratch.path().join("cache");
        let cache = if self.surroundings.ci { &emptied } else { &self.surroundings.chroot_cache };
        for folder in ["root", "pip"] {
            let folder = cache.join(folder);
            fs::create_dir_all(&folder).map_err(system(format!("cannot make {}", folder.display())))?;
        }
        lay_out_host(&host, &qemu).map_err(system("cannot prepare the folder of proot"))?;
        let names = scratch.path().join("resolv.conf");
        self.write_name_servers(&names).map_err(system("cannot write the name servers for proot"))?;
        let nothing = scratch.path().join("nothing");
        fs::write(&nothing, "").map_err(system("cannot write an empty file for proot"))?;
        let calls = scratch.path().join("calls");
        let watch = Watch::begin(&calls).map_err(system("cannot watch the calls of programs in the root"))?;

        let before = Survey::take(&self.root)?;
        let (proot, octofw) = (on_path("proot", "proot")?, std::env::current_exe());
        let octofw = octofw.map_err(system("cannot find this program's own file"))?;
        let known = String::from_utf8_lossy(&Command::new(&proot).arg("--help").output()?).into_owned();
        let mut proot = Command::new(octofw).args([COMMAND, filtered::NAME]).arg(proot);
        // A program that stays behind would keep the build waiting; only newer ones can end it.
        if known.contains(KILL) {
            proot = proot.arg(KILL);
        }
        proot = proot.args(["-0", "-w", "/", "-r"]).arg(&self.root);
        proot = proot.args(["-q", &format!("{} -strace -D {CALLS}", qemu.display())]);
        for (name, place) in devices(scratch.path()).map_err(system("cannot make devices for the root"))? {
            proot = proot.arg("-b").arg(bound(&place, &format!("/dev/{name}")));
        }
        for (from, to) in [
            (host.as_path(), HOST),
            (&calls, CALLS),
            (&names, "/etc/resolv.conf"),
            // proot would put the build machine's own null device there.
            (&nothing, "/etc/ld.so.preload"),
            (cache, "/cache"),
            (&cache.join("root"), "/root"),
        ] {
            proot = proot.arg("-b").arg(bound(from, to));
        }
        for name in FOREIGN {
            proot = proot.without(name);
        }
        let code = proot
            .args(command)
            .env("PATH", PATH)
            .env("HOME", "/root")
            .env("PIP_CACHE_DIR", "/cache/pip")
            .env("PROOT_TMP_DIR", scratch.path())
            .run_inherited()?;
        let set = watch.end();
        let after = Survey::take(&self.root)?;
        ownership::settle(&self.root, &before, &after).map_err(system("cannot settle owners in the root"))?;
        ownership::tell(&self.root, &set, self.surroundings);
        Ok(code)
    }

    /// The machine's own name servers, which a build network may insist on; none while offline.
    fn write_name_servers(&self, place: &Path) -> io::Result<()> {
        let mut file = File::create(place)?;
        if !self.surroundings.offline
            && let Ok(mut own) = File::open("/etc/resolv.conf")
        {
            io::copy(&mut own, &mut file)?;
        }
        Ok(())
    }
}

/// What a script is started by, as its first line tells; nothing for what is no script.
pub(crate) fn started_by(first: &[u8]) -> Vec<String> {
    let first = String::from_utf8_lossy(first);
    let Some(line) = first.strip_prefix("#!").and_then(|rest| rest.lines().next()) else { return Vec::new() };
    let mut words = line.split_whitespace();
    let interpreter = words.next().unwrap_or_default();
    // What `env` starts is found as we find it.
    let by_env = words.next().filter(|_| interpreter.ends_with("/env"));
    [Some(interpreter), by_env].into_iter().flatten().map(str::to_owned).collect()
}

/// A folder that stands for the build machine: it holds the emulator and nothing else.
fn lay_out_host(host: &Path, qemu: &Path) -> io::Result<()> {
    let place = host.join(qemu.strip_prefix("/").unwrap_or(qemu));
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    // A copy, and no link: programs in the root can write to it.
    fs::copy(qemu, &place)?;
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755))
}

/// `FROM:TO`, as proot takes it.
fn bound(from: &Path, to: &str) -> OsString {
    let mut bound = from.as_os_str().to_owned();
    bound.push(format!(":{to}"));
    bound
}

/// The devices that programs see: the build machine's own where its rights protect them, copies where who builds could
/// change them.
fn devices(scratch: &Path) -> io::Result<Vec<(&'static str, PathBuf)>> {
    let own = |name: &str| Path::new("/dev").join(name);
    if !really_root() {
        return Ok(DEVICES
            .into_iter()
            .map(|(name, _)| (name, own(name)))
            .filter(|(_, place)| place.exists())
            .collect());
    }
    let mut found = Vec::new();
    for (name, minor) in DEVICES {
        let place = scratch.join(name);
        let mut mknod = Command::new("mknod").args(["-m", "666"]).arg(&place).args(["c", "1", minor]);
        for name in FOREIGN {
            mknod = mknod.without(name);
        }
        // In a container nobody may make or open one; a file serves nearly as well.
        if mknod.run().is_err() || File::open(&place).is_err() {
            let _ = fs::remove_file(&place);
            fs::write(&place, "")?;
        }
        found.push((name, place));
    }
    Ok(found)
}

/// Whether this process belongs to root, whatever fakeroot says; also where nobody can tell.
fn really_root() -> bool {
    fs::read_to_string("/proc/self/status").map_or(true, |status| is_of_root(&status))
}

fn is_of_root(status: &str) -> bool {
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.is_none_or(|ids| ids.split_whitespace().any(|id| id == "0"))
}

/// The file of a program of the build machine.
fn on_path(name: &str, package: &str) -> Result<PathBuf, ToolError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|place| place.is_file());
    found.and_then(|place| place.canonicalize().ok()).ok_or_else(|| {
        let remedy = format!("install it with: apt-get install {package}");
        CommandError::Missing { program: name.to_owned(), remedy: Some(remedy) }.into()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn who_may_be_root_counts_as_root() {
        for (status, expected) in [
            ("Name:\tx\nUid:\t1000\t1000\t1000\t1000\nGid:\t0\t0\t0\t0\n", false),
            ("Uid:\t0\t0\t0\t0\n", true),
            ("Uid:\t1000\t0\t1000\t1000\n", true),
            ("Uid:\t1000\t1000\t1000\t0\n", true),
            ("", true),
        ] {
            assert_eq!(is_of_root(status), expected, "{status:?}");
        }
    }

    #[test]
    fn root_lends_no_device_of_the_build_machine() {
        let scratch = tempfile::tempdir().unwrap();
        let found = devices(scratch.path()).unwrap();
        assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), DEVICES.map(|(name, _)| name));
        for (name, place) in found {
            let own = fs::metadata(Path::new("/dev").join(name)).unwrap();
            let lent = fs::metadata(&place).unwrap();
            let same = (own.dev(), own.ino()) == (lent.dev(), lent.ino());
            assert_eq!((place.starts_with(scratch.path()), same), (really_root(), !really_root()), "{name}");
        }
    }
}
