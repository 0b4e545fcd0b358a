//! The guest's first file system: loads the drivers, mounts the image's root and hands over to its init.

use std::path::Path;

use super::cpio::Archive;
use super::{Error, GuestFiles};

/// Runs as process 1 until it hands over. `/dev/vda` is the image's root, read-only, as on the printer.
const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
while read -r module; do
    $b insmod "/modules/$module.ko" || echo "boot: the kernel refused $module"
done </modules/order
tries=0
until [ -b /dev/vda ]; do
    tries=$((tries + 1))
    [ "$tries" -gt 100 ] && echo "boot: there is no /dev/vda" && $b poweroff -f
    $b usleep 50000
done
$b mount -t squashfs -o ro /dev/vda /root || { echo "boot: /dev/vda is no squashfs that this kernel reads"; $b poweroff -f; }
$b mount --move /dev /root/dev
exec $b switch_root /root /sbin/init
"#;

/// Builds the archive, uncompressed: QEMU puts it into the guest's memory at once, and unpacking it would take an
/// emulated processor longer than reading it.
pub fn build(files: &GuestFiles) -> Result<Vec<u8>, Error> {
    let read = |path: &Path| std::fs::read(path).map_err(Error::io("read", path));
    let mut archive = Archive::new();
    for folder in ["bin", "dev", "modules", "root"] {
        archive.directory(folder);
    }
    archive.character_device("dev/console", 5, 1);
    archive.file("bin/busybox", 0o755, &read(&files.busybox)?);
    let mut order = String::new();
    for (name, path) in &files.modules {
        archive.file(&format!("modules/{name}.ko"), 0o644, &read(path)?);
        order.push_str(name);
        order.push('\n');
    }
    archive.file("modules/order", 0o644, order.as_bytes());
    archive.file("init", 0o755, INIT.as_bytes());
    Ok(archive.finish())
}
