//! Whatever is seen, the states follow one another as Connect allows.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Klippy(KlippyState),
    Print(PrintState),
    Prompt(bool),
    Fault(bool),
    Busy(bool),
    Job(u8),
    NoPrint,
    Lost,
    Back,
    Told(printer::EventKind),
    Ready(bool),
    Dismiss,
    Expect(u8),
    Ends,
    Wait(f64),
}

fn step() -> impl Strategy<Value = Step> {
    use KlippyState as K;
    use PrintState as P;
    use printer::EventKind as E;
    let klippy = prop_oneof![6 => Just(K::Ready), 1 => Just(K::Startup), 1 => Just(K::Shutdown), 1 => Just(K::Error),
        1 => Just(K::Disconnected)];
    let print = prop_oneof![
        Just(P::Standby),
        Just(P::Printing),
        Just(P::Paused),
        Just(P::Complete),
        Just(P::Cancelled),
        Just(P::Error)
    ];
    let told = prop_oneof![
        Just(E::JobStarted),
        Just(E::Finished),
        Just(E::Cancelled),
        Just(E::Ended),
        Just(E::Failed { reason: None }),
        Just(E::Resumed),
        Just(E::Replaced),
        Just(E::Paused { by: PausedBy::Unknown, reason: Some("x".to_owned()) })
    ];
    prop_oneof![
        3 => klippy.prop_map(Step::Klippy),
        8 => print.prop_map(Step::Print),
        1 => any::<bool>().prop_map(Step::Prompt),
        1 => any::<bool>().prop_map(Step::Fault),
        2 => any::<bool>().prop_map(Step::Busy),
        2 => (0_u8..4).prop_map(Step::Job),
        1 => Just(Step::NoPrint),
        1 => Just(Step::Lost),
        1 => Just(Step::Back),
        4 => told.prop_map(Step::Told),
        2 => any::<bool>().prop_map(Step::Ready),
        1 => Just(Step::Dismiss),
        2 => (0_u8..6).prop_map(Step::Expect),
        1 => Just(Step::Ends),
        6 => (0_u8..60).prop_map(|quarters| Step::Wait(f64::from(quarters) / 4.0)),
    ]
}

/// The table of allowed changes, and what the rules of the states demand beyond it: the printer may be lost or start
/// anew from any state, and what it does when it is back is told at once.
fn allowed(from: State, to: State) -> bool {
    use State::{Attention, Busy, Error, Finished, Idle, Paused, Printing, Ready, Stopped};
    match from {
        _ if to == Error || to == Busy => true,
        Busy => to != Ready,
        Error => matches!(to, Idle | Stopped),
        Idle => matches!(to, Ready | Printing | Attention),
        Ready => matches!(to, Idle | Printing | Attention),
        Printing => matches!(to, Paused | Attention | Finished | Stopped),
        Paused => matches!(to, Printing | Stopped | Attention),
        Attention => matches!(to, Idle | Printing | Paused | Stopped),
        Finished | Stopped => matches!(to, Idle | Ready | Printing) || (from == Finished && to == Stopped),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_is_orderly(steps in proptest::collection::vec(step(), 0..80), idle_is_ready in any::<bool>()) {
        let mut rig = Rig::new(Options { idle_is_ready, ..Options::default() });
        let mut last = State::Busy;
        // Since when the end of a job is shown; a moment in which nothing was seen does not count anew.
        let mut ended: Option<f64> = None;
        let mut ids: Vec<u32> = Vec::new();
        for step in steps {
            let mut shown = true;
            match step {
                Step::Klippy(state) => rig.snapshot.klippy.state = state,
                Step::Print(state) => {
                    rig.snapshot.print = Some(Print { state, ..Print::default() });
                    rig.job = rig.job.take().filter(|_| state.is_active());
                }
                Step::Prompt(open) => rig.snapshot.prompt = open.then(Arc::default),
                Step::Fault(stands) => {
                    let code = FaultCode { id: 1, index: 2, code: 3 };
                    let fault = Fault { code, level: 3, message: "".into() };
                    rig.snapshot.faults = if stands { [fault].into() } else { [].into() };
                }
                Step::Busy(busy) => {
                    let activity = if busy { Activity::Busy } else { Activity::Ready };
                    Arc::make_mut(&mut rig.snapshot.machine).activity = Some(activity);
                }
                Step::Job(number) => rig.job = Some(format!("{number:06x}-1").into()),
                Step::NoPrint => rig.snapshot.print = None,
                Step::Lost => { rig.happens(printer::EventKind::SourceLost, None); shown = false; }
                Step::Back => rig.happens(printer::EventKind::SourceBack, None),
                Step::Told(kind) => { rig.happens(kind, None); shown = false; }
                Step::Ready(ready) => { let now = rig.now(); rig.machine.set_ready(ready, Source::Connect, now); }
                Step::Dismiss => { let now = rig.now(); rig.machine.dismiss(Source::Connect, now); }
                Step::Expect(which) => {
                    let effect = match which {
                        0 => Effect::Started("a".into()),
                        1 => Effect::Paused,
                        2 => Effect::Resumed,
                        3 => Effect::Stopped,
                        4 => Effect::Work,
                        _ => Effect::Restarted,
                    };
                    rig.expect(9, effect);
                }
                Step::Ends => rig.machine.command_ends(),
                Step::Wait(seconds) => { rig.now += seconds; shown = false; }
            }
            if shown {
                rig.show();
            }
            for news in rig.news() {
                if news.event.kind != EventKind::StateChanged {
                    continue;
                }
                let from = last;
                let to = news.state;
                let free = allowed(from, to) || from == to || (idle_is_ready && to == State::Ready);
                prop_assert!(free, "{from:?} -> {to:?}");
                // An end is shown for its time, unless something begins, breaks, or a person says so.
                let held = rig.now - ended.unwrap_or_default();
                prop_assert!(from == to || to != State::Idle || ended.is_none() || held > 10.99, "{from:?} for {held}");
                match to {
                    State::Finished | State::Stopped => ended = Some(ended.unwrap_or(rig.now)),
                    State::Busy | State::Error => {}
                    _ => ended = None,
                }
                if let Some(job) = news.job {
                    prop_assert!(ids.last().is_none_or(|last| job >= *last), "{job} after {ids:?}");
                    ids.push(job);
                }
                last = to;
            }
            // Klipper itself starts anew, which is no news where the state was an error already.
            if rig.snapshot.klippy.state != KlippyState::Ready && matches!(last, State::Busy | State::Error) {
                ended = None;
            }
            prop_assert_eq!(rig.machine.state(), last);
            if rig.machine.job().is_some() {
                prop_assert!(matches!(last, State::Printing | State::Paused | State::Attention));
            }
            let _ = rig.machine.telemetry();
            let situation = rig.machine.situation();
            prop_assert!(!situation.ready || situation.state == State::Ready || situation.works || idle_is_ready);
        }
    }
}
