//! Start, stop, and coming back: the processes on the booted printer.

use std::time::Duration;

use crate::support::printer::{Booted, CHAT, Moonraker, PID_FILE, Printer, TOKEN, with_telegram};
use crate::support::telegram::Telegram;
use crate::support::wait;

const SOON: Duration = Duration::from_secs(20);

/// The bound of the specification for coming back, and what looking takes on an emulated processor.
const BACK: Duration = Duration::from_secs(5);

fn done(booted: &mut Booted, action: &str) {
    let output = booted.service(action);
    assert_eq!(output.status, 0, "{action}: {}", output.text);
}

#[test]
fn processes_come_back_and_obey_the_init_script() {
    let telegram = Telegram::start(TOKEN, CHAT);
    let mut booted = Printer::new(&with_telegram(&telegram, Moonraker::None)).boot();
    let first = booted.wait_for_service(SOON);
    each_comes_back(&mut booted, first.len());
    two_starts_give_one(&mut booted);
    stop_and_restart(&mut booted);
    stale_pid_file(&mut booted);
    foreign_pid_file(&mut booted);
    booted.power_off();
}

/// `kill -9` of each process in turn, the one in the pid file included.
fn each_comes_back(booted: &mut Booted, count: usize) {
    for place in 0..count {
        let before = booted.wait_for_service(SOON);
        let victim = before[place.min(before.len() - 1)];
        booted.done(&format!("kill -9 {victim}"));
        wait::until(&format!("the return of process {victim} of {before:?}"), BACK, || {
            let processes = booted.processes();
            let named = booted.pid_file()?;
            let whole = processes.len() == count && processes.contains(&named);
            (whole && !processes.contains(&victim)).then_some(())
        });
    }
}

fn two_starts_give_one(booted: &mut Booted) {
    let before = booted.wait_for_service(SOON);
    done(booted, "start");
    done(booted, "start");
    assert_eq!(booted.processes(), before);
    // Two at once, from nothing.
    done(booted, "stop");
    booted.done("/etc/init.d/S66octoapp start & /etc/init.d/S66octoapp start; wait");
    let after = booted.wait_for_service(SOON);
    assert_eq!(after.len(), before.len(), "{}", booted.run("ps").text);
}

fn stop_and_restart(booted: &mut Booted) {
    let before = booted.wait_for_service(SOON);
    done(booted, "restart");
    let after = booted.wait_for_service(SOON);
    assert!(after.iter().all(|process| !before.contains(process)), "{before:?} {after:?}");
    done(booted, "stop");
    assert_eq!(booted.processes(), [0; 0]);
    assert_eq!(booted.pid_file(), None);
    let status = booted.service("status");
    assert_eq!(status.status, 3, "{}", status.text);
    assert_ne!(booted.service("no-such-action").status, 0);
}

fn stale_pid_file(booted: &mut Booted) {
    done(booted, "stop");
    // A number that no process can have.
    booted.done(&format!("echo 4194305 > {PID_FILE}"));
    let status = booted.service("status");
    assert_eq!(status.status, 1, "dead though it should run: {}", status.text);
    done(booted, "start");
    booted.wait_for_service(SOON);
}

fn foreign_pid_file(booted: &mut Booted) {
    done(booted, "stop");
    booted.done(&format!("sleep 1000 >/dev/null 2>&1 & echo $! > {PID_FILE}; cp {PID_FILE} /tmp/foreign"));
    done(booted, "start");
    booted.wait_for_service(SOON);
    booted.done("kill -0 $(cat /tmp/foreign)");
    done(booted, "stop");
    booted.done(&format!("cp /tmp/foreign {PID_FILE}"));
    done(booted, "stop");
    booted.done("kill -0 $(cat /tmp/foreign)");
    booted.done("kill $(cat /tmp/foreign)");
}
