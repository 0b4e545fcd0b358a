//! A rehearsal tries every step and says what each lacked.

use octofw::rootfs::steps::Came;
use octofw::script_tools::OFFLINE;
use octofw::script_tools::said::Lack;

use crate::bed::Bed;

const DIGEST: &str = "3c6562544e1a21cd37e9dec7c48c7a6d9a2f64da42fde69ba79e54014b911abb";

#[test]
fn every_step_is_tried_and_what_it_lacked_is_told() {
    let mut bed = Bed::with(|o| {
        o.script(
            "pre-scripts/1.sh",
            &format!("cache_file.sh x https://example.invalid/x.zip {DIGEST} $1/home/lava/x"),
        )
        .file("patches/1.patch", "--- a/home/lava/x/page\n+++ b/home/lava/x/page\n@@ -1 +1 @@\n-a\n+b\n")
        .file(
            "patches/2.patch",
            "--- a/etc/config\n+++ b/etc/config\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n",
        )
        .script("scripts/1.sh", "stat $1/home/lava/x/page >/dev/null")
        .script("scripts/2.sh", "echo made >$1/etc/made")
        .file("root/etc/new", "new");
    });
    bed.overlay("02-vendor", |o| {
        o.file(
            "patches/home/lava/klipper/1.patch",
            "--- a/klippy/x.py\n+++ b/klippy/x.py\n@@ -1 +1 @@\n-a\n+b\n",
        )
        .file("patches/etc/2.patch", "--- a/config\n+++ b/config\n@@ -1,2 +1,2 @@\n-eins\n+1\n two\n")
        .script("scripts/1.sh", "cp $1/info/config-6.1 /dev/null")
        .script("scripts/2.sh", "cache_pip.sh $1 pyyaml")
        .script("scripts/3.sh", "octofw-no-such-program")
        .script("scripts/4.sh", "git clone -q https://example.invalid/x.git x")
        .script("scripts/5.sh", "exit 3")
        .file("root/etc/dangling", "x");
    });
    bed.overlay("02b-foreign", |o| {
        o.script("scripts/1.sh", "cp /bin/true $1/usr/bin/foreign");
    });
    bed.overlay("03-unfit", |o| {
        o.script("scripts/1.sh", "true").link("root/etc/x", "/etc/shadow");
    });
    bed.rehearse = true;
    for (name, value) in
        [(OFFLINE, "1"), ("GIT_ALLOW_PROTOCOL", "file"), ("PATH", "/usr/local/bin:/usr/bin:/bin")]
    {
        bed.variables.insert(name.into(), value.into());
    }
    let built = bed.build().unwrap();
    let came: Vec<_> = built
        .report
        .steps
        .iter()
        .map(|step| (step.overlay.as_str(), step.part.as_str(), step.came.clone()))
        .collect();
    let network = |what: &str| Came::Lacked(vec![Lack::Network { what: what.into() }]);
    let vendor = |what: &str| Came::Lacked(vec![Lack::Vendor { what: what.into() }]);
    let expected = [
        (
            "01-test",
            "pre-scripts/1.sh",
            network(&format!("https://example.invalid/x.zip (SHA-256 {DIGEST})")),
        ),
        ("01-test", "patches/1.patch", Came::After("pre-scripts/1.sh".into())),
        ("01-test", "patches/2.patch", Came::Applied),
        ("01-test", "root", Came::Applied),
        ("01-test", "scripts/1.sh", Came::After("pre-scripts/1.sh".into())),
        ("01-test", "scripts/2.sh", Came::Applied),
        ("02-vendor", "patches/etc/2.patch", vendor("/etc/config as the vendor has it")),
        ("02-vendor", "patches/home/lava/klipper/1.patch", vendor("/home/lava/klipper/klippy/x.py")),
    ];
    assert_eq!(came[..8], expected);
    let Came::Failed(message) = &came[8].2 else { panic!("{:?}", came[8]) };
    assert!(
        message.contains("root/etc/dangling: in the base this is a link that leads to nothing"),
        "{message}"
    );
    assert_eq!(came[9], ("02-vendor", "scripts/1.sh", vendor("/info/config-6.1")));
    assert_eq!(came[10], ("02-vendor", "scripts/2.sh", vendor("pip3")));
    let program = Lack::Program { what: "octofw-no-such-program".into() };
    assert_eq!(came[11], ("02-vendor", "scripts/3.sh", Came::Lacked(vec![program])));
    assert!(
        matches!(&came[12].2, Came::Lacked(lacked) if matches!(lacked[..], [Lack::Network { .. }])),
        "{:?}",
        came[12]
    );
    assert!(
        matches!(&came[13].2, Came::Failed(message) if message.contains("exit status 3")),
        "{:?}",
        came[13]
    );
    assert_eq!(came[14], ("02b-foreign", "scripts/1.sh", Came::Applied));
    let foreign = &came[16];
    assert_eq!((foreign.0, foreign.1), ("02b-foreign", "usr/bin/foreign"), "{foreign:?}");
    let Came::Failed(message) = &came[15].2 else { panic!("{:?}", came[15]) };
    assert!(came.len() == 17 && message.contains("root/etc/x: the link points to /etc/shadow"), "{message}");
    // What could be done was done.
    assert_eq!(built.content("etc/made"), "made\n");
    assert_eq!(built.content("etc/new"), "new");
    assert!(built.content("etc/config").starts_with("one\n2\n"));
    assert_eq!(built.line("etc/config.rej"), "missing");

    bed.rehearse = false;
    let error = bed.error();
    assert!(
        error.contains("overlay 01-test: pre-scripts/1.sh") && error.contains("offline, and https://"),
        "{error}"
    );
}
