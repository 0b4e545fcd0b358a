//! A real print on a real Moonraker, told by the booted printer.

use std::time::Duration;

use crate::support::bed::{Bed, Job};
use crate::support::forward::Forward;
use crate::support::printer::{CHAT, Moonraker, Printer, THREAD, TOKEN, with_telegram};
use crate::support::telegram::{Call, Outcome, Telegram};

const SOON: Duration = Duration::from_secs(60);

/// Prints a job of this name and asserts what arrives.
fn print_is_told_once(name: &str, bed: &Bed, moonraker: Moonraker) {
    let telegram = Telegram::start(TOKEN, CHAT);
    let mut booted = Printer::new(&with_telegram(&telegram, moonraker)).boot();
    booted.wait_for_service(SOON);

    bed.start_print(name, Job::SHORT);
    let started = telegram.wait_for_message(&format!("Started: {name}"), Outcome::Done, SOON);
    let finished = telegram.wait_for_message(&format!("Completed: {name}"), Outcome::Done, SOON);
    assert!(started.at < finished.at);

    let status = booted.service("status");
    assert_eq!(status.status, 0, "{}", status.text);
    let telegram_says = status.text.lines().find(|line| line.to_lowercase().contains("telegram"));
    let telegram_says = telegram_says.unwrap_or_else(|| panic!("no line for Telegram: {}", status.text));
    assert!(!telegram_says.contains("off") && !telegram_says.contains("fail"), "{}", status.text);
    let listed = booted.done("ps | grep moonraker_octoapp | grep -v grep");
    assert!(listed.contains("lava"), "{listed}");
    assert!(!listed.contains("root"), "{listed}");

    // Whatever is still to be sent is sent on the way down.
    booted.power_off();
    for call in telegram.done("") {
        assert_eq!(call.arguments["message_thread_id"], THREAD, "{call:?}");
    }
    let texts = |calls: Vec<Call>| calls.iter().map(|call| call.text().to_owned()).collect::<Vec<_>>();
    for text in ["Started: ", "Completed: "] {
        assert_eq!(texts(telegram.done(text)).len(), 1, "{:?}", texts(telegram.done("")));
    }
    for text in ["Cancelled: ", "Failed: "] {
        assert_eq!(texts(telegram.done(text)), Vec::<String>::new());
    }
}

#[test]
fn a_print_is_told_once_over_moonraker_s_socket() {
    let bed = Bed::up();
    let forward = Forward::to(&bed.socket());
    print_is_told_once("calibration cube.gcode", &bed, Moonraker::Socket(forward.port()));
    assert!(forward.connections() > 0, "the printer did not use Moonraker's socket");
}

#[test]
fn a_print_is_told_once_over_a_web_socket() {
    let bed = Bed::up();
    print_is_told_once("über_5%.gcode", &bed, Moonraker::WebSocket(bed.port()));
}
