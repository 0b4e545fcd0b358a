//! A root of stock size: many small files, some large ones, hard links, links and devices, without any vendor code.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Inodes of a root of the full size, which is in MB.
const INODES: u64 = 52_000;
const FULL: u64 = 260;

/// The squashfs of about `size` MB in `cache`, made where it is not there yet.
pub(crate) fn make(cache: &Path, size: u64) -> PathBuf {
    let image = cache.join(format!("root-{size}.squashfs"));
    if image.exists() {
        return image;
    }
    let tree = cache.join("tree");
    let _ = fs::remove_dir_all(&tree);
    let mut state = 1;
    let inodes = INODES * size / FULL;
    let folders = inodes / 40;
    for number in 0..folders {
        let folder = tree.join(if number < 100 {
            format!("d{number}")
        } else {
            format!("d{}/d{number}", number % 100)
        });
        fs::create_dir_all(&folder).unwrap();
        for file in 0..35 {
            let length = 200 + (number * 37 + file * 911) % 9000;
            fs::write(folder.join(format!("text-{file}")), content(&mut state, length, 8)).unwrap();
        }
        for file in 0..2 {
            let length = 20_000 + (number * 7919 + file * 104_729) % 90_000;
            fs::write(folder.join(format!("library-{file}")), content(&mut state, length, 2)).unwrap();
        }
        symlink("text-0", folder.join("link")).unwrap();
    }
    let lib = tree.join("usr/lib");
    fs::create_dir_all(&lib).unwrap();
    for number in 0..size * 3 / 20 {
        fs::write(lib.join(format!("large-{number}")), content(&mut state, 4_000_000, 1)).unwrap();
    }
    let bin = tree.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(bin.join("busybox"), content(&mut state, 1_000_000, 2)).unwrap();
    for number in 0..494 {
        fs::hard_link(bin.join("busybox"), bin.join(format!("applet-{number}"))).unwrap();
    }
    let made = Command::new("mksquashfs")
        .arg(&tree)
        .arg(&image)
        .args([
            "-comp",
            "gzip",
            "-b",
            "131072",
            "-no-xattrs",
            "-all-root",
            "-quiet",
            "-no-progress",
            "-noappend",
        ])
        .args(["-p", "dev d 755 0 0", "-p", "dev/console c 600 0 0 5 1", "-p", "dev/pipe i 600 0 0 f"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::remove_dir_all(tree).unwrap();
    image
}

/// Noise of which one part in `share` of what could be there is text: 8 shrinks well, 1 not at all.
fn content(state: &mut u64, length: u64, share: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = *state >> 33;
        if noise % 16 < 16 / share {
            bytes.extend((*state ^ (*state >> 29)).to_le_bytes());
        } else {
            bytes.extend(format!("word {} of a line\n", noise % 200).as_bytes());
        }
    }
    bytes.truncate(length as usize);
    bytes
}
