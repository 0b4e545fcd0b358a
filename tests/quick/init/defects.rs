//! `S66octoapp` where something is broken: pid file, folders, tools, environment.

use std::fs;

use super::rig::{Foreign, Rig, Shell, assert_done, assert_fails, busybox, under_each_shell, write_script};

#[test]
fn a_missing_part_is_named_and_nothing_starts() {
    under_each_shell(|rig| {
        for (part, break_it) in [
            ("usr/local/bin/octobridge", "missing"),
            ("usr/local/bin/octobridge", "not executable"),
            ("home/lava/bin/octoapp.sh", "missing"),
        ] {
            println!("{part} {break_it}");
            let place = rig.path(part);
            let aside = rig.path("aside");
            fs::rename(&place, &aside).unwrap();
            if break_it == "not executable" {
                fs::write(&place, "").unwrap();
            }
            for action in ["start", "restart", "reload"] {
                assert_fails(|| rig.service(action), &format!("{part} is missing or not executable"));
            }
            fs::rename(aside, place).unwrap();
            assert_eq!(rig.notes().len(), 0);
        }
    });
}

#[test]
fn a_run_folder_that_cannot_be_written_is_named() {
    under_each_shell(|mut rig| {
        // A file in the folder's place fails for root too, unlike missing rights; /proc is one nobody can write.
        fs::write(rig.path("file"), "").unwrap();
        let below_file = rig.path("file/octobridge");
        for place in [below_file.to_str().unwrap(), "/proc/octobridge"] {
            rig.set("OCTOBRIDGE_RUN_DIR", place);
            assert_fails(|| rig.service("start"), &format!("cannot make {place}"));
        }
        let made = rig.path("var/run/octobridge");
        rig.set("OCTOBRIDGE_RUN_DIR", made.to_str().unwrap());
        rig.set("OCTOBRIDGE_PID_FILE", "/proc/octoapp.pid");
        assert_fails(|| rig.service("start"), "/proc/octoapp.pid");
        assert_eq!(rig.service("stop").code, 0);
        assert_eq!(rig.notes().len(), 0);
    });
}

#[test]
fn a_run_folder_that_does_not_exist_is_made() {
    under_each_shell(|mut rig| {
        let deep = rig.path("var/run/not/yet/octobridge");
        rig.set("OCTOBRIDGE_RUN_DIR", deep.to_str().unwrap());
        rig.start_and_settle();
        assert!(deep.is_dir());
    });
}

#[test]
fn without_its_user_nothing_starts_as_somebody_else() {
    under_each_shell(|mut rig| {
        rig.set("OCTOBRIDGE_USER", "octobridge-nobody-has-this-name");
        assert_fails(|| rig.service("start"), "there is no user octobridge-nobody-has-this-name");
        assert_eq!(rig.notes().len(), 0);
    });
}

#[test]
fn a_poorer_busybox_is_enough() {
    // Under dash only: BusyBox's own shell prefers what is built into it to what PATH offers.
    let rig = Rig::new(Shell::Dash);
    rig.without(&["usleep"]);
    rig.replace_tool(
        "sleep",
        &format!("case $1 in *.*) exit 1;; esac; exec {} sleep \"$1\"", busybox().display()),
    );
    rig.without(&["start-stop-daemon"]);
    rig.start_and_settle();
    assert_eq!(rig.processes().len(), 2);
    assert_done(&rig.service("stop"), "Stopping octobridge");
    rig.assert_nothing_left();
    rig.without(&["setsid"]);
    rig.start_and_settle();
    assert_done(&rig.service("stop"), "Stopping octobridge");
    rig.assert_nothing_left();
}

#[test]
fn the_callers_environment_does_not_matter() {
    under_each_shell(|mut rig| {
        let odd = rig.path("odd");
        fs::create_dir(&odd).unwrap();
        for tool in ["rm", "kill", "ls", "readlink", "chown", "cat"] {
            write_script(&odd.join(tool), "echo trap >&2; exit 99");
        }
        rig.set("PATH", odd.to_str().unwrap());
        rig.set("IFS", "/o0123456789");
        rig.set("LC_ALL", "xx_XX.nonsense");
        rig.set("LANG", "tr_TR.UTF-8");
        rig.set("CDPATH", odd.to_str().unwrap());
        rig.set("POSIXLY_CORRECT", "1");
        rig.set("ENV", odd.join("cat").to_str().unwrap());
        rig.unset("HOME");
        assert_done(&rig.service("start"), "Starting octobridge");
        rig.wait_for_note("ready", 1);
        assert_done(&rig.service("stop"), "Stopping octobridge");
        rig.assert_nothing_left();
    });
}

#[test]
fn anything_else_prints_the_usage() {
    under_each_shell(|rig| {
        for action in ["", "begin", "--help", "START"] {
            let outcome = rig.service(action);
            assert_eq!(outcome.code, 2, "{outcome:?}");
            assert!(outcome.stderr.contains("{start|stop|restart|reload|status}"), "{outcome:?}");
        }
    });
}

#[test]
fn what_the_pid_file_holds_is_not_believed() {
    under_each_shell(|rig| {
        let mut foreign = Foreign::sleeper();
        let cases: &[(&str, Vec<u8>)] = &[
            ("a process that ended", b"4194300\n".to_vec()),
            ("a foreign process", format!("{}\n", foreign.pid()).into_bytes()),
            ("nothing", Vec::new()),
            ("text", b"octobridge\n".to_vec()),
            ("our own group", b"0\n".to_vec()),
            ("everybody", b"-1\n".to_vec()),
            ("init", b"1\n".to_vec()),
            ("two numbers", format!("{} {}\n", foreign.pid(), foreign.pid()).into_bytes()),
            ("a shell's words", b"$(touch /tmp/octobridge-was-here) * ; exit 0\n".to_vec()),
            ("zeros", vec![0; 4096]),
            ("bytes", (1..=255).collect()),
            ("a huge number", vec![b'9'; 100_000]),
        ];
        for (what, content) in cases {
            println!("{what}");
            rig.write_pid_files(content);
            assert_done(&rig.service("stop"), "not running");
            rig.write_pid_files(content);
            let pid = rig.start_and_settle();
            assert!(rig.processes().contains(&pid), "{what}");
            // The running service is found although the file is wrong again.
            rig.write_pid_files(content);
            assert_done(&rig.service("start"), "already running");
            assert_done(&rig.service("stop"), "Stopping octobridge");
            rig.assert_nothing_left();
            assert!(foreign.lives(), "{what}: a foreign process was signalled");
        }
        assert_eq!(rig.noted("stopped"), cases.len());
        assert!(!std::path::Path::new("/tmp/octobridge-was-here").exists());
    });
}

#[test]
fn a_pid_file_that_is_no_file_is_replaced() {
    under_each_shell(|rig| {
        let place = rig.path("var/run/octoapp.pid");
        let elsewhere = rig.path("elsewhere");
        for what in ["a pipe", "a folder", "a link"] {
            println!("{what}");
            match what {
                "a pipe" => nix::unistd::mkfifo(&place, nix::sys::stat::Mode::S_IRWXU).unwrap(),
                "a folder" => fs::create_dir(&place).unwrap(),
                _ => {
                    fs::write(&elsewhere, "precious").unwrap();
                    std::os::unix::fs::symlink(&elsewhere, &place).unwrap();
                }
            }
            assert_done(&rig.service("stop"), "not running");
            rig.start_and_settle();
            assert!(fs::symlink_metadata(&place).unwrap().is_file(), "{what}");
            assert_done(&rig.service("stop"), "Stopping octobridge");
            fs::remove_file(&place).unwrap();
        }
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "precious");
    });
}
