//! Pushes on their way: addressed, held back where they must come last, sent, and sent again.

use super::app::{App, Device};
use super::audience::{Target, audience};
use super::push::{Kind, Push};
use super::{android, apple, cipher};
use serde_json::Value;
use std::time::Duration;

/// How long an end is held back for iPhones, so that it arrives behind everything else.
const END_HOLD: Duration = Duration::from_secs(5);
/// How long behind the plain pause those are called who want to be.
const CALL_DELAY: Duration = Duration::from_secs(2);
/// What stands for the text of Android where there is none.
const NO_TEXT: &str = "none";
/// How often anything but an end is tried.
const MOST_TRIES: u32 = 4;
/// How long an end is tried.
const END_WORTH: Duration = Duration::from_secs(12 * 3600);
/// The delays between tries begin and end with these.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(600);

/// What is done with an errand next.
#[derive(Debug)]
pub(super) enum Step {
    /// It is found out to whom it goes.
    Address { push: Push, urgent: bool },
    /// It is sent.
    Send(Letter),
}

/// Something to be sent.
#[derive(Debug)]
pub(super) struct Errand {
    /// When the next step is due, on the monotonic clock.
    pub(super) due: Duration,
    /// When it began.
    pub(super) born: Duration,
    pub(super) tries: u32,
    /// The key of the entry in the outbox that it settles.
    pub(super) key: Option<String>,
    pub(super) step: Step,
}

/// One request.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) targets: Vec<Target>,
    pub(super) high: bool,
    /// What Android phones get; none where the request is for Live Activities alone.
    pub(super) push: Option<Push>,
    /// What iPhones get, as JSON. A letter may wait for hours, and as values this would be ten times as large.
    pub(super) apple: Option<Box<str>>,
    /// Names of the records of Live Activities that are over with it.
    pub(super) over: Vec<String>,
}

impl Letter {
    pub(super) fn has_android(&self) -> bool {
        self.targets.iter().any(|target| target.device == Device::Android)
    }

    /// Leaves out whose time is over by now.
    pub(super) fn strike_expired(&mut self, now: Duration) {
        self.targets.retain(|target| !target.is_expired(now));
        if self.targets.iter().all(|target| target.device == Device::Android) {
            self.apple = None;
        }
    }

    /// The body of the request at `now`. Without a key the text for Android is left out.
    pub(super) fn body(&self, key: Option<&cipher::Key>, vector: [u8; 16], now: Duration) -> String {
        let text = self.push.as_ref().zip(key);
        let text = text.map(|(push, key)| cipher::encrypt(&android::text(push, now), key, vector));
        let targets: Vec<Value> = self.targets.iter().map(Target::written).collect();
        [
            "{\"androidData\":",
            &Value::from(text.as_deref().unwrap_or(NO_TEXT)).to_string(),
            ",\"apnsData\":",
            self.apple.as_deref().unwrap_or("null"),
            ",\"highPriority\":",
            if self.high { "true" } else { "false" },
            ",\"targets\":",
            &Value::from(targets).to_string(),
            "}",
        ]
        .concat()
    }
}

impl Errand {
    pub(super) fn new(step: Step, due: Duration) -> Self {
        Self { due, born: due, tries: 0, key: None, step }
    }

    /// What it tells; none where it is for Live Activities alone.
    pub(super) fn push(&self) -> Option<&Push> {
        match &self.step {
            Step::Address { push, .. } => Some(push),
            Step::Send(letter) => letter.push.as_ref(),
        }
    }

    fn kind(&self) -> Option<Kind> {
        self.push().map(|push| push.kind)
    }

    /// Whether the print is over with it.
    pub(super) fn is_end(&self) -> bool {
        self.kind().is_some_and(Kind::is_end)
    }

    /// Whether it failed so far, and would tell what is not so any more now that `push` is told: a print that is over would
    /// look as if it ran, and one that runs as if it were paused.
    pub(super) fn is_overtaken(&self, push: &Push) -> bool {
        if self.tries == 0 {
            return false;
        }
        // Only so do Live Activities begin. Behind the end nobody would end them.
        let starts =
            matches!(&self.step, Step::Send(letter) if letter.targets.iter().any(|target| target.starts));
        let Some(old) = self.push() else { return starts && push.kind.is_end() };
        let is_same = old.state.id == push.state.id;
        match (old.kind, push.kind) {
            (Kind::Custom | Kind::Beep | Kind::Done | Kind::Cancelled | Kind::Error, _) => false,
            (_, Kind::Started) => !is_same,
            (Kind::Interaction | Kind::Paused, Kind::Resume) => is_same,
            (Kind::Started | Kind::Resume, Kind::Interaction) => is_same && !starts,
            (_, kind) => is_same && kind.is_end(),
        }
    }

    /// Puts it off after a failure at `now`; false if it is not worth another try.
    pub(super) fn again(&mut self, now: Duration) -> bool {
        self.tries += 1;
        let worth = match self.kind() {
            // The next one comes anyway.
            Some(Kind::Progress | Kind::TimerProgress) => false,
            Some(kind) if kind.is_end() => now.saturating_sub(self.born) < END_WORTH,
            _ => self.tries < MOST_TRIES,
        };
        let factor = 3_u32.saturating_pow(self.tries - 1);
        self.due = now + FIRST_RETRY.saturating_mul(factor).min(LAST_RETRY);
        worth
    }
}

/// The requests of a push, with the time for which each is held back. None where nobody is to get it.
pub(super) fn letters(
    push: &Push,
    apps: &[&App],
    urgent: bool,
    printer: &str,
    now: Duration,
) -> Vec<(Letter, Duration)> {
    let mut letters = Vec::new();
    let mut delay = Duration::ZERO;
    let kind = push.kind;
    if kind == Kind::Interaction && apps.iter().any(|app| !app.wants(kind.filter())) {
        let plain = Push { kind: Kind::Paused, ..push.clone() };
        letters = self::letters(&plain, apps, urgent, printer, now);
        delay = CALL_DELAY;
    }
    let targets = audience(apps, kind, urgent);
    // A phone whose activity runs must not be told to start it.
    let starts = targets.iter().any(|target| target.starts);
    let (running, others): (Vec<Target>, Vec<Target>) =
        targets.into_iter().partition(|target| starts && target.device == Device::Activity && !target.starts);
    for (targets, start) in [(others, starts), (running, false)] {
        let has = |device| targets.iter().any(|target: &Target| target.device == device);
        let (android, activity) = (has(Device::Android), has(Device::Activity));
        let apple = (activity || has(Device::Phone)).then(|| apple::content(push, printer, now, start));
        let rings = apple.as_ref().is_some_and(|apple| apple.get("alert").is_some());
        if !(android || activity || rings) {
            continue;
        }
        let hold = if apple.is_some() && kind.is_end() { END_HOLD } else { delay };
        let apple = apple.map(|apple| apple.to_string().into());
        let letter = Letter { targets, high: urgent, push: Some(push.clone()), apple, over: Vec::new() };
        letters.push((letter, hold));
    }
    letters
}

/// What the service answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It took the push; these tokens are dead.
    Taken(Vec<String>),
    /// It may take it later.
    Later(String),
    /// It will not take it.
    Refused(String),
}

/// Understands an answer. Of a dead token's list only texts count.
pub(super) fn answer(status: u16, body: &[u8]) -> Answer {
    match status {
        200 => {
            let read = serde_json::from_slice::<Value>(body).ok();
            let dead = read.as_ref().and_then(|read| read.get("invalidTokens")?.as_array());
            if dead.is_none() {
                log::warn!("octoapp: the service's answer names no list of dead tokens");
            }
            let dead = dead.into_iter().flatten().filter_map(Value::as_str);
            Answer::Taken(dead.map(str::to_owned).collect())
        }
        408 | 429 | 500.. => Answer::Later(format!("OctoApp's service answers {status}; it is tried again")),
        _ => Answer::Refused(format!(
            "OctoApp's service refuses pushes with {status}; look for a newer version of this program"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::app;
    use super::super::push::State;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_answer_is_understood(status in any::<u16>(), body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = answer(status, &body);
        }
    }

    #[test]
    fn a_running_activity_is_never_told_to_start() {
        let apps = app::read(
            r#"{"ios:a":{"fcmToken":"ios:a","instanceId":"1","expireAt":null,"activityAutoStartToken":"activity:s"},
                "activity:b":{"fcmToken":"activity:b","instanceId":"2","expireAt":null},
                "c":{"fcmToken":"c","instanceId":"3","expireAt":null}}"#,
        );
        let apps: Vec<&App> = apps.iter().collect();
        let push = Push::new(Kind::Started, State::default());
        let letters = letters(&push, &apps, true, "P", Duration::ZERO);
        let shown: Vec<(Vec<&str>, String)> = letters
            .iter()
            .map(|(letter, _)| {
                let tokens = letter.targets.iter().map(Target::token).collect();
                let apple: Value = serde_json::from_str(letter.apple.as_ref().unwrap()).unwrap();
                (tokens, apple["event"].as_str().unwrap().to_owned())
            })
            .collect();
        let expected = [(vec!["activity:s", "c"], "start"), (vec!["activity:b"], "update")];
        assert_eq!(shown, expected.map(|(tokens, event)| (tokens, event.to_owned())));
    }

    #[test]
    fn tries_are_bounded() {
        let seconds = Duration::from_secs;
        let errand = |kind| {
            Errand::new(Step::Address { push: Push::new(kind, State::default()), urgent: true }, seconds(0))
        };
        assert!(!errand(Kind::Progress).again(seconds(0)));
        let mut pause = errand(Kind::Interaction);
        assert_eq!(
            [5, 15, 45].map(|at| (pause.again(seconds(0)), pause.due == seconds(at))),
            [(true, true); 3]
        );
        assert!(!pause.again(seconds(0)));
        let mut done = errand(Kind::Done);
        assert!((0..100).all(|at| done.again(seconds(at * 400)) && done.due <= seconds(at * 400 + 600)));
        assert!(!done.again(seconds(13 * 3600)));
    }

    #[test]
    fn answers_are_understood() {
        let taken = |dead: &[&str]| Answer::Taken(dead.iter().map(|token| (*token).to_owned()).collect());
        assert_eq!(answer(200, br#"{"invalidTokens":["a",5,"b"]}"#), taken(&["a", "b"]));
        for odd in [&b"{}"[..], b"oops", br#"{"invalidTokens":"a"}"#, b"[]"] {
            assert_eq!(answer(200, odd), taken(&[]));
        }
        assert!(matches!(answer(500, b""), Answer::Later(_)));
        assert!(matches!(answer(429, b""), Answer::Later(_)));
        assert!(matches!(answer(404, b""), Answer::Refused(_)));
        assert!(matches!(answer(302, b""), Answer::Refused(_)));
    }
}
