//! Archives in both directions, and those that mean harm.

use std::io::{Cursor, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use flate2::Compression;
use flate2::write::GzEncoder;
use octo_session::files::Limits;

use crate::bed::Bed;

fn filled() -> Bed {
    let bed = Bed::new();
    bed.put("o/etc/init.d/S50", "#!/bin/sh\n");
    bed.put("o/with,comma", "x");
    bed.put("o/.git/config", "g");
    bed.put("o/closed/file", "c");
    let mode = |path: &str, mode| {
        std::fs::set_permissions(bed.root().join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("o/etc/init.d/S50", 0o755);
    mode("o/with,comma", 0o640);
    mode("o/closed", 0o555);
    symlink("/dev/null", bed.root().join("o/etc/null")).unwrap();
    symlink("init.d/S50", bed.root().join("o/etc/S")).unwrap();
    bed
}

/// Path, mode, and content or target of everything in `o`.
fn seen(bed: &Bed, top: &str) -> Vec<(String, u32, String)> {
    let mut seen = Vec::new();
    let top = bed.root().join(top);
    let mut todo = vec![top.clone()];
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(&top).unwrap().to_string_lossy().into_owned();
            if meta.is_dir() {
                seen.push((name, meta.mode() & 0o7777, String::new()));
                todo.push(path);
            } else if meta.is_symlink() {
                seen.push((name, 0, std::fs::read_link(&path).unwrap().to_string_lossy().into_owned()));
            } else {
                seen.push((name, meta.mode() & 0o7777, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    seen.sort();
    seen
}

#[tokio::test]
async fn what_is_packed_comes_back_the_same_by_every_way() {
    let bed = filled();
    for (uri, to) in [
        ("/archive?path=o", "a"),
        ("/archive?path=o&format=tar", "b"),
        ("/archive?path=o&format=zip", "c"),
        ("/download?path=o", "d"),
        ("/download-zip?paths=o", "e"),
    ] {
        let packed = bed.get(uri).await.fine();
        assert!(packed.header("content-disposition").contains("attachment; filename=\"o."), "{uri}");
        let reply = bed.ask("POST", &format!("/extract?path={to}"), &[], packed.body).await.fine();
        assert_eq!(reply.json()["links"], 2, "{uri}: {}", reply.text());
        assert_eq!(seen(&bed, &format!("{to}/o")), seen(&bed, "o"), "{uri}");
    }
    // An archive that is in the workspace.
    let packed = bed.get("/archive?path=o").await.fine();
    std::fs::write(bed.root().join("o.tar.gz"), packed.body).unwrap();
    bed.send("POST", "/extract?archive=o.tar.gz&path=f", "").await.fine();
    assert_eq!(seen(&bed, "f/o"), seen(&bed, "o"));
}

#[tokio::test]
async fn one_zip_holds_what_is_named_also_with_commas() {
    let bed = filled();
    bed.put("p", "y");
    let zip = bed.get("/download-zip?paths=p,o/etc&path=o/with%2Ccomma&name=my%20files").await.fine();
    assert!(zip.header("content-disposition").contains("filename=\"my files.zip\""));
    let mut zip = zip::ZipArchive::new(Cursor::new(zip.body)).unwrap();
    let mut names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    names.sort();
    assert_eq!(names, ["etc/", "etc/S", "etc/init.d/", "etc/init.d/S50", "etc/null", "p", "with,comma"]);
    assert_eq!(zip.by_name("etc/init.d/S50").unwrap().unix_mode().unwrap() & 0o7777, 0o755);
    bed.get("/download-zip?paths=p,none").await.refused(404, "NOT_FOUND");
    bed.get("/download-zip?paths=o/etc/S,o/etc/../S").await.refused(403, "PATH_TRAVERSAL");
    bed.get("/download-zip").await.refused(400, "INVALID_PATH");
    bed.get("/archive?format=rar").await.refused(400, "INVALID_REQUEST");
}

/// A tar file with one entry after the other, as nobody's library would write it.
fn tar_of(entries: &[(&str, tar::EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, kind, target, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        out.append(&header, *content).unwrap();
    }
    out.into_inner().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn hostile_archives_leave_nothing() {
    use tar::EntryType::{GNULongName, GNUSparse, Link, Regular, Symlink};
    let good = ("good", Regular, "", &b"x"[..]);
    let cases = [
        ("parent", tar_of(&[good, ("../evil", Regular, "", b"x")]), 403, "PATH_TRAVERSAL"),
        ("absolute", tar_of(&[good, ("/tmp/evil", Regular, "", b"x")]), 403, "PATH_TRAVERSAL"),
        ("hard link out", tar_of(&[good, ("l", Link, "../secret", b"")]), 403, "PATH_TRAVERSAL"),
        ("hard link away", tar_of(&[good, ("l", Link, "/etc/passwd", b"")]), 403, "PATH_TRAVERSAL"),
        ("sparse", tar_of(&[good, ("s", GNUSparse, "", b"")]), 422, "INVALID_ARCHIVE"),
        ("long name", tar_of(&[good, ("x", GNULongName, "", &[b'n'; 70_000])]), 422, "INVALID_ARCHIVE"),
        ("no target", tar_of(&[good, ("l", Symlink, "", b"")]), 422, "INVALID_ARCHIVE"),
        ("no archive", b"just text".to_vec(), 422, "INVALID_ARCHIVE"),
        ("half a gzip", gz(&tar_of(&[good]))[..40].to_vec(), 422, "INVALID_ARCHIVE"),
        ("half a zip", b"PK\x03\x04 and no more".to_vec(), 422, "INVALID_ARCHIVE"),
        ("gzip of nothing", gz(b""), 200, ""),
    ];
    for (what, archive, status, code) in cases {
        let bed = Bed::new();
        let reply = bed.ask("POST", "/extract?path=to", &[], archive).await;
        if status == 200 {
            reply.fine();
        } else {
            assert_eq!(
                (reply.status.as_u16(), reply.json()["code"].as_str()),
                (status, Some(code)),
                "{what}: {}",
                reply.text()
            );
        }
        assert!(bed.all().is_empty(), "{what}: {:?}", bed.all());
    }
}

#[tokio::test]
async fn links_of_an_archive_are_not_written_through() {
    use tar::EntryType::{Link, Regular, Symlink};
    // A link to a directory outside, and a file through it.
    let bed = Bed::new();
    let archive = tar_of(&[("out", Symlink, "..", b""), ("out/evil", Regular, "", b"x")]);
    bed.ask("POST", "/extract", &[], archive).await.refused(403, "PATH_TRAVERSAL");
    assert!(!bed.root().parent().unwrap().join("evil").exists());
    // A link to a directory inside is none to write through either.
    let bed = Bed::new();
    bed.put("own/keep", "");
    let archive = tar_of(&[("in", Symlink, "own", b""), ("in/evil", Regular, "", b"x")]);
    bed.ask("POST", "/extract", &[], archive).await.refused(403, "PATH_TRAVERSAL");
    assert!(!bed.root().join("own/evil").exists());
    // A link to a file outside, and a file of the same name: the link gives way.
    let bed = Bed::new();
    let archive = tar_of(&[("f", Symlink, "../secret", b""), ("f", Regular, "", b"x")]);
    bed.ask("POST", "/extract", &[], archive).await.fine();
    assert_eq!(bed.read("f"), b"x");
    assert_eq!(std::fs::read_to_string(bed.root().parent().unwrap().join("secret")).unwrap(), "outside");
    // Another name of a link to a file outside is just another link.
    let bed = Bed::new();
    let archive = tar_of(&[("l", Symlink, "../secret", b""), ("h", Link, "l", b"")]);
    bed.ask("POST", "/extract", &[], archive).await.fine();
    assert!(std::fs::symlink_metadata(bed.root().join("h")).unwrap().is_symlink());
    bed.get("/file?path=h").await.refused(403, "PATH_TRAVERSAL");
}

#[tokio::test]
async fn bombs_are_bounded() {
    let limits = || Limits { max_extract_size: 100_000, max_archive_entries: 50, ..Limits::default() };
    let bed = Bed::with(limits());
    let zeros = vec![0; 1_000_000];
    let one = gz(&tar_of(&[("zeros", tar::EntryType::Regular, "", &zeros)]));
    assert!(one.len() < 5000);
    bed.ask("POST", "/extract", &[], one).await.refused(413, "FILE_TOO_LARGE");
    let many: Vec<_> = (0..200).map(|_| ("f", tar::EntryType::Regular, "", &b""[..])).collect();
    bed.ask("POST", "/extract", &[], gz(&tar_of(&many))).await.refused(413, "FILE_TOO_LARGE");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("zeros", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&zeros).unwrap();
    bed.ask("POST", "/extract", &[], zip.finish().unwrap().into_inner()).await.refused(413, "FILE_TOO_LARGE");
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for number in 0..60 {
        zip.add_directory(number.to_string(), zip::write::SimpleFileOptions::default()).unwrap();
    }
    bed.ask("POST", "/extract", &[], zip.finish().unwrap().into_inner()).await.refused(413, "FILE_TOO_LARGE");
    assert!(bed.all().is_empty());
}

#[tokio::test]
async fn archives_of_other_programs_are_read() {
    let bed = filled();
    let tar = |arguments: &[&str]| {
        let out =
            std::process::Command::new("tar").arg("-C").arg(bed.root()).args(arguments).output().unwrap();
        assert!(out.status.success());
        out.stdout
    };
    let long = format!("o/{}/{}", "d".repeat(120), "f".repeat(120));
    bed.put(&long, "long");
    std::fs::hard_link(bed.root().join("o/with,comma"), bed.root().join("o/same")).unwrap();
    for format in ["gnu", "posix"] {
        let archive = tar(&["-c", "--format", format, "o"]);
        let to = format!("to-{format}");
        bed.ask("POST", &format!("/extract?path={to}"), &[], archive).await.fine();
        assert_eq!(seen(&bed, &format!("{to}/o")), seen(&bed, "o"), "{format}");
        let [one, other] = ["same", "with,comma"]
            .map(|name| std::fs::metadata(bed.root().join(&to).join("o").join(name)).unwrap());
        assert_eq!(one.ino(), other.ino());
    }
    // And ours by them.
    let packed = bed.get("/archive?path=o").await.fine().body;
    let mut lister = std::process::Command::new("tar")
        .args(["-tzv"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    lister.stdin.take().unwrap().write_all(&packed).unwrap();
    let mut text = String::new();
    lister.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(lister.wait().unwrap().success());
    assert!(
        text.contains("-rwxr-xr-x")
            && text.contains("o/etc/null -> /dev/null")
            && text.contains(&"f".repeat(120)),
        "{text}"
    );
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        // Whatever is changed in an archive, nothing gets out and nothing panics.
        #[test]
        fn damaged_archives_do_no_harm(kind in 0..3_u8, damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut in any::<prop::sample::Index>()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let bed = filled();
                let uri = ["/archive?path=o", "/archive?path=o&format=tar", "/archive?path=o&format=zip"][usize::from(kind)];
                let mut archive = bed.get(uri).await.fine().body;
                for (place, byte) in damage {
                    let length = archive.len();
                    archive[place.index(length)] = byte;
                }
                archive.truncate(cut.index(archive.len()).max(600));
                let before = std::fs::read_dir(bed.root().parent().unwrap()).unwrap().count();
                let reply = bed.ask("POST", "/extract?path=to", &[], archive).await;
                assert_ne!(reply.status.as_u16(), 500, "{}", reply.text());
                assert_eq!(std::fs::read_dir(bed.root().parent().unwrap()).unwrap().count(), before);
                assert!(bed.all().iter().all(|path| !path.contains(".upload-")));
            });
        }
    }
}
