//! Whatever is seen, however senseless: orderly events, and a small memory.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

fn any_more() -> impl Strategy<Value = String> {
    let sensor = (0_u32..40, prop_oneof![Just("1"), Just("0"), Just("-0")])
        .prop_map(|(number, sees)| format!("{}{number}:{sees}", "sensor".repeat(number as usize)));
    let fault = (0_u32..60, 0_u32..4).prop_map(|(code, level)| format!("fault=523-0-{code}@{level}"));
    let more = prop_oneof![
        (0.0..1.1).prop_map(|progress| format!("p={progress}")),
        (0_u32..3000).prop_map(|seconds| format!("d={seconds}")),
        any::<u32>().prop_map(|layer| format!("l={layer}")),
        (0_u32..60).prop_map(|layer| format!("l={layer}")),
        (-1.0..20.0).prop_map(|height| format!("z={height}")),
        sensor,
        fault,
        (0_u32..3).prop_map(|title| format!("prompt={title}")),
    ];
    proptest::collection::vec(more, 0..12).prop_map(|words| words.join(" "))
}

fn any_line() -> impl Strategy<Value = String> {
    let klippy = prop_oneof![5 => Just("ready"), 1 => Just("shutdown"), 1 => Just("disconnected"), 1 => Just("startup"), 1 => Just("error")];
    let print = prop_oneof![
        1 => Just("-"),
        1 => Just("standby"),
        3 => Just("printing"),
        1 => Just("paused"),
        1 => Just("complete"),
        1 => Just("cancelled"),
        1 => Just("error")
    ];
    let file = prop_oneof![Just("a.gcode"), Just("b.gcode")];
    let status = prop_oneof![
        Just("in_progress"),
        Just("completed"),
        Just("cancelled"),
        Just("error"),
        Just("klippy_shutdown"),
        Just("server_exit"),
        Just("interrupted"),
        Just("news"),
    ];
    let record =
        (0_u32..6, file.clone(), status).prop_map(|(id, file, status)| format!("{id:02} {file} {status}"));
    let history = proptest::option::of(proptest::collection::vec(record, 0..4));
    let seen = (klippy, print, file, 0_u32..2000, any_more(), history).prop_map(
        |(klippy, print, file, total, more, history)| {
            let history = history.map(|records| format!("| {}", records.join(", "))).unwrap_or_default();
            format!("{klippy} {print} {file} {total} ; {more} {history}")
        },
    );
    prop_oneof![
        16 => seen,
        1 => Just("lost".to_owned()),
        1 => Just("restart".to_owned()),
        1 => Just("console !! no".to_owned()),
        1 => Just("pause".to_owned()),
    ]
}

proptest! {
    /// No panic, a small memory, and each job begins before it pauses, and pauses before it goes on; layers only
    /// rise, and no per cent comes twice; what is told of the memory's change is true.
    #[test]
    fn any_sequence_gives_orderly_events(
        steps in proptest::collection::vec((1_u32..40, any_line()), 0..60),
    ) {
        let mut observer = Observer::default();
        let mut now = 0.0;
        let mut running: Option<String> = None;
        let mut paused = false;
        let mut down = false;
        let mut risen: HashMap<String, u32> = HashMap::new();
        for (wait, line) in &steps {
            now += f64::from(*wait) / 10.0;
            let observation = match line.as_str() {
                "lost" => Observation::Lost { reason: String::new() },
                "restart" => {
                    let stored = observer.memory().to_json().unwrap();
                    prop_assert!(stored.len() < 4096, "{}", stored.len());
                    observer = Observer::new(Memory::from_json(&stored).unwrap());
                    continue;
                }
                "pause" => Observation::Commanded { what: Command::Pause, by: "telegram".into() },
                line if line.starts_with("console") => Observation::Console(line[8..].into()),
                seen => Observation::Seen(Arc::new(snapshot(seen, moment(now)))),
            };
            let before = observer.memory().clone();
            let events = observer.observe(&observation, moment(now));
            prop_assert!(observer.take_changed() || *observer.memory() == before);
            for event in events {
                let base = event.key.split('/').next().unwrap_or_default().to_owned();
                if event.kind == EventKind::JobStarted {
                    // Two senseless records may have one identity.
                    risen.clear();
                }
                let mut rises = |what: &str, number: u32| {
                    let highest = risen.entry(format!("{base}/{what}")).or_insert(0);
                    let rises = number > *highest;
                    *highest = number;
                    rises
                };
                match &event.kind {
                    EventKind::JobStarted => {
                        prop_assert_eq!(&running, &None, "{:?}", event);
                        running = Some(base);
                        paused = false;
                    }
                    EventKind::Paused { .. } | EventKind::Resumed => {
                        prop_assert_eq!(running.as_deref(), Some(base.as_str()), "{:?}", event);
                        paused = !paused;
                        prop_assert_eq!(paused, event.kind != EventKind::Resumed);
                    }
                    EventKind::Finished
                    | EventKind::Cancelled
                    | EventKind::Failed { .. }
                    | EventKind::Ended
                    | EventKind::Replaced => {
                        // One that was not seen to run ends only while none runs.
                        prop_assert!(running.is_none() || running == Some(base), "{:?} {:?}", event, running);
                        running = None;
                    }
                    EventKind::KlippyDown { .. } | EventKind::KlippyReady => {
                        down = !down;
                        prop_assert_eq!(down, event.kind != EventKind::KlippyReady);
                    }
                    EventKind::Progress { percent } => {
                        // Told once under each key, whether it rises or falls.
                        prop_assert!(*percent <= 100 && rises(&event.key, 1));
                        prop_assert_eq!(running.as_deref(), Some(base.as_str()), "{:?}", event);
                    }
                    EventKind::Layer { number, .. } => {
                        prop_assert!(rises("layer", *number));
                        prop_assert_eq!(running.as_deref(), Some(base.as_str()), "{:?}", event);
                    }
                    EventKind::FirstLayerDone => prop_assert!(rises("first", 1)),
                    EventKind::NeedsAttention(_)
                    | EventKind::PrinterReady
                    | EventKind::SourceLost
                    | EventKind::SourceBack => {}
                }
            }
        }
    }
}
