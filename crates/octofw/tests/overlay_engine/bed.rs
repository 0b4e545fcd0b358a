//! A small base root, overlays written on the spot, and the engine between them: real squashfs-tools, real fakeroot.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use octofw::build::fakeroot;
use octofw::command::whole;
use octofw::container::Span;
use octofw::manifest::Change;
use octofw::overlay::{Order, Overlay};
use octofw::rootfs::session::{Plan, Report, Scripting};
use octofw::rootfs::snapshot::What;
use tempfile::{NamedTempFile, TempDir};

/// The program under test.
pub(crate) const OCTOFW: &str = env!("CARGO_BIN_EXE_octofw");
/// Times of everything in the base, of its packing, and of what a build changes.
pub(crate) const BASE_TIME: &str = "1700000000";
pub(crate) const MADE: &str = "1700000100";
pub(crate) const EPOCH: u32 = 1_750_000_000;

/// As in an image, where other parts lie before the root.
const RESULT_OFFSET: u64 = 12_345;

/// What an ordinary user could not make: owners, setuid, nodes, hard links, a file that nobody may read.
const BASE: &str = r#"
set -e; umask 022; mkdir root; cd root
mkdir -p bin dev etc/init.d home/lava/bin oem tmp usr/bin usr/share var/lib lib
echo 'root:x:0:0' >etc/passwd; echo secret >etc/shadow; chmod 000 etc/shadow
echo '#!/bin/sh' >home/lava/bin/hwver.sh; chmod 755 home/lava/bin/hwver.sh; chown -R 1000:1000 home/lava
head -c 200000 /dev/zero | tr '\0' b >bin/busybox; chmod 755 bin/busybox
for name in sh ls cat; do ln bin/busybox bin/$name; done
cp bin/busybox bin/su; chmod 4755 bin/su
mknod dev/console c 5 1; chmod 600 dev/console; mknod dev/mmcblk0 b 179 0; mkfifo etc/fifo
printf 'one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n' >etc/config; chown 0:33 etc/config; chmod 640 etc/config
printf 'one\ntwo\nthree\n' >etc/init.d/S50x; chmod 755 etc/init.d/S50x
echo target >usr/share/target; chown 33:33 usr/share/target; chmod 600 usr/share/target
mkdir -m 700 var/lib/private; chown 1000:102 var/lib/private; mkdir -m 555 var/lib/locked; echo x >var/lib/locked/file
ln -s usr/bin sbin; ln -s /usr/share/target etc/to-file; ln -s ../usr/share/target etc/to-file-relative
ln -s /usr/share etc/to-folder; ln -s nothing etc/dangling; ln -s /tmp/canary etc/to-tmp
ln -s ../../../../../../../../../../tmp/canary etc/climbs; ln -s round etc/round; ln -s /oem/printer_data home/lava/printer_data
chown -h 33:33 etc/to-file
find . -exec touch -h -d @BASE_TIME {} +
cd ..; mksquashfs root base.squashfs -b 65536 -no-xattrs -noappend -mkfs-time MADE -quiet -no-progress
"#;

/// The base's squashfs, made once.
pub(crate) fn base() -> &'static [u8] {
    static BASE_BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BASE_BYTES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = BASE.replace("BASE_TIME", BASE_TIME).replace("MADE", MADE);
        let made =
            Command::new("fakeroot").args(["sh", "-c", &script]).current_dir(folder.path()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        fs::read(folder.path().join("base.squashfs")).unwrap()
    })
}

/// A folder with a base and overlays.
pub(crate) struct Bed {
    pub(crate) folder: TempDir,
    pub(crate) order: Order,
    pub(crate) repack: bool,
    /// Variables of scripts, besides the usual ones.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) rehearse: bool,
    overlays: Vec<Overlay>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::named("bed")
    }

    /// A bed in a folder whose name begins so.
    pub(crate) fn named(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        fs::write(folder.path().join("base.squashfs"), base()).unwrap();
        // Empty is unset: a machine that builds sets CI for all it runs, the tests too, and caches count less there.
        let variables =
            [("CREATE_FIRMWARE", "1"), ("CI", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            folder,
            order: Order::Current,
            repack: false,
            variables: BTreeMap::from(variables),
            rehearse: false,
            overlays: Vec::new(),
        }
    }

    /// A bed with one overlay.
    pub(crate) fn with(fill: impl FnOnce(&Scribe)) -> Self {
        let mut bed = Self::new();
        bed.overlay("01-test", fill);
        bed
    }

    pub(crate) fn overlay(&mut self, name: &str, fill: impl FnOnce(&Scribe)) {
        let folder = self.folder.path().join("overlays").join(name);
        fs::create_dir_all(&folder).unwrap();
        fill(&Scribe(folder.clone()));
        self.overlays.push(Overlay::open(&folder).unwrap());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the session and gives its report, or the error's text.
    pub(crate) fn build(&self) -> Result<Built, String> {
        let base = self.path("base.squashfs");
        let plan = Plan {
            base_at: Span::new(0, fs::metadata(&base).unwrap().len()),
            base,
            tree: self.path("work/root"),
            result: self.path("work/new.squashfs"),
            result_offset: RESULT_OFFSET,
            outcome: self.path("work/outcome.json"),
            epoch: EPOCH,
            order: self.order,
            overlays: self.overlays.clone(),
            directory: self.folder.path().to_owned(),
            variables: self.variables.clone(),
            processors: None,
            progress: false,
            repack: self.repack,
            scripting: Scripting { cache: Some(self.path("cache")), rehearse: self.rehearse },
            watch: None,
            faked: None,
        };
        let _ = fs::remove_dir_all(self.path("work"));
        fs::create_dir(self.path("work")).unwrap();
        let report =
            fakeroot::run(Path::new(OCTOFW), &plan, &self.path("work/plan.json")).map_err(|e| whole(&e))?;
        // The bed may be gone before its result is looked at.
        let squashfs = NamedTempFile::new().unwrap();
        let made = fs::read(&plan.result).unwrap();
        let (before, made) = made.split_at(RESULT_OFFSET as usize);
        assert!(before.iter().all(|byte| *byte == 0) && made.len() as u64 == report.size);
        fs::write(squashfs.path(), made).unwrap();
        Ok(Built { report, squashfs })
    }

    /// The error that the build must end with; nothing must have been packed.
    pub(crate) fn error(&self) -> String {
        let error = self.build().err().expect("the build must fail");
        assert!(!self.path("work/new.squashfs").exists(), "a failed build must not pack");
        error
    }
}

/// Writes an overlay's files.
pub(crate) struct Scribe(pub(crate) PathBuf);

impl Scribe {
    fn place(&self, path: &str) -> PathBuf {
        let place = self.0.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    pub(crate) fn file(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        self.file_with_mode(path, text, 0o644)
    }

    pub(crate) fn file_with_mode(&self, path: &str, text: impl AsRef<[u8]>, mode: u32) -> &Self {
        let place = self.place(path);
        fs::write(&place, text).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn link(&self, path: &str, target: &str) -> &Self {
        symlink(target, self.place(path)).unwrap();
        self
    }

    pub(crate) fn folder(&self, path: &str, mode: u32) -> &Self {
        let place = self.0.join(path);
        fs::create_dir_all(&place).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
        self
    }

    /// An executable script that stops at the first error.
    pub(crate) fn script(&self, path: &str, body: &str) -> &Self {
        self.file_with_mode(path, format!("#!/bin/sh\nset -e\n{body}\n"), 0o755)
    }
}

/// What came out.
pub(crate) struct Built {
    pub(crate) report: Report,
    pub(crate) squashfs: NamedTempFile,
}

impl Built {
    /// `mode owner` of every path, as unsquashfs lists them, with the time where it is not the base's.
    pub(crate) fn listing(&self) -> BTreeMap<String, String> {
        listing(self.squashfs.path())
    }

    /// One line of the listing: `-rw-r--r-- 0/0 4 new` for what has the build's time, `… old` for the base's.
    pub(crate) fn line(&self, path: &str) -> String {
        self.listing().remove(path).unwrap_or_else(|| "missing".into())
    }

    pub(crate) fn content(&self, path: &str) -> String {
        let printed =
            Command::new("unsquashfs").arg("-cat").arg(self.squashfs.path()).arg(path).output().unwrap();
        assert!(printed.status.success(), "{path}: {}", String::from_utf8_lossy(&printed.stderr));
        String::from_utf8(printed.stdout).unwrap()
    }

    /// All of it, attributes, links and content, as unsquashfs tells it.
    pub(crate) fn dump(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump");
        let mut command = Command::new("unsquashfs");
        command.args(["-quiet", "-no-progress", "-pf"]).arg(&file).arg(self.squashfs.path());
        let printed = command.output().unwrap();
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        fs::read(file).unwrap()
    }

    /// Path, what and overlays of every change.
    pub(crate) fn changes(&self) -> Vec<(String, What, String)> {
        let shown = |change: &Change| (change.path.clone(), change.what, change.overlays.join(","));
        self.report.changes.iter().map(shown).collect()
    }
}

/// Every path of a squashfs with mode, owner, size and age.
pub(crate) fn listing(squashfs: &Path) -> BTreeMap<String, String> {
    let printed = Command::new("unsquashfs").arg("-lln").arg(squashfs).env("TZ", "UTC").output().unwrap();
    assert!(printed.status.success());
    let text = String::from_utf8(printed.stdout).unwrap();
    let lines = text.lines().filter(|line| line.contains("squashfs-root"));
    lines
        .map(|line| {
            let (head, path) = line.split_once("squashfs-root").unwrap();
            let words: Vec<&str> = head.split_whitespace().collect();
            let (time, front) = (words[words.len() - 2], &words[..words.len() - 2]);
            let age = match time {
                "2023-11-14" => "old",
                "2025-06-15" => "new",
                other => other,
            };
            let size =
                if front[0].starts_with('d') { String::new() } else { format!(" {}", front[2..].join("")) };
            (path.trim_start_matches('/').to_owned(), format!("{} {}{size} {age}", front[0], front[1]))
        })
        .collect()
}
