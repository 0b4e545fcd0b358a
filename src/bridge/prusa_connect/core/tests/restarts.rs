//! What survives a restart of the program.

use super::*;

#[test]
fn what_was_accepted_before_a_restart_has_one_end_after_it() {
    for (name, kwargs) in [
        ("SEND_INFO", json!({})),
        ("SEND_FILE_INFO", json!({"path": "/local/a.gcode"})),
        ("DELETE_FILE", json!({"path": "/local/a.gcode"})),
        ("GCODE", json!({"gcode": "G28"})),
        ("START_PRINT", json!({"path": "/local/a.gcode"})),
    ] {
        let mut bed = Bed::idle();
        bed.service = Service::Hangs;
        let out = bed.run(2.0, with(vec![order(3, name, kwargs.clone())]));
        assert_eq!(about(&out, 3), ["ACCEPTED"], "{name}");
        let mut bed = bed.restarted();
        bed.see();
        let out = bed.run(5.0, |_| status(204));
        let ends = about(&out, 3);
        assert!(
            ends.len() == 1 && ends[0].starts_with("FAILED Interrupted by a restart"),
            "{name}: {ends:?}"
        );
        assert_eq!(short(&out)[0], "INFO IDLE");
        // It is not done again, and asked again it has the same end.
        let out = bed.run(3.0, with(vec![order(3, name, kwargs)]));
        assert_eq!((about(&out, 3).len(), bed.world().tasks.len()), (1, 0), "{name}");
        let mut bed = bed.restarted();
        bed.see();
        assert_eq!(about(&bed.run(5.0, |_| status(204)), 3), [""; 0], "{name}");
    }
}

#[test]
fn what_is_done_at_once_is_kept_before_it_is_told() {
    for name in ["SEND_STATE_INFO", "SET_PRINTER_READY"] {
        let mut bed = Bed::idle();
        let writes = bed.world().writes;
        let world = Arc::clone(&bed.world);
        let mut orders = with(vec![order(3, name, json!({}))]);
        bed.run(1.2, |out| {
            if out.is_event && out.body["command_id"] == 3 {
                let kept = &world.lock().unwrap().kept.line;
                let known = kept.running == Some(3) || kept.past.iter().any(|past| past.id == 3);
                assert!(known, "{name}: {} is told before it is kept", out.body);
            }
            orders(out)
        });
        let kept = bed.world().kept.line.clone();
        assert!(kept.running.is_none() && kept.past.iter().all(|past| !past.untold));
        let writes = bed.world().writes - writes;
        assert!(writes <= 4, "{name}: {writes}");
    }
}

#[test]
fn a_mapping_of_tools_is_taken_back_in_whichever_run_the_job_ends() {
    let start = || json!({"path": "/local/a.gcode", "tool_mapping": {"1": [2], "3": [4]}});
    let begin = || {
        let mut bed = Bed::idle();
        bed.run(1.5, with(vec![order(3, "START_PRINT", start())]));
        assert_eq!(bed.world().kept.mapped, [0, 2]);
        bed.said(3, Ok(()));
        bed.print(PrintState::Printing, "a.gcode");
        bed.run(2.0, |_| status(204));
        assert!(bed.world().unmapped.is_empty());
        bed
    };
    let ended = |bed: &mut Bed| {
        bed.print(PrintState::Complete, "a.gcode");
        bed.run(2.0, |_| status(204));
        assert_eq!(bed.world().unmapped, [[0, 2]]);
        assert!(bed.world().kept.mapped.is_empty());
    };
    // In the same run, also if the connection was away when it ended.
    ended(&mut begin());
    let mut bed = begin();
    bed.event(printer::EventKind::SourceLost);
    bed.run(10.0, |_| status(204));
    assert!(bed.world().unmapped.is_empty());
    bed.now += seconds(1.0);
    bed.event(printer::EventKind::SourceBack);
    ended(&mut bed);
    // In the next one, while the job goes on and when it ended meanwhile.
    let mut bed = begin().restarted();
    bed.see();
    bed.run(5.0, |_| status(204));
    assert!(bed.world().unmapped.is_empty());
    ended(&mut bed);
    ended(&mut begin().restarted());
    // A start that failed.
    let mut bed = Bed::idle();
    bed.run(1.5, with(vec![order(3, "START_PRINT", start())]));
    bed.said(3, Err(crate::bridge::prusa_connect::orders::Trouble::Failed("no".into())));
    bed.run(2.0, |_| status(204));
    assert_eq!(bed.world().unmapped.len(), 1);
    assert!(bed.world().kept.mapped.is_empty());
}
