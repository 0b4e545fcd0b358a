//! Start, stop, and coming back: the processes on the booted printer.

use std::time::Duration;

use super::{PLAIN_STARTS, plain_starts, took};
use crate::support::printer::{
    Booted, CHAT, LIST_PROCESSES, Moonraker, PID_FILE, Printer, TOKEN, with_telegram,
};
use crate::support::telegram::Telegram;

const SOON: Duration = Duration::from_secs(20);

/// After the death of any process all is as before within so many seconds.
const BACK: f64 = 5.0;

fn done(booted: &mut Booted, action: &str) {
    let output = booted.service(action);
    assert_eq!(output.status, 0, "{action}: {}", output.text);
}

#[test]
fn processes_come_back_and_obey_the_init_script() {
    let telegram = Telegram::start(TOKEN, CHAT);
    let mut booted = Printer::new(&with_telegram(&telegram, Moonraker::None)).boot();
    let first = booted.wait_for_service(SOON);
    // The budgets are measured by `make bench`; this is what no moment may exceed.
    let resident = booted.resident_after(0);
    assert!((100..=12 << 10).contains(&resident), "{resident} KiB resident");
    each_comes_back(&mut booted, first.len());
    two_starts_give_one(&mut booted);
    stop_and_restart(&mut booted);
    stale_pid_file(&mut booted);
    foreign_pid_file(&mut booted);
    booted.power_off();
}

/// `kill -9` of each process in turn, the one in the pid file included. The fastest of three counts, each with a service
/// that has not seen a death yet: QEMU's time goes on while the host does something else.
fn each_comes_back(booted: &mut Booted, count: usize) {
    let mut late = Vec::new();
    for _ in 0..3 {
        let slowest = (0..count).map(|place| comes_back(booted, count, place)).fold(0.0, f64::max);
        if slowest <= BACK {
            return;
        }
        let plain = plain_starts(booted);
        if slowest <= BACK * plain {
            return;
        }
        late.push(format!("{slowest:.1} s, and {PLAIN_STARTS} plain starts {plain:.1} s"));
        done(booted, "restart");
    }
    panic!("it took {late:#?} until all was whole again");
}

/// How long it takes until all is whole again after the end of a process, by the printer's own clock.
fn comes_back(booted: &mut Booted, count: usize, place: usize) -> f64 {
    let before = booted.wait_for_service(SOON);
    let victim = before[place.min(before.len() - 1)];
    took(&booted.done(&format!(
        r#"read -r start rest </proc/uptime; kill -9 {victim}
        whole() {{
            set -- $({LIST_PROCESSES})
            [ $# = {count} ] || return 1
            case " $* " in *" {victim} "*) return 1 ;; *" $(cat {PID_FILE}) "*) return 0 ;; *) return 1 ;; esac
        }}
        tries=0
        until whole; do
            tries=$((tries + 1)); [ $tries -lt 300 ] || exit 1
            usleep 50000
        done
        read -r end rest </proc/uptime; echo $start $end"#
    )))
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
