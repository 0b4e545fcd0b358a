//! `S66octoapp status`: the program's own answer, but never a hanging terminal.

use std::fs;
use std::time::Duration;

use super::rig::under_each_shell;

#[test]
fn the_programs_answer_and_exit_code_are_passed_on() {
    under_each_shell(|mut rig| {
        for code in [0, 1, 3] {
            rig.set("STAND_IN_STATUS", &code.to_string());
            let outcome = rig.service("status");
            assert_eq!(outcome.code, code, "{outcome:?}");
            assert_eq!(outcome.stdout, "octobridge: as the stand-in says\n");
            assert_eq!(outcome.stderr, "");
            assert!(outcome.took < Duration::from_secs(4), "waits for its own guard: {outcome:?}");
        }
    });
}

#[test]
fn any_other_exit_code_becomes_a_failure_that_names_it() {
    under_each_shell(|mut rig| {
        for code in [2, 42, 127] {
            rig.set("STAND_IN_STATUS", &code.to_string());
            let outcome = rig.service("status");
            assert_eq!(outcome.code, 1, "{outcome:?}");
            assert!(outcome.stderr.contains(&format!("exit code {code}")), "{outcome:?}");
        }
    });
}

#[test]
fn a_service_that_does_not_answer_is_given_up() {
    under_each_shell(|mut rig| {
        rig.set("STAND_IN", "status-hang");
        rig.set("OCTOBRIDGE_STATUS_WAIT", "1");
        let outcome = rig.service("status");
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.stderr.contains("did not answer within 1 s"), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(10), "{outcome:?}");
        rig.assert_nothing_left();
    });
}

#[test]
fn a_missing_program_is_named() {
    under_each_shell(|rig| {
        let program = rig.path("usr/local/bin/octobridge");
        fs::remove_file(&program).unwrap();
        for text in [None, Some("")] {
            if let Some(text) = text {
                fs::write(&program, text).unwrap();
            }
            let outcome = rig.service("status");
            assert_eq!(outcome.code, 1, "{outcome:?}");
            assert!(outcome.stderr.contains("octobridge is missing or not executable"), "{outcome:?}");
        }
    });
}

#[test]
fn asking_for_the_status_changes_nothing() {
    under_each_shell(|rig| {
        let pid = rig.start_and_settle();
        let before = rig.processes();
        assert_eq!(rig.service("status").code, 0);
        assert_eq!(rig.processes(), before);
        assert_eq!(rig.pid_file(), Some(pid));
    });
}
