//! A day of prints: the recordings of a real Moonraker, stretched to the length of real prints and strung together, each
//! of their jobs under a name and keys of its own.

use super::dice::Dice;
use crate::player::watch;
use crate::stand_in::StandIn;
use crate::transcript::Transcript;
use octobridge::clock::Moment;
use octobridge::printer::{Event, EventKind, Memory, Observation, Observer, Snapshot};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Recordings in which jobs come to an end, of every kind.
const RECORDINGS: [&str; 11] = [
    "announce",
    "cancel",
    "faults",
    "filament",
    "gcode_error",
    "kalico_print_complete",
    "klippy_gone",
    "multi_tool",
    "pause_resume",
    "print_complete",
    "shutdown",
];
/// How long prints go on.
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a recording shows at one moment.
#[derive(Clone)]
struct Shown {
    /// Seconds since its beginning.
    t: f64,
    /// With how long before that moment each is dated.
    events: Vec<(Event, Duration)>,
    sight: Option<(Arc<Snapshot>, Option<Arc<str>>)>,
}

/// Played once for all days.
static COURSES: LazyLock<Vec<Vec<Shown>>> =
    LazyLock::new(|| RECORDINGS.iter().map(|name| course(name)).collect());

fn course(name: &str) -> Vec<Shown> {
    let path = format!("{}/tests/vectors/moonraker/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let mut observer = Observer::new(Memory::default());
    let mut shown = Vec::new();
    for (t, observation) in watch(&Transcript::load(Path::new(&path)), StandIn::default()) {
        let monotonic = Duration::from_secs_f64(t + 5.0);
        let now = Moment { monotonic, unix: Duration::from_secs(1_795_222_000) + monotonic };
        let events = observer.observe(&observation, now);
        let events = events.into_iter().map(|event| {
            let before = now.unix.saturating_sub(event.at);
            (event, before)
        });
        let events: Vec<_> = events.collect();
        let sight = match observation {
            Observation::Seen(snapshot) => Some((snapshot, observer.job().map(Arc::from))),
            _ => None,
        };
        if sight.is_some() || !events.is_empty() {
            shown.push(Shown { t, events, sight });
        }
    }
    shown
}

/// What happens to the bridge.
pub(super) enum What {
    /// An event, with how long before it is dated.
    Event(Box<Event>, Duration),
    /// A state of the printer, whose layer is the number of this sight; with the job's key.
    Sight(Arc<Snapshot>, Option<Arc<str>>),
}

/// A beginning or an end of a job, as it must be told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Milestone {
    /// The first line of the message up to the name.
    pub(super) word: &'static str,
    /// The job's number within the day.
    pub(super) job: u32,
    /// When, since the beginning of the day.
    pub(super) at: Duration,
}

impl Milestone {
    pub(super) fn is_end(&self) -> bool {
        self.word != "Started"
    }
}

/// The day.
#[derive(Default)]
pub(super) struct Day {
    /// In order, each with its time since the beginning.
    pub(super) happenings: Vec<(Duration, What)>,
    pub(super) milestones: Vec<Milestone>,
    /// When each sight was, by its number.
    pub(super) sights: Vec<Duration>,
    jobs: HashMap<String, u32>,
}

impl Day {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let mut day = Self::default();
        let mut begin = Duration::from_secs(60);
        let mut number = 0;
        while begin < DAY {
            let course = &COURSES[dice.below(COURSES.len() as u64) as usize];
            let length = course.last().map_or(1.0, |shown| shown.t);
            let stretch = dice.between(20 * 60, 120 * 60) as f64 / length;
            number += 1;
            for shown in course {
                day.show(shown, number, begin + Duration::from_secs_f64(shown.t * stretch));
            }
            begin += Duration::from_secs_f64(length * stretch) + Duration::from_secs(dice.between(1, 1800));
        }
        day
    }

    fn show(&mut self, shown: &Shown, course: u32, at: Duration) {
        for (event, before) in &shown.events {
            let mut event = event.clone();
            let job = self.job_of(course, &event.key);
            event.key = format!("r{course}/{}", event.key);
            if let Some(of) = &mut event.job {
                of.file = named(job, &of.file);
            }
            if let Some(word) = word(&event.kind) {
                self.milestones.push(Milestone { word, job, at });
            }
            self.happenings.push((at, What::Event(Box::new(event), *before)));
        }
        if let Some((snapshot, key)) = &shown.sight {
            let mut snapshot = Snapshot::clone(snapshot);
            let number = self.sights.len() as u32 + 1;
            if let Some(print) = &mut snapshot.print {
                (print.layer, print.layers) = (Some(number), Some(u32::MAX));
                if let (Some(key), Some(file)) = (key, &print.file) {
                    print.file = Some(named(self.job_of(course, key), file));
                }
            }
            self.sights.push(at);
            let key = key.as_ref().map(|key| Arc::from(format!("r{course}/{key}")));
            self.happenings.push((at, What::Sight(Arc::new(snapshot), key)));
        }
    }

    /// The number of the job that a key begins with.
    fn job_of(&mut self, course: u32, key: &str) -> u32 {
        let key = format!("{course}/{}", key.split('/').next().unwrap_or_default());
        let next = self.jobs.len() as u32 + 1;
        *self.jobs.entry(key).or_insert(next)
    }
}

fn named(job: u32, file: &str) -> String {
    format!("n{job}-{}", file.rsplit('/').next().unwrap_or_default())
}

pub(super) fn word(kind: &EventKind) -> Option<&'static str> {
    Some(match kind {
        EventKind::JobStarted => "Started",
        EventKind::Finished => "Completed",
        EventKind::Cancelled => "Cancelled",
        EventKind::Failed { .. } => "Failed",
        EventKind::Ended => "Ended",
        _ => return None,
    })
}
