//! A small root, packed once.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use octofw::standin::container::{ContainerOptions, write_container};
use tempfile::TempDir;

const ROOT: &str = r#"
set -e; umask 022; mkdir root; cd root
mkdir -p bin dev etc/init.d etc/nginx lib usr/bin usr/lib home/lava/bin home/lava/origin_printer_data/config
mkdir -p usr/local/share/firmware-config/functions
printf 'busy\0box' >bin/busybox; chmod 755 bin/busybox; ln bin/busybox bin/sh; ln -s busybox bin/ash
printf 'loader' >lib/ld-linux-aarch64.so.1; chmod 755 lib/ld-linux-aarch64.so.1
printf 'libc' >lib/libc.so.6; ln -s ../../lib/libc.so.6 usr/lib/libc.so.6
printf '#!/bin/sh\ncase $1 in start|stop|restart|status) ;; esac\nPIDFILE=/var/run/nginx.pid\n' >etc/init.d/S50nginx
sed s/nginx/boot/ etc/init.d/S50nginx >etc/init.d/S99_bootcontrol; chmod 755 etc/init.d/*
printf 'one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n' >etc/config
ln -s nothing etc/nowhere
printf '[a]\n' >home/lava/origin_printer_data/config/moonraker.conf
printf 'settings:\n  web:\n    items:\n      firmware_config:\n        label: x\n' \
    >usr/local/share/firmware-config/functions/12_web.yaml
cd ..
"#;

/// A root made by a script, packed with the options of mksquashfs.
pub(crate) fn pack(folder: &Path, script: &str, options: &[&str], name: &str) -> std::path::PathBuf {
    let packed = folder.join(name);
    let _ = fs::remove_dir_all(folder.join("root"));
    let made = Command::new("sh").args(["-c", script]).current_dir(folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut command = Command::new("mksquashfs");
    command.arg(folder.join("root")).arg(&packed).args(["-all-root", "-no-xattrs", "-noappend", "-quiet"]);
    assert!(command.args(["-no-progress"]).args(options).output().unwrap().status.success());
    packed
}

fn folder() -> &'static TempDir {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let packed = pack(folder.path(), ROOT, &[], "base.squashfs");
        write_container(&packed, &ContainerOptions::default(), &folder.path().join("base.bin")).unwrap();
        folder
    })
}

/// The bare squashfs.
pub(crate) fn packed() -> &'static Path {
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| folder().path().join("base.squashfs"))
}

/// It in an upgrade file.
pub(crate) fn image() -> &'static Path {
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| folder().path().join("base.bin"))
}

/// An upgrade file whose root is the base's with a change.
pub(crate) fn changed(folder: &Path, change: &str, options: &[&str]) -> std::path::PathBuf {
    let packed = pack(folder, &format!("{ROOT}\ncd root\n{change}"), options, "changed.squashfs");
    let out = folder.join("changed.bin");
    write_container(&packed, &ContainerOptions::default(), &out).unwrap();
    out
}
