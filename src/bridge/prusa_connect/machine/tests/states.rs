//! The states by the table of the mapping, from the top down, with their times.

use super::*;

#[test]
fn a_printer_is_busy_until_it_is_seen_and_the_first_is_not_told() {
    let mut rig = Rig::new(Options::default());
    assert_eq!(rig.machine.state(), State::Busy);
    assert_eq!(rig.wait(29.5), NONE);
    assert_eq!(rig.wait(1.0), ["ERROR HW Lost connection to the printer controller"]);
    assert_eq!(rig.see(), ["IDLE FIRMWARE"]);
}

#[test]
fn a_printer_that_starts_is_busy() {
    let mut rig = Rig::new(Options::default());
    assert_eq!(rig.klippy(KlippyState::Startup, None), NONE);
    assert_eq!(rig.wait(60.0), NONE);
    assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"]);
    // A short start does not show.
    assert_eq!(rig.klippy(KlippyState::Startup, None), NONE);
    assert_eq!(rig.wait(0.5), NONE);
    assert_eq!(rig.klippy(KlippyState::Ready, None), NONE);
    rig.klippy(KlippyState::Startup, None);
    assert_eq!(rig.wait(2.0), ["BUSY FIRMWARE"]);
}

#[test]
fn a_connection_that_stays_away_is_an_error() {
    for event in [true, false] {
        let mut rig = Rig::idle();
        match event {
            true => rig.happens(printer::EventKind::SourceLost, None),
            false => assert_eq!(rig.klippy(KlippyState::Disconnected, None), NONE),
        }
        assert_eq!(rig.wait(1.5), ["BUSY FIRMWARE"], "{event}");
        assert_eq!(rig.wait(28.0), NONE, "{event}");
        assert_eq!(rig.wait(1.0), ["ERROR HW Lost connection to the printer controller"], "{event}");
        assert_eq!(rig.machine.telemetry().get("temp_nozzle"), None);
        if event {
            rig.happens(printer::EventKind::SourceBack, None);
        }
        assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"], "{event}");
    }
}

#[test]
fn a_sight_after_the_loss_says_that_it_is_over_and_one_before_does_not() {
    let mut rig = Rig::idle();
    rig.happens(printer::EventKind::SourceLost, None);
    rig.show();
    assert_eq!(rig.wait(2.0), ["BUSY FIRMWARE"]);
    assert_eq!(rig.see(), ["IDLE FIRMWARE"]);
}

#[test]
fn a_job_goes_on_after_a_loss_of_the_connection_under_its_number() {
    let mut rig = Rig::idle();
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    rig.happens(printer::EventKind::SourceLost, None);
    assert_eq!(rig.wait(2.0), ["BUSY FIRMWARE"]);
    assert_eq!(rig.machine.job(), None);
    rig.happens(printer::EventKind::SourceBack, None);
    assert_eq!(rig.see(), ["PRINTING FIRMWARE #43"]);
    assert_eq!(rig.machine.job(), Some(43));
}

#[test]
fn a_job_goes_on_where_moonraker_is_back_before_it_knows_of_klipper() {
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    rig.happens(printer::EventKind::SourceLost, None);
    assert_eq!(rig.wait(2.0), ["BUSY FIRMWARE"]);
    rig.happens(printer::EventKind::SourceBack, None);
    // What was seen before the loss says nothing of what is.
    assert_eq!(rig.tick(), NONE);
    for state in [KlippyState::Disconnected, KlippyState::Startup] {
        assert_eq!(rig.klippy(state, None), NONE);
        assert_eq!(rig.wait(10.0), NONE);
    }
    assert_eq!(rig.klippy(KlippyState::Ready, None), ["PRINTING FIRMWARE #43"]);
    // From then on it is known that Klipper runs: without it the job is over.
    assert_eq!(rig.klippy(KlippyState::Disconnected, None), NONE);
    assert_eq!(rig.wait(2.0), ["BUSY FIRMWARE"]);
    rig.print(PrintState::Standby);
    assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"]);
}

#[test]
fn a_job_is_over_where_klipper_stays_away_behind_moonraker_or_is_shut_down() {
    for (state, told) in [
        (KlippyState::Disconnected, "ERROR HW Lost connection to the printer controller"),
        (KlippyState::Shutdown, "ERROR FIRMWARE The printer's firmware stopped; restart it"),
    ] {
        let mut rig = Rig::idle();
        rig.print(PrintState::Printing);
        rig.happens(printer::EventKind::SourceLost, None);
        rig.wait(2.0);
        rig.happens(printer::EventKind::SourceBack, None);
        let mut seen = rig.klippy(state, None);
        seen.extend(rig.wait(31.0));
        assert_eq!(seen, [told]);
        rig.print(PrintState::Standby);
        assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"]);
    }
}

#[test]
fn no_printer_comes_from_an_error_to_its_job_without_being_busy() {
    for (state, told) in
        [(PrintState::Printing, "PRINTING FIRMWARE #43"), (PrintState::Paused, "PAUSED FIRMWARE #43")]
    {
        let mut rig = Rig::idle();
        rig.print(PrintState::Printing);
        rig.happens(printer::EventKind::SourceLost, None);
        assert_eq!(rig.wait(31.0), ["BUSY FIRMWARE", "ERROR HW Lost connection to the printer controller"]);
        rig.happens(printer::EventKind::SourceBack, None);
        assert_eq!(rig.print(state), ["BUSY FIRMWARE", told]);
    }
}

#[test]
fn klippers_faults_are_errors_in_its_words() {
    for state in [KlippyState::Shutdown, KlippyState::Error] {
        let mut rig = Rig::idle();
        let told =
            rig.klippy(state, Some("MCU 'mcu' shutdown: Timer too close\nOnce the issue is corrected"));
        let words = "MCU 'mcu' shutdown: Timer too close Once the issue is corrected";
        assert_eq!(told, [format!("ERROR FIRMWARE {words}")]);
        assert_eq!(rig.wait(60.0), NONE);
        rig.klippy(KlippyState::Startup, None);
        assert_eq!(rig.wait(2.0), ["BUSY FIRMWARE"]);
        assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"]);
    }
}

#[test]
fn a_shutdown_ends_the_job_at_once() {
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    rig.happens(printer::EventKind::Failed { reason: None }, None);
    assert_eq!(
        rig.klippy(KlippyState::Shutdown, None),
        ["ERROR FIRMWARE The printer's firmware stopped; restart it"]
    );
    assert_eq!(rig.machine.job(), None);
    // Klipper's own word for a killed print.
    rig.print(PrintState::Standby);
    assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"]);
}

#[test]
fn a_restart_that_was_asked_for_is_no_error() {
    let mut rig = Rig::idle();
    rig.klippy(KlippyState::Shutdown, None);
    rig.expect(9, Effect::Restarted);
    assert_eq!(rig.tick(), ["BUSY CONNECT !9"]);
    rig.klippy(KlippyState::Disconnected, None);
    assert_eq!(rig.wait(45.0), NONE);
    assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"]);
    // And one that fails is.
    rig.expect(10, Effect::Restarted);
    rig.klippy(KlippyState::Disconnected, None);
    assert_eq!(rig.wait(50.0), ["BUSY CONNECT !10"]);
    assert_eq!(rig.wait(15.0), ["ERROR HW Lost connection to the printer controller"]);
}

#[test]
fn a_whole_print() {
    let mut rig = Rig::idle();
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    assert_eq!(rig.print(PrintState::Paused), ["PAUSED FIRMWARE #43"]);
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    assert_eq!(rig.print(PrintState::Complete), ["FINISHED FIRMWARE #43"]);
    assert_eq!(rig.machine.job(), None);
    // Klipper keeps it until somebody says that it is done with.
    assert_eq!(rig.wait(3600.0), NONE);
    let now = rig.now();
    rig.machine.dismiss(Source::Connect, now);
    assert_eq!(rig.tick(), ["IDLE CONNECT"]);
    assert_eq!(rig.wait(60.0), NONE);
}

#[test]
fn an_end_is_shown_for_eleven_seconds_whatever_is_said() {
    let ends =
        [(PrintState::Complete, "FINISHED FIRMWARE #43"), (PrintState::Cancelled, "STOPPED FIRMWARE #43")];
    for (state, told) in ends {
        for reset in [true, false] {
            let mut rig = Rig::idle();
            rig.print(PrintState::Printing);
            assert_eq!(rig.print(state), [told]);
            rig.wait(1.0);
            match reset {
                true => assert_eq!(rig.print(PrintState::Standby), NONE),
                false => {
                    let now = rig.now();
                    rig.machine.dismiss(Source::User, now);
                }
            }
            assert_eq!(rig.wait(9.75), NONE);
            assert_eq!(rig.wait(0.5), [if reset { "IDLE FIRMWARE" } else { "IDLE USER" }]);
        }
        // But another print may begin.
        let mut rig = Rig::idle();
        rig.print(PrintState::Printing);
        rig.print(state);
        rig.job = Some("00002B-1700000009000".into());
        assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #44"]);
    }
}

#[test]
fn a_failed_job_is_an_error_and_then_stopped() {
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    rig.snapshot.print.as_mut().unwrap().message = Some("Move out of range".to_owned());
    assert_eq!(rig.print(PrintState::Error), ["ERROR FIRMWARE Move out of range"]);
    assert_eq!(rig.machine.job(), None);
    assert_eq!(rig.wait(10.5), NONE);
    assert_eq!(rig.wait(1.0), ["STOPPED FIRMWARE"]);
    assert_eq!(rig.ready(), ["READY CONNECT"]);
}

#[test]
fn an_end_that_is_not_seen_is_told_all_the_same() {
    use printer::EventKind as Kind;
    for (kind, expected) in [
        (Some(Kind::Finished), "FINISHED FIRMWARE #43"),
        (Some(Kind::Cancelled), "STOPPED FIRMWARE #43"),
        (Some(Kind::Failed { reason: Some("bang".to_owned()) }), "ERROR FIRMWARE bang"),
        (Some(Kind::Ended), "STOPPED FIRMWARE #43"),
        (None, "STOPPED FIRMWARE #43"),
    ] {
        let mut rig = Rig::idle();
        rig.print(PrintState::Printing);
        if let Some(kind) = kind.clone() {
            rig.happens(kind, None);
            // The sight that shows it comes a little later.
            assert_eq!(rig.wait(1.0), NONE);
        }
        match kind {
            Some(_) => assert_eq!(rig.print(PrintState::Standby), [expected]),
            None => {
                assert_eq!(rig.print(PrintState::Standby), NONE);
                assert_eq!(rig.wait(1.75), NONE);
                assert_eq!(rig.wait(0.5), [expected]);
            }
        }
    }
}

#[test]
fn ready_is_what_a_person_says_and_goes_with_the_first_thing_that_happens() {
    let mut rig = Rig::idle();
    assert_eq!(rig.ready(), ["READY CONNECT"]);
    assert_eq!(rig.wait(3600.0), NONE);
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    assert_eq!(rig.print(PrintState::Complete), ["FINISHED FIRMWARE #43"]);
    // From the end of a job it may be said at once.
    assert_eq!(rig.ready(), ["READY CONNECT"]);
    let now = rig.now();
    rig.machine.set_ready(false, Source::Connect, now);
    assert_eq!(rig.tick(), ["IDLE CONNECT"]);
    // It is no state to come back to.
    rig.ready();
    rig.klippy(KlippyState::Shutdown, None);
    assert_eq!(rig.klippy(KlippyState::Ready, None), ["IDLE FIRMWARE"]);
    rig.ready();
    rig.prompt(Some("Clean the nozzle"));
    assert_eq!(rig.prompt(None), ["IDLE FIRMWARE"]);
    // Nor is it kept.
    rig.ready();
    let mut again = Rig::again(Options::default(), &rig.machine.kept());
    assert_eq!(again.see(), ["IDLE FIRMWARE"]);
}

#[test]
fn ready_can_be_said_while_the_printers_values_are_asked_for_anew() {
    let mut rig = Rig::idle();
    // Moonraker says once more that Klipper is ready: what was subscribed to is subscribed to again.
    rig.snapshot.print = None;
    assert_eq!(rig.see(), NONE);
    assert_eq!(rig.ready(), ["READY CONNECT"]);
    assert_eq!(rig.wait(0.75), NONE);
    assert_eq!(rig.print(PrintState::Standby), NONE);
    assert_eq!(rig.machine.state(), State::Ready);
}

#[test]
fn work_without_a_job_is_busy_when_it_lasts() {
    let mut rig = Rig::idle();
    rig.activity(Activity::Busy);
    assert_eq!(rig.wait(0.75), NONE);
    assert_eq!(rig.activity(Activity::Ready), NONE);
    rig.activity(Activity::Busy);
    assert_eq!(rig.wait(1.25), ["BUSY FIRMWARE"]);
    assert_eq!(rig.activity(Activity::Ready), ["IDLE FIRMWARE"]);
}

#[test]
fn work_of_others_makes_a_bed_unclear_and_short_work_of_connects_does_not() {
    let mut rig = Rig::idle();
    rig.ready();
    rig.activity(Activity::Busy);
    assert_eq!(rig.wait(1.25), ["BUSY FIRMWARE"]);
    assert_eq!(rig.activity(Activity::Ready), ["IDLE FIRMWARE"]);
    rig.ready();
    rig.expect(5, Effect::Work);
    rig.activity(Activity::Busy);
    assert_eq!(rig.wait(4.5), NONE);
    rig.machine.command_ends();
    assert_eq!(rig.activity(Activity::Ready), NONE);
    assert_eq!(rig.machine.state(), State::Ready);
    rig.expect(6, Effect::Work);
    rig.activity(Activity::Busy);
    assert_eq!(rig.wait(5.5), ["BUSY CONNECT !6"]);
    assert_eq!(rig.activity(Activity::Ready), ["IDLE FIRMWARE"]);
}

#[test]
fn an_idle_printer_counts_as_ready_if_so_wished() {
    let mut rig = Rig::new(Options { idle_is_ready: true, ..Options::default() });
    assert_eq!(rig.see(), ["READY FIRMWARE"]);
    assert!(rig.machine.situation().ready);
    rig.print(PrintState::Printing);
    assert_eq!(rig.print(PrintState::Complete), ["FINISHED FIRMWARE #43"]);
    assert_eq!(rig.wait(10.5), NONE);
    assert_eq!(rig.wait(1.0), ["READY FIRMWARE"]);
}

#[test]
fn what_was_not_seen_in_between_is_told_in_between() {
    let mut rig = Rig::idle();
    assert_eq!(rig.print(PrintState::Paused), ["PRINTING FIRMWARE #43", "PAUSED FIRMWARE #43"]);
    assert_eq!(rig.print(PrintState::Complete), ["PRINTING FIRMWARE #43", "FINISHED FIRMWARE #43"]);
    let mut rig = Rig::idle();
    rig.happens(printer::EventKind::JobStarted, None);
    assert_eq!(rig.print(PrintState::Cancelled), ["PRINTING FIRMWARE", "STOPPED FIRMWARE"]);
    // Another job in place of one: the first has ended.
    let mut rig = Rig::idle();
    rig.print(PrintState::Printing);
    rig.job = Some("000030-1700000000000".into());
    assert_eq!(rig.print(PrintState::Printing), ["STOPPED FIRMWARE #43", "PRINTING FIRMWARE #49"]);
}

#[test]
fn a_job_waits_for_its_number_and_not_for_ever() {
    let mut rig = Rig::idle();
    rig.snapshot.print.as_mut().unwrap().state = PrintState::Printing;
    assert_eq!(rig.see(), NONE);
    assert_eq!(rig.wait(1.0), NONE);
    rig.job = Some("000000-1".into());
    assert_eq!(rig.see(), ["PRINTING FIRMWARE #1"]);
    let mut rig = Rig::idle();
    rig.snapshot.print.as_mut().unwrap().state = PrintState::Printing;
    rig.show();
    assert_eq!(rig.wait(2.75), NONE);
    assert_eq!(rig.wait(0.5), ["PRINTING FIRMWARE #1"]);
    rig.job = Some("000009-1".into());
    assert_eq!(rig.see(), NONE);
    assert_eq!(rig.machine.job(), Some(1));
}

#[test]
fn a_restart_of_ours_within_a_job_keeps_number_and_command() {
    let mut rig = Rig::idle();
    rig.expect(70, Effect::Started("sub/cube.gcode".into()));
    assert_eq!(rig.print(PrintState::Printing), ["PRINTING CONNECT #43 !70"]);
    assert!(rig.machine.take_unsaved());
    assert!(!rig.machine.take_unsaved());
    let kept = rig.machine.kept();
    let mut again = Rig::again(Options::default(), &kept);
    assert_eq!(again.print(PrintState::Printing), ["PRINTING FIRMWARE #43"]);
    let told = again.machine.job_info(43, None).unwrap();
    assert!(told.data.contains("\"start_cmd_id\":70"), "{}", told.data);
    // Over while we were away.
    let mut again = Rig::again(Options::default(), &kept);
    assert_eq!(again.print(PrintState::Complete), ["FINISHED FIRMWARE #43"]);
    // A print that was over before is no news.
    let mut again = Rig::again(Options::default(), &again.machine.kept());
    assert_eq!(again.print(PrintState::Complete), ["IDLE FIRMWARE"]);
}
