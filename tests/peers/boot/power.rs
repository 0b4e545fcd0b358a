//! The power goes away, in order and not in order, and the end of the job is told all the same.

use std::time::Duration;

use crate::support::bed::{Bed, Job};
use crate::support::forward::Forward;
use crate::support::printer::{CHAT, Moonraker, Printer, TOKEN, with_telegram};
use crate::support::telegram::{Behaviour, Outcome, Telegram};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn an_end_that_came_while_the_printer_was_off_is_told_after_the_boot() {
    let bed = Bed::up();
    let forward = Forward::to(&bed.socket());
    let telegram = Telegram::start(TOKEN, CHAT);
    let printer = Printer::new(&with_telegram(&telegram, Moonraker::Socket(forward.port())));

    let booted = printer.boot();
    // It must not end before the power does.
    bed.start_print("long.gcode", Job { layers: 100, ..Job::LONG });
    telegram.wait_for_message("Started: long.gcode", Outcome::Done, SOON);
    booted.power_off();
    assert_eq!(bed.query("print_stats")["state"], "printing");
    assert_eq!(telegram.done("Completed: ").len() + telegram.done("Failed: ").len(), 0);

    bed.hurry();
    bed.wait_for("complete", SOON * 5);
    let booted = printer.boot();
    telegram.wait_for_message("Completed: long.gcode", Outcome::Done, SOON);
    booted.power_off();
    assert_eq!(telegram.done("Started: ").len(), 1);
    assert_eq!(telegram.done("Completed: ").len(), 1);
}

#[test]
fn an_end_that_the_power_cut_in_the_middle_of_its_sending_is_told_after_the_boot() {
    let bed = Bed::up();
    let forward = Forward::to(&bed.socket());
    let telegram = Telegram::start(TOKEN, CHAT);
    let printer = Printer::new(&with_telegram(&telegram, Moonraker::Socket(forward.port())));

    let booted = printer.boot();
    telegram.once("Completed: ", Behaviour::Stall);
    bed.start_print("cut.gcode", Job::SHORT);
    telegram.wait_for_message("Completed: cut.gcode", Outcome::Unanswered, SOON);
    booted.cut_power();
    telegram.release();

    let booted = printer.boot();
    telegram.wait_for_message("Completed: cut.gcode", Outcome::Done, SOON);
    booted.power_off();
    assert_eq!(telegram.done("Started: ").len(), 1);
    assert_eq!(telegram.done("Completed: ").len(), 1);
}
