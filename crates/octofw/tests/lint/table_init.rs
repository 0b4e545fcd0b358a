//! Rules about init scripts.

use crate::bed::{INIT, Row};

const S66: &str = "root/etc/init.d/S66x";

/// An init script as they are written for shells that take an empty word for none.
const GUARDED: &str = "#!/bin/sh\nif [ \"x$1\" = xstart ] || [ \"x$1\" = \"xstop\" ]; then x\n\
    elif test \"X${1}\" = Xrestart || [ \"x$1\" = xstatus ]; then y; fi\n";

/// The init script with a line in `start`.
fn starting(line: &str) -> String {
    INIT.replace("start) start-stop", &format!("start) {line}\nstart-stop"))
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        code: "init/not-executable",
        bad: |bed| bed.file(S66, INIT),
        good: |bed| bed.file(S66, INIT).file("owners", "etc/init.d/S66x 0755 0 0\n"),
    },
    Row {
        code: "init/name",
        bad: |bed| bed.program("root/etc/init.d/Sxx", INIT),
        good: |bed| bed.program("root/etc/init.d/S66x-y_2.0", INIT),
    },
    Row {
        code: "init/name",
        bad: |bed| bed.program("root/etc/init.d/66x", INIT),
        good: |bed| bed.program("root/etc/init.d/rcS", "#!/bin/sh\n"),
    },
    Row {
        code: "init/leftover-starts",
        bad: |bed| bed.program("root/etc/init.d/S66x.orig", INIT),
        good: |bed| bed.program("root/etc/init.d/S66xorig", INIT),
    },
    Row {
        code: "init/windows-line-ends",
        bad: |bed| bed.program(S66, INIT.replace("esac\n", "esac\r\n")),
        good: |bed| bed.program(S66, INIT),
    },
    Row {
        code: "init/interpreter",
        bad: |bed| bed.program(S66, INIT.replace("/bin/sh", "/bin/bash")),
        good: |bed| bed.program(S66, INIT.replace("/bin/sh", "/bin/sh -u")),
    },
    Row {
        code: "init/interpreter",
        bad: |bed| bed.program(S66, "exit 0\n"),
        // That is read by rcS itself.
        good: |bed| bed.file("root/etc/init.d/S66x.sh", "X=1\n"),
    },
    Row {
        code: "init/no-start",
        bad: |bed| bed.program(S66, INIT.replace("start) start-", "begin) start-")),
        good: |bed| {
            bed.program(
                S66,
                "#!/bin/sh\nif [ \"$1\" = start ]; then x; elif [ \"$1\" = stop ] || [ \"$1\" = restart ]; then y\n\
                 elif test \"$1\" = status; then z; fi\n",
            )
        },
    },
    Row {
        code: "init/missing-action",
        bad: |bed| bed.program(S66, INIT.replace("restart)", "reload)")),
        good: |bed| bed.program(S66, INIT.replace("restart)", "reload|restart)")),
    },
    Row {
        code: "init/missing-action",
        bad: |bed| bed.program(S66, INIT.replace("restart)", "*load)")),
        good: |bed| bed.program(S66, INIT.replace("restart)", "re*)")),
    },
    Row {
        code: "init/missing-action",
        bad: |bed| bed.program(S66, GUARDED.replace("Xrestart", "restart")),
        good: |bed| bed.program(S66, GUARDED),
    },
    Row {
        code: "init/missing-action",
        bad: |bed| bed.program(S66, "#!/bin/sh\nmount -a\n"),
        good: |bed| bed.program(S66, INIT),
    },
    Row {
        code: "init/no-status",
        bad: |bed| bed.program(S66, INIT.replace("status)", "state)")),
        good: |bed| bed.program(S66, INIT),
    },
    Row {
        code: "init/number-taken",
        bad: |bed| bed.based().program("root/etc/init.d/S50x", INIT),
        good: |bed| bed.based().program("root/etc/init.d/S51x", INIT),
    },
    Row {
        code: "init/number-taken",
        bad: |bed| bed.based().program("root/etc/init.d/S99X", INIT),
        good: |bed| bed.based().program("root/etc/init.d/S99x", INIT),
    },
    Row {
        code: "init/number-taken",
        bad: |bed| {
            let other = INIT.replace("x.pid", "y.pid");
            bed.program(S66, INIT).program("02-b: root/etc/init.d/S66y", other)
        },
        good: |bed| {
            let other = INIT.replace("x.pid", "y.pid");
            bed.program(S66, INIT).program("02-b: root/etc/init.d/S67y", other)
        },
    },
    Row {
        code: "init/blocks-boot",
        bad: |bed| bed.program(S66, starting("while ! ping -c 1 host; do sleep 1; done")),
        good: |bed| bed.program(S66, starting("(while ! ping -c 1 host; do sleep 1; done) &")),
    },
    Row {
        code: "init/blocks-boot",
        bad: |bed| bed.program(S66, starting("until [ -e /dev/video0 ]; do sleep 1; done")),
        good: |bed| {
            let bounded = "n=0; until [ -e /dev/video0 ] || [ $n -ge 5 ]; do sleep 1; n=$((n + 1)); done";
            bed.program(S66, starting(bounded))
        },
    },
    Row {
        code: "init/blocks-boot",
        bad: |bed| bed.program(S66, starting("sleep 30")),
        good: |bed| bed.program(S66, starting("sleep 1")),
    },
    Row {
        code: "init/blocks-boot",
        bad: |bed| bed.program(S66, INIT.replace("-S -b -m", "-S -m")),
        // Without -m it may be a service that goes to the background by itself.
        good: |bed| bed.program(S66, INIT.replace("-S -b -m", "-S")),
    },
    Row {
        code: "init/blocks-boot",
        bad: |bed| bed.program(S66, starting("wait")),
        good: |bed| bed.program(S66, starting("wait \"$pid\"")),
    },
    Row {
        code: "init/blocks-boot",
        bad: |bed| bed.program(S66, starting("curl https://example.org/")),
        good: |bed| bed.program(S66, starting("curl -fsm 5 https://example.org/")),
    },
    Row {
        code: "init/runs-as-root",
        bad: |bed| bed.program(S66, INIT.replace("-c lava ", "")),
        good: |bed| bed.program(S66, INIT.replace("-c lava ", "-clava:lava ")),
    },
    Row {
        code: "init/user-only-matched",
        bad: |bed| bed.program(S66, INIT.replace("-c lava", "-u lava")),
        good: |bed| bed.program(S66, INIT.replace("-c lava", "-u lava -c lava")),
    },
    Row {
        code: "init/unknown-option",
        bad: |bed| bed.program(S66, INIT.replace("-K -p", "-K --retry TERM/5 -p")),
        good: |bed| bed.program(S66, INIT.replace("-x /bin/busybox", "-x /bin/busybox -- --retry 3")),
    },
    Row {
        code: "init/unknown-option",
        bad: |bed| bed.program(S66, INIT.replace("-K -p", "-K -R 5 -p")),
        good: |bed| bed.program(S66, INIT.replace("-K -p", "-Kqo -p")),
    },
    Row {
        code: "init/long-option",
        bad: |bed| bed.program(S66, INIT.replace("-c lava", "--chuid lava")),
        good: |bed| bed.program(S66, INIT),
    },
    Row {
        code: "init/pid-file-taken",
        bad: |bed| {
            let script =
                INIT.replace("/var/run/x.pid", "\"$FILE\"").replace("case", "FILE=/run/nginx.pid\ncase");
            bed.based().program(S66, script)
        },
        good: |bed| {
            // It looks at the pid file of another, which is not its own.
            let script = starting("kill -HUP \"$(cat /var/run/nginx.pid)\"");
            bed.based().program(S66, script)
        },
    },
];
