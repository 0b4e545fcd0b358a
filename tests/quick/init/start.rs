//! `S66octoapp` start, restart and reload.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::rig::{Foreign, assert_done, at_once, under_each_shell, write_script};

#[test]
fn start_gives_two_processes_and_stop_ends_them() {
    under_each_shell(|rig| {
        assert_done(&rig.service("start"), "Starting octobridge");
        rig.wait_for_note("ready", 1);
        assert_eq!(rig.processes().len(), 2);
        assert!(rig.path("var/run/octobridge").is_dir());
        let mode = fs::metadata(rig.path("var/run/octobridge")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        let mode = fs::metadata(rig.path("var/run/octoapp.pid")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o644);

        assert_done(&rig.service("stop"), "Stopping octobridge");
        rig.assert_nothing_left();
        // In order: the supervisor was asked, not killed.
        assert_eq!(rig.noted("stopped"), 1);
        assert_eq!(fs::read(rig.path("var/run/octoapp.pid")).unwrap(), b"");
    });
}

#[test]
fn the_program_gets_the_shipped_bootstrap_a_home_and_no_folder_of_ours() {
    under_each_shell(|rig| {
        rig.start_and_settle();
        let bootstrap = rig.path("usr/local/share_octobridge/octoapp-service-config.json");
        assert_eq!(rig.noted(&format!("run {}", bootstrap.display())), 1, "{:?}", rig.notes());
        assert_eq!(rig.noted("home /home/lava"), 1);
        assert_eq!(rig.noted("directory /"), 1);
    });
}

#[test]
fn a_second_start_says_so_and_starts_nothing() {
    under_each_shell(|rig| {
        let pid = rig.start_and_settle();
        assert_done(&rig.service("start"), &format!("already running (process {pid})"));
        assert_eq!(rig.pid_file(), Some(pid));
        assert_eq!(rig.processes().len(), 2);
    });
}

#[test]
fn starts_in_quick_succession_give_one_service() {
    under_each_shell(|rig| {
        for _ in 0..5 {
            assert_eq!(rig.service("start").code, 0);
        }
        rig.wait_for_note("ready", 1);
        assert_eq!(rig.processes().len(), 2, "{:?}", rig.notes());
        assert_eq!(rig.notes().iter().filter(|note| note.starts_with("run ")).count(), 1);
    });
}

#[test]
fn starts_at_the_same_time_give_one_service() {
    under_each_shell(|rig| {
        for round in 1..=5 {
            std::thread::scope(|scope| {
                let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| rig.service("start"))).collect();
                for start in starts {
                    let outcome = start.join().unwrap();
                    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
                }
            });
            rig.wait_for_note("ready", round);
            assert_eq!(rig.processes().len(), 2, "{:?}", rig.notes());
            assert_eq!(rig.noted("home /home/lava"), round, "{:?}", rig.notes());
            assert_done(&rig.service("stop"), "Stopping octobridge");
            rig.assert_nothing_left();
        }
    });
}

#[test]
fn a_lock_that_nobody_holds_stops_no_start() {
    under_each_shell(|rig| {
        let mut foreign = Foreign::sleeper();
        let lock = rig.path("var/run/octobridge.lock");
        for holder in ["4194300", "nonsense", &foreign.pid().to_string(), "/etc/passwd"] {
            std::os::unix::fs::symlink(holder, &lock).unwrap();
            rig.start_and_settle();
            assert!(fs::symlink_metadata(&lock).is_err(), "{holder}");
            assert_done(&rig.service("stop"), "Stopping octobridge");
        }
        fs::create_dir(&lock).unwrap();
        rig.start_and_settle();
        assert!(foreign.lives());
    });
}

#[test]
fn a_launch_that_hangs_counts_as_starting_and_can_be_stopped() {
    under_each_shell(|rig| {
        // The launcher waits for somebody to open the pipe, as it would for a file system that does not answer.
        let pipe = rig.path("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let launcher = rig.path("home/lava/bin/octoapp.sh");
        fs::remove_file(&launcher).unwrap();
        write_script(&launcher, &format!("read -r line <'{}'", pipe.display()));
        at_once(|| {
            assert_eq!(rig.service("stop").code, 0);
            let outcome = rig.service("start");
            assert_done(&outcome, "Starting octobridge");
            outcome
        });
        rig.wait_until("the launcher", || rig.processes().len() == 1);
        assert_done(&rig.service("start"), "already starting");
        assert_eq!(rig.processes().len(), 1);
        assert_done(&rig.service("stop"), "Stopping octobridge");
        rig.assert_nothing_left();
    });
}

#[test]
fn start_returns_within_a_second_whatever_the_program_does() {
    under_each_shell(|mut rig| {
        for behaviour in ["", "hang", "exit3", "ignore-term"] {
            rig.set("STAND_IN", behaviour);
            rig.set("OCTOBRIDGE_STOP_WAIT", "0");
            println!("{behaviour:?}");
            at_once(|| {
                let outcome = rig.service("start");
                assert_done(&outcome, "Starting octobridge");
                assert_eq!(rig.service("stop").code, 0);
                outcome
            });
        }
    });
}

#[test]
fn with_nothing_enabled_nothing_of_ours_stays() {
    under_each_shell(|mut rig| {
        rig.set("STAND_IN", "exit3");
        assert_done(&rig.service("start"), "Starting octobridge");
        rig.wait_until("the end of the program", || rig.notes().len() == 3 && rig.processes().is_empty());
        assert_done(&rig.service("stop"), "not running");
    });
}

#[test]
fn restart_gives_a_new_service_and_starts_one_that_did_not_run() {
    under_each_shell(|rig| {
        assert_done(&rig.service("restart"), "Starting octobridge");
        rig.wait_for_note("ready", 1);
        let first = rig.pid_file();
        assert_done(&rig.service("restart"), "Starting octobridge");
        rig.wait_for_note("ready", 2);
        assert_ne!(rig.pid_file(), first);
        assert_eq!(rig.processes().len(), 2);
        assert_eq!(rig.noted("stopped"), 1);
    });
}

#[test]
fn reload_reaches_the_supervisor_or_starts_the_service() {
    under_each_shell(|rig| {
        assert_done(&rig.service("reload"), "Starting octobridge");
        rig.wait_for_note("ready", 1);
        let pid = rig.pid_file().unwrap();
        assert_done(&rig.service("reload"), &format!("process {pid} reads its settings again"));
        rig.wait_for_note("reload", 1);
        assert_eq!(rig.pid_file(), Some(pid));

        rig.service("stop");
        let mut foreign = Foreign::sleeper();
        rig.write_pid_files(foreign.pid().to_string());
        assert_done(&rig.service("reload"), "Starting octobridge");
        rig.wait_for_note("ready", 2);
        assert!(foreign.lives());
    });
}
