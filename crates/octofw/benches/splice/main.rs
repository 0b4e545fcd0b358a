//! Changing a few files of an image whose root has stock size: octofw, the tools of squashfs, `cp` and `md5sum`, side by
//! side in one run. `cargo bench -p octofw --profile tool --bench splice`; `OCTOFW_BENCH_MB` (260) is the size of the
//! root, `OCTOFW_BENCH_ROUNDS` (7) how often each is run, `OCTOFW_BENCH_PACKS` how often mksquashfs, which takes minutes,
//! `OCTOFW_BENCH_FOLDER` (.cache/bench) where. The base is made once and kept there. `OCTOFW_BENCH_ONLY` names groups of
//! rows, with commas between: five, script, sums, inspect, memory. `OCTOFW_BENCH_JSON` names a file for the table's rows.
//!
//! Whole roots are unpacked in memory, where there is room for them: `OCTOFW_BENCH_TREES` (/dev/shm) says where. On a disk
//! the time of that follows from what was deleted there before, and not from who unpacks: ext4 without a journal needs one
//! second for it, or ten when a tree like it went within the last minutes, as one does with every build.
//!
//! What is held against what: each peer runs in the same round as ours and right beside it, with the page cache as warm.
//! `cp` and `fsync` bring the image to the disk once, as a build does. `md5sum` reads the image once and writes nothing,
//! while `pack` also reads the parts, writes the image and waits for the disk: the two MD5s of the format begin at
//! the same byte, so one pass takes both, and the budget is that of one.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark prints a table for a person"
)]

mod base;
mod bed;
mod equal;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use bed::Bed;
use nix::sys::statvfs::statvfs;
use octofw::rootfs::packing::Packing;
use table::{Figures, Row};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((bed::MEMORY, command)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        return bed::print_memory(command);
    }
    let number = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let (size, rounds) = (number("OCTOFW_BENCH_MB", 260), number("OCTOFW_BENCH_ROUNDS", 7));
    let packs = number("OCTOFW_BENCH_PACKS", rounds);
    let cache = std::env::var_os("OCTOFW_BENCH_FOLDER")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/bench"), PathBuf::from);
    fs::create_dir_all(&cache).unwrap();
    let root = base::make(&cache, size);
    let bed = Bed::make(&cache.join("work"), &root);
    bed.lay_out_parts();
    let trees =
        std::env::var_os("OCTOFW_BENCH_TREES").map_or_else(|| PathBuf::from("/dev/shm"), PathBuf::from);
    let trees = if has_room(&trees) { trees.join("octofw-bench") } else { cache.join("trees") };
    let packing = Packing::of_file(&root).unwrap();
    let bytes = fs::metadata(&root).unwrap().len();
    println!(
        "base: {} MB, {} inodes, unpacked in {}",
        bytes / 1_000_000,
        packing.superblock.inodes,
        trees.display()
    );

    let only = std::env::var("OCTOFW_BENCH_ONLY").ok();
    let wanted =
        |group: &str| only.as_ref().is_none_or(|only| only.split(',').any(|name| name.trim() == group));
    let memory = wanted("memory").then(|| bed.memory());
    let unpacked = wanted("script").then(|| Bed::make(&trees, &root));
    let mut figures = Figures::default();
    for round in 0..rounds {
        if wanted("five") {
            figures.add("five", bed.build("plain"));
            figures.add("cp", bed.copy());
            figures.add("again", bed.build_again());
            figures.add("unchanged", bed.build_unchanged());
        }
        if let Some(unpacked) = &unpacked {
            let (unpack, pack) = unpacked.reference(&packing, round < packs);
            figures.add("unsquashfs", unpack);
            if let Some(pack) = pack {
                figures.add("tools", unpack + pack);
            }
            figures.add("script", unpacked.build("script"));
        }
        if wanted("sums") {
            figures.add("md5sum", bed.md5sum());
            figures.add("verify", bed.verify());
            figures.add("pack", bed.pack());
        }
        if wanted("inspect") {
            figures.add("inspect", bed.inspect());
        }
    }
    if let Some(unpacked) = unpacked.filter(|_| packs > 0) {
        let (fast, full) = unpacked.both_ways();
        equal::prove(&fast, &full);
    }

    let figure = |name| figures.median(name);
    let row = |what: &str, ours, peer: Option<(f64, &str)>, budget| Row::seconds(what, ours, peer, budget);
    let mut rows = vec![
        row(
            "five files: a twentieth of the tools",
            figure("five"),
            Some((figure("tools"), "unsquashfs, mksquashfs")),
            figure("tools") / 20.0,
        ),
        row(
            "five files: the copy and a second",
            figure("five"),
            Some((figure("cp"), "cp, fsync")),
            figure("cp") + 1.0,
        ),
        row(
            "five files, the base known",
            figure("again"),
            Some((figure("cp"), "cp, fsync")),
            figure("cp") + 1.0,
        ),
        row(
            "a script: unpacking and two seconds",
            figure("script"),
            Some((figure("unsquashfs"), "unsquashfs")),
            figure("unsquashfs") + 2.0,
        ),
        row("nothing changed", figure("unchanged"), None, 1.0),
        row("inspect without sums", figure("inspect"), None, 1.0),
        row("verify an image", figure("verify"), Some((figure("md5sum"), "md5sum")), figure("md5sum") * 1.5),
        row("pack an image", figure("pack"), Some((figure("md5sum"), "md5sum")), figure("md5sum") * 1.5),
    ];
    rows.retain(Row::was_measured);
    rows.extend(memory.map(|memory| Row::memory("most memory of a process, with a script", memory, 300.0)));
    table::print(&rows);
    if let Some(path) = std::env::var_os("OCTOFW_BENCH_JSON") {
        table::write(&rows, Path::new(&path));
    }
}

/// Whether a folder has room for the image, what is built of it and two unpacked roots.
fn has_room(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|at| at.fragment_size() * at.blocks_available() > 4 << 30)
}
