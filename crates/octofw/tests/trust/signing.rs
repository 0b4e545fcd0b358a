//! Signatures, beside Debian's `minisign`: what one signs the other verifies, with the same keys.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use octofw::sign::public_key;

use crate::bed::{Bed, said};

const MANIFEST: &str = "dist/firmware.manifest.json";

/// Debian's minisign, which is told the passphrase through standard input.
fn minisign(bed: &Bed, arguments: &[&str], input: &str) -> Output {
    let mut command = bed.command("minisign", arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that asks for nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn keys(bed: &Bed) {
    bed.fine(&["keygen", "--secret", "key", "--public", "key.pub", "--no-passphrase"]);
}

#[test]
fn debians_minisign_verifies_what_octofw_signs() {
    let bed = Bed::built();
    keys(&bed);
    assert_eq!(fs::metadata(bed.path("key")).unwrap().permissions().mode() & 0o777, 0o600);
    let printed = bed.fine(&["sign", MANIFEST, "--key", "key", "--comment", "the first release"]);
    assert_eq!(printed, format!("{MANIFEST}.minisig\n"));
    let verified = minisign(&bed, &["-Vm", MANIFEST, "-p", "key.pub"], "");
    assert!(verified.status.success(), "{}", said(&verified));
    assert!(said(&verified).contains("the first release"), "{}", said(&verified));

    let mut manifest = fs::read(bed.path(MANIFEST)).unwrap();
    manifest.push(b'\n');
    fs::write(bed.path(MANIFEST), manifest).unwrap();
    assert!(!minisign(&bed, &["-Vm", MANIFEST, "-p", "key.pub"], "").status.success());
}

#[test]
fn octofw_verifies_what_debians_minisign_signs() {
    let bed = Bed::built();
    let made = minisign(&bed, &["-G", "-W", "-p", "key.pub", "-s", "key"], "");
    assert!(made.status.success(), "{}", said(&made));
    let line = bed.read("key.pub").lines().nth(1).unwrap().to_owned();
    let verify = ["verify", "dist/firmware.bin", "--base", "base.bin", "--key"];
    // With and without the hash before the signature: minisign changed its mind about it.
    for more in ["-H", "-l"] {
        let signed = minisign(&bed, &["-S", more, "-m", MANIFEST, "-s", "key"], "");
        assert!(signed.status.success(), "{}", said(&signed));
        for key in ["key.pub", &line] {
            let told = bed.fine(&[&verify[..], &[key]].concat());
            let id = public_key(&line).unwrap().id();
            assert!(told.contains(&format!("signed with the key {id}")), "{told}");
        }
    }
    // And its keys are ours.
    fs::remove_file(bed.path(&format!("{MANIFEST}.minisig"))).unwrap();
    bed.fine(&["sign", MANIFEST, "--key", "key"]);
    bed.fine(&[&verify[..], &["key.pub"]].concat());
}

#[test]
fn a_passphrase_is_asked_for_by_both_and_shown_by_none() {
    let bed = Bed::new();
    bed.write("passphrase", "correct horse\nbattery\n");
    bed.fine(&["keygen", "--secret", "key", "--public", "key.pub", "--passphrase-file", "passphrase"]);
    bed.write("file", "content\n");
    bed.fails(&["sign", "file", "--key", "key"], 1, "the key key has a passphrase: give --passphrase-file");
    bed.fine(&["sign", "file", "--key", "key", "--passphrase-file", "passphrase"]);
    let verified = minisign(&bed, &["-Vm", "file", "-p", "key.pub"], "");
    assert!(verified.status.success(), "{}", said(&verified));
    let signed = minisign(&bed, &["-Sm", "file", "-s", "key"], "correct horse\n");
    assert!(signed.status.success(), "{}", said(&signed));
    public_key(bed.path("key.pub").to_str().unwrap())
        .unwrap()
        .check(&bed.path("file"), &bed.path("file.minisig"))
        .unwrap();

    bed.write("passphrase", "wrong horse\n");
    let told = bed.fails(
        &["sign", "file", "--key", "key", "--passphrase-file", "passphrase"],
        1,
        "the passphrase does not open the key key",
    );
    let secret = bed.read("key").lines().nth(1).unwrap().to_owned();
    assert!(!told.contains("horse") && !told.contains(&secret), "{told}");
}

#[test]
fn no_key_is_replaced_and_none_is_made_in_silence() {
    let bed = Bed::new();
    keys(&bed);
    let before = (bed.read("key"), bed.read("key.pub"));
    for (secret, public) in [("key", "other.pub"), ("other", "key.pub")] {
        let call = ["keygen", "--secret", secret, "--public", public, "--no-passphrase"];
        bed.fails(&call, 1, "File exists");
        assert!(!bed.path("other").exists() && !bed.path("other.pub").exists());
    }
    assert_eq!((bed.read("key"), bed.read("key.pub")), before);
    bed.fails(&["keygen", "--secret", "new", "--public", "new.pub"], 2, "--no-passphrase");
}

/// What a flasher may be given instead of the image, each with the code that names it.
#[test]
fn a_flasher_is_told_what_is_not_as_it_was_signed() {
    let bed = Bed::built();
    keys(&bed);
    bed.fine(&["sign", MANIFEST, "--key", "key"]);
    bed.fine(&["keygen", "--secret", "stranger", "--public", "stranger.pub", "--no-passphrase"]);
    let codes = |more: &[&str]| -> Vec<String> {
        let output = bed.octofw(&[&["verify", "dist/firmware.bin", "--json"], more].concat());
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors = report["findings"].as_array().unwrap().iter().filter(|one| one["severity"] == "error");
        let codes: Vec<String> = errors.map(|one| one["code"].as_str().unwrap().to_owned()).collect();
        assert_eq!(output.status.code(), Some(i32::from(!codes.is_empty())));
        assert_eq!(report["ok"], codes.is_empty());
        codes
    };
    let with_key = ["--key", "key.pub"];
    assert_eq!(codes(&with_key), [""; 0]);
    assert_eq!(codes(&["--manifest", MANIFEST]), [""; 0]);
    assert_eq!(codes(&["--key", "stranger.pub"]), ["signature-wrong"]);

    let good = fs::read(bed.path("dist/firmware.bin")).unwrap();
    // Another build of the same base is sound in itself.
    fs::copy(bed.path("base.bin"), bed.path("dist/firmware.bin")).unwrap();
    assert_eq!(codes(&with_key), ["manifest-differs"]);
    assert_eq!(codes(&[]), [""; 0]);
    fs::write(bed.path("dist/firmware.bin"), &good).unwrap();

    fs::copy(bed.path("dist/firmware.bin"), bed.path("other-base.bin")).unwrap();
    assert_eq!(codes(&["--key", "key.pub", "--base", "other-base.bin"]), ["manifest-base-differs"]);

    let signature = bed.path(&format!("{MANIFEST}.minisig"));
    fs::write(&signature, "untrusted comment: x\n").unwrap();
    assert_eq!(codes(&with_key), ["signature-malformed"]);
    fs::remove_file(&signature).unwrap();
    assert_eq!(codes(&with_key), ["signature-missing"]);
    bed.write(MANIFEST, "{}\n");
    assert_eq!(codes(&with_key), ["signature-missing", "manifest-malformed"]);
    fs::remove_file(bed.path(MANIFEST)).unwrap();
    assert_eq!(codes(&with_key), ["manifest-missing"]);
}

/// A manifest is a stranger's text until its signature was found good, and what is told of it goes to a terminal.
#[test]
fn nothing_in_a_manifest_moves_the_cursor() {
    let bed = Bed::built();
    keys(&bed);
    let manifest: serde_json::Value = serde_json::from_str(&bed.read(MANIFEST)).unwrap();
    let told = manifest["result"]["sha256"].as_str().unwrap();
    let named = manifest["overlays"][0]["name"].as_str().unwrap();
    let odd = bed.read(MANIFEST).replace(named, r"x\u001b[2J\u009b1A\ny");
    let verify = ["verify", "dist/firmware.bin", "--base", "base.bin", "--key", "key.pub"];
    for text in [odd.clone(), odd.replace(told, r"\u001b]0;sound\u0007")] {
        bed.write(MANIFEST, &text);
        for words in [&verify[..], &["explain", "/etc/new", "--image", "dist/firmware.bin"]] {
            let printed = said(&bed.octofw(words));
            assert!(!printed.contains(|letter: char| letter.is_control() && letter != '\n'), "{printed:?}");
            assert!(!printed.lines().any(|line| line.trim() == "y"), "{printed}");
        }
    }
    let printed = said(&bed.octofw(&verify));
    assert!(printed.contains(r"\u{1b}]0;sound\u{7}"), "{printed}");
}
