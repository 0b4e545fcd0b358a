//! Servers, clocks and connections that do not do as they should.

use super::*;

/// What comes of an event and of telemetry under each status, by the specification of the protocol: how often the event is
/// tried, whether it arrives, and how long it takes until telemetry goes on.
#[test]
fn each_status_has_its_remedy() {
    for (name, answer, again) in [
        ("200", status(200), false),
        ("204", status(204), false),
        ("400", status(400), false),
        ("409", status(409), false),
        ("408", status(408), true),
        ("429", status(429), true),
        ("500", status(500), true),
        ("503", status(503), true),
        ("504", status(504), true),
        ("401", status(401), true),
        ("no network", Err("no network".to_owned()), true),
    ] {
        let mut bed = Bed::idle();
        bed.core.on_files(FileChange::Deleted { path: "a".to_owned() });
        bed.serve();
        let mut first = true;
        let out = bed.run(30.0, |out| {
            let is_first = out.is_event && std::mem::take(&mut first);
            if is_first { answer.clone() } else { status(204) }
        });
        let tries: Vec<&Out> = out.iter().filter(|out| out.body["event"] == "FILE_CHANGED").collect();
        assert_eq!(tries.len(), if again { 2 } else { 1 }, "{name}: {:?}", short(&out));
        assert!(
            tries.iter().all(|out| out.created == tries[0].created && out.body == tries[0].body),
            "{name}"
        );
        let telemetry = out.iter().filter(|out| !out.is_event).count();
        assert!(telemetry >= 28, "{name}: {telemetry}");
    }
}

/// How long it is waited after each failure in a row.
#[test]
fn each_status_has_its_delays() {
    let growing = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4];
    let refused = [0.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0];
    for (name, answer, delays) in [
        ("no network", Err("no network".to_owned()), growing),
        ("429", status(429), growing),
        ("401", status(401), refused),
        ("403", status(403), refused),
        ("404", status(404), refused),
        ("asked", Ok((503, vec![("Retry-After", "20".to_owned())], String::new())), [20.0; 7]),
        ("asked too much", Ok((429, vec![("Retry-After", "9999".to_owned())], String::new())), [300.0; 7]),
    ] {
        let mut bed = Bed::idle();
        bed.print(PrintState::Printing, "a.gcode");
        let out = bed.run(4000.0, |_| answer.clone());
        let gaps: Vec<f64> = out.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        for (gap, delay) in gaps.iter().zip(delays) {
            assert!((delay - 0.01..=delay * 1.21 + 0.01).contains(gap), "{name}: {gap} {delay} of {gaps:?}");
        }
    }
}

#[test]
fn after_a_gap_the_printer_introduces_itself_first() {
    for (gap, first) in [(5.0, "STATE_CHANGED"), (12.0, "INFO"), (600.0, "INFO"), (90_000.0, "INFO")] {
        let mut bed = Bed::idle();
        bed.run(gap, |_| Err("no network".to_owned()));
        bed.print(PrintState::Printing, "a.gcode");
        let out = bed.run(75.0, |_| status(204));
        let told = short(&out);
        // An introduction that waits already tells the state of its time, and the change follows it.
        assert!(told[0].starts_with(first), "{gap}: {told:?}");
        let telemetry = out.iter().position(|out| !out.is_event).unwrap();
        assert_eq!(
            told[telemetry - 1..=telemetry],
            ["STATE_CHANGED PRINTING", "telemetry PRINTING"],
            "{gap}"
        );
        assert!(events(&out[telemetry..]).is_empty(), "{gap}: {told:?}");
        // All values again.
        assert!(out[telemetry].body.get("job_id").is_some());
    }
}

#[test]
fn a_step_of_the_clock_is_told_once_and_changes_no_delay() {
    for step in [3600.0, 1.0, -3600.0, -1_000_000.0] {
        let mut bed = Bed::idle();
        bed.offset = seconds(bed.offset.as_secs_f64() + step);
        let out = bed.run(20.0, |_| status(204));
        let adjusted: Vec<bool> = out.iter().map(|out| out.adjusted).collect();
        assert!(adjusted[0] && !adjusted[1..].contains(&true), "{step}: {adjusted:?}");
        assert_eq!(short(&out), vec!["telemetry IDLE"; 20], "{step}");
    }
}

#[test]
fn days_without_the_server_cost_nothing() {
    let mut bed = Bed::idle();
    let mut most = 0;
    for round in 0..3 * 24 {
        let state = if round % 2 == 0 { PrintState::Printing } else { PrintState::Complete };
        bed.print(state, "a.gcode");
        for number in 0..300 {
            bed.core.on_files(FileChange::Deleted { path: number.to_string() });
            bed.serve();
        }
        bed.event(printer::EventKind::SourceBack);
        bed.run(3600.0, |_| Err("no network".to_owned()));
        most = most.max(bed.core.line.waits().0);
    }
    assert!(most <= 201, "{most}");
    let asked = bed.world().asked;
    let writes = bed.world().writes;
    // Introductions are made anew as they grow old; jobs are kept.
    assert!(asked < 72 * 300 + 72 * 60 && writes < 72 * 6, "{asked} {writes}");
    let out = bed.run(70.0, |_| status(204));
    assert_eq!(out[0].body["event"], "INFO");
    let changes: Vec<_> = out.iter().filter(|out| out.body["event"] == "STATE_CHANGED").collect();
    assert_eq!(changes.last().unwrap().body["state"], out.last().unwrap().body["state"]);
}
