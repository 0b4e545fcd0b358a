//! `S66octoapp stop`: everything of ours ends, and nothing else.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::rig::{Foreign, Rig, Shell, assert_done, busybox, under_each_shell};

#[test]
fn only_the_service_counts_as_ours_not_a_person_at_the_same_program() {
    under_each_shell(|rig| {
        // `octobridge linger` executes our file; a foreign program may carry our process name.
        let mut person = rig.program("octobridge", &["linger"]);
        let mut impostor = {
            use std::os::unix::process::CommandExt as _;
            let mut command = Command::new("/usr/bin/sleep");
            command.arg0("moonraker_octoapp").arg("1000");
            Foreign::spawn(command)
        };
        assert_done(&rig.service("stop"), "not running");
        rig.start_and_settle();
        assert_done(&rig.service("stop"), "Stopping octobridge");
        assert!(person.lives() && impostor.lives());
    });
}

#[test]
fn a_person_at_the_program_whose_number_is_in_the_pid_file_is_left_alone() {
    under_each_shell(|rig| {
        let mut person = rig.program("octobridge", &["linger"]);
        rig.write_pid_files(person.pid().to_string());
        assert_done(&rig.service("reload"), "Starting octobridge");
        rig.wait_for_note("ready", 1);
        rig.write_pid_files(person.pid().to_string());
        assert_done(&rig.service("stop"), "Stopping octobridge");
        assert_eq!(rig.processes(), [person.pid()]);
        assert!(person.lives());
    });
}

#[test]
fn somebody_who_reads_the_launcher_is_left_alone() {
    under_each_shell(|rig| {
        let launcher = rig.path("home/lava/bin/octoapp.sh");
        let mut command = Command::new(busybox());
        // Keeps the launcher's path on its command line, as an editor does.
        command.args(["tail", "-f"]).arg(&launcher);
        let mut reader = Foreign::spawn(command);
        rig.write_pid_files(reader.pid().to_string());
        assert_done(&rig.service("stop"), "not running");
        assert_done(&rig.service("start"), "Starting octobridge");
        rig.wait_for_note("ready", 1);
        assert_done(&rig.service("stop"), "Stopping octobridge");
        assert!(reader.lives());
    });
}

#[test]
fn stop_kills_what_does_not_listen() {
    under_each_shell(|mut rig| {
        rig.set("STAND_IN", "ignore-term");
        rig.set("OCTOBRIDGE_STOP_WAIT", "1");
        let mut foreign = Foreign::sleeper();
        rig.start_and_settle();
        let outcome = rig.service("stop");
        assert_done(&outcome, "still there after 1 s, killed");
        assert!(outcome.took >= Duration::from_secs(1), "{outcome:?}");
        rig.assert_nothing_left();
        assert!(foreign.lives());
    });
}

#[test]
fn stop_is_bounded_by_five_seconds_unless_told_otherwise() {
    let mut rig = Rig::new(Shell::BusyBox);
    rig.set("STAND_IN", "ignore-term");
    rig.start_and_settle();
    let outcome = rig.service("stop");
    assert_done(&outcome, "still there after 5 s, killed");
    assert!(outcome.took >= Duration::from_secs(5), "{outcome:?}");
    rig.assert_nothing_left();
}

#[test]
fn stop_ends_a_worker_whose_supervisor_is_gone() {
    under_each_shell(|rig| {
        let pid = rig.start_and_settle();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
        rig.wait_until("the supervisor's end", || rig.processes().len() == 1);
        assert_done(&rig.service("stop"), "Stopping octobridge");
        rig.assert_nothing_left();
        assert_eq!(fs::read(rig.path("var/run/octoapp.pid")).unwrap(), b"");
    });
}

#[test]
fn stop_wins_against_processes_that_restart_each_other() {
    under_each_shell(|mut rig| {
        rig.set("STAND_IN", "watch-each-other ignore-term");
        rig.set("OCTOBRIDGE_STOP_WAIT", "0");
        rig.start_and_settle();
        assert_eq!(rig.service("stop").code, 0);
        rig.assert_nothing_left();
    });
}

#[test]
fn a_program_that_was_replaced_while_it_ran_is_still_ours() {
    under_each_shell(|rig| {
        let program = rig.path("usr/local/bin/octobridge");
        let pid = rig.start_and_settle();
        let spare = rig.path("usr/local/bin/spare");
        fs::hard_link(&program, &spare).unwrap();
        fs::remove_file(&program).unwrap();
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        assert!(exe.to_str().unwrap().ends_with("octobridge (deleted)"), "{exe:?}");
        fs::rename(spare, &program).unwrap();
        assert_done(&rig.service("start"), "already running");
        assert_done(&rig.service("stop"), "Stopping octobridge");
        rig.assert_nothing_left();
    });
}
