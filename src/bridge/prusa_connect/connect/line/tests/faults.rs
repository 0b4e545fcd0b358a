//! Servers that do not do as they should.

use super::*;

fn gaps(out: &[Out]) -> Vec<f64> {
    out.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
}

#[test]
fn an_unreachable_server_is_tried_ever_more_slowly_and_greeted_first() {
    let mut bed = Bed::new(registered());
    bed.set_state(State::Idle);
    bed.run(5.5, |_| status(204));
    let out = bed.run(3600.0, |_| Err("no network".to_owned()));
    for (gap, limit) in
        gaps(&out).iter().zip([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0, 60.0])
    {
        // A fifth of chance, and the cadence of telemetry.
        assert!((limit..=(limit * 1.2_f64).max(1.0) + 1.0).contains(gap), "{gap} {limit}");
    }
    assert!(out.len() < 90, "{}", out.len());
    let mut first = true;
    for out in &out {
        // From ten seconds on it begins with who this is; the introduction is made anew when it is old.
        if out.at > 5.5 + 12.0 {
            assert_eq!(out.short(), "INFO IDLE", "at {}", out.at);
        } else if first {
            assert_eq!(out.short(), "telemetry IDLE");
        }
        first = false;
    }
    let report = bed.line.report();
    assert_eq!((report.state, report.health), (BridgeState::Retrying, Health::Waiting));
    assert!(report.text.contains("no network") && report.queued <= 4, "{report:?}");
    bed.set_state(State::Printing);
    let back = bed.run(70.0, |_| status(204));
    let changes: Vec<String> = short(&back).into_iter().filter(|short| short.starts_with("STATE")).collect();
    assert_eq!(changes.last().map(String::as_str), Some("STATE_CHANGED PRINTING"));
    let full = back.iter().find(|out| out.path == "/p/telemetry").unwrap();
    assert_eq!(full.body, json!({"speed": 100, "state": "PRINTING"}));
    assert!(full.created > 1_700_003_700.0);
}

#[test]
fn days_without_a_server_cost_nothing() {
    let mut bed = Bed::new(registered());
    let states = [State::Idle, State::Printing, State::Paused];
    for round in 0..2000 {
        bed.set_state(states[round % 3]);
        bed.tell(EventKind::FileChanged);
        bed.run(100.0, |_| Err("no network".to_owned()));
    }
    let (events, _) = bed.line.waits();
    assert!(events < 30, "{events}");
    let out = bed.run(100.0, |_| status(204));
    assert_eq!(out[0].body["event"], "INFO");
    let last = out.iter().rev().find(|out| out.body["event"] == "STATE_CHANGED").unwrap();
    assert_eq!(last.body["state"], "PRINTING");
}

#[test]
fn events_come_again_in_their_order() {
    for answer in [408, 429, 500, 502, 503, 504, 0] {
        let mut bed = Bed::new(registered());
        bed.run(1.5, |_| status(204));
        bed.tell(EventKind::MeshBedData);
        bed.set_state(State::Idle);
        let mut left = 3;
        let out = bed.run(2.0, |_| {
            left -= 1;
            match answer {
                _ if left < 0 => status(204),
                0 => Err("no network".to_owned()),
                answer => status(answer),
            }
        });
        let expected = [
            "MESH_BED_DATA BUSY",
            "MESH_BED_DATA BUSY",
            "MESH_BED_DATA BUSY",
            "MESH_BED_DATA BUSY",
            "STATE_CHANGED IDLE",
            "telemetry IDLE",
        ];
        assert_eq!(short(&out[..6]), expected, "{answer}");
        assert!(out[..4].iter().all(|again| again.created == out[0].created && again.body == out[0].body));
        // Telemetry that failed is not repeated, but made anew and whole.
        assert_eq!(bed.line.report().dropped, 0);
    }
}

#[test]
fn what_can_be_spared_is_given_up_after_five_attempts_in_ten_seconds_and_the_rest_after_ten_minutes() {
    let mut bed = Bed::new(registered());
    bed.greets = false;
    bed.run(1.5, |_| status(204));
    bed.tell(EventKind::FileChanged);
    bed.set_state(State::Idle);
    let out = bed.run(1300.0, |out| status(if out.path == "/p/events" { 500 } else { 204 }));
    let of = |event: &str| out.iter().filter(|out| out.body["event"] == event).count();
    // Five, and as many more as there are in the ten seconds in which nothing is given up.
    assert!((5..10).contains(&of("FILE_CHANGED")), "{}", of("FILE_CHANGED"));
    assert!((10..40).contains(&of("STATE_CHANGED")), "{}", of("STATE_CHANGED"));
    let last = out.iter().rfind(|out| out.body["event"] == "STATE_CHANGED").unwrap();
    assert!((500.0..=602.0).contains(&last.at), "{}", last.at);
    assert_eq!((bed.line.report().dropped, bed.line.waits().0), (2, 0));
    // Telemetry went ahead after ten seconds, and showed what had been told.
    let telemetry: Vec<&Out> = out.iter().filter(|out| out.path == "/p/telemetry").collect();
    assert!((11.0..12.6).contains(&telemetry[0].at), "{}", telemetry[0].at);
    for out in telemetry {
        assert_eq!(out.body["state"] == "IDLE", out.at > 601.5, "{}", out.at);
    }
}

#[test]
fn refused_content_is_dropped_and_all_goes_on() {
    for answer in [400, 409, 413, 301] {
        let mut bed = Bed::new(registered());
        bed.run(1.5, |_| status(204));
        bed.tell(EventKind::MeshBedData);
        bed.set_state(State::Idle);
        let out = bed.run(1.0, |out| status(if out.body["event"] == "MESH_BED_DATA" { answer } else { 204 }));
        assert_eq!(short(&out), ["MESH_BED_DATA BUSY", "STATE_CHANGED IDLE", "telemetry IDLE"], "{answer}");
        assert_eq!(bed.line.report().dropped, 1);
        let out = bed.run(3.0, |_| status(answer));
        assert_eq!(short(&out), ["telemetry IDLE"; 3], "{answer}");
    }
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    for (status, asked, pause) in
        [(503, "20", 20.0), (429, "20", 20.0), (503, "86400", 300.0), (429, "", 0.1)]
    {
        let mut bed = Bed::new(registered());
        bed.run(1.5, |_| super::status(204));
        bed.tell(EventKind::MeshBedData);
        let mut first = true;
        let out = bed.run(400.0, |_| {
            let answer = if first { status } else { 204 };
            first = false;
            Ok((answer, vec![("Retry-After", asked.to_owned())], String::new()))
        });
        let gap = out[1].at - out[0].at;
        assert!((pause..pause * 1.21).contains(&gap), "{status} {asked} {gap}");
    }
}

#[test]
fn a_token_that_is_refused_is_kept_and_tried_slowly() {
    for answer in [401, 403, 404] {
        let mut bed = Bed::new(registered());
        bed.set_state(State::Idle);
        bed.run(5.5, |_| status(204));
        bed.line.take_unsaved();
        let out = bed.run(3600.0, |_| Ok((answer, Vec::new(), r#"{"message":"invalid token"}"#.to_owned())));
        assert_eq!(short(&out[..2]), ["telemetry IDLE", "INFO IDLE"]);
        assert_eq!(out[1].at, out[0].at);
        for (gap, limit) in gaps(&out)[1..].iter().zip([60.0, 120.0, 240.0, 480.0, 600.0, 600.0]) {
            assert!((limit..=limit * 1.21).contains(gap), "{gap} {limit}");
        }
        assert!(matches!(&bed.arrived[..], [Arrival::Refused(words)] if words.contains("invalid token")));
        let report = bed.line.report();
        assert_eq!((report.state, report.health), (BridgeState::Failed, Health::Fail));
        assert!(bed.line.token().is_some() && bed.line.take_unsaved().is_none());
        // The server knows it again.
        let out = bed.run(800.0, |_| status(204));
        assert_eq!(out[0].short(), "INFO IDLE");
        assert_eq!(bed.line.report().state, BridgeState::Connected);
    }
}

#[test]
fn a_server_that_refuses_every_other_request_is_not_flooded() {
    let mut bed = Bed::new(registered());
    bed.tell(EventKind::MeshBedData);
    let mut count = 0;
    let out = bed.run(600.0, |_| {
        count += 1;
        status(if count % 2 == 1 { 401 } else { 204 })
    });
    assert!(out.len() < 100, "{}", out.len());
    assert!(bed.line.waits().0 < 5);
}

#[test]
fn telemetry_alone_refused_brings_an_introduction_but_not_too_often() {
    let mut bed = Bed::new(registered());
    bed.run(99.5, |_| status(204));
    bed.tell(EventKind::MeshBedData);
    let out = bed.run(300.0, |out| status(if out.path == "/p/telemetry" { 503 } else { 204 }));
    let expected =
        ["MESH_BED_DATA BUSY", "telemetry BUSY", "INFO BUSY", "MEDIUM_INSERTED BUSY", "STATE_CHANGED BUSY"];
    assert_eq!(short(&out[..5]), expected);
    let infos: Vec<f64> = out.iter().filter(|out| out.body["event"] == "INFO").map(|out| out.at).collect();
    assert!((4..12).contains(&infos.len()), "{infos:?}");
    assert!(infos.windows(2).all(|pair| pair[1] - pair[0] > 9.0), "{infos:?}");
}

#[test]
fn an_application_that_does_not_answer_does_not_stop_the_line() {
    let mut bed = Bed::new(registered());
    bed.greets = false;
    bed.values = None;
    bed.tell(EventKind::MeshBedData);
    let out = bed.run(30.0, |_| status(204));
    assert_eq!(short(&out), ["MESH_BED_DATA BUSY"]);
}

#[test]
fn commands_are_fetched_however_many_events_wait() {
    let mut bed = Bed::new(registered());
    bed.set_state(State::Idle);
    bed.run(5.5, |_| status(204));
    (0..150).for_each(|_| bed.tell(EventKind::FileChanged));
    let (mut events, mut telemetry) = (0, 0);
    while events < 150 {
        match bed.line.next(bed.now()) {
            Next::Send(request) => {
                // A server that takes its time.
                bed.now += seconds(0.4);
                bed.line.answered(Ok(&Reply { status: 204, ..Reply::default() }), bed.now());
                let counter = if request.path == "/p/telemetry" { &mut telemetry } else { &mut events };
                *counter += 1;
            }
            Next::Do(Arrival::Measure) => bed.line.offer(Telemetry::default(), bed.now()),
            Next::Do(_) => {}
            Next::Wait(until) => bed.now = until,
        }
    }
    assert!((15..40).contains(&telemetry), "{telemetry} times in a minute of events");
}

#[test]
fn a_new_token_counts_at_once_where_the_old_one_is_refused() {
    let mut bed = Bed::new(registered());
    bed.set_state(State::Idle);
    bed.run(5.5, |_| status(204));
    bed.tell(EventKind::FileChanged);
    bed.line.change_token(Token::new("another").unwrap());
    let is_new = |out: &Out| out.headers.contains(&("Token", "another".to_owned()));
    let out = bed.run(5.0, |out| status(if is_new(out) { 204 } else { 401 }));
    let refused = out.iter().filter(|out| !is_new(out)).count();
    assert_eq!(refused, 1, "{:?}", short(&out));
    assert!(out.len() > 4);
}
