//! The switches of the firmware-config page, with stand-ins for both generations of the printer's helper.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::rig::{Outcome, Rig, repository, shipped, under_each_shell, write_script};

const FOLDER: &str = "home/lava/printer_data/config/extended";

/// A settings file as the printer ships it, with things that must stay as they are.
const SHIPPED: &str = "# DO NOT REMOVE THIS FILE\n\n[web]\n# a comment\nfrontend: fluidd\nfirmware_config = true\n\n[camera]\ninternal: paxx12\nenabled: perhaps\n";

/// The whole of a printer for one switch: folder, helper, and a service that notes how it was called.
fn prepare(rig: &mut Rig, helper: &str) {
    fs::create_dir_all(rig.path(FOLDER)).unwrap();
    let folder = rig.path(FOLDER);
    rig.set("OCTOBRIDGE_CONFIG_DIR", folder.to_str().unwrap());
    rig.set(
        "OCTOBRIDGE_CONFIG_HELPER",
        repository("tests/quick/init/helpers").join(helper).to_str().unwrap(),
    );
    let service = rig.path("service");
    write_script(&service, "echo \"service $*\" >>\"$STAND_IN_NOTES\"; exit ${SERVICE_EXIT:-0}");
    rig.set("OCTOBRIDGE_SERVICE", service.to_str().unwrap());
    // The helpers are Python, which is no BusyBox applet.
    symlink("/usr/bin/python3", rig.path("tools/python3")).unwrap();
}

fn switch(rig: &Rig, words: &[&str]) -> Outcome {
    rig.script(&shipped("usr/local/share/octobridge/switch"), words)
}

fn write(rig: &Rig, file: &str, content: &str) {
    fs::write(rig.path(FOLDER).join(file), content).unwrap();
}

fn read(rig: &Rig, file: &str) -> String {
    fs::read_to_string(rig.path(FOLDER).join(file)).unwrap()
}

/// Runs `test` under each shell with a helper of the newer generation and one settings file.
fn with_settings(content: &str, test: impl Fn(Rig)) {
    under_each_shell(|mut rig| {
        prepare(&mut rig, "verbs.py");
        write(&rig, "extended2.cfg", content);
        test(rig);
    });
}

/// Asserts that the switch failed, said this, changed nothing, left nothing behind and restarted nothing.
fn assert_refused(rig: &Rig, outcome: &Outcome, file: &str, content: &str, says: &[&str]) {
    assert_eq!(outcome.code, 1, "{outcome:?}");
    for says in says {
        assert!(outcome.stderr.contains(says), "{says:?} is missing in {outcome:?}");
    }
    assert_eq!(read(rig, file), content);
    assert_eq!(fs::read_dir(rig.path(FOLDER)).unwrap().count(), 1, "something was left behind");
    assert_eq!(rig.notes().len(), 0, "{:?}", rig.notes());
}

#[test]
fn get_says_true_only_for_true_in_both_generations() {
    let cases = [
        ("", "false"),
        ("[telegram]\nchat_id: 5\n", "false"),
        ("[telegram]\nenabled: true\n", "true"),
        ("[telegram]\nenabled = true  \n", "true"),
        ("[telegram]\nENABLED: true\n", "true"),
        ("[telegram]\nenabled: false\n", "false"),
        ("[telegram]\nenabled: yes\n", "false"),
        ("[telegram]\nenabled: true # inline\n", "false"),
        ("[telegram]\nenabled:\n", "false"),
        ("[telegram]\nenabled: enabled\n", "false"),
        ("# [telegram]\n# enabled: true\n", "false"),
        ("[Telegram]\nenabled: true\n", "false"),
        ("[octoapp]\nenabled: true\n", "false"),
    ];
    for helper in ["verbs.py", "positional.py"] {
        under_each_shell(|mut rig| {
            prepare(&mut rig, helper);
            for (content, expected) in cases {
                write(&rig, "extended.cfg", content);
                let outcome = switch(&rig, &["telegram", "get"]);
                assert_eq!(
                    (outcome.code, outcome.stdout.trim()),
                    (0, expected),
                    "{helper} {content:?} {outcome:?}"
                );
            }
        });
    }
}

#[test]
fn the_newer_file_counts_where_both_are_there() {
    with_settings("[octoapp]\nenabled: true\n", |rig| {
        write(&rig, "extended.cfg", "[octoapp]\nenabled: false\n");
        assert_eq!(switch(&rig, &["octoapp", "get"]).stdout, "true\n");
        assert_eq!(switch(&rig, &["octoapp", "false"]).code, 0);
        assert_eq!(read(&rig, "extended2.cfg"), "[octoapp]\nenabled: false\n");
        assert_eq!(read(&rig, "extended.cfg"), "[octoapp]\nenabled: false\n");
    });
}

#[test]
fn get_without_any_file_is_false() {
    under_each_shell(|mut rig| {
        prepare(&mut rig, "verbs.py");
        let outcome = switch(&rig, &["telegram", "get"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "false\n"), "{outcome:?}");
    });
}

#[test]
fn switching_on_adds_only_what_it_needs_restarts_and_says_what_is_next() {
    for (bridge, section, hint) in [
        ("octoapp", "octoapp", "octobridge pair octoapp"),
        ("prusa-connect", "prusa_connect", "octobridge pair prusa-connect"),
        ("telegram", "telegram", "octobridge pair telegram"),
    ] {
        with_settings(SHIPPED, |rig| {
            let file = rig.path(FOLDER).join("extended2.cfg");
            fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
            let outcome = switch(&rig, &[bridge, "true"]);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            assert!(outcome.stdout.contains(hint) && outcome.stdout.contains("/octobridge/"), "{outcome:?}");
            assert!(outcome.stdout.contains("service status"), "{outcome:?}");
            assert_eq!(read(&rig, "extended2.cfg"), format!("{SHIPPED}\n[{section}]\nenabled: true\n"));
            assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o664);
            assert_eq!(fs::read_dir(rig.path(FOLDER)).unwrap().count(), 1);
            assert_eq!(rig.notes(), ["service restart"]);

            let outcome = switch(&rig, &[bridge, "false"]);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            assert!(!outcome.stdout.contains("Next:"), "{outcome:?}");
            assert_eq!(read(&rig, "extended2.cfg"), format!("{SHIPPED}\n[{section}]\nenabled: false\n"));
            assert_eq!(switch(&rig, &[bridge, "get"]).stdout, "false\n");
            assert_eq!(rig.notes(), ["service restart", "service restart"]);
        });
    }
}

#[test]
fn a_section_that_is_there_keeps_its_other_keys() {
    with_settings(
        "[telegram]\nchat_id: -100\nenabled: no\nthread_id: 7\n\n[web]\nfrontend: mainsail\n",
        |rig| {
            assert_eq!(switch(&rig, &["telegram", "true"]).code, 0);
            let expected =
                "[telegram]\nchat_id: -100\nenabled: true\nthread_id: 7\n\n[web]\nfrontend: mainsail\n";
            assert_eq!(read(&rig, "extended2.cfg"), expected);
        },
    );
}

#[test]
fn a_last_line_without_an_end_is_not_run_into() {
    with_settings("[telegram]\nchat_id: 5", |rig| {
        assert_eq!(switch(&rig, &["telegram", "true"]).code, 0);
        assert_eq!(read(&rig, "extended2.cfg"), "[telegram]\nchat_id: 5\nenabled: true\n");
    });
}

#[test]
fn what_stands_already_is_not_written_again() {
    for (content, wanted) in [
        ("[telegram]\nenabled = true\n", "true"),
        ("[telegram]\nenabled = off\n", "false"),
        ("[web]\nfrontend: fluidd\n", "false"),
    ] {
        with_settings(content, |rig| {
            let outcome = switch(&rig, &["telegram", wanted]);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            assert!(outcome.stdout.contains("already"), "{outcome:?}");
            assert_eq!(read(&rig, "extended2.cfg"), content);
            assert_eq!(rig.notes(), ["service restart"]);
        });
    }
}

#[test]
fn a_file_that_the_helper_would_break_stays_as_it_is() {
    // The blank line makes the helper write the key a second time, after which the file parses no more.
    let content = "[telegram]\n\nenabled: false\n";
    with_settings(content, |rig| {
        let outcome = switch(&rig, &["telegram", "true"]);
        let says = ["without a blank line", "[telegram]", "enabled: true", "it is as it was"];
        assert_refused(&rig, &outcome, "extended2.cfg", content, &says);
    });
}

#[test]
fn a_file_that_does_not_parse_is_named_and_left_alone() {
    for content in [
        "enabled: true\n",
        "[telegram]\nenabled: true\nenabled: true\n",
        "[telegram]\n[telegram]\n",
        "[telegram\nenabled: true\n",
        "[telegram]\nenabled: %(secret)s\n",
    ] {
        with_settings(content, |rig| {
            for wanted in ["true", "false"] {
                let outcome = switch(&rig, &["telegram", wanted]);
                assert_refused(&rig, &outcome, "extended2.cfg", content, &["cannot read", "extended2.cfg"]);
            }
            let outcome = switch(&rig, &["telegram", "get"]);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (1, "false\n"), "{outcome:?}");
        });
    }
}

#[test]
fn a_helper_that_does_harm_does_none() {
    let read_back = "case $1 in get) grep -q 'enabled: true' \"$2\" && echo true || echo \"$5\";; add) ";
    for harm in [
        ": >\"$2\"",
        "exit 1",
        "echo 'enabled: true' >\"$2\"",
        "sed -i 's/fluidd/mainsail/' \"$2\"; echo '[telegram]\nenabled: true' >>\"$2\"",
        "sed -i 's/enabled: perhaps/enabled: true/' \"$2\"",
        "rm \"$2\"",
    ] {
        with_settings(SHIPPED, |mut rig| {
            let helper = rig.path("helper");
            write_script(&helper, &format!("{read_back}{harm};; *) exit 1;; esac"));
            rig.set("OCTOBRIDGE_CONFIG_HELPER", helper.to_str().unwrap());
            let outcome = switch(&rig, &["telegram", "true"]);
            assert_refused(&rig, &outcome, "extended2.cfg", SHIPPED, &["it is as it was"]);
        });
    }
}

#[test]
fn where_the_helper_only_reads_the_line_to_write_by_hand_is_named() {
    under_each_shell(|mut rig| {
        prepare(&mut rig, "positional.py");
        write(&rig, "extended.cfg", SHIPPED);
        let outcome = switch(&rig, &["prusa-connect", "true"]);
        let says = ["extended.cfg by hand", "[prusa_connect]\n  enabled: true", "restart", "can read"];
        assert_refused(&rig, &outcome, "extended.cfg", SHIPPED, &says);
    });
}

#[test]
fn what_is_missing_is_named() {
    under_each_shell(|mut rig| {
        prepare(&mut rig, "verbs.py");
        let outcome = switch(&rig, &["telegram", "true"]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.stderr.contains("no extended2.cfg or extended.cfg"), "{outcome:?}");
        assert_eq!(fs::read_dir(rig.path(FOLDER)).unwrap().count(), 0, "the file is another overlay's");

        write(&rig, "extended2.cfg", SHIPPED);
        rig.set("OCTOBRIDGE_CONFIG_HELPER", "/nowhere/extended-config.py");
        let outcome = switch(&rig, &["telegram", "true"]);
        let says = ["/nowhere/extended-config.py is missing", "enabled: true"];
        assert_refused(&rig, &outcome, "extended2.cfg", SHIPPED, &says);
        assert_eq!(switch(&rig, &["telegram", "get"]).code, 1);
    });
}

#[test]
fn a_settings_file_behind_a_link_is_changed_where_it_is() {
    with_settings("", |rig| {
        let link = rig.path(FOLDER).join("extended2.cfg");
        fs::remove_file(&link).unwrap();
        fs::write(rig.path("elsewhere.cfg"), SHIPPED).unwrap();
        symlink(rig.path("elsewhere.cfg"), &link).unwrap();
        assert_eq!(switch(&rig, &["telegram", "true"]).code, 0);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(
            fs::read_to_string(rig.path("elsewhere.cfg")).unwrap().ends_with("[telegram]\nenabled: true\n")
        );
    });
}

#[test]
fn a_service_that_does_not_restart_is_a_failure_that_says_the_setting_stands() {
    with_settings(SHIPPED, |mut rig| {
        rig.set("SERVICE_EXIT", "1");
        let outcome = switch(&rig, &["telegram", "true"]);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert!(outcome.stderr.contains("the setting stands"), "{outcome:?}");
        assert_eq!(switch(&rig, &["telegram", "get"]).stdout, "true\n");
    });
}

#[test]
fn anything_else_prints_the_usage() {
    with_settings(SHIPPED, |rig| {
        let cases: &[&[&str]] = &[
            &[],
            &["telegram"],
            &["obico", "true"],
            &["obico", "get"],
            &["telegram", "on"],
            &["telegram", "true", "please"],
            &["", "get"],
            &["../web", "true"],
        ];
        for words in cases {
            let outcome = switch(&rig, words);
            assert_eq!(outcome.code, 2, "{words:?} {outcome:?}");
            assert!(outcome.stderr.contains("octoapp|prusa-connect|telegram"), "{outcome:?}");
        }
        assert_eq!(read(&rig, "extended2.cfg"), SHIPPED);
        assert_eq!(rig.notes().len(), 0);
    });
}
