//! Has pictures of the job checked for defects, and tells what is found. Pure but for the shared state: when a check is
//! due, what it is about, and the words of the alert.

use super::config::{Config, Kind};
use super::live::Live;
use super::notify::{Note, Summary};
use super::text;
use crate::calendar;
use crate::camera::Frame;
use crate::clock::Moment;
use crate::defects::{self, Health, Outcome, Schedule, Subject, Ticket};
use crate::outbox::Importance;
use crate::printer::Sight;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether a check is due.
const LOOK: Duration = Duration::from_secs(5);

/// Watches one printer for one chat.
#[derive(Debug)]
pub(super) struct Inspector {
    schedule: Schedule,
    health: Health,
    threshold: f64,
    fresh: Duration,
    mention: String,
    printer: String,
    live: Live,
    job: Option<Running>,
    look: Duration,
}

/// The job under way.
#[derive(Debug, Clone)]
struct Running {
    key: Arc<str>,
    name: String,
    summary: Summary,
}

/// One check on its way.
#[derive(Debug)]
pub(super) struct Errand {
    ticket: Ticket,
    job: Running,
    /// The picture, which is the evidence as well.
    pub(super) frame: Arc<Frame>,
}

impl Errand {
    /// What the picture shows.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            job: Some(&self.job.name),
            percent: self.job.summary.percent.map(f64::from),
            layer: self.job.summary.layer.map(|(number, _)| number),
            layers: self.job.summary.layer.map(|(_, of)| of),
        }
    }

    /// The beginning of the job's keys.
    pub(super) fn job(&self) -> &str {
        &self.job.key
    }

    /// Most requests that it may make.
    pub(super) fn most_requests(&self) -> u32 {
        self.ticket.most_requests
    }
}

impl Inspector {
    /// Has seen nothing yet. A picture is fresh up to the age `fresh`.
    pub(super) fn new(config: &Config, checks: &defects::Config, fresh: Duration, live: Live) -> Self {
        Self {
            schedule: Schedule::new(checks, fresh),
            health: Health::default(),
            threshold: checks.threshold,
            fresh,
            mention: config.mention.clone(),
            printer: config.printer.clone(),
            live,
            job: None,
            look: Duration::ZERO,
        }
    }

    /// What is seen of the printer.
    pub(super) fn on_sight(&mut self, sight: &Sight) {
        let print = sight.snapshot.print.as_ref().filter(|print| print.state.is_active());
        self.job = match (&sight.job, print) {
            (Some(key), Some(print)) => {
                let name = text::name(print.name().unwrap_or_default());
                let summary = Summary::of(&sight.snapshot);
                Some(Running { key: Arc::clone(key), name, summary })
            }
            _ => None,
        };
    }

    /// The greatest age of the picture that a check needs now; none while no check is due.
    pub(super) fn wish(&mut self, now: Moment) -> Option<Duration> {
        if now.monotonic < self.look {
            return None;
        }
        self.look = now.monotonic + LOOK;
        let key = self.job.as_ref().map(|job| &*job.key);
        self.schedule.is_due(key, now.monotonic).then_some(self.fresh)
    }

    /// When [`Self::wish`] is worth asking, on the monotonic clock; none while no job is under way.
    pub(super) fn next(&self) -> Option<Duration> {
        self.job.as_ref().map(|_| self.look)
    }

    /// Here is the picture: begins the check.
    pub(super) fn begin(&mut self, frame: Arc<Frame>, now: Moment) -> Option<Errand> {
        let job = self.job.clone()?;
        let age = now.monotonic.saturating_sub(frame.taken.monotonic);
        let ticket = self.schedule.begin(Some(&job.key), Some(age), now.monotonic)?;
        Some(Errand { ticket, job, frame })
    }

    /// What came of it: the alert's text and the caption of the evidence, if there is one.
    pub(super) fn done(&mut self, errand: Errand, outcome: &Outcome, now: Moment) -> Option<(Note, Note)> {
        let Errand { ticket, job, frame } = errand;
        self.schedule.done(ticket, outcome, now.monotonic);
        if let Some(trouble) = self.health.note(outcome, now) {
            log::warn!("defect check: {trouble}");
        }
        self.live.lock().checked = Some(self.health.line(now));
        let verdict = outcome.result.as_ref().ok().filter(|verdict| verdict.alerts(self.threshold))?;
        let headline = format!("Possible print failure: {}", job.name);
        let named = match self.printer.as_str() {
            "" => headline,
            printer => format!("[{}] {headline}", text::name(printer)),
        };
        let confidence = format!("confidence {:.2}", verdict.confidence);
        let finding = text::paragraph(&verdict.summary, 600);
        let taken = calendar::is_set(frame.taken.unix).then(|| calendar::utc(frame.taken.unix));
        let lines = |parts: [Option<String>; 6]| {
            let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            parts.join("\n")
        };
        let mention = text::paragraph(&self.mention, 200);
        let (line, name) = (job.summary.line(), Some(named));
        let all = [name.clone(), Some(finding), Some(confidence.clone()), line, taken.clone(), Some(mention)];
        let note = |key: String, text: String| Note {
            key,
            kind: Kind::Alert,
            importance: Importance::Important,
            at: now.unix,
            text,
            slot: None,
            held: Duration::ZERO,
            takes_back: None,
        };
        let key = format!("{}/alert/{}", job.key, now.unix.as_millis());
        let evidence = note(format!("{key}/photo"), lines([name, Some(confidence), taken, None, None, None]));
        Some((note(key, lines(all)), evidence))
    }

    /// Somebody wants a check at once.
    ///
    /// # Errors
    ///
    /// If there will be none: why, in words.
    pub(super) fn ask(&mut self, now: Moment) -> Result<(), String> {
        let Some(job) = &self.job else { return Err("No job is under way.".to_owned()) };
        if let Some(wait) = self.schedule.used_up_for(now.monotonic) {
            return Err(format!("The checks of this day are used up; more in {}.", text::span(wait)));
        }
        self.schedule.hurry(&job.key, now.monotonic);
        self.look = now.monotonic;
        Ok(())
    }

    /// Checks this job no more: its alarm was a false one.
    pub(super) fn mute(&mut self, job: &str) {
        self.schedule.mute(job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defects::{Failure, Verdict};
    use crate::printer::{Print, PrintState, Snapshot};

    fn at(seconds: u64) -> Moment {
        let monotonic = Duration::from_secs(seconds);
        Moment { monotonic, unix: Duration::from_secs(1_795_227_600) + monotonic }
    }

    fn inspector() -> Inspector {
        let find = |name: &str| {
            let value = match name {
                "TELEGRAM_BOT_TOKEN" => "1:abc",
                "TELEGRAM_CHAT_ID" => "5",
                "TELEGRAM_MENTION" => "@ann",
                "OPENROUTER_API_KEY" => "sk-or-test",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let checks = defects::Config::read(&find).unwrap().unwrap();
        Inspector::new(&Config::parse(&find).unwrap(), &checks, Duration::from_secs(60), Live::default())
    }

    fn sight(now: u64) -> Sight {
        let file = Some("parts/cube.gcode".to_owned());
        let print = Print { state: PrintState::Printing, file, progress: Some(0.1), ..Print::default() };
        let snapshot = Arc::new(Snapshot { print: Some(print), ..Snapshot::default() });
        Sight { snapshot, job: Some("j".into()), at: at(now) }
    }

    fn frame(taken: u64) -> Arc<Frame> {
        Arc::new(Frame { jpeg: vec![0xff], taken: at(taken), width: 4, height: 3 })
    }

    fn found(confidence: f64) -> Outcome {
        let verdict = Verdict { defect: true, confidence, summary: "Spaghetti on the right".into() };
        Outcome { requests: 1, result: Ok(verdict) }
    }

    #[test]
    fn a_defect_is_told_with_its_evidence() {
        let mut inspector = inspector();
        assert_eq!(inspector.wish(at(1)), None);
        inspector.on_sight(&sight(9));
        assert_eq!(inspector.wish(at(10)), Some(Duration::from_secs(60)));
        assert!(inspector.begin(frame(9), at(70)).is_none(), "an old picture");
        let errand = inspector.begin(frame(15), at(70)).expect("it is due");
        assert_eq!(errand.subject().percent, Some(10.0));
        let (alert, evidence) = inspector.done(errand, &found(0.92), at(80)).expect("an alert");
        assert_eq!(
            alert.text,
            "Possible print failure: cube.gcode\nSpaghetti on the right\nconfidence 0.92\n10%\n2026-11-21 02:20 UTC\n@ann"
        );
        assert_eq!(
            evidence.text,
            "Possible print failure: cube.gcode\nconfidence 0.92\n2026-11-21 02:20 UTC"
        );
        assert_eq!((alert.kind, alert.importance), (Kind::Alert, Importance::Important));
        assert!(inspector.live.lock().checked.as_ref().unwrap().contains("defect, confidence 0.92"));
        assert_eq!(inspector.wish(at(3000)), None);
        inspector.mute("j");
        assert_eq!(inspector.wish(at(10_000)), None, "a false alarm");
        assert_eq!(inspector.ask(at(10_001)), Ok(()));
        assert_eq!(inspector.wish(at(10_001)), Some(Duration::from_secs(60)), "somebody wants to know");
        inspector.on_sight(&Sight { job: None, ..sight(10_002) });
        assert!(inspector.ask(at(10_003)).unwrap_err().contains("No job"));
    }

    #[test]
    fn what_is_not_sure_or_failed_is_not_told() {
        for outcome in [found(0.69), Outcome { requests: 1, result: Err(Failure::not_started(&"no thread")) }]
        {
            let mut inspector = inspector();
            inspector.on_sight(&sight(9));
            let errand = inspector.begin(frame(9), at(10)).expect("it is due");
            assert!(inspector.done(errand, &outcome, at(20)).is_none());
            assert!(inspector.live.lock().checked.is_some());
        }
    }
}
