//! The drop to the service's user, in a private mount namespace in which `lava` exists. Only root can make one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::rig::{Outcome, Rig, SHELLS, Shell, busybox, finish, shipped, write_script};

/// Runs shell steps in a mount namespace of their own: the rig is at `/mnt` (the folders above it may be closed to
/// `lava`), lava is user 1000, and `$S66` runs the init script. None where this machine does not allow that.
fn as_on_a_printer(rig: &mut Rig, steps: &str) -> Option<Outcome> {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root; the boot test shows the same on a booted printer");
        return None;
    }
    rig.unset("OCTOBRIDGE_USER");
    fs::write(rig.path("passwd"), "root:x:0:0::/root:/bin/sh\nlava:x:1000:1000::/home/lava:/bin/sh\n")
        .unwrap();
    fs::write(rig.path("group"), "root:x:0:\nlava:x:1000:\nvideo:x:44:lava\n").unwrap();
    fs::write(rig.path("notes"), "").unwrap();
    fs::set_permissions(rig.path("notes"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(rig.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(shipped("etc/init.d/S66octoapp"), rig.path("S66octoapp")).unwrap();
    let launcher = rig.path("home/lava/bin/octoapp.sh");
    fs::remove_file(&launcher).unwrap();
    fs::copy(shipped("home/lava/bin/octoapp.sh"), &launcher).unwrap();
    let shell = match rig.shell {
        Shell::BusyBox => format!("{} ash", busybox().display()),
        Shell::Dash => "/usr/bin/dash".to_owned(),
    };
    let script = rig.path("in-the-namespace");
    write_script(
        &script,
        &format!(
            "set -e
            mount --bind \"$1\" /mnt
            mount --bind /mnt/passwd /etc/passwd
            mount --bind /mnt/group /etc/group
            S66='{shell} /mnt/S66octoapp'
            settle() {{
                tries=0
                while [ ! -s /mnt/var/run/octoapp.pid ] && [ $tries -lt 3000 ]; do
                    sleep 0.01; tries=$((tries + 1))
                done
                pid=$(cat /mnt/var/run/octoapp.pid)
            }}
            {steps}"
        ),
    );
    let root = rig.path("");
    let inside = |value: &str| value.replace(root.to_str().unwrap().trim_end_matches('/'), "/mnt");
    let mut command = Command::new("unshare");
    // With process ids of its own too: all of it ends with the script, and no other test's service is seen.
    command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.arg("/bin/sh").arg(&script).arg(&root).env_clear();
    command.envs(rig.environment().iter().map(|(name, value)| (name.clone(), inside(value))));
    let outcome = finish(command);
    if outcome.stderr.contains("unshare failed") || outcome.stderr.contains("permission denied") {
        println!("skipped: no mount namespace here: {}", outcome.stderr);
        return None;
    }
    assert_eq!(outcome.code, 0, "{outcome:?}");
    Some(outcome)
}

#[test]
fn the_service_runs_as_lava_and_owns_its_places() {
    // BusyBox's own shell has start-stop-daemon built in; without it `su` has to do.
    let cases =
        SHELLS.map(|shell| (shell, &[][..])).into_iter().chain([(Shell::Dash, &["start-stop-daemon"][..])]);
    for (shell, missing) in cases {
        let mut rig = Rig::new(shell);
        rig.without(missing);
        let steps = "
            $S66 start
            settle
            grep -E '^(Uid|Gid|Groups):' /proc/$pid/status
            stat -c '%u:%g %a %n' /mnt/var/run/octoapp.pid /mnt/var/run/octobridge
            $S66 stop
            $S66 stop";
        let Some(outcome) = as_on_a_printer(&mut rig, steps) else { return };
        let lines: Vec<_> = outcome.stdout.lines().map(|line| line.replace('\t', " ")).collect();
        let expected = [
            "Starting octobridge",
            "Uid: 1000 1000 1000 1000",
            "Gid: 1000 1000 1000 1000",
            "1000:1000 644 /mnt/var/run/octoapp.pid",
            "1000:1000 755 /mnt/var/run/octobridge",
            "Stopping octobridge",
            "octobridge: not running",
        ];
        let rest: Vec<_> = lines.iter().filter(|line| !line.starts_with("Groups:")).collect();
        assert_eq!(rest, expected, "{outcome:?}");
        let groups = lines.iter().find(|line| line.starts_with("Groups:")).unwrap();
        assert!(groups.split(' ').any(|group| group == "44"), "lava's own groups are missing: {groups}");
        assert!(!groups.split(' ').any(|group| group == "0"), "root's group was kept: {groups}");
    }
}

#[test]
fn lava_may_restart_its_own_service_and_others_may_not() {
    for shell in SHELLS {
        let mut rig = Rig::new(shell);
        let steps = "
            $S66 start >/dev/null
            settle
            first=$pid
            setpriv --reuid 1000 --regid 1000 --clear-groups $S66 restart
            settle
            [ $pid != $first ]
            grep ^Uid: /proc/$pid/status
            stranger='setpriv --reuid 1234 --regid 1234 --clear-groups'
            $stranger $S66 start 2>&1 || echo refused with $?
            $stranger $S66 stop 2>&1
            [ -d /proc/$pid ]
            $S66 stop >/dev/null
            $stranger $S66 start 2>&1 || echo refused with $?
            [ ! -s /mnt/var/run/octoapp.pid ]";
        let Some(outcome) = as_on_a_printer(&mut rig, steps) else { return };
        let lines: Vec<_> = outcome.stdout.lines().map(|line| line.replace('\t', " ")).collect();
        assert_eq!(lines[..3], ["Stopping octobridge", "Starting octobridge", "Uid: 1000 1000 1000 1000"]);
        // Somebody else cannot see what lava's processes execute, and must not start a second service either.
        let complaint = "octobridge: cannot make /mnt/var/run/octobridge and /mnt/var/run/octoapp.pid; not started. \
                         Run this as root, with /mnt/var/run writable";
        let refused = [complaint, "refused with 1"];
        assert_eq!(lines[3..], [&refused[..], &["octobridge: not running"], &refused[..]].concat());
        assert_eq!(rig.noted("ready"), 2, "{:?}", rig.notes());
    }
}
