//! Tables: what is seen, a line each, and the events that must come of it.
//!
//! A line is `SECONDS KLIPPY PRINT [FILE [TOTAL]] [; MORE…] [! MESSAGE] [| ID FILE STATUS[@AGE], …]`: Klipper's
//! state, the print's state (`-`: not known), the history (without `|` there is none at all; `AGE` is that of the
//! end, in seconds). `MORE` are words: `p=PROGRESS`,
//! `m=PROGRESS` by the slicer, `d=SECONDS` printed, `l=LAYER`, `of=LAYERS`, `z=HEIGHT` (with
//! metadata of 50 layers of 0.2 mm), `used=MM` of filament, `S:1`, `S:0`, `S:-0` a sensor S that sees filament, sees
//! none, is switched off and sees none, `fault=CODE@LEVEL`, `prompt=TITLE[/TEXT]`.
//!
//! `SECONDS lost` loses the connection, `SECONDS restart` goes on with a new process and the memory that was worth
//! keeping last, `SECONDS console LINE` is a line of the console, `SECONDS pause|resume|cancel NAME` is a command
//! over a bridge.

mod attention;
mod connection;
mod jobs;
mod layers;
mod orderly;
mod pause;
mod progress;
mod restarts;

use super::*;
use crate::printer::{
    Attention, Fault, FaultCode, FilamentSensor, History, JobRecord, JobStatus, Klippy, Metadata, Motion,
    Named, PausedBy, Print, PrintState, Prompt, RecordId,
};
use std::sync::Arc;

const UNIX: Duration = Duration::from_secs(1_800_000_000);

fn moment(seconds: f64) -> Moment {
    let passed = Duration::from_secs_f64(seconds);
    Moment { monotonic: passed, unix: UNIX + passed }
}

/// Parts `line` at the first `mark`.
fn part(line: &str, mark: char) -> (&str, Option<&str>) {
    line.split_once(mark).map_or((line, None), |(line, rest)| (line, Some(rest)))
}

fn snapshot(line: &str, now: Moment) -> Snapshot {
    let (line, history) = part(line, '|');
    let (line, message) = part(line, '!');
    let message = message.map(|message| message.trim().to_owned());
    let (line, more) = part(line, ';');
    let mut words = line.split_whitespace();
    let state = KlippyState::from_name(words.next().unwrap()).unwrap();
    let print = PrintState::from_name(words.next().unwrap_or("-")).map(|state| Print {
        state,
        file: words.next().map(str::to_owned),
        message: message.clone(),
        total_duration: words.next().map(|total| Duration::from_secs_f64(total.parse().unwrap())),
        ..Print::default()
    });
    let records = history.unwrap_or_default().split(',').filter(|record| !record.trim().is_empty());
    let jobs = records.map(|record| {
        let words: Vec<&str> = record.split_whitespace().collect();
        let (status, age) = words[2].split_once('@').unwrap_or((words[2], "0"));
        let status = JobStatus::from_name(status);
        JobRecord {
            id: RecordId { id: words[0].to_owned(), started_ms: 1000 },
            file: words[1].to_owned(),
            ended: status.is_final().then(|| now.unix - Duration::from_secs(age.parse().unwrap())),
            status,
            total_duration: None,
            gcode_start_byte: None,
            gcode_end_byte: None,
            estimated_time: None,
        }
    });
    let mut snapshot = Snapshot {
        klippy: Klippy { state, message },
        print,
        history: Arc::new(History { available: history.is_some(), jobs: jobs.collect() }),
        ..Snapshot::default()
    };
    for word in more.unwrap_or_default().split_whitespace() {
        add(&mut snapshot, word);
    }
    snapshot
}

fn add(snapshot: &mut Snapshot, word: &str) {
    let mut ignored = Print::default();
    let print = snapshot.print.as_mut().unwrap_or(&mut ignored);
    let machine = Arc::make_mut(&mut snapshot.machine);
    if let Some((name, sees)) = word.split_once(':') {
        let value = FilamentSensor { detected: Some(sees == "1"), enabled: Some(!sees.starts_with('-')) };
        machine.filament_sensors.push(Named { name: name.into(), value });
        return;
    }
    let (name, value) = word.split_once('=').unwrap();
    let number = || value.parse::<f64>().unwrap();
    match name {
        "p" => print.progress = Some(number()),
        "m" => print.slicer_progress = Some(number()),
        "d" => print.print_duration = Some(Duration::from_secs_f64(number())),
        "l" => print.layer = Some(value.parse().unwrap()),
        "of" => print.layers = Some(value.parse().unwrap()),
        "used" => print.filament_used = Some(number()),
        "z" => {
            machine.motion = Motion { position: Some([0.0, 0.0, number()]), ..Motion::default() };
            print.metadata = Some(Arc::new(Metadata {
                layer_height: Some(0.2),
                first_layer_height: Some(0.2),
                object_height: Some(10.0),
                ..Metadata::default()
            }));
        }
        "fault" => {
            let (code, level) = value.split_once('@').unwrap();
            let code: Vec<u32> = code.split('-').map(|number| number.parse().unwrap()).collect();
            let fault = Fault {
                code: FaultCode { id: code[0], index: code[1], code: code[2] },
                level: level.parse().unwrap(),
                message: "bad".into(),
            };
            snapshot.faults = snapshot.faults.iter().cloned().chain([fault]).collect();
        }
        "prompt" => {
            let (title, text) = part(value, '/');
            let prompt =
                Prompt { title: title.into(), text: text.unwrap_or_default().into(), buttons: Vec::new() };
            snapshot.prompt = Some(Arc::new(prompt));
        }
        _ => panic!("{word}"),
    }
}

fn show(event: &Event) -> String {
    let (name, detail) = match &event.kind {
        EventKind::JobStarted => ("started", None),
        EventKind::Paused { by, reason } => {
            let by = match by {
                PausedBy::Unknown => String::new(),
                PausedBy::Runout { sensor } => format!("runout {sensor}"),
                PausedBy::Fault { code } => format!("fault {code}"),
                PausedBy::Bridge { name } => format!("bridge {name}"),
            };
            let reason = reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            ("paused", Some(by + &reason).filter(|detail| !detail.is_empty()))
        }
        EventKind::Resumed => ("resumed", event.job.as_ref().and_then(|job| job.by.clone())),
        EventKind::Finished => ("finished", None),
        EventKind::Cancelled => ("cancelled", event.job.as_ref().and_then(|job| job.by.clone())),
        EventKind::Failed { reason } => ("failed", reason.clone()),
        EventKind::KlippyDown { reason } => ("klippy_down", reason.clone()),
        EventKind::KlippyReady => ("klippy_ready", None),
        EventKind::SourceLost => ("source_lost", None),
        EventKind::SourceBack => ("source_back", None),
        EventKind::Progress { percent } => ("progress", Some(percent.to_string())),
        EventKind::FirstLayerDone => ("first_layer_done", None),
        EventKind::Layer { number, of } => {
            ("layer", Some(number.to_string() + &of.map(|of| format!("/{of}")).unwrap_or_default()))
        }
        EventKind::Ended => ("ended", None),
        EventKind::Replaced => ("replaced", None),
        EventKind::NeedsAttention(Attention::Runout { sensor }) => {
            ("attention", Some(format!("runout {sensor}")))
        }
        EventKind::NeedsAttention(Attention::Prompt { text }) => ("attention", Some(text.replace('\n', "/"))),
        EventKind::NeedsAttention(Attention::Fault { code, level, message }) => {
            ("attention", Some(format!("fault {code} level {level}: {message}")))
        }
        EventKind::PrinterReady => ("printer_ready", None),
    };
    let key = event.key.replace(&format!("m{}", millis(UNIX)), "m");
    let job = event.job.as_ref().map(|job| format!(" {}", job.file)).unwrap_or_default();
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    format!("{name}{job}{detail} {key}")
}

/// An observer whose memory is kept as the service keeps it: when it is worth it, after the events.
#[derive(Default)]
struct Kept {
    observer: Observer,
    stored: Option<Vec<u8>>,
}

impl Kept {
    fn restarted(stored: Option<&Vec<u8>>) -> Self {
        let memory = stored.map(|json| Memory::from_json(json).unwrap()).unwrap_or_default();
        Self { observer: Observer::new(memory), stored: stored.cloned() }
    }

    fn observe(&mut self, observation: &Observation, now: Moment) -> Vec<Event> {
        let events = self.observer.observe(observation, now);
        if self.observer.take_changed() {
            self.stored = Some(self.observer.memory().to_json().unwrap());
        }
        events
    }
}

/// Plays the lines.
fn events(lines: &str) -> Vec<(String, Event)> {
    let mut kept = Kept::default();
    let mut told = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (seconds, rest) = line.split_once(' ').unwrap();
        let now = moment(seconds.parse().unwrap());
        let (verb, argument) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        let observation = match verb {
            "restart" => {
                kept = Kept::restarted(kept.stored.as_ref());
                continue;
            }
            "pause" | "resume" | "cancel" => {
                let what = match verb {
                    "pause" => Command::Pause,
                    "resume" => Command::Resume,
                    _ => Command::Cancel,
                };
                Observation::Commanded { what, by: argument.into() }
            }
            "lost" => Observation::Lost { reason: "closed".into() },
            "console" => Observation::Console(argument.into()),
            _ => Observation::Seen(Arc::new(snapshot(rest, now))),
        };
        told.extend(kept.observe(&observation, now).into_iter().map(|event| (seconds.to_owned(), event)));
    }
    told
}

/// Plays the lines; gives the events as `SECONDS EVENT [FILE] [(DETAIL)] KEY`.
fn play(lines: &str) -> Vec<String> {
    events(lines).iter().map(|(seconds, event)| format!("{seconds} {}", show(event))).collect()
}

#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    assert_eq!(play(lines), expected, "{lines}");
}
