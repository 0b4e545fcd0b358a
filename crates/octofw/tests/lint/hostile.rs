//! Overlays that mean harm: nothing is followed out of them, nothing is waited for, and memory stays small.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use octofw::lint::ALLOW_FILE;

use crate::bed::{Bed, SCRIPT, codes};

#[test]
fn links_are_not_followed_out_of_the_overlay() {
    let outside = tempfile::tempdir().unwrap();
    let secret = format!("token=123456789:{}\n", "aB3-_".repeat(7));
    fs::write(outside.path().join("secret"), &secret).unwrap();
    fs::write(outside.path().join("x.sh"), format!("{SCRIPT}{secret}")).unwrap();
    let target = |name: &str| outside.path().join(name).display().to_string();
    let mut bed = Bed::new();
    bed.link("root/etc/x", &target("secret")).link("root/usr", &target("")).link("root/l", "/etc/passwd");
    bed.link("scripts/1.sh", &target("x.sh")).link("patches/1.patch", &target("secret"));
    bed.link("owners", &target("secret")).link(ALLOW_FILE, &target("secret"));
    let report = bed.report();
    let codes = codes(&report);
    assert!(!codes.contains(&"config/secret"), "{report:#?}");
    for code in
        ["files/link-escapes", "overlay/unfit", "patches/unusable", "overlay/owners", "allow/unreadable"]
    {
        assert!(codes.contains(&code), "{code}: {report:#?}");
    }
    let text = octofw::lint::text(&report, false, true);
    assert!(!text.contains("aB3"), "{text}");

    // One that stays inside is followed.
    let mut bed = Bed::new();
    bed.file("common/x.sh", "#!/bin/sh\n").link("scripts/1.sh", "../common/x.sh");
    assert_eq!(bed.codes(), ["scripts/no-guard", "scripts/not-executable"]);
}

#[test]
fn pipes_are_not_waited_for() {
    let started = Instant::now();
    let mut bed = Bed::new();
    for path in ["root/etc/p", "scripts/1.sh", "pre-scripts/1.sh", "patches/1.patch", "owners", ALLOW_FILE] {
        bed.pipe(path);
    }
    let codes = bed.codes();
    assert!(started.elapsed() < Duration::from_secs(20));
    for code in ["files/special", "overlay/unfit", "overlay/owners", "patches/unusable", "allow/unreadable"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
}

#[test]
fn holes_of_a_terabyte_cost_neither_time_nor_memory() {
    let mut bed = Bed::new();
    for path in [
        "root/etc/x.conf",
        "root/usr/bin/x",
        "root/etc/x.json",
        "root/etc/init.d/S66x",
        "scripts/1.sh",
        "patches/1.patch",
        "owners",
        ALLOW_FILE,
        "root/usr/local/share/firmware-config/functions/1.yaml",
    ] {
        bed.program(path, if path.ends_with('x') { "\x7fELF\x02\x01\x01" } else { "" });
        let file = bed.folder.path().join("01-a").join(path);
        let held = fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(1 << 40);
        if held.is_err() {
            fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(8 << 30).unwrap();
        }
    }
    let folder = bed.overlay("01-a");
    // With this much address space a file that is read whole ends the program.
    let limited =
        format!("ulimit -v 900000; exec timeout 120 {} lint --json \"$1\"", env!("CARGO_BIN_EXE_octofw"));
    let output = Command::new("bash").args(["-c", &limited, "bash"]).arg(folder).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("image/too-large"), "{text}");
}

#[test]
fn names_and_contents_cannot_command_the_terminal() {
    let mut bed = Bed::new();
    bed.file("root/etc/\u{1b}[2Jx", "a\r\n").link("root/etc/l", "/\u{1b}]0;x\u{7}");
    bed.file("owners", "\u{1b}[31m\n").program("scripts/1.sh", "#!/bin/\u{1b}[31msh\nif\n");
    bed.file("patches/\u{7}.patch", "x").program("root/usr/bin/x", "#!/usr/bin/env \u{1b}[5m\n");
    bed.file(ALLOW_FILE, "[[allow]]\ncode = \"\\u001b[31m\"\n");
    let report = bed.report();
    let text = octofw::lint::text(&report, false, true);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    let text = octofw::lint::github(&report);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn very_many_findings_are_counted_instead_of_kept() {
    let mut bed = Bed::new();
    bed.file("root/x", "");
    let root = bed.overlay("01-a").join("root");
    for number in 0..2000 {
        symlink("/etc/passwd", root.join(format!("l{number}"))).unwrap();
    }
    let report = bed.report();
    assert_eq!((report.findings.len(), report.more), (200, 1800));
}

#[test]
fn scripts_and_variables_that_grow_cost_little() {
    let started = Instant::now();
    let mut bed = Bed::new();
    let many: String = (0..200).map(|number| format!("V{number}=$V{0}$V{0}$V{0}\n", number + 1)).collect();
    bed.program("scripts/1.sh", format!("{SCRIPT}{many}cp \"$V0\" x\n"));
    bed.program("scripts/2.sh", format!("{SCRIPT}{}", "$(".repeat(100_000)));
    bed.program("scripts/3.sh", format!("{SCRIPT}{}", "`".repeat(100_001)));
    bed.program("scripts/4.sh", format!("{SCRIPT}{}", "(".repeat(100_000)));
    bed.program("scripts/5.sh", format!("{SCRIPT}{}", "f & ".repeat(100_000)));
    bed.program("scripts/6.sh", format!("{SCRIPT}{}", "case x in a) ".repeat(30_000)));
    bed.program("scripts/7.sh", format!("{SCRIPT}{}", "sh -c 'sh -c \"sh -c x\"' ; ".repeat(10_000)));
    bed.file("root/usr/local/share/firmware-config/functions/10_x.yaml", "- ".repeat(100_000));
    bed.file("root/etc/x.json", "[".repeat(1_000_000));
    bed.file(
        ALLOW_FILE,
        format!(
            "[[allow]]\ncode = \"init/name\"\npath = \"{}\"\nreason = \"{}\"\n",
            "*a".repeat(2000),
            "r".repeat(100)
        ),
    );
    bed.report();
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
