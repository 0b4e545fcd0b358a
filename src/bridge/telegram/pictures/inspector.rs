//! Has pictures of the job checked for defects, and tells what is found. Pure but for the shared state: when a check is
//! due, what it is about, and the words of the alert.

use super::super::config::{Config, Kind};
use super::super::live::Live;
use super::super::notify::{Note, Summary};
use super::super::report::Trouble;
use super::super::text;
use super::diary::{Due, Page};
use crate::bridge;
use crate::calendar;
use crate::camera::Frame;
use crate::clock::Moment;
use crate::defects::{self, Class, Health, Kept, Outcome, Schedule, Subject, Ticket};
use crate::outbox::Importance;
use crate::printer::Sight;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether a check is due.
const LOOK: Duration = Duration::from_secs(5);

/// Watches one printer for one chat.
#[derive(Debug)]
pub(in crate::bridge::telegram) struct Inspector {
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
pub(in crate::bridge::telegram) struct Errand {
    ticket: Ticket,
    job: Running,
    /// The picture, which is the evidence as well.
    pub(in crate::bridge::telegram) frame: Arc<Frame>,
}

impl Errand {
    /// What the picture shows.
    pub(in crate::bridge::telegram) fn subject(&self) -> Subject<'_> {
        Subject {
            job: Some(&self.job.name),
            percent: self.job.summary.percent.map(f64::from),
            layer: self.job.summary.layer.map(|(number, _)| number),
            layers: self.job.summary.layer.map(|(_, of)| of),
        }
    }

    /// The beginning of the job's keys.
    pub(in crate::bridge::telegram) fn job(&self) -> &str {
        &self.job.key
    }

    /// Most requests that it may make.
    pub(in crate::bridge::telegram) fn most_requests(&self) -> u32 {
        self.ticket.most_requests
    }
}

impl Inspector {
    /// Has seen nothing yet. A picture is fresh up to the age `fresh`.
    pub(in crate::bridge::telegram) fn new(
        config: &Config,
        checks: &defects::Config,
        fresh: Duration,
        live: Live,
    ) -> Self {
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

    /// What was known when the program ran before.
    pub(in crate::bridge::telegram) fn recall(&mut self, page: &Page, now: Moment) {
        let kept = Kept {
            job: page.check.as_ref().map(|due| due.job.clone()),
            due_in: page.check.as_ref().map(|due| due.left).unwrap_or_default(),
            muted: page.muted,
            requests: page.requests.clone(),
        };
        self.schedule.recall(kept, now.monotonic);
        self.tell(now);
    }

    /// What the next run must know; with `begun` a check is under way.
    pub(in crate::bridge::telegram) fn keep(&self, page: &mut Page, begun: bool, now: Moment) {
        let kept = self.schedule.keep(begun, now.monotonic);
        page.check = kept.job.map(|job| Due { job, left: kept.due_in });
        (page.muted, page.requests) = (kept.muted, kept.requests);
    }

    /// Whether a job begins whose first check is not due yet, of which `page` knows nothing.
    pub(in crate::bridge::telegram) fn is_delayed(&self, page: &Page, now: Moment) -> bool {
        let known = page.check.as_ref().map(|due| due.job.as_str());
        self.schedule.waiting(now.monotonic).is_some_and(|job| known != Some(job))
    }

    /// What is seen of the printer.
    pub(in crate::bridge::telegram) fn on_sight(&mut self, sight: &Sight) {
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
    pub(in crate::bridge::telegram) fn wish(&mut self, now: Moment) -> Option<Duration> {
        if now.monotonic < self.look {
            return None;
        }
        self.look = now.monotonic + LOOK;
        let key = self.job.as_ref().map(|job| &*job.key);
        self.schedule.is_due(key, now.monotonic).then_some(self.fresh)
    }

    /// When [`Self::wish`] is worth asking, on the monotonic clock; none while no job is under way.
    pub(in crate::bridge::telegram) fn next(&self) -> Option<Duration> {
        self.job.as_ref().map(|_| self.look)
    }

    /// Here is the picture: begins the check.
    pub(in crate::bridge::telegram) fn begin(&mut self, frame: Arc<Frame>, now: Moment) -> Option<Errand> {
        let job = self.job.clone()?;
        let age = now.monotonic.saturating_sub(frame.taken.monotonic);
        let ticket = self.schedule.begin(Some(&job.key), Some(age), now.monotonic)?;
        Some(Errand { ticket, job, frame })
    }

    /// What came of it: the alert's text and the caption of the evidence, if there is one.
    pub(in crate::bridge::telegram) fn done(
        &mut self,
        errand: Errand,
        outcome: &Outcome,
        now: Moment,
    ) -> Option<(Note, Note)> {
        let Errand { ticket, job, frame } = errand;
        self.schedule.done(ticket, outcome, now.monotonic);
        if let Some(trouble) = self.health.note(outcome, now) {
            log::warn!("defect check: {trouble}");
        }
        self.tell(now);
        let verdict = outcome.result.as_ref().ok().filter(|verdict| verdict.alerts(self.threshold))?;
        let headline = format!("Possible print failure: {}", job.name);
        let named = match self.printer.as_str() {
            "" => headline,
            printer => format!("[{}] {headline}", text::name(printer)),
        };
        let confidence = format!("confidence {:.2}", verdict.confidence);
        let finding = text::paragraph(&verdict.summary, 600);
        let taken = calendar::is_set(frame.taken.unix).then(|| calendar::utc(frame.taken.unix));
        // It may have taken minutes.
        let over = (!self.is_under_way(&job.key)).then(|| "The job is not under way any more.".to_owned());
        let lines = |parts: [Option<String>; 7]| {
            let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            parts.join("\n")
        };
        let mention = text::paragraph(&self.mention, 200);
        let (line, name) = (job.summary.line(), Some(named));
        let all =
            [name.clone(), Some(finding), over, Some(confidence.clone()), line, taken.clone(), Some(mention)];
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
        let evidence =
            note(format!("{key}/photo"), lines([name, Some(confidence), taken, None, None, None, None]));
        Some((note(key, lines(all)), evidence))
    }

    /// Whether the job of these keys is seen under way.
    pub(in crate::bridge::telegram) fn is_under_way(&self, job: &str) -> bool {
        self.job.as_ref().is_some_and(|running| *running.key == *job)
    }

    /// Shows how the checks go to whoever asks.
    fn tell(&self, now: Moment) {
        let mut live = self.live.lock();
        let last = self.health.last();
        live.checked = last.map(|_| self.health.line(now));
        let failure = last.and_then(|last| last.result.as_ref().err());
        live.check_trouble = failure.map(|failure| {
            // What passes by itself needs nobody.
            let stays = matches!(failure.class, Class::BadKey | Class::Permanent);
            let health = if stays { bridge::Health::Warn } else { bridge::Health::Ok };
            let words = if self.health.is_misconfigured() { "set up wrong: " } else { "" };
            Trouble { health, text: format!("{words}{}", failure.text) }
        });
        let wait = self.schedule.used_up_for(now.monotonic);
        live.used_up_until = wait.map(|wait| now.monotonic.saturating_add(wait));
    }

    /// Somebody wants a check at once.
    ///
    /// # Errors
    ///
    /// If there will be none: why, in words.
    pub(in crate::bridge::telegram) fn ask(&mut self, now: Moment) -> Result<(), String> {
        let Some(job) = &self.job else { return Err("No job is under way.".to_owned()) };
        if let Some(wait) = self.schedule.used_up_for(now.monotonic) {
            return Err(format!("The checks of this day are used up; more in {}.", text::span(wait)));
        }
        self.schedule.hurry(&job.key, now.monotonic);
        self.look = now.monotonic;
        Ok(())
    }

    /// Checks this job no more: its alarm was a false one.
    pub(in crate::bridge::telegram) fn mute(&mut self, job: &str) {
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
    fn a_defect_of_a_job_that_is_over_is_told_as_such() {
        for (now, over) in [(Some("j"), false), (None, true), (Some("k"), true)] {
            let mut inspector = inspector();
            inspector.on_sight(&sight(9));
            let errand = inspector.begin(frame(9), at(10)).expect("it is due");
            inspector.on_sight(&Sight { job: now.map(Arc::from), ..sight(20) });
            let (alert, _) = inspector.done(errand, &found(0.9), at(30)).expect("an alert");
            let words = "Spaghetti on the right\nThe job is not under way any more.\nconfidence";
            assert_eq!(alert.text.contains(words), over, "{}", alert.text);
        }
    }

    #[test]
    fn whoever_asks_is_told_how_the_checks_go() {
        let failed =
            |class| Outcome { requests: 1, result: Err(Failure { class, ..Failure::not_started(&"why") }) };
        for (outcome, health, words) in [
            (failed(Class::BadKey), Some(bridge::Health::Warn), "set up wrong: the check was not"),
            (failed(Class::Permanent), Some(bridge::Health::Warn), "the check was not started: why"),
            (failed(Class::Transient), Some(bridge::Health::Ok), "the check was not started: why"),
            (found(0.2), None, ""),
        ] {
            let mut inspector = inspector();
            inspector.on_sight(&sight(9));
            let errand = inspector.begin(frame(9), at(10)).expect("it is due");
            inspector.done(errand, &outcome, at(20));
            let told = inspector.live.check_troubles(at(20).monotonic);
            assert_eq!(told.first().map(|trouble| trouble.health), health, "{outcome:?}");
            assert!(told.iter().all(|trouble| trouble.text.starts_with(words)), "{told:?}");
        }
        let mut inspector = inspector();
        let page = Page { requests: vec![(Duration::from_secs(3600), 50)], ..Page::default() };
        inspector.recall(&page, at(20));
        let told = |now: u64| -> Vec<String> {
            let told = inspector.live.check_troubles(at(now).monotonic);
            told.into_iter().map(|trouble| trouble.text).collect()
        };
        assert_eq!(told(20), ["the day's requests are used up; more in 1h 0m"]);
        assert!(told(3620).is_empty());
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
