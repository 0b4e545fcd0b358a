//! Both ways of `make overlay CROSS=…` build the printer program: in a real container and on the host.
//!
//! What a program must be like is judged by `octofw check-program`; that it is one, by running it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TRIPLE: &str = "aarch64-unknown-linux-musl";

/// A built program and what stands beside it.
struct Built {
    directory: PathBuf,
}

impl Built {
    fn program(&self) -> PathBuf {
        self.directory.join("octobridge")
    }

    /// A line per tool with its version, as they go into the manifest.
    fn tools(&self) -> String {
        fs::read_to_string(self.directory.join("tools")).unwrap()
    }
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn command_to_build(way: &str, directory: &Path) -> Command {
    let mut command = Command::new(project("pre-scripts/01-build-program.sh"));
    command.env("CROSS", way).env("PROGRAM_DIR", directory).env("MAKE_TARGET", "test");
    command
}

fn build(way: &str) -> Built {
    let directory = project("target/ways").join(way);
    run(&mut command_to_build(way, &directory));
    assert_eq!(fs::read_to_string(directory.join("way")).unwrap().trim(), way);
    Built { directory }
}

fn check_and_run(program: &Path) {
    run(Command::new(project("target/tool/octofw"))
        .args(["check-program", "--max-size", "3000000"])
        .arg(program));
    let output = run(Command::new("qemu-aarch64-static").arg(program).arg("version"));
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version.trim(), concat!("octobridge ", env!("CARGO_PKG_VERSION")));
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

/// Where the program must not show that it was built: directories of this machine.
fn paths_of_this_machine() -> Vec<String> {
    let sysroot = run(Command::new("rustc").args(["--print", "sysroot"])).stdout;
    let cargo_home = std::env::var("CARGO_HOME")
        .unwrap_or_else(|_| format!("{}/.cargo", std::env::var("HOME").expect("HOME is set")));
    let mut paths = vec![
        env!("CARGO_MANIFEST_DIR").to_owned(),
        cargo_home,
        String::from_utf8(sysroot).unwrap().trim().to_owned(),
    ];
    // A container has these instead; `/src/…` and `/cargo/…` are what stands in the program.
    paths.extend(["/project/".to_owned(), "/target/aarch64".to_owned(), "/xargo".to_owned()]);
    paths
}

#[test]
fn both_ways_build_the_program() {
    let native = build("native");
    let cross = build("cross");

    // The variables that cargo sets for a test, and that ring's build script looks at, cost nobody a second build.
    let mut again = command_to_build("native", &native.directory);
    let again = run(again.env("CARGO_PKG_NAME", "another").env("CARGO_MANIFEST_DIR", "/another")).stderr;
    assert!(!contains(&again, "Compiling"), "{}", String::from_utf8_lossy(&again));

    for built in [&native, &cross] {
        check_and_run(&built.program());
        let bytes = fs::read(built.program()).unwrap();
        assert!(contains(&bytes, "/cargo/registry/"), "the replaced paths are in messages of panics");
        for path in paths_of_this_machine() {
            assert!(!contains(&bytes, &path), "{} contains {path}", built.program().display());
        }
        let symbols = fs::metadata(built.directory.join("octobridge.symbols")).unwrap().len();
        assert!(symbols > u64::try_from(bytes.len()).unwrap(), "the copy with symbols is the larger one");
    }

    // The compiler in the container wrote down the sources as it saw them: where cross mounts the project.
    let depends = project("target/cross").join(TRIPLE).join("release/octobridge.d");
    let depends = fs::read_to_string(depends).unwrap();
    assert!(depends.starts_with("/target/"), "{depends}");
    assert!(depends.contains(" /project/src/main.rs"), "{depends}");
    assert!(!Path::new("/project/src/main.rs").exists());

    // With equal versions of the compilers, the container makes no difference at all.
    if native.tools() == cross.tools() {
        assert!(
            fs::read(native.program()).unwrap() == fs::read(cross.program()).unwrap(),
            "equal tools, and yet different programs in target/ways/"
        );
    }
}

#[test]
fn an_unknown_way_is_wrong_usage() {
    let output =
        Command::new(project("pre-scripts/01-build-program.sh")).env("CROSS", "docker").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "CROSS=docker: it must be auto, cross or native\n");
}

/// `cross` 0.2.5 would update the user's toolchain; the stand-in for rustup must not let it.
#[test]
fn cross_cannot_change_the_toolchain() {
    let stand_in = project("toolchain/cross/rustup");
    for refused in [
        &["toolchain", "add", "stable-x86_64-unknown-linux-gnu", "--profile", "minimal"][..],
        &["--quiet", "toolchain", "add", "stable"],
        &["target", "add", TRIPLE],
        &["component", "add", "rust-src"],
        &["self", "update"],
    ] {
        let output = Command::new(&stand_in).args(refused).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{refused:?}");
    }
    let list = run(Command::new(&stand_in).args(["toolchain", "list"])).stdout;
    let list = String::from_utf8(list).unwrap();
    // One bare name: no `(active, default)` behind it.
    assert_eq!(list.lines().count(), 1, "{list}");
    assert!(!list.trim().contains([' ', '/']), "{list}");
}
