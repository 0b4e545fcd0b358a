//! Rules about scripts and patches.

use crate::bed::{Row, SCRIPT};

const ONE: &str = "scripts/1.sh";
const TOOL: &str = "root/usr/bin/tool";

fn with(line: &str) -> String {
    format!("{SCRIPT}{line}\n")
}

const PATCH: &str = "--- a/config\n+++ b/config\n@@ -1,4 +1,4 @@\n one\n-two\n+2\n three\n four\n";
/// What git makes of a changed mode.
const MODE: &str = "diff --git a/etc/config b/etc/config\nold mode 100644\nnew mode 100755\n";

pub(crate) const ROWS: &[Row] = &[
    Row {
        code: "scripts/not-executable",
        bad: |bed| bed.file(ONE, SCRIPT),
        good: |bed| bed.program(ONE, SCRIPT).file("scripts/notes.txt", ""),
    },
    Row {
        code: "scripts/interpreter",
        bad: |bed| bed.program(ONE, SCRIPT.replace("#!/bin/sh", "# a script")),
        good: |bed| bed.program(ONE, SCRIPT.replace("#!/bin/sh", "#!/usr/bin/env bash")),
    },
    Row {
        code: "scripts/interpreter",
        bad: |bed| bed.program(TOOL, "echo x\n"),
        good: |bed| bed.file(TOOL, "echo x\n").program("root/usr/share/x", "echo x\n"),
    },
    Row {
        code: "scripts/missing-interpreter",
        bad: |bed| bed.based().program(TOOL, "#!/usr/bin/perl\n"),
        good: |bed| bed.based().program(TOOL, "#!/bin/ash\n"),
    },
    Row {
        code: "scripts/missing-interpreter",
        bad: |bed| {
            bed.based()
                .program(TOOL, "#!/bin/sh /usr/bin/env\n")
                .program("root/usr/bin/b", "#!/usr/bin/env lua\n")
        },
        good: |bed| {
            // The overlay ships it itself.
            bed.based().program(TOOL, "#!/usr/bin/lua\n");
            bed.program("root/usr/bin/lua", crate::elf::STATIC.bytes())
        },
    },
    Row {
        code: "scripts/windows-line-ends",
        bad: |bed| bed.program(ONE, with("true\r")),
        good: |bed| bed.program(ONE, with("printf '\\r\\n'")),
    },
    Row {
        code: "scripts/syntax",
        bad: |bed| bed.program(ONE, with("if true; then")),
        good: |bed| bed.program(ONE, with("if true; then :; fi")),
    },
    Row {
        code: "scripts/syntax",
        bad: |bed| bed.program(TOOL, "#!/usr/bin/env python3\ndef f(:\n"),
        good: |bed| bed.program(TOOL, "#!/usr/bin/env python3\ndef f(): pass\n"),
    },
    Row {
        code: "scripts/bashism",
        bad: |bed| bed.program(TOOL, "#!/bin/sh\npushd /tmp\n"),
        good: |bed| bed.program(TOOL, "#!/bin/bash\npushd /tmp\n"),
    },
    Row {
        code: "scripts/bashism",
        bad: |bed| bed.program(ONE, with("[[ -n $X ]]")),
        good: |bed| bed.program(ONE, with("[ -n \"$X\" ] # not [[ ]]")),
    },
    Row {
        code: "scripts/no-guard",
        bad: |bed| bed.program(ONE, "#!/bin/sh\n# CREATE_FIRMWARE\ntrue\n"),
        good: |bed| bed.program(ONE, "#!/bin/sh\n: \"${CREATE_FIRMWARE:?}\"\n"),
    },
    Row {
        code: "scripts/unpinned-download",
        bad: |bed| bed.program(ONE, with("curl -fo \"$CACHE_DIR/x\" https://example.org/x")),
        good: |bed| {
            let checked = "curl -fo x https://example.org/x\necho \"$SUM  x\" | sha256sum -c\nwhich wget";
            bed.program(ONE, with(checked))
        },
    },
    Row {
        code: "scripts/unpinned-download",
        bad: |bed| {
            bed.program("pre-scripts/1.sh", with("cache_file.sh \"$CACHE_DIR/x\" https://example.org/x"))
        },
        good: |bed| {
            let sum = "0123456789abcdef".repeat(4);
            let line = format!("SUM={sum}\ncache_file.sh \"$CACHE_DIR/x\" https://example.org/x \"$SUM\"");
            bed.program("pre-scripts/1.sh", with(&line))
        },
    },
    Row {
        code: "scripts/unpinned-download",
        bad: |bed| bed.program(ONE, with("chroot_firmware.sh \"$1\" pip3 install --upgrade apprise")),
        good: |bed| bed.program(ONE, with("chroot_firmware.sh \"$1\" pip3 install apprise==1.9.0")),
    },
    Row {
        code: "scripts/unpinned-git",
        bad: |bed| bed.program(ONE, with("git clone --branch v1 https://example.org/x.git \"$CACHE_DIR/x\"")),
        good: |bed| {
            let commit = "0123456789".repeat(4);
            let line = format!("git clone https://example.org/x.git x\ngit -C x checkout {commit}");
            bed.program(ONE, with(&line))
        },
    },
    Row {
        code: "scripts/unpinned-git",
        bad: |bed| bed.program(ONE, with("cache_git.sh x https://example.org/x.git main")),
        good: |bed| {
            let line = format!("cache_git.sh x https://example.org/x.git {}", "0123456789".repeat(4));
            bed.program(ONE, with(&line))
        },
    },
    Row {
        code: "scripts/unquoted-root",
        bad: |bed| bed.program(ONE, with("rm -rf $1/usr/share/doc")),
        good: |bed| {
            bed.program(ONE, with("X=$1\ncase $1 in /) exit 1;; esac\nrm -rf \"$1/usr/share/doc\" \"$X\""))
        },
    },
    Row {
        code: "scripts/unquoted-root",
        bad: |bed| bed.program(ONE, with("R=\"$1\"\nmkdir -p $R/etc/x")),
        good: |bed| bed.program(ONE, with("f() { echo $1; }\nf x")),
    },
    Row {
        code: "scripts/order-dependent",
        bad: |bed| bed.program(ONE, with("chmod 600 \"$1/etc/x/y\"")).file("root/etc/x/y", ""),
        good: |bed| bed.program(ONE, with("chmod 600 \"$1/etc/x/z\"")).file("root/etc/x/y", ""),
    },
    Row {
        code: "patches/windows-line-ends",
        bad: |bed| bed.file("patches/etc/1.patch", PATCH.replace('\n', "\r\n")),
        good: |bed| bed.file("patches/etc/1.patch", PATCH),
    },
    Row {
        code: "patches/unusable",
        bad: |bed| bed.file("patches/1.patch", "nothing\n"),
        good: |bed| bed.file("patches/1.patch", PATCH).file("patches/README", "nothing\n"),
    },
    Row {
        code: "patches/unusable",
        bad: |bed| bed.file("patches/1.patch", PATCH.replace("b/config", "b/../../etc/passwd")),
        good: |bed| bed.file("patches/1.patch", PATCH.replace("b/config", "b/etc/passwd")),
    },
    Row {
        code: "patches/unusable",
        bad: |bed| bed.file("patches/oem/1.patch", PATCH),
        good: |bed| bed.file("patches/oem2/1.patch", PATCH),
    },
    Row {
        code: "patches/unusable",
        bad: |bed| {
            bed.file("patches/1.patch", "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n")
        },
        good: |bed| {
            bed.file(
                "patches/1.patch",
                "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+x\n",
            )
        },
    },
    Row {
        code: "patches/target-missing",
        bad: |bed| bed.based().file("patches/usr/1.patch", PATCH),
        good: |bed| {
            let new = "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n";
            bed.based().file("patches/etc/1.patch", PATCH).file("patches/usr/2.patch", new)
        },
    },
    Row {
        code: "patches/target-missing",
        bad: |bed| bed.based().program(ONE, SCRIPT).file("02-b: patches/usr/1.patch", PATCH),
        // A script that names the file may make it.
        good: |bed| {
            bed.based().program(ONE, with("cp x \"$1/usr/config\"")).file("02-b: patches/usr/1.patch", PATCH)
        },
    },
    Row {
        code: "patches/target-missing",
        bad: |bed| {
            bed.based().file(
                "patches/etc/1.patch",
                PATCH.replace("/config\n", "/other 2026-01-02 03:04:05.6 +0100\n"),
            )
        },
        good: |bed| {
            bed.based().file(
                "patches/etc/1.patch",
                PATCH.replace("/config\n", "/config 2026-01-02 03:04:05.6 +0100\n"),
            )
        },
    },
    Row {
        code: "patches/target-missing",
        bad: |bed| bed.based().file("patches/1.patch", MODE.replace("config", "other")),
        good: |bed| {
            let empty = "diff --git a/etc/new b/etc/new\nnew file mode 100644\nindex 0000000..e69de29\n";
            bed.based().file("patches/1.patch", MODE).file("patches/2.patch", empty)
        },
    },
    Row {
        code: "patches/does-not-apply",
        bad: |bed| bed.based().file("patches/etc/1.patch", PATCH.replace(" four", " vier")),
        good: |bed| {
            // The second is made for what the first leaves.
            let next = PATCH.replace("-two\n+2\n", "-2\n+II\n");
            bed.based().file("patches/etc/1.patch", PATCH).file("patches/etc/2.patch", next)
        },
    },
    Row {
        code: "patches/offset",
        bad: |bed| {
            let moved = "--- a/config\n+++ b/config\n@@ -1,3 +1,3 @@\n two\n-three\n+3\n four\n";
            bed.based().file("patches/etc/1.patch", moved)
        },
        good: |bed| {
            let exact = "--- a/config\n+++ b/config\n@@ -2,3 +2,3 @@\n two\n-three\n+3\n four\n";
            bed.based().file("patches/etc/1.patch", exact)
        },
    },
];
