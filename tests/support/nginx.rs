//! Debian's nginx on the booted printer, in the place of the printer's own.
//!
//! The program and its libraries are Debian's packages for arm64, fetched as BusyBox and the kernel are, in the versions of
//! `nginx.lock`; those of now are written there with `UPDATE_GENERATED=1`. They lie on the disk of `/oem`, and are linked to their places before the other init scripts run; `S50nginx`, which starts nothing on
//! the stand-in, starts it.

use super::printer::{archive, project};
use octofw::boot::OemTree;
use octofw::debian::Deb;
use octofw::lock::Lock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Debian's name of the folder of an arm64's libraries.
const LIBRARIES: &str = "aarch64-linux-gnu";
/// What the kernel looks for to start a program that is linked against libraries.
const LOADER: &str = "ld-linux-aarch64.so.1";

/// Runs before the list of init scripts is walked on, as root, in the writable root.
const EARLY: &str = "#!/bin/sh
set -e
place=/oem/standin/debian
mkdir -p /usr/sbin /lib/aarch64-linux-gnu /var/log/nginx /var/lib/nginx
ln -s $place/nginx /usr/sbin/nginx
ln -s $place/lib/ld-linux-aarch64.so.1 /lib/ld-linux-aarch64.so.1
for library in $place/lib/*; do ln -s $library /lib/aarch64-linux-gnu/; done
cp $place/nginx.conf /etc/nginx/nginx.conf
cp $place/S50nginx /etc/init.d/S50nginx
";

const INIT: &str = "#!/bin/sh
echo \"S50nginx $1\" >>/tmp/init.log
case $1 in
start) /usr/sbin/nginx ;;
stop) /usr/sbin/nginx -s stop ;;
esac
";

/// Puts nginx on the disk, set up as the printer's front ends set up theirs: Moonraker's calls go to that port of the
/// host, and whatever lies in `fluidd.d` counts.
pub(crate) fn with_nginx(tree: OemTree, moonraker: u16) -> OemTree {
    let files = files();
    let mut tree = tree
        .file("standin/early.sh", 0, 0o755, EARLY)
        .file("standin/debian/nginx.conf", 0, 0o644, conf(moonraker))
        .file("standin/debian/S50nginx", 0, 0o755, INIT)
        .file("standin/debian/nginx", 0, 0o755, files.program.clone());
    for (name, content) in &files.libraries {
        tree = tree.file(&format!("standin/debian/lib/{name}"), 0, 0o755, content.clone());
    }
    tree
}

fn conf(moonraker: u16) -> String {
    let headers = "proxy_http_version 1.1;\nproxy_set_header Host $http_host;\n\
                   proxy_set_header X-Real-IP $remote_addr;\n\
                   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n";
    format!(
        "user http http;\nworker_processes 1;\npid /run/nginx.pid;\nevents {{}}\nhttp {{\n\
         types {{ text/html html; text/css css; text/javascript js; }}\naccess_log off;\n\
         upstream apiserver {{ server 10.0.2.2:{moonraker}; }}\n\
         server {{\nlisten 80 default_server;\nserver_name _;\nclient_max_body_size 0;\n\
         proxy_request_buffering off;\n\
         location ~ ^/(printer|api|access|machine|server)/ {{\nproxy_pass http://apiserver$request_uri;\n{headers}}}\n\
         include /etc/nginx/fluidd.d/*.conf;\n}}\n}}\n"
    )
}

/// The program, and the libraries by the names under which it is linked against them.
#[derive(Debug)]
struct Files {
    program: Vec<u8>,
    libraries: BTreeMap<String, Vec<u8>>,
}

/// Fetched and unpacked once for all tests of the process.
fn files() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let (archive, path) = (archive(), project("tests/support/nginx.lock"));
        let update = std::env::var_os("UPDATE_GENERATED").is_some();
        let lock = (!update).then(|| Lock::read(&path).unwrap());
        let mut met = Lock::new();
        let mut fetch = |package: &str| {
            let deb = archive.fetch(package, lock.as_ref()).unwrap_or_else(|e| panic!("{e}"));
            met.lock_deb(&deb);
            deb
        };
        let nginx = fetch("nginx");
        let folder = tempfile::tempdir().unwrap();
        nginx.unpack_to(folder.path()).unwrap();
        for library in libraries_of(&nginx) {
            fetch(&library).unpack_to(folder.path()).unwrap();
        }
        match lock {
            // As `octofw` does it: a version that no mirror has any more is no reason to fail.
            Some(lock) => lock.compare(&met).iter().for_each(|drift| eprintln!("nginx.lock: {drift}")),
            None => met.write(&path).unwrap(),
        }
        let mut libraries = BTreeMap::new();
        for place in ["lib", "usr/lib"] {
            for part in [PathBuf::new(), PathBuf::from(LIBRARIES)] {
                libraries.extend(linked_in(&folder.path().join(place).join(part)));
            }
        }
        assert!(
            libraries.contains_key(LOADER) && libraries.contains_key("libc.so.6"),
            "{:?}",
            libraries.keys()
        );
        Files { program: std::fs::read(folder.path().join("usr/sbin/nginx")).unwrap(), libraries }
    })
}

/// The packages of libraries that a package depends on.
fn libraries_of(package: &Deb) -> Vec<String> {
    let control = String::from_utf8(package.control().unwrap()).unwrap();
    let depends = control.lines().find_map(|line| line.strip_prefix("Depends: ")).expect("dependencies");
    let names = depends.split(',').filter_map(|clause| clause.split_whitespace().next());
    names.filter(|name| name.starts_with("lib") || name.starts_with("zlib")).map(str::to_owned).collect()
}

/// The libraries of a folder, by the names under which programs are linked against them: with one number behind `.so.`.
fn linked_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let linked = names.filter(|name| {
        let number = name.split_once(".so.").map(|(_, number)| number);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    });
    // The loader has a link in the folder above, which may lead out of this one.
    linked.filter_map(|name| Some((name.clone(), std::fs::read(folder.join(name)).ok()?))).collect()
}
