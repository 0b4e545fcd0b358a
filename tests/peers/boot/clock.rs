//! A printer without a battery for its clock boots in 1970; the time is set later.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::bed::{Bed, Job};
use crate::support::forward::Forward;
use crate::support::printer::{CHAT, Moonraker, Printer, TOKEN, with_telegram};
use crate::support::telegram::{Outcome, Telegram};
use crate::support::wait;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_boot_in_1970_recovers_when_the_time_is_set() {
    let bed = Bed::up();
    let forward = Forward::to(&bed.socket());
    let telegram = Telegram::start(TOKEN, CHAT);
    let oem = with_telegram(&telegram, Moonraker::Socket(forward.port()));
    let mut booted = Printer::new(&oem).at("1970-01-01T00:00:00").boot();
    assert!(booted.done("date").contains("1970"));

    bed.start_print("dated.gcode", Job::SHORT);
    // No certificate is valid yet, and the status says what is the matter.
    wait::until("a status that names the clock", SOON, || {
        let status = booted.service("status");
        assert_eq!(status.status, 0, "{}", status.text);
        status.text.to_lowercase().contains("clock").then_some(())
    });
    assert_eq!(telegram.done("").len(), 0);

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    booted.done(&format!("date -s @{now}"));
    telegram.wait_for_message("Started: dated.gcode", Outcome::Done, SOON);
    telegram.wait_for_message("Completed: dated.gcode", Outcome::Done, SOON);
    booted.power_off();
    assert_eq!(telegram.done("Started: ").len(), 1);
    assert_eq!(telegram.done("Completed: ").len(), 1);
}
