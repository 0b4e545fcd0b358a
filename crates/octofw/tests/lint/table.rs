//! The other rules, and the proof that each rule has a row.

use crate::bed::{Bed, INIT, Row, SCRIPT};
use crate::elf::{Program, STATIC};
use crate::{table_init, table_scripts};

const TOOL: &str = "root/usr/bin/tool";
const CFG: &str = "root/usr/local/share/firmware-config/extended/extended2.cfg";
const YAML: &str = "root/usr/local/share/firmware-config/functions/53_x.yaml";

/// A patch of what the base has for printers that start for the first time.
const ORIGIN: &str =
    "--- a/home/lava/origin_printer_data/x\n+++ b/home/lava/origin_printer_data/x\n@@ -1 +1 @@\n-a\n+b\n";

fn switch(name: &str, command: &str) -> String {
    format!("settings:\n  web:\n    items:\n      {name}:\n        get_cmd: [{command}, get]\n")
}

const ROWS: &[Row] = &[
    Row {
        code: "files/windows-line-ends",
        bad: |bed| bed.file("root/etc/x.conf", "a\r\nb\n"),
        good: |bed| bed.file("root/etc/x.html", "a\r\nb\n").file("root/etc/x.bin", "\0\r\n"),
    },
    Row {
        code: "files/leftover",
        bad: |bed| bed.file("root/etc/.x.swp", ""),
        good: |bed| bed.file("root/etc/x.swap", ""),
    },
    Row {
        code: "files/leftover",
        bad: |bed| bed.file("root/etc/x.conf~", ""),
        good: |bed| bed.file("root/etc/~x", ""),
    },
    Row {
        code: "files/world-writable",
        bad: |bed| bed.with_mode("root/etc/x", "", 0o666),
        good: |bed| bed.with_mode("root/etc/x", "", 0o664),
    },
    Row {
        code: "files/world-writable",
        bad: |bed| bed.file("owners", "var/x 0777 0 0\n"),
        good: |bed| bed.file("owners", "var/x 1777 0 0\n"),
    },
    Row {
        code: "files/world-writable",
        bad: |bed| bed.program("scripts/1.sh", format!("{SCRIPT}chmod -R a+rwX \"$1/var/x\"\n")),
        good: |bed| bed.program("scripts/1.sh", format!("{SCRIPT}chmod -R a+rX \"$1/var/x\"\n")),
    },
    Row {
        code: "files/setuid",
        bad: |bed| bed.with_mode(TOOL, STATIC.bytes(), 0o4755),
        good: |bed| bed.with_mode(TOOL, STATIC.bytes(), 0o4755).file("owners", "usr/bin/tool 4755 0 0\n"),
    },
    Row {
        code: "files/setuid",
        bad: |bed| bed.program("scripts/1.sh", format!("{SCRIPT}chmod u+s \"$1/bin/su\"\n")),
        good: |bed| {
            bed.file("owners", "bin/su 4755 0 0\n");
            bed.program("scripts/1.sh", format!("{SCRIPT}chmod u+s \"$1/bin/su\"\n"))
        },
    },
    Row {
        code: "files/link-escapes",
        bad: |bed| bed.link("root/etc/x", "/usr/share/x"),
        good: |bed| bed.link("root/etc/x", "../usr/share/x").link("root/etc/y", "/tmp/y"),
    },
    Row {
        code: "files/link-escapes",
        bad: |bed| bed.link("root/etc/x", "../../x"),
        good: |bed| bed.link("root/etc/x", "../x"),
    },
    Row {
        code: "files/replaces-stock",
        bad: |bed| bed.based().file("root/etc/config", "mine\n"),
        good: |bed| {
            // The same once more is no change.
            bed.based().file("root/etc/config", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n")
        },
    },
    Row {
        code: "files/in-the-way",
        bad: |bed| bed.based().file("root/usr/lib/libc.so.6/x", ""),
        good: |bed| bed.based().file("root/usr/lib/libd.so.6/x", ""),
    },
    Row {
        code: "files/in-the-way",
        bad: |bed| bed.based().file("root/etc/nginx", ""),
        good: |bed| bed.based().file("root/etc/nginx/x", ""),
    },
    Row {
        code: "files/in-the-way",
        bad: |bed| bed.based().program("root/etc/nowhere", ""),
        good: |bed| {
            bed.based().link("root/etc/nowhere", "config").link("root/usr/lib/libc.so.6", "libc.so.7")
        },
    },
    Row {
        code: "files/mounted-over",
        bad: |bed| bed.file("root/home/lava/printer_data/config/x.cfg", ""),
        good: |bed| bed.link("root/home/lava/printer_data", "/oem/printer_data"),
    },
    Row {
        code: "files/mounted-over",
        bad: |bed| bed.file("root/oem/apps/x", ""),
        good: |bed| bed.file("root/oem2/apps/x", ""),
    },
    Row {
        code: "files/origin-printer-data",
        bad: |bed| bed.file("root/home/lava/origin_printer_data/config/x.cfg", "[x]\n"),
        good: |bed| bed.file("root/usr/local/share/firmware-config/extended/klipper/x.cfg", "[x]\n"),
    },
    Row {
        code: "files/origin-printer-data",
        bad: |bed| {
            let patch = "--- a/moonraker.conf\n+++ b/moonraker.conf\n@@ -1 +1,2 @@\n [a]\n+b: c\n";
            bed.based().file("patches/home/lava/origin_printer_data/config/1.patch", patch)
        },
        good: |bed| bed.file("root/usr/share/origin_printer_data/x", ""),
    },
    Row {
        code: "files/origin-printer-data",
        bad: |bed| bed.file("patches/1.patch", ORIGIN),
        good: |bed| bed.file("patches/1.patch", ORIGIN.replace("printer_data/", "printer_data_old/")),
    },
    Row {
        code: "files/special",
        bad: |bed| bed.pipe("root/etc/pipe"),
        good: |bed| bed.file("root/etc/pipe", ""),
    },
    Row {
        code: "files/name",
        bad: |bed| bed.file("root/etc/a\nb", ""),
        good: |bed| bed.file("root/etc/a b", ""),
    },
    Row {
        code: "files/unreadable",
        bad: |bed| {
            // Its path is longer than any that can be opened.
            bed.file("root/x", "");
            let script = "cd \"$1\" || exit 1; name=$(printf '%0230d' 0)\n\
                          for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do mkdir $name; cd -P ./$name; done";
            let root = bed.overlay("01-a").join("root");
            let made =
                std::process::Command::new("bash").args(["-c", script, "bash"]).arg(root).status().unwrap();
            assert!(made.success());
            bed
        },
        good: |bed| bed.file(&format!("root/{}/x", "d".repeat(240)), ""),
    },
    Row {
        code: "elf/machine",
        bad: |bed| bed.program(TOOL, Program { machine: 62, ..STATIC }.bytes()),
        good: |bed| bed.program(TOOL, STATIC.bytes()),
    },
    Row {
        code: "elf/unreadable",
        bad: |bed| bed.program(TOOL, &STATIC.bytes()[..100]),
        good: |bed| bed.program(TOOL, STATIC.bytes()),
    },
    Row {
        code: "elf/missing-loader",
        bad: |bed| {
            let musl = Program { loader: Some("/lib/ld-musl-aarch64.so.1"), ..STATIC };
            bed.based().program(TOOL, musl.bytes())
        },
        good: |bed| {
            let glibc = Program { loader: Some("/lib/ld-linux-aarch64.so.1"), ..STATIC };
            bed.based().program(TOOL, glibc.bytes())
        },
    },
    Row {
        code: "elf/missing-library",
        bad: |bed| {
            let program = Program { needs: &["libc.so.6", "libcrypto.so.1.1"], ..STATIC };
            bed.based().program(TOOL, program.bytes())
        },
        good: |bed| {
            let needs: &[&str] = &["libc.so.6", "libown.so", "libother.so"];
            let program = Program { needs, search: Some("$ORIGIN/../share/x"), ..STATIC };
            bed.based().program(TOOL, program.bytes()).program("root/usr/lib/libown.so", STATIC.bytes());
            bed.program("02-b: root/usr/share/x/libother.so", STATIC.bytes())
        },
    },
    Row {
        code: "elf/host-rpath",
        bad: |bed| bed.program(TOOL, Program { search: Some("/home/me/build/lib"), ..STATIC }.bytes()),
        good: |bed| bed.program(TOOL, Program { search: Some("$ORIGIN:/usr/lib/x"), ..STATIC }.bytes()),
    },
    Row {
        code: "elf/not-stripped",
        bad: |bed| bed.program(TOOL, Program { symbols: true, ..STATIC }.bytes()),
        good: |bed| {
            let module = Program { symbols: true, ..STATIC };
            bed.program(TOOL, STATIC.bytes()).file("root/lib/modules/tun.ko", module.bytes())
        },
    },
    Row {
        code: "config/not-parsed",
        bad: |bed| bed.file(CFG, "[web]\nfrontend\n"),
        good: |bed| bed.file(CFG, "# x\n[web]\nfrontend: fluidd\n  and = more\n\n; y\n[camera] x\nusb=\n"),
    },
    Row {
        code: "config/not-parsed",
        bad: |bed| bed.file("root/usr/local/share/firmware-config/extended/klipper/x.cfg", "a: b\n"),
        good: |bed| {
            let macros = "[gcode_macro X]\ngcode:\n  {% if x %}\n  G28 ; home\n[x]\ny: 50% # z\n[x]\n";
            bed.file("root/usr/local/share/firmware-config/extended/klipper/x.cfg", macros)
        },
    },
    Row {
        code: "config/duplicate",
        bad: |bed| bed.file(CFG, "[web]\na: 1\nA = 2\n"),
        good: |bed| bed.file(CFG, "[web]\na: 1\n[Web]\na: 1\n"),
    },
    Row {
        code: "config/duplicate",
        bad: |bed| bed.file(CFG, "[web]\n[web]\n"),
        good: |bed| bed.file("root/etc/other.cfg", "[web]\n[web]\n"),
    },
    Row {
        code: "config/percent",
        bad: |bed| bed.file(CFG, "[web]\na: 100%\n"),
        good: |bed| bed.file(CFG, "[web]\n# 100%\na: 1\n"),
    },
    Row {
        code: "config/inline-comment",
        bad: |bed| bed.file(CFG, "[web]\na: true # yes\n"),
        good: |bed| bed.file(CFG, "[web]\na: b#c\n"),
    },
    Row { code: "config/yaml", bad: |bed| bed.file(YAML, "a: [\n"), good: |bed| bed.file(YAML, "a: []\n") },
    Row {
        code: "config/yaml-duplicate-key",
        bad: |bed| bed.file(YAML, "a:\n  b: 1\n  b: 2\n"),
        good: |bed| bed.file(YAML, "a:\n  b: 1\nc:\n  b: 2\n"),
    },
    Row {
        code: "config/yaml-file-name",
        bad: |bed| bed.file(&YAML.replace("53_x", "x"), switch("x", "/bin/sh")),
        good: |bed| bed.file(YAML, switch("x", "/bin/sh")),
    },
    Row {
        code: "config/yaml-name-taken",
        bad: |bed| bed.based().file(YAML, switch("firmware_config", "/bin/sh")),
        good: |bed| bed.based().file(YAML, switch("other", "/bin/sh")),
    },
    Row {
        code: "config/yaml-name-taken",
        bad: |bed| {
            bed.file(YAML, switch("x", "/bin/sh")).file(
                "02-b: root/usr/local/share/firmware-config/functions/54_y.yaml",
                switch("x", "/bin/sh"),
            )
        },
        good: |bed| {
            bed.file(YAML, switch("x", "/bin/sh")).file(
                "02-b: root/usr/local/share/firmware-config/functions/54_y.yaml",
                switch("y", "/bin/sh"),
            )
        },
    },
    Row {
        code: "config/missing-command",
        bad: |bed| bed.based().file(YAML, switch("x", "/usr/bin/nothing")),
        good: |bed| {
            bed.based().file(
                YAML,
                switch("x", "sh").replace("get]", "-c, '/etc/init.d/S66x start; /usr/bin/made']"),
            );
            let script = format!("{SCRIPT}cp x \"$1/usr/bin/made\"\n");
            bed.program("root/etc/init.d/S66x", INIT).program("scripts/1.sh", script)
        },
    },
    Row {
        code: "config/json",
        bad: |bed| bed.file("root/etc/x.json", "{\"a\": 1,}"),
        good: |bed| bed.file("root/etc/x.json", "{\"a\": 1}"),
    },
    Row {
        code: "config/secret",
        bad: |bed| bed.file("root/etc/x", format!("token=123456789:{}\n", "aB3-_".repeat(7))),
        good: |bed| bed.file("root/etc/x", format!("token=12345678:{}\n", "aB3-_".repeat(6))),
    },
    Row {
        code: "image/too-large",
        bad: |bed| noise(bed, 301 << 20),
        good: |bed| {
            // A hole is nothing when it is packed.
            bed.file("root/usr/share/hole", "");
            let hole = bed.folder.path().join("01-a/root/usr/share/hole");
            std::fs::OpenOptions::new().write(true).open(hole).unwrap().set_len(255 << 20).unwrap();
            bed
        },
    },
    Row {
        code: "image/little-room",
        bad: |bed| {
            bed.settings.margin = 300 << 20;
            bed.based().file("root/x", "")
        },
        good: |bed| {
            bed.settings.margin = 200 << 20;
            bed.based().file("root/x", "")
        },
    },
    Row {
        code: "image/version",
        bad: |bed| {
            bed.settings.version_suffix = Some("0123456789abcdef01234567x".into());
            bed.file("root/x", "")
        },
        good: |bed| {
            bed.settings.version_suffix = Some("0123456789abcdef01234567".into());
            bed.file("root/x", "")
        },
    },
    Row {
        code: "image/version",
        bad: |bed| {
            bed.settings.version_suffix = Some("a/b".into());
            bed.file("root/x", "")
        },
        good: |bed| {
            bed.settings.version_suffix = Some("a-b".into());
            bed.file("root/x", "")
        },
    },
    Row {
        code: "overlay/unfit",
        bad: |bed| bed.link("scripts", "..").file("root/x", ""),
        good: |bed| bed.file("scripts/README", "").file("root/x", ""),
    },
    Row {
        code: "overlay/owners",
        bad: |bed| bed.file("owners", "etc/x 0644 root root\n"),
        good: |bed| bed.file("owners", "etc/x 0644 0 0\n"),
    },
    Row {
        code: "overlay/owners",
        bad: |bed| bed.based().file("owners", "etc/config 0644 0 0\netc/nothing 0644 0 0\n"),
        // A patch makes one, a script may make another.
        good: |bed| {
            let made = "--- /dev/null\n+++ b/patched/new\n@@ -0,0 +1 @@\n+x\n";
            let owners =
                "etc/config 0644 0 0\nopt/ours/x 0644 0 0\npatched/new 0644 0 0\netc/scripted 0644 0 0\n";
            bed.based().file("owners", owners).file("root/opt/ours/x", "").file("patches/1.patch", made);
            bed.program("scripts/1.sh", format!("{SCRIPT}cp x \"$1/etc/scripted\"\n"))
        },
    },
    Row {
        code: "overlay/owners",
        bad: |bed| bed.based().file("owners", "opt/link/x 0644 0 0\n").link("root/opt/link", "real"),
        good: |bed| bed.based().file("owners", "opt/real/x 0644 0 0\n").file("root/opt/real/x", ""),
    },
    Row {
        code: "overlay/empty",
        bad: |bed| bed.file("README.md", ""),
        good: |bed| bed.file("README.md", "").file("root/x", ""),
    },
    Row {
        code: "overlay/empty",
        bad: |bed| {
            bed.file("patches/1.diff", "").program("scripts/install", "").file("scripts/late/1.sh", "")
        },
        good: |bed| bed.file("patches/1.diff", "").file("root/x", ""),
    },
    Row {
        code: "overlay/empty",
        bad: |bed| bed.file("root/.gitkeep", ""),
        good: |bed| bed.file("root/etc/.gitkeep", "").file("owners", "etc 0755 0 0\n"),
    },
];

/// Rules that have tables of their own.
const ELSEWHERE: [&str; 9] = [
    "allow/no-reason",
    "allow/unknown-code",
    "allow/unreadable",
    "allow/unused",
    "image/compressor",
    "image/protected-part",
    "image/sum",
    "image/too-small",
    "image/unsound",
];

/// Bytes that cannot be packed, without writing them one by one.
fn noise(bed: &mut Bed, len: u64) -> &mut Bed {
    bed.file("root/usr/share/noise", "");
    let file = bed.folder.path().join("01-a/root/usr/share/noise");
    // Larger than what is measured, so that it counts as it is.
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(len).unwrap();
    bed
}

#[test]
fn each_rule_is_broken_by_one_thing_and_kept_by_its_neighbour() {
    let mut wrong = Vec::new();
    for Row { code, bad, good } in ROWS.iter().chain(table_init::ROWS).chain(table_scripts::ROWS) {
        let (mut one, mut other) = (Bed::new(), Bed::new());
        bad(&mut one);
        good(&mut other);
        let (found, kept) = (one.report(), other.report());
        if crate::bed::codes(&found) != [*code] {
            wrong.push(format!("{code}, broken: {:#?}", found.findings));
        }
        if !crate::bed::codes(&kept).is_empty() {
            wrong.push(format!("{code}, kept: {:#?}", kept.findings));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_has_a_row() {
    let rows: Vec<&str> =
        ROWS.iter().chain(table_init::ROWS).chain(table_scripts::ROWS).map(|row| row.code).collect();
    for rule in octofw::lint::rules() {
        let is_elsewhere = ELSEWHERE.contains(&rule.code);
        assert!(rows.contains(&rule.code) != is_elsewhere, "{}", rule.code);
    }
    assert!(Bed::new().file("root/x", "").codes().is_empty());
}
