//! Changing a few files of a root of stock size: octofw, `unsquashfs` followed by `mksquashfs`, and a plain copy, side by
//! side in one run. `cargo bench -p octofw --profile tool --bench splice`; `OCTOFW_BENCH_MB` (260) is the size of the
//! base, `OCTOFW_BENCH_ROUNDS` (7) how often each is run, `OCTOFW_BENCH_PACKS` how often mksquashfs, which takes minutes. The base is made once and kept in `.cache/bench`.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints a table for a person"
)]

mod base;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use octofw::build::fakeroot;
use octofw::overlay::{Order, Overlay};
use octofw::rootfs::packing::Packing;
use octofw::rootfs::session::{Plan, Scripting};
use octofw::standin::container::{ContainerOptions, write_container};

const OCTOFW: &str = env!("CARGO_BIN_EXE_octofw");

/// A place for one round, on the disk that has the base.
struct Bed {
    folder: PathBuf,
    base: PathBuf,
}

fn main() {
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (size, rounds) = (number("OCTOFW_BENCH_MB", 260), number("OCTOFW_BENCH_ROUNDS", 7));
    let packs = number("OCTOFW_BENCH_PACKS", rounds);
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/bench");
    fs::create_dir_all(&cache).unwrap();
    let fresh = !cache.join(format!("root-{size}.squashfs")).exists();
    let bed = Bed { base: base::make(&cache, size), folder: cache.join("work") };
    let packing = Packing::of_file(&bed.base).unwrap();
    let bytes = fs::metadata(&bed.base).unwrap().len();
    println!("base: {} MB, {} inodes", bytes / 1_000_000, packing.superblock.inodes);

    bed.overlay("plain", false);
    bed.overlay("script", true);
    let container = bed.folder.join("base.bin");
    write_container(&bed.base, &ContainerOptions::default(), &container).unwrap();

    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..rounds {
        figures.entry("1 octofw, the root, five files").or_default().push(bed.session("plain"));
        if round == 0 && !fresh {
            // The memory of children is that of the largest so far, which is ours only here.
            let peak = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss() / 1024;
            println!("most memory of a process, five files: {peak} MB");
        }
        figures.entry("2 octofw, the root, five files and a script").or_default().push(bed.session("script"));
        let build = |more: &[&str]| timed(|| bed.build(&container, more));
        figures.entry("3 octofw build, five files").or_default().push(build(&["--force"]));
        figures.entry("4 octofw build, nothing changed").or_default().push(build(&[]));
        let inspect = || run(Command::new(OCTOFW).arg("inspect").arg(&bed.base));
        figures.entry("5 octofw inspect, a squashfs").or_default().push(timed(inspect));
        figures.entry("6 cp and fsync").or_default().push(bed.copy());
        let (unpack, pack) = bed.reference(&packing, round < packs);
        figures.entry("7 unsquashfs").or_default().push(unpack);
        figures.entry("8 unsquashfs and mksquashfs").or_default().extend(pack.map(|pack| unpack + pack));
    }
    let median = |name: &str| {
        let mut list = figures[name].clone();
        list.sort_by(f64::total_cmp);
        list.get(list.len() / 2).copied().unwrap_or(f64::NAN)
    };
    for name in figures.keys() {
        println!("{:>9.3} s  {}", median(name), &name[2..]);
    }
    let ours = median("1 octofw, the root, five files");
    let budgets = [
        ("20 times as fast as the tools", ours * 20.0, median("8 unsquashfs and mksquashfs")),
        ("cp and fsync, and a second", ours, median("6 cp and fsync") + 1.0),
        (
            "with a script: unsquashfs, and two seconds",
            median("2 octofw, the root, five files and a script"),
            median("7 unsquashfs") + 2.0,
        ),
        ("nothing changed: a second", median("4 octofw build, nothing changed"), 1.0),
        ("inspect: a second", median("5 octofw inspect, a squashfs"), 1.0),
    ];
    for (what, ours, budget) in budgets.into_iter().filter(|(_, _, budget)| !budget.is_nan()) {
        println!("{} {what}: {ours:.3} of {budget:.3} s", if ours <= budget { "met   " } else { "MISSED" });
    }
    fs::remove_dir_all(&bed.folder).unwrap();
}

impl Bed {
    fn overlay(&self, name: &str, script: bool) {
        let folder = self.folder.join(name);
        let _ = fs::remove_dir_all(&folder);
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

    /// The work on the root alone, until it is on the medium.
    fn session(&self, overlay: &str) -> f64 {
        let work = self.folder.join("session");
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).unwrap();
        let plan = Plan {
            base: self.base.clone(),
            tree: work.join("root"),
            result: work.join("result"),
            outcome: work.join("outcome.json"),
            epoch: 1_750_000_000,
            order: Order::Current,
            overlays: vec![Overlay::open(&self.folder.join(overlay)).unwrap()],
            directory: self.folder.clone(),
            variables: BTreeMap::new(),
            processors: None,
            progress: std::env::var_os("OCTOFW_BENCH_PROGRESS").is_some(),
            repack: false,
            scripting: Scripting::default(),
            watch: None,
        };
        let time = timed(|| {
            fakeroot::run(Path::new(OCTOFW), &plan, &work.join("plan.json")).unwrap();
            File::open(&plan.result).unwrap().sync_all().unwrap();
        });
        fs::remove_dir_all(work).unwrap();
        time
    }

    fn build(&self, base: &Path, more: &[&str]) {
        let out = self.folder.join("firmware.bin");
        let mut command = Command::new(OCTOFW);
        command.arg("build").arg("--base").arg(base).arg("--out").arg(out).arg("--overlay");
        command.arg(self.folder.join("plain")).args(["--quiet", "--tool", "rustc=1"]);
        run(command.args(["--tool", "aarch64-linux-gnu-gcc=1"]).args(more));
    }

    fn copy(&self) -> f64 {
        let copy = self.folder.join("copy");
        let time = timed(|| {
            run(Command::new("cp").arg(&self.base).arg(&copy));
            File::open(&copy).unwrap().sync_all().unwrap();
        });
        fs::remove_file(copy).unwrap();
        time
    }

    /// The tools, as root: without owners that cost them extra.
    fn reference(&self, packing: &Packing, packs: bool) -> (f64, Option<f64>) {
        let tree = self.folder.join("tree");
        let image = self.folder.join("image");
        let unpack = timed(|| {
            run(Command::new("unsquashfs").args(["-no-progress", "-quiet", "-d"]).arg(&tree).arg(&self.base))
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
        fs::remove_dir_all(tree).unwrap();
        (unpack, pack)
    }
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
