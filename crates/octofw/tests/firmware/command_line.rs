//! `octofw` as people and scripts use it: exit codes, messages, JSON.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use octofw::image::Image;
use octofw::standin::container::{ContainerOptions, Size};
use serde_json::Value;

use crate::samples::{Altered, GZIP, Sample, Squashfs};

fn octofw(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_octofw")).args(args).current_dir(folder).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn exit_codes_follow_the_contract() {
    let sample = Sample::new();
    fs::write(sample.path("text"), "this is no firmware").unwrap();
    let good = fs::read(&sample.base).unwrap();
    fs::write(sample.path("short.bin"), &good[..good.len() - 1]).unwrap();
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(sample.path("flipped.bin"), flipped).unwrap();
    let table: [(&[&str], i32); 19] = [
        (&["--help"], 0),
        (&["inspect", "--help"], 0),
        (&["--version"], 0),
        (&["inspect", "base.bin"], 0),
        (&["inspect", "base.bin", "--json"], 0),
        (&["inspect", "base.squashfs"], 0),
        (&["verify", "base.bin", "--base", "base.bin"], 0),
        (&["inspect", "flipped.bin"], 1),
        (&["verify", "flipped.bin"], 1),
        (&["inspect", "absent.bin"], 1),
        (&["verify", "absent.bin"], 1),
        (&[], 2),
        (&["frobnicate"], 2),
        (&["inspect"], 2),
        (&["verify", "base.bin", "--allow-boot"], 2),
        (&["inspect", "text"], 3),
        (&["verify", "short.bin"], 3),
        (&["verify", "base.bin", "--base", "flipped.bin"], 3),
        (&["check-program", "text"], 3),
    ];
    for (args, code) in table {
        let output = octofw(args, sample.folder.path());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}{}", stdout(&output), stderr(&output));
        // Findings go to standard output, failures to standard error.
        assert_eq!(stdout(&output).is_empty(), code >= 2 || args.contains(&"absent.bin"), "{args:?}");
    }
}

#[test]
fn a_failure_says_what_where_and_what_to_do() {
    let sample = Sample::new();
    let good = fs::read(&sample.base).unwrap();
    fs::write(sample.path("short.bin"), &good[..1000]).unwrap();
    let output = octofw(&["verify", "short.bin"], sample.folder.path());
    let message = stderr(&output);
    assert!(
        message.starts_with(
            "octofw: short.bin is not a sound U1 firmware file: UPFILE, range of entry 0 (update.img) at byte 0x44: found "
        ) && message.ends_with("The file was cut short: download or copy it again.\n"),
        "{message}"
    );
    let output = octofw(&["inspect", "absent"], sample.folder.path());
    assert_eq!(stderr(&output), "octofw: cannot read absent: No such file or directory (os error 2)\n");
}

#[test]
fn inspect_tells_people_every_layer() {
    let sample = Sample::new();
    let output = octofw(&["inspect", "base.bin"], sample.folder.path());
    let text = stdout(&output);
    for expected in [
        "base.bin: U1 upgrade file, ",
        "UPFILE  version 1.3.0.168, built 20260101000000, container version 1",
        "RKFW    version 1.0.0, code 0x02000000, chip 0x33353632, built 2026-01-01 00:00:00",
        "RKAF    version 1.0.0, model RK3562",
        "12 parts, ",
        "  system_b      from sector 786432     314572800 bytes    0.0% rootfs.img\n",
        "  userdata      from sector 3497984     the rest of it         userdata.img\n",
        "squashfs 4.0, gzip, blocks of 131072 bytes",
        "8192 bytes, 8192 used, 10 inodes, 4 ids",
        "extended attributes none, flags duplicates_removed, exportable",
        "\n                403a:stand-in\n                415:standin\n",
        "\nContents\n  package-file      list of 12 parts\n    package-file  package-file\n",
        "\n  parameter.txt     settings of the flash\n    ATAG: 0x00200800\n",
        "\n  misc.img          no debug record\n",
        "\n  boot.img          flattened image tree \"stand-in without a kernel\", 0 images, 0 configurations\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    assert!(!text.contains("WRONG"), "{text}");
    assert_eq!(text.matches(" ok\n").count(), 6, "{text}");
}

#[test]
fn inspect_shows_which_sum_is_wrong() {
    let sample = Sample::new();
    let mut bytes = fs::read(&sample.base).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(sample.path("flipped.bin"), bytes).unwrap();
    let output = octofw(&["inspect", "flipped.bin", "--json"], sample.folder.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let entries = report["upfile"]["entries"].as_array().unwrap();
    let ok: Vec<bool> = entries.iter().map(|entry| entry["md5_ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, true, true, false]);
    assert_eq!(report["rkaf"]["crc_ok"], true);
    assert_eq!(report["wrong_sums"].as_array().unwrap().len(), 1);
    let text = stdout(&octofw(&["inspect", "flipped.bin"], sample.folder.path()));
    assert_eq!(text.matches("WRONG").count(), 1);
    assert!(text.contains("wrong sum: UPFILE, MD5 of MCU_DESC at byte 0xb0"), "{text}");
}

#[test]
fn inspect_as_json_is_versioned_and_complete() {
    let sample = Sample::new();
    let output = octofw(&["inspect", "base.bin", "--json"], sample.folder.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["kind"], "upgrade");
    assert_eq!(report["size"], fs::metadata(&sample.base).unwrap().len());
    assert_eq!(report["rkaf"]["parts"].as_array().unwrap().len(), 12);
    assert_eq!(report["rkaf"]["parts"][8]["name"], "system_a");
    assert_eq!(report["rkaf"]["parts"][8]["sha256"], report["rkaf"]["parts"][9]["sha256"]);
    assert_eq!(report["rkaf"]["parts"][2]["flash_sector"], Value::Null);
    assert_eq!(report["partitions"].as_array().unwrap().len(), 9);
    assert_eq!(report["partitions"][5]["free"], 314_572_800 - 8192);
    assert_eq!(report["rootfs"]["compressor"], "gzip");
    assert_eq!(report["rootfs"]["ids"], 4);
    assert_eq!(report["wrong_sums"], Value::Array(Vec::new()));

    let output = octofw(&["inspect", "base.squashfs", "--json"], sample.folder.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["schema"], &report["kind"]), (&Value::from(1), &Value::from("squashfs")));
    assert_eq!(report.get("rkaf"), None);
    assert_eq!(report["rootfs"]["size"], GZIP.len);
}

#[test]
fn inspect_takes_each_part_by_itself() {
    let sample = Sample::new();
    let image = Image::open(&sample.base).unwrap();
    for (part, kind) in
        [("parameter.txt", "parameter"), ("package-file", "package-file"), ("boot.img", "fit")]
    {
        image.extract_part(part, &sample.path(part)).unwrap();
        let output = octofw(&["inspect", part, "--json"], sample.folder.path());
        assert_eq!(output.status.code(), Some(0), "{part}: {}", stderr(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((report["kind"].as_str(), report["content"]["form"].as_str()), (Some(kind), Some(kind)));
        assert_eq!(report.get("rootfs"), None);
        let text = stdout(&octofw(&["inspect", part], sample.folder.path()));
        assert!(text.starts_with(&format!("{part}: part of a rom image, ")), "{text}");
    }
    let report = octofw(&["inspect", "parameter.txt", "--json"], sample.folder.path());
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["partitions"][5]["name"], "system_a");
    assert_eq!(report["content"]["values"]["MACHINE_MODEL"], "RK3562");

    // Something that begins as a part and is none is an input that is not what it claims to be.
    fs::write(sample.path("cut.img"), &fs::read(sample.path("boot.img")).unwrap()[..60]).unwrap();
    let output = octofw(&["inspect", "cut.img"], sample.folder.path());
    assert_eq!(output.status.code(), Some(3));
    assert!(
        stderr(&output).starts_with("octofw: cut.img is not sound: FIT, tree at byte 0x0: "),
        "{}",
        stderr(&output)
    );
}

/// The tools of ext4 are the judge of what is shown.
#[test]
fn inspect_shows_a_file_system_for_data() {
    let sample = Sample::new();
    let made = Command::new("sh")
        .args(["-c", "PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -b 4096 -N 64 -L userdata oem.img 4M"])
        .current_dir(sample.folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    let output = octofw(&["inspect", "oem.img", "--json"], sample.folder.path());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let content = &report["content"];
    assert_eq!((&report["kind"], &content["version"]), (&"ext4".into(), &"ext4".into()));
    assert_eq!((&content["label"], &content["block_size"]), (&"userdata".into(), &4096.into()));
    assert_eq!((&content["blocks"], &content["clean"]), (&1024.into(), &true.into()));
    assert!(content["sum_ok"] == true || content["sum_ok"].is_null(), "{content}");
}

#[test]
fn verify_lists_findings_with_codes() {
    let sample = Sample::new();
    let mut altered = Altered::of(&sample);
    altered.rom(4096 + 2048 + 500)[0] ^= 1;
    altered.write(&sample.path("altered.bin"));
    let args = ["verify", "altered.bin", "--base", "base.bin"];
    let output = octofw(&args, sample.folder.path());
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("\nerror    protected-part-differs: MiniLoaderAll.bin is not the one of the base"),
        "{text}"
    );
    assert!(text.ends_with("altered.bin: not sound (errors: 1, warnings: 1)\n"), "{text}");
    let output = octofw(&[&args[..], &["--json"]].concat(), sample.folder.path());
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["schema"], &report["ok"]), (&Value::from(1), &Value::from(false)));
    let findings = report["findings"].as_array().unwrap();
    let codes: Vec<&str> = findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["below-50-mb", "protected-part-differs"]);
    assert_eq!(findings[1]["severity"], "error");
}

/// What is packed like its base would not boot either.
#[test]
fn nothing_is_built_on_a_base_that_its_kernel_cannot_mount() {
    let sample = Sample::with(Squashfs { compressor: 6, ..GZIP }, &ContainerOptions::default());
    let output = octofw(&["build", "--base", "base.bin", "--out", "out.bin"], sample.folder.path());
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let message = stderr(&output);
    assert!(
        message.contains("base.bin is no base for an image: the root file system is compressed with zstd"),
        "{message}"
    );
    assert!(!sample.path("out.bin").exists());
}

#[test]
fn check_program_refuses_this_machines_programs() {
    let sample = Sample::new();
    let own = env!("CARGO_BIN_EXE_octofw");
    let output = octofw(&["check-program", own, "--max-size", "1000"], sample.folder.path());
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains(".symtab") && text.contains("more than the 1000 allowed"), "{text}");
    let output = octofw(&["check-program", own, "--max-size", "1000", "--json"], sample.folder.path());
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["schema"], &report["size"]), (&1.into(), &fs::metadata(own).unwrap().len().into()));
    assert_eq!(report["violations"].as_array().unwrap().len(), text.lines().count());
}

/// A file of 64 MB within 40 MB of address space, most of which the program's own libraries take.
#[test]
fn memory_does_not_grow_with_the_file() {
    let options = ContainerOptions { size: Size::Padded, ..ContainerOptions::default() };
    let sample = Sample::with(GZIP, &options);
    assert!(fs::metadata(&sample.base).unwrap().len() > 60_000_000);
    let arguments = [&["inspect", "base.bin"][..], &["verify", "base.bin", "--base", "base.bin"]];
    for arguments in arguments {
        let output = Command::new("sh")
            .args(["-c", "ulimit -v 40960 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_octofw")])
            .args(arguments)
            .current_dir(sample.folder.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    }
}

/// `octofw inspect … | head -1` must not end with a broken pipe.
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sample = Sample::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_octofw"))
        .args(["inspect", "base.bin"])
        .current_dir(sample.folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}
