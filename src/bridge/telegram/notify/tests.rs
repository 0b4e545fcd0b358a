//! The rules over the course of events and states.

use super::*;
use crate::printer::{Attention, FaultCode, PausedBy, Print, PrintState, Snapshot};
use std::sync::Arc;

fn config(settings: &[(&str, &str)]) -> Config {
    let usual = [("TELEGRAM_BOT_TOKEN", "1:abc"), ("TELEGRAM_CHAT_ID", "5")];
    let find = |name: &str| {
        let mut all = settings.iter().chain(&usual);
        all.find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Config::parse(&find).unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment { monotonic: Duration::from_secs(seconds), unix: Duration::from_secs(1_795_227_600 + seconds) }
}

/// Tells a notifier what happens, and gathers what it tells.
struct Course {
    notifier: Notifier,
    mute: Mute,
    now: u64,
    stage: Option<&'static str>,
    /// Keys of what was told before.
    known: Vec<String>,
}

impl Course {
    fn new(settings: &[(&str, &str)]) -> Self {
        Self {
            notifier: Notifier::new(&config(settings)),
            mute: Mute::Off,
            now: 0,
            stage: None,
            known: Vec::new(),
        }
    }

    /// A source with words for its states, which is at this one now.
    fn at_stage(mut self, stage: &'static str) -> Self {
        self.stage = Some(stage);
        self
    }

    fn event(&mut self, kind: EventKind, key: &str, percent: Option<u8>) -> Option<Note> {
        self.now += 1;
        let job = key.starts_with("j").then(|| Job {
            file: "cube.gcode".to_owned(),
            stage: self.stage.map(str::to_owned),
            progress: percent.map(|percent| f64::from(percent) / 100.0),
            ..Job::default()
        });
        let event = Event { kind, job, at: at(self.now).unix, key: key.to_owned() };
        self.notifier.on_event(&event, &self.mute, at(self.now))
    }

    fn text(&mut self, kind: EventKind, key: &str, percent: Option<u8>) -> String {
        self.event(kind, key, percent).map_or("-".to_owned(), |note| note.text)
    }

    /// The printer is seen with this job and per cent.
    fn sight(&mut self, job: Option<&str>, percent: Option<u8>) -> Vec<Note> {
        self.now += 1;
        let print = Print {
            state: if job.is_some() { PrintState::Printing } else { PrintState::Complete },
            file: Some("cube.gcode".to_owned()),
            progress: percent.map(|percent| f64::from(percent) / 100.0),
            ..Print::default()
        };
        let stage = self.stage.map(Arc::from);
        let snapshot = Arc::new(Snapshot { print: Some(print), stage, ..Snapshot::default() });
        let sight = Sight { snapshot, job: job.map(Arc::from), at: at(self.now) };
        self.notifier.on_sight(&sight, &self.mute, &|key| self.known.iter().any(|known| known == key))
    }

    fn seen(&mut self, stage: &'static str, job: Option<&str>, percent: Option<u8>) -> Vec<String> {
        self.stage = Some(stage);
        self.sight(job, percent).into_iter().map(|note| note.text).collect()
    }
}

const PAUSED: EventKind = EventKind::Paused { by: PausedBy::Unknown, reason: None };
const NOTHING: [&str; 0] = [];

#[test]
fn each_event_has_its_kind_and_weight() {
    let code = FaultCode { id: 523, index: 0, code: 1 };
    let fault = Attention::Fault { code, level: 3, message: "stuck".to_owned() };
    let all = &[("TELEGRAM_EVENTS", "all")][..];
    for (kind, key, expected) in [
        (EventKind::JobStarted, "j/job_started", Some((Kind::Start, Importance::Important))),
        (PAUSED, "j/paused/1", Some((Kind::Pause, Importance::Normal))),
        (EventKind::Resumed, "j/resumed/1", Some((Kind::Pause, Importance::Normal))),
        (EventKind::Finished, "j/finished", Some((Kind::End, Importance::Terminal))),
        (EventKind::Cancelled, "j/cancelled", Some((Kind::End, Importance::Terminal))),
        (EventKind::Failed { reason: None }, "j/failed", Some((Kind::End, Importance::Terminal))),
        (EventKind::Ended, "j/ended", Some((Kind::End, Importance::Terminal))),
        (EventKind::Replaced, "j/replaced", None),
        (EventKind::NeedsAttention(fault), "m/attention/1", Some((Kind::Attention, Importance::Important))),
        (EventKind::FirstLayerDone, "j/first_layer_done", Some((Kind::FirstLayer, Importance::Normal))),
        (EventKind::Layer { number: 2, of: None }, "j/layer/2", None),
        (EventKind::Progress { percent: 7 }, "j/progress/7", None),
        (
            EventKind::KlippyDown { reason: None },
            "m/klippy_down/1",
            Some((Kind::Klipper, Importance::Normal)),
        ),
        (EventKind::SourceLost, "m/source_lost/1", Some((Kind::Feed, Importance::Normal))),
        (EventKind::PrinterReady, "m/printer_ready/1", Some((Kind::Ready, Importance::Normal))),
    ] {
        let note = Course::new(all).event(kind.clone(), key, None);
        assert_eq!(note.as_ref().map(|note| (note.kind, note.importance)), expected, "{kind:?}");
        let usual = Course::new(&[]).event(kind.clone(), key, None).is_some();
        let machine =
            matches!(expected, Some((Kind::FirstLayer | Kind::Klipper | Kind::Feed | Kind::Ready, _)));
        assert_eq!(usual, expected.is_some() && !machine, "{kind:?}");
    }
}

#[test]
fn a_job_of_a_feed_is_told_with_its_words() {
    let mut course = Course::new(&[]).at_stage("IDLE");
    assert_eq!(course.seen("IDLE", None, None), NOTHING);
    course.stage = Some("PREPARE");
    assert_eq!(
        course.text(EventKind::JobStarted, "j/job_started", Some(0)),
        "Started: cube.gcode\nPREPARE - 0%"
    );
    assert_eq!(course.seen("PREPARE", Some("j"), Some(0)), NOTHING);
    assert_eq!(course.seen("RUNNING", Some("j"), Some(0)), ["PREPARE -> RUNNING - 0%"]);
    assert_eq!(course.seen("RUNNING", Some("j"), Some(7)), ["5%"]);
    course.stage = Some("PAUSE");
    assert_eq!(course.text(PAUSED, "j/paused/1", Some(7)), "Paused: cube.gcode at 7%\nRUNNING -> PAUSE");
    assert_eq!(course.seen("PAUSE", Some("j"), Some(7)), NOTHING);
    assert_eq!(course.seen("OFFLINE", Some("j"), None), ["PAUSE -> OFFLINE"]);
    course.stage = Some("RUNNING");
    assert_eq!(
        course.text(EventKind::Resumed, "j/resumed/1", None),
        "Resumed: cube.gcode\nOFFLINE -> RUNNING"
    );
    assert_eq!(course.seen("RUNNING", Some("j"), Some(100)), ["100%"]);
    course.stage = Some("FINISH");
    assert_eq!(
        course.text(EventKind::Finished, "j/finished", Some(100)),
        "Completed: cube.gcode\nRUNNING -> FINISH"
    );
    assert_eq!(course.seen("FINISH", None, Some(100)), NOTHING);
    assert_eq!(course.seen("IDLE", None, None), NOTHING);
    assert_eq!(course.seen("OFFLINE", None, None), ["IDLE -> OFFLINE"]);
    assert_eq!(course.seen("IDLE", None, None), ["OFFLINE -> IDLE"]);
}

#[test]
fn an_end_that_is_not_certain_yet_is_not_told_as_a_state() {
    let mut course = Course::new(&[]).at_stage("RUNNING");
    course.event(EventKind::JobStarted, "j/job_started", Some(50));
    assert_eq!(course.seen("RUNNING", Some("j"), Some(50)), NOTHING);
    assert_eq!(course.seen("FAILED", Some("j"), Some(50)), NOTHING);
    assert_eq!(
        course.text(EventKind::Cancelled, "j/cancelled", Some(50)),
        "Cancelled: cube.gcode at 50%\nFAILED"
    );
}

#[test]
fn a_job_without_a_name_is_told_by_its_states() {
    let mut notifier = Notifier::new(&config(&[]));
    let job = Some(Job { stage: Some("FINISH".to_owned()), ..Job::default() });
    for kind in [EventKind::JobStarted, EventKind::Finished] {
        let event = Event { kind, job: job.clone(), at: at(1).unix, key: "j/x".to_owned() };
        assert_eq!(notifier.on_event(&event, &Mute::Off, at(1)), None);
    }
    let mut course = Course::new(&[]).at_stage("IDLE");
    assert_eq!(course.seen("IDLE", None, None), NOTHING);
    assert_eq!(course.seen("RUNNING", None, Some(5)), ["IDLE -> RUNNING - 5%"]);
    assert_eq!(course.seen("FINISH", None, Some(100)), ["RUNNING -> FINISH - 100%"]);
}

#[test]
fn steps_go_on_after_a_restart_under_the_same_keys() {
    let mut course = Course::new(&[]);
    let keys = |notes: Vec<Note>| notes.into_iter().map(|note| note.key).collect::<Vec<_>>();
    course.known = vec!["j/step/0/45".to_owned()];
    assert_eq!(keys(course.sight(Some("j"), Some(47))), NOTHING);
    assert_eq!(keys(course.sight(Some("j"), Some(50))), ["j/step/0/50"]);
    let notes = course.sight(Some("j"), Some(55));
    assert_eq!((notes[0].slot, notes[0].importance), (Some("progress"), Importance::Passing));
    assert_eq!(keys(course.sight(None, Some(100))), NOTHING);
    let mut course = Course::new(&[("PROGRESS_STEP", "0")]);
    course.event(EventKind::JobStarted, "j/job_started", None);
    assert!(course.sight(Some("j"), Some(50)).is_empty());
}

#[test]
fn a_short_pause_can_be_taken_back() {
    let mut course = Course::new(&[]);
    assert_eq!(course.event(PAUSED, "j/paused/1", None).unwrap().held, Duration::from_secs(5));
    let resumed = course.event(EventKind::Resumed, "j/resumed/1", None).unwrap();
    assert_eq!((resumed.held, resumed.takes_back), (Duration::ZERO, Some(("j/paused/1".to_owned(), true))));
    course.event(PAUSED, "j/paused/2", None);
    let end = course.event(EventKind::Cancelled, "j/cancelled", None).unwrap();
    assert_eq!(end.takes_back, Some(("j/paused/2".to_owned(), false)));
    // A long one was worth telling, also where it could not be sent meanwhile.
    for end in [EventKind::Resumed, EventKind::Cancelled] {
        for (lasted, taken_back) in [(4, true), (5, false), (3600, false)] {
            course.event(PAUSED, "j/paused/3", None);
            course.now += lasted - 1;
            let note = course.event(end.clone(), "j/end", None).unwrap();
            assert_eq!(note.takes_back.is_some(), taken_back, "{end:?} after {lasted} s");
        }
    }
    // A feed's pauses are told at once, and so are all where the settings say so.
    let mut course = Course::new(&[]).at_stage("PAUSE");
    assert_eq!(course.event(PAUSED, "j/paused/1", None).unwrap().held, Duration::ZERO);
    let mut course = Course::new(&[("TELEGRAM_SHORT_PAUSE_SECONDS", "0")]);
    assert_eq!(course.event(PAUSED, "j/paused/1", None).unwrap().held, Duration::ZERO);
}

#[test]
fn settings_and_mute_leave_kinds_out() {
    let mut course = Course::new(&[("TELEGRAM_EVENTS", "-start,-progress")]);
    assert_eq!(course.text(EventKind::JobStarted, "j/job_started", None), "-");
    assert!(course.sight(Some("j"), Some(50)).is_empty());
    let told = |mute: Mute, key: &str, kind: EventKind| {
        let mut course = Course::new(&[]);
        (course.mute, course.now) = (mute, 99);
        course.event(kind, key, None).is_some()
    };
    let until = |seconds| Mute::Until(Duration::from_secs(seconds));
    for (mute, key, kind, expected) in [
        (until(100), "j/paused/1", PAUSED, true),
        (until(101), "j/paused/1", PAUSED, false),
        (until(101), "j/finished", EventKind::Finished, true),
        (Mute::Job("j".into()), "j/paused/1", PAUSED, false),
        (Mute::Job("j".into()), "j/finished", EventKind::Finished, true),
        (Mute::Job("j".into()), "j2/job_started", EventKind::JobStarted, true),
        (Mute::Everything, "j/finished", EventKind::Finished, false),
    ] {
        assert_eq!(told(mute.clone(), key, kind), expected, "{mute:?} {key}");
    }
}

#[test]
fn a_printer_is_named_where_that_is_wanted() {
    let mut course = Course::new(&[("TELEGRAM_PRINTER_NAME", "U1\u{202e} left")]);
    assert_eq!(course.text(EventKind::JobStarted, "j/job_started", None), "[U1 left] Started: cube.gcode");
    assert_eq!(course.sight(Some("j"), Some(50))[0].text, "[U1 left] 50%");
}

#[test]
fn macros_are_told_as_they_ask() {
    let mut course = Course::new(&[]);
    let mut told = |line: &str, mute: Mute| {
        course.notifier.on_console(line, &mute, at(5)).map(|(note, said)| (note.text, note.kind, said.photo))
    };
    let text = || "Change the plate".to_owned();
    assert_eq!(told("tgnotify Change the plate", Mute::Off), Some((text(), Kind::Macro, false)));
    assert_eq!(told("tgnotify Change the plate", Mute::Until(Duration::from_secs(9))), None);
    let alarm = told("tgalarm_photo Change the plate", Mute::Until(Duration::from_secs(9)));
    assert_eq!(alarm, Some((text(), Kind::Alert, true)));
    assert_eq!(told("B:60.0 /60.0", Mute::Off), None);
    let mut off = Course::new(&[("TELEGRAM_EVENTS", "-macro")]);
    assert!(off.notifier.on_console("tgalarm a", &Mute::Off, at(5)).is_none());
}

#[test]
fn what_a_macro_says_twice_at_once_is_told_twice() {
    let mut course = Course::new(&[]);
    let mut key = || course.notifier.on_console("tgnotify a", &Mute::Off, at(5)).unwrap().0.key;
    assert_ne!(key(), key());
}

#[test]
fn a_greeting_names_the_printer() {
    let note = Course::new(&[]).notifier.greeting("u1", at(5));
    assert_eq!((note.text.as_str(), note.slot), ("Octobridge runs on u1", Some("greeting")));
}
