//! The built image boots, and does on the booted printer what it promises.
//!
//! Each test has a printer of its own in QEMU; those that print have a bed of their own on the host. What is checked
//! is what the owner gets: messages at Telegram's side, processes, packets, and what the init script says.

mod broken;
mod clock;
mod identity;
mod inodes;
mod life;
mod off;
mod page;
mod power;
mod prints;
mod spliced;

use crate::support::printer::{Booted, Printer};

/// `S66octoapp start` returns within so many seconds.
const START: f64 = 1.0;

/// Switches a printer on, and asserts that our init script did not hold up the boot. QEMU's time goes on while the host
/// does something else, so the fastest of three boots counts.
fn boot_at_once(printer: &Printer) -> Booted {
    let mut late = Vec::new();
    for _ in 0..3 {
        let mut booted = printer.boot();
        let took = booted.start_took("S66octoapp");
        if took <= START {
            return booted;
        }
        let plain = plain_starts(&mut booted);
        if took <= START * plain {
            return booted;
        }
        late.push(format!("{took} s, and {PLAIN_STARTS} plain starts {plain} s"));
        booted.power_off();
    }
    panic!("S66octoapp start took {late:#?}");
}

/// So many take not quite a second where nothing else is to be done.
const PLAIN_STARTS: u32 = 40;

/// What that many plain starts of a program take on this printer, in seconds: a host that makes them slow makes everything
/// slow, and not our program.
fn plain_starts(booted: &mut Booted) -> f64 {
    let times = booted.done(&format!(
        "read -r start rest </proc/uptime; left={PLAIN_STARTS}
        while [ $left -gt 0 ]; do
            start-stop-daemon -S -p /dev/null -x /bin/true || exit 1
            left=$((left - 1))
        done
        read -r end rest </proc/uptime; echo $start $end"
    ));
    took(&times)
}

/// The seconds between two times of `/proc/uptime`.
fn took(times: &str) -> f64 {
    let times: Vec<f64> = times.split_whitespace().map(|time| time.parse().unwrap()).collect();
    times[1] - times[0]
}
