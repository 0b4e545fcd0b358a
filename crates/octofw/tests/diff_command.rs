//! `octofw diff` on roots that mksquashfs packed, and on an image and its base.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A root that is packed with one time and one owner everywhere.
struct Side {
    folder: tempfile::TempDir,
}

impl Side {
    fn new() -> Self {
        let side = Self { folder: tempfile::tempdir().unwrap() };
        side.file("etc/init.d/S10first", "#!/bin/sh\n", 0o755);
        side.file("etc/init.d/S50middle", "#!/bin/sh\n", 0o755);
        side.file("etc/init.d/README", "words", 0o644);
        side.file("etc/printer.cfg", "[printer]\nmax_velocity: 300\n[mqtt]\npassword: old\n", 0o644);
        side.file("etc/big", &"the same bytes ".repeat(30_000), 0o644);
        side.file(
            "var/lib/dpkg/status",
            "Package: busybox\nStatus: install ok installed\nVersion: 1\n",
            0o644,
        );
        side.file("usr/lib/python3.11/site-packages/a_package-1.0.dist-info/METADATA", "", 0o644);
        side
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.folder.path().join("root").join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    fn file(&self, path: &str, text: &str, mode: u32) {
        let place = self.place(path);
        fs::write(&place, text).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn pack(&self, options: &[&str]) -> PathBuf {
        let packed = self.folder.path().join("root.squashfs");
        let _ = fs::remove_file(&packed);
        let mut command = Command::new("mksquashfs");
        command.arg(self.folder.path().join("root")).arg(&packed).args(["-all-root", "-no-xattrs", "-quiet"]);
        command.args(["-mkfs-time", "1000", "-all-time", "1000"]).args(options);
        assert!(command.output().unwrap().status.success());
        packed
    }
}

fn diff(a: &Path, b: &Path, options: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_octofw");
    Command::new(program).arg("diff").args(options).arg(a).arg(b).output().unwrap()
}

fn report(a: &Path, b: &Path) -> Value {
    let output = diff(a, b, &["--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn equal_content_is_equal_however_it_is_packed() {
    let side = Side::new();
    let (one, other) = (side.pack(&["-comp", "gzip"]), Side::new());
    for options in
        [&["-comp", "gzip"][..], &["-comp", "xz", "-b", "64K"], &["-noD", "-noF"], &["-no-fragments"]]
    {
        let output = diff(&one, &other.pack(options), &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.ends_with(" hold the same.\n"), "{options:?}: {text}");
    }
}

#[test]
fn every_kind_of_difference_is_told_by_its_meaning() {
    let (a, b) = (Side::new(), Side::new());
    a.file("etc/gone", "1", 0o644);
    b.file("etc/init.d/S20second", "#!/bin/sh\n", 0o755);
    b.file("etc/init.d/S50middle", "#!/bin/sh\n", 0o644);
    b.file("etc/init.d/README", "other", 0o644);
    b.file("etc/printer.cfg", "[printer]\nmax_velocity: 500\n[mqtt]\npassword: new\n", 0o644);
    b.file("var/lib/dpkg/status", "Package: busybox\nStatus: install ok installed\nVersion: 2\n", 0o644);
    fs::remove_dir_all(b.place("usr/lib/python3.11/site-packages/a_package-1.0.dist-info")).unwrap();
    symlink("../big", b.place("etc/here/link")).unwrap();
    fs::hard_link(b.place("etc/big"), b.place("etc/here/second name")).unwrap();
    fs::copy("/bin/true", b.place("usr/bin/program")).unwrap();
    let found = report(&a.pack(&[]), &b.pack(&[]));

    let rows = |list: &str, columns: &[&str]| -> Vec<Value> {
        let row = |row: &Value| Value::Array(columns.iter().map(|column| row[*column].clone()).collect());
        found[list].as_array().unwrap().iter().map(row).collect()
    };
    let started = rows("init", &["script", "what", "after"]);
    let second = json!(["S20second", "starts", "S10first"]);
    assert_eq!(started, [second, json!(["S50middle", "not_executable", "S10first"])]);
    let settings = rows("settings", &["path", "section", "key", "a", "b"]);
    let password = json!(["/etc/printer.cfg", "mqtt", "password", "(hidden)", "(hidden)"]);
    assert_eq!(settings, [password, json!(["/etc/printer.cfg", "printer", "max_velocity", "300", "500"])]);
    let packages = rows("packages", &["kind", "name", "a", "b"]);
    let package = json!(["python", "a_package", "1.0", null]);
    assert_eq!(packages, [json!(["dpkg", "busybox", "1", "2"]), package]);

    let program = &found["programs"][0];
    assert_eq!((&program["path"], &program["a"]), (&json!("/usr/bin/program"), &Value::Null));
    assert_eq!(program["b"]["needs"], json!(["libc.so.6"]));

    let paths: Vec<(&str, String)> = found["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|path| {
            let sides =
                [&path["a"], &path["b"]].map(|facts| facts["mode"].as_str().unwrap_or("-").to_owned());
            (
                path["path"].as_str().unwrap(),
                format!("{} {}", sides.join(" "), path["content"].as_str().unwrap()),
            )
        })
        .collect();
    let expected = [
        ("/etc/big", "0644 0644 same"),
        ("/etc/gone", "0644 - none"),
        ("/etc/here", "- 0755 none"),
        ("/etc/here/link", "- 0777 none"),
        ("/etc/here/second name", "- 0644 none"),
        ("/etc/init.d/README", "0644 0644 differs"),
        ("/etc/init.d/S20second", "- 0755 none"),
        ("/etc/init.d/S50middle", "0755 0644 same"),
        ("/etc/printer.cfg", "0644 0644 differs"),
        ("/usr/bin", "- 0755 none"),
        ("/usr/bin/program", "- 0755 none"),
        ("/usr/lib/python3.11/site-packages/a_package-1.0.dist-info", "0755 - none"),
        ("/usr/lib/python3.11/site-packages/a_package-1.0.dist-info/METADATA", "0644 - none"),
        ("/var/lib/dpkg/status", "0644 0644 differs"),
    ];
    assert_eq!(paths, expected.map(|(path, what)| (path, what.to_owned())));
    assert_eq!(found["paths"][0]["b"]["links"], json!(["/etc/here/second name"]));
}

#[test]
fn of_many_names_of_a_file_the_first_are_told() {
    let (a, b) = (Side::new(), Side::new());
    for (side, last) in [(&a, "x"), (&b, "y")] {
        for name in (10..50).map(|number| number.to_string()).chain([last.to_owned()]) {
            fs::hard_link(side.place("etc/big"), side.place(&format!("many/{name}"))).unwrap();
        }
    }
    let (one, other) = (a.pack(&[]), b.pack(&[]));
    let found = report(&one, &other);
    // Each of the 40, the file itself, and the name that is another.
    assert_eq!(found["paths"].as_array().unwrap().len(), 43);
    let facts = &found["paths"][0]["a"];
    let told: Vec<String> = (10..26).map(|number| format!("/many/{number}")).collect();
    assert_eq!((&found["paths"][0]["path"], &facts["links"]), (&json!("/etc/big"), &json!(told)));
    assert_eq!(facts["more_links"], 25);
    let text = String::from_utf8(diff(&one, &other, &[]).stdout).unwrap();
    assert!(text.contains("  ~ /etc/big  further names\n"), "{text}");
    assert!(text.contains("also /etc/big, /many/10, "), "{text}");
    assert!(text.contains(", /many/24 and 25 more\n"), "{text}");
}

#[test]
fn what_cannot_be_read_is_named_with_its_exit_code() {
    let side = Side::new();
    let sound = side.pack(&[]);
    let broken = side.folder.path().join("broken");
    let mut bytes = fs::read(&sound).unwrap();
    bytes.truncate(300);
    fs::write(&broken, bytes).unwrap();
    for (path, code) in [(broken, 3), (side.folder.path().join("none"), 1), ("/bin/sh".into(), 3)] {
        let output = diff(&sound, &path, &[]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(&path.display().to_string()), "{error}");
    }
}

/// What a stranger's image holds goes to a terminal.
#[test]
fn nothing_in_an_image_moves_the_cursor() {
    let (a, b) = (Side::new(), Side::new());
    let odd = "x\u{1b}[2J\u{9b}1A";
    b.file(&format!("etc/init.d/S20{odd}"), "#!/bin/sh\n", 0o755);
    b.file("etc/printer.cfg", &format!("[printer]\nmax_velocity: {odd}\n[{odd}]\n{odd}: 1\n"), 0o644);
    b.file("var/lib/dpkg/status", &format!("Package: {odd}\nVersion: {odd}\n"), 0o644);
    b.file(&format!("usr/lib/python3.11/site-packages/{odd}-1.{odd}.dist-info/METADATA"), "", 0o644);
    symlink(odd, b.place("etc/link")).unwrap();
    let printed = String::from_utf8(diff(&a.pack(&[]), &b.pack(&[]), &[]).stdout).unwrap();
    assert!(!printed.contains(|letter: char| letter.is_control() && letter != '\n'), "{printed:?}");
    for shown in
        ["+ S20x\\u{1b}[2J", "max_velocity: 300 -> x\\u{1b}[2J", "x\\u{1b}[2J\\u{9b}1A (dpkg): none -> "]
    {
        assert!(printed.contains(shown), "{shown} in {printed}");
    }
}
