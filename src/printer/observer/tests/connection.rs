//! The connection, and Klipper behind it.

use super::super::reason_of;
use super::check;

#[test]
fn a_shutdown_fails_the_print_once_whatever_the_print_says() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         1 shutdown printing a.gcode 6 ! MCU 'mcu' shutdown: ADC out of range | 01 a.gcode in_progress
         1.1 shutdown printing a.gcode 6 ! MCU 'mcu' shutdown: ADC out of range | 01 a.gcode klippy_shutdown
         1.2 shutdown paused a.gcode 6 ! MCU 'mcu' shutdown: ADC out of range | 01 a.gcode klippy_shutdown
         3 disconnected - | 01 a.gcode klippy_shutdown
         5 ready - | 01 a.gcode klippy_shutdown
         5.5 ready standby | 01 a.gcode klippy_shutdown",
        &[
            "0 started a.gcode 01-1000/job_started",
            "1 klippy_down (MCU 'mcu' shutdown: ADC out of range) m/klippy_down/1",
            "1 failed a.gcode (MCU 'mcu' shutdown: ADC out of range) 01-1000/failed",
            "5 klippy_ready m/klippy_ready/1",
        ],
    );
}

#[test]
fn a_job_that_ended_just_before_a_shutdown_did_not_fail() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         1 shutdown complete a.gcode 6 ! stop | 01 a.gcode in_progress",
        &[
            "0 started a.gcode 01-1000/job_started",
            "1 klippy_down (stop) m/klippy_down/1",
            "1 finished a.gcode 01-1000/finished",
        ],
    );
}

#[test]
fn outages_of_klipper_are_told_once_and_only_after_it_was_ready() {
    check(
        "0 disconnected -
         2 startup - ! starting
         4 error - ! no mcu
         6 ready standby
         8 disconnected -
         9 startup -
         10 error - ! Option 'x' is not valid
         11 disconnected -
         12 ready standby
         20 disconnected -
         21 restart
         21 disconnected -
         25 ready standby",
        &[
            "6 printer_ready m/printer_ready/1",
            "8 klippy_down m/klippy_down/1",
            "12 klippy_ready m/klippy_ready/1",
            "20 klippy_down m/klippy_down/2",
            "25 klippy_ready m/klippy_ready/2",
        ],
    );
}

#[test]
fn the_reason_is_what_klipper_says_without_its_advice() {
    let message = "MCU 'mcu' shutdown: ADC out of range\n\nSensor 'extruder'\nOnce the underlying issue is \
                   corrected, use the\n\"FIRMWARE_RESTART\" command\nPrinter is shutdown\n";
    assert_eq!(
        reason_of(message).as_deref(),
        Some("MCU 'mcu' shutdown: ADC out of range\nSensor 'extruder'")
    );
    assert_eq!(reason_of("\n \n"), None);
}

#[test]
fn moonraker_restarted_in_a_print_is_no_news_of_the_print() {
    for status in ["server_exit", "interrupted"] {
        check(
            &format!(
                "0 ready printing a.gcode 5 | 01 a.gcode in_progress
                 9 lost
                 15 disconnected - | 01 a.gcode {status}
                 17 startup - | 01 a.gcode {status}
                 19 ready printing a.gcode 24 | 01 a.gcode {status}
                 30 ready paused a.gcode 35 | 01 a.gcode {status}
                 99 ready complete a.gcode 104 | 01 a.gcode {status}"
            ),
            &[
                "0 started a.gcode 01-1000/job_started",
                "9 source_lost m/source_lost/1",
                "15 source_back m/source_back/1",
                "30 paused a.gcode 01-1000/paused/1",
                "99 finished a.gcode 01-1000/finished",
            ],
        );
    }
}

#[test]
fn klipper_missing_for_long_at_a_new_connection_is_an_outage() {
    check(
        "0 ready printing a.gcode 5 | 01 a.gcode in_progress
         9 lost
         15 disconnected - | 01 a.gcode server_exit
         44 disconnected - | 01 a.gcode server_exit
         46 disconnected - | 01 a.gcode server_exit",
        &[
            "0 started a.gcode 01-1000/job_started",
            "9 source_lost m/source_lost/1",
            "15 source_back m/source_back/1",
            "46 klippy_down m/klippy_down/1",
            "46 failed a.gcode (Klipper stopped during the print) 01-1000/failed",
        ],
    );
}

#[test]
fn losses_are_told_once_and_only_after_something_was_seen() {
    check("0 lost\n1 lost\n2 ready standby", &[]);
    check(
        "0 ready standby
         1 lost
         2 lost
         3 restart
         4 lost
         5 ready standby
         6 ready standby
         7 restart
         8 lost",
        &["1 source_lost m/source_lost/1", "5 source_back m/source_back/1"],
    );
}

#[test]
fn a_printer_that_was_switched_on_is_told_when_it_is_ready() {
    // Once, also when Klipper starts anew under the eyes of the same process; that is an outage then.
    check(
        "0 disconnected -
         5 startup -
         9 ready -
         9.1 ready standby
         20 shutdown standby ! stop
         21 startup -
         22 ready standby
         30 restart
         31 ready standby",
        &[
            "9.1 printer_ready m/printer_ready/1",
            "20 klippy_down (stop) m/klippy_down/1",
            "22 klippy_ready m/klippy_ready/1",
        ],
    );
    // The next day.
    check(
        "0 startup -
         1 ready standby
         2 restart
         3 startup -
         4 ready standby
         5 restart
         6 ready standby",
        &["1 printer_ready m/printer_ready/1", "4 printer_ready m/printer_ready/2"],
    );
    // We were restarted just before it was ready.
    check(
        "0 startup -
         1 restart
         2 ready standby",
        &["2 printer_ready m/printer_ready/1"],
    );
    // The power went in a job: it is over, and the printer is ready.
    check(
        "0 ready printing a.gcode 9 | 01 a.gcode in_progress
         1 restart
         2 startup - | 01 a.gcode interrupted
         9 ready standby | 01 a.gcode interrupted
         11 ready standby | 01 a.gcode interrupted",
        &[
            "0 started a.gcode 01-1000/job_started",
            "9 printer_ready m/printer_ready/1",
            "11 failed a.gcode (the print ended while the printer was out of sight; how is not known) 01-1000/failed",
        ],
    );
}

#[test]
fn moonraker_that_was_restarted_is_no_printer_that_was_switched_on() {
    check(
        "0 ready standby
         1 lost
         2 disconnected -
         3 startup -
         4 ready standby",
        &["1 source_lost m/source_lost/1", "2 source_back m/source_back/1"],
    );
    // Not even if we were restarted with it, where a job goes on.
    check(
        "0 ready printing a.gcode 9 | 01 a.gcode in_progress
         1 restart
         2 startup - | 01 a.gcode interrupted
         9 ready printing a.gcode 18 | 01 a.gcode interrupted",
        &["0 started a.gcode 01-1000/job_started"],
    );
}
