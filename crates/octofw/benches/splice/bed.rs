//! The image, the overlays, and each thing that is measured.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use octofw::rootfs::packing::Packing;
use octofw::standin::container::{ContainerOptions, write_container};

const OCTOFW: &str = env!("CARGO_BIN_EXE_octofw");
/// The argument with which this program measures the memory of a command.
pub(crate) const MEMORY: &str = "memory-of";

/// A place for all rounds, on one file system.
pub(crate) struct Bed {
    pub(crate) folder: PathBuf,
    /// The base's squashfs, and the image around it.
    root: PathBuf,
    pub(crate) image: PathBuf,
}

impl Bed {
    pub(crate) fn make(folder: &Path, root: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        let image = folder.join("base.bin");
        write_container(root, &ContainerOptions::default(), &image).unwrap();
        let bed = Self { folder: folder.to_owned(), root: root.to_owned(), image };
        bed.overlay("plain", false);
        bed.overlay("script", true);
        bed
    }

    /// Lays out the parts of the image, for [`Self::pack`].
    pub(crate) fn lay_out_parts(&self) {
        let parts = self.folder.join("parts");
        run(Command::new(OCTOFW).args(["unpack", "--no-root"]).arg(&self.image).arg("--out").arg(parts));
    }

    fn overlay(&self, name: &str, script: bool) {
        let folder = self.folder.join(name);
        fs::create_dir_all(folder.join("root/etc/new")).unwrap();
        for number in 0..2 {
            fs::write(folder.join(format!("root/etc/new/{number}")), format!("new {number}\n")).unwrap();
        }
        fs::create_dir_all(folder.join("root/usr/lib")).unwrap();
        fs::write(folder.join("root/usr/lib/large-0"), vec![b'x'; 3_000_000]).unwrap();
        fs::create_dir_all(folder.join("root/d0")).unwrap();
        fs::write(folder.join("root/d0/text-0"), "replaced\n").unwrap();
        fs::write(folder.join("root/d0/text-1"), "replaced\n").unwrap();
        if script {
            fs::create_dir(folder.join("scripts")).unwrap();
            let path = folder.join("scripts/1.sh");
            fs::write(&path, "#!/bin/sh\necho made by a script >\"$1\"/etc/scripted\n").unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.join("out/firmware.bin")
    }

    fn command(&self, overlay: &str, more: &[&str]) -> Vec<String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let overlay = text(&self.folder.join(overlay));
        let mut words = vec![OCTOFW.to_owned(), "build".into(), "--base".into(), text(&self.image)];
        words.extend(["--out".into(), text(&self.out()), "--overlay".into(), overlay]);
        let tools = ["rustc=1", "aarch64-linux-gnu-gcc=1"].map(|tool| ["--tool".into(), tool.to_owned()]);
        words.extend(tools.into_iter().flatten());
        if std::env::var_os("OCTOFW_BENCH_PROGRESS").is_none() {
            words.push("--quiet".into());
        }
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    }

    /// A build as the first of its kind: nothing is known of the base.
    pub(crate) fn build(&self, overlay: &str) -> f64 {
        let _ = fs::remove_dir_all(self.folder.join("out"));
        self.timed_build(overlay, &[])
    }

    pub(crate) fn build_again(&self) -> f64 {
        self.timed_build("plain", &["--force"])
    }

    pub(crate) fn build_unchanged(&self) -> f64 {
        self.timed_build("plain", &[])
    }

    fn timed_build(&self, overlay: &str, more: &[&str]) -> f64 {
        let words = self.command(overlay, more);
        timed(|| run_shown(Command::new(&words[0]).args(&words[1..]).current_dir(&self.folder)))
    }

    /// An image by the fast and one by the full path.
    pub(crate) fn both_ways(&self) -> (PathBuf, PathBuf) {
        self.build("script");
        let fast = self.folder.join("fast.bin");
        fs::rename(self.out(), &fast).unwrap();
        self.timed_build("script", &["--repack", "--force"]);
        (fast, self.out())
    }

    /// Most memory of one process of a build with a script, in MB.
    pub(crate) fn memory(&self) -> f64 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let output = command.arg(MEMORY).args(self.command("script", &["--force"])).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    pub(crate) fn copy(&self) -> f64 {
        let copy = self.folder.join("copy");
        let time = timed(|| {
            run(Command::new("cp").arg(&self.image).arg(&copy));
            File::open(&copy).unwrap().sync_all().unwrap();
        });
        fs::remove_file(copy).unwrap();
        time
    }

    /// The tools, as root: without owners that cost them extra.
    pub(crate) fn reference(&self, packing: &Packing, packs: bool) -> (f64, Option<f64>) {
        let tree = self.folder.join("tree");
        let image = self.folder.join("packed");
        let unpack = timed(|| {
            run(Command::new("unsquashfs").args(["-no-progress", "-quiet", "-d"]).arg(&tree).arg(&self.root))
        });
        run(Command::new("cp").arg("-r").arg(self.folder.join("plain/root/.")).arg(&tree));
        let pack = packs.then(|| {
            timed(|| {
                let mut command = Command::new("mksquashfs");
                command.arg(&tree).arg(&image).args(packing.options()).args(["-no-progress", "-quiet"]);
                run(command.env_remove("SOURCE_DATE_EPOCH"));
                fs::remove_file(&image).unwrap();
            })
        });
        fs::remove_dir_all(&tree).unwrap();
        (unpack, pack)
    }

    pub(crate) fn md5sum(&self) -> f64 {
        timed(|| run(Command::new("md5sum").arg(&self.image)))
    }

    pub(crate) fn verify(&self) -> f64 {
        timed(|| run(Command::new(OCTOFW).arg("verify").arg(&self.image)))
    }

    pub(crate) fn pack(&self) -> f64 {
        let packed = self.folder.join("packed.bin");
        let mut command = Command::new(OCTOFW);
        command.arg("pack").arg(self.folder.join("parts")).arg("--out").arg(&packed);
        let time = timed(|| run(&mut command));
        assert!(fs::read(&packed).unwrap() == fs::read(&self.image).unwrap(), "packed anew it is another");
        fs::remove_file(packed).unwrap();
        time
    }

    pub(crate) fn inspect(&self) -> f64 {
        timed(|| run(Command::new(OCTOFW).args(["inspect", "--no-sums"]).arg(&self.image)))
    }
}

impl Drop for Bed {
    /// Also when a row fails: what lies in memory would stay there.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs a command and prints the most memory that one of its processes held, in MB.
pub(crate) fn print_memory(command: &[String]) {
    run(Command::new(&command[0]).args(&command[1..]));
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    println!("{}", peak / 1024);
}

/// Seconds of some work, which begins when the disk has taken all that others wrote: else whoever comes behind one that
/// leaves 500 MB to be written, as unsquashfs does, waits for that too.
fn timed(work: impl FnOnce()) -> f64 {
    run(&mut Command::new("sync"));
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn run_shown(command: &mut Command) {
    assert!(command.status().unwrap().success(), "{command:?}");
}
