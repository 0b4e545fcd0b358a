//! The course of one camera: registered, then a picture each time its trigger says so. Pure: time, chance and what came
//! of a request are arguments.

use super::trigger::{Layers, Trigger};
use crate::backoff::Backoff;
use crate::bridge::prusa_connect::connect::token::Token;
use std::time::Duration;

/// A camera that is busy that long is broken.
const BROKEN: Duration = Duration::from_secs(20);
/// A camera whose token was lost is registered again at most so often,
const AGAIN: Duration = Duration::from_secs(3600);
/// and not before it was lost for so long.
const LOST: Duration = Duration::from_secs(60);
/// Delays after Connect could not be reached, or asked for a pause.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Delays after it refused to register the camera.
const FIRST_REFUSAL: Duration = Duration::from_secs(600);
const LONGEST_REFUSAL: Duration = Duration::from_secs(6 * 3600);
/// Longest pause that Connect may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// Until the next try where the camera itself gave no picture, unless the trigger takes longer.
const NO_PICTURE: Duration = Duration::from_secs(30);

/// What a camera wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// To be registered. [`Course::registered`] says what came of it.
    Register,
    /// A picture to be taken and sent. [`Course::sent`] says what came of it.
    Picture,
    /// Nothing before this time on the monotonic clock; none: not before something else happens.
    Wait(Option<Duration>),
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// An answer: its status, its words for people, and for how long it asks not to be asked again.
    Status(u16, String, Option<Duration>),
    /// None: why.
    Unreachable(String),
}

/// What came of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The camera gave none: why.
    NoPicture(String),
    /// It was sent, and this came of it.
    Answered(Answer),
}

/// How a camera is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It waits to be registered.
    New,
    /// Its pictures arrive.
    Well,
    /// Something is not as it should be: what, and what to do.
    Trouble(String),
}

/// One camera.
#[derive(Debug)]
pub(crate) struct Course {
    trigger: Trigger,
    token: Option<Token>,
    /// Somebody entered the token: it is not asked for.
    entered: bool,
    layers: Layers,
    /// A picture is due since, or will be at, this time on the monotonic clock.
    due: Option<Duration>,
    /// Nothing is sent before.
    pause: Duration,
    /// It is not registered before.
    not_before: Duration,
    /// When it was last registered in this run.
    registered: Option<Duration>,
    /// Since when it is busy.
    busy: Option<Duration>,
    pauses: Backoff,
    refusals: Backoff,
    condition: Condition,
}

impl Course {
    /// A camera that is there since `now`; with its token, where it has one. `entered`: somebody entered the token, and
    /// when it is refused nobody else gets another.
    pub(crate) fn new(trigger: Trigger, token: Option<Token>, entered: bool, now: Duration) -> Self {
        Self {
            trigger,
            condition: if token.is_some() { Condition::Well } else { Condition::New },
            token,
            entered,
            layers: Layers::default(),
            due: Some(now),
            pause: now,
            not_before: now,
            registered: None,
            busy: None,
            pauses: Backoff::patient(FIRST_PAUSE, LONGEST_PAUSE),
            refusals: Backoff::patient(FIRST_REFUSAL, LONGEST_REFUSAL),
        }
    }

    /// Its token.
    pub(crate) fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// How it is.
    pub(crate) fn condition(&self, now: Duration) -> Condition {
        match self.busy {
            Some(since) if now.saturating_sub(since) >= BROKEN => Condition::Trouble(
                "is busy with one picture for more than 20 s; restart the camera, or check its network"
                    .to_owned(),
            ),
            _ => self.condition.clone(),
        }
    }

    /// Takes notice of the layer that is printed, if one is.
    pub(crate) fn see(&mut self, layer: Option<u32>, now: Duration) {
        if let Some(each) = self.trigger.layers()
            && self.layers.see(layer, each)
        {
            self.due.get_or_insert(now);
        }
    }

    /// Somebody wants a picture now.
    pub(crate) fn demand(&mut self, now: Duration) {
        self.due = Some(now);
        self.pause = now;
    }

    /// What was refused may be granted now: the printer has another token.
    pub(crate) fn try_again(&mut self, now: Duration) {
        self.refusals.reset();
        self.not_before = now;
    }

    /// What is to be done. The camera is busy then until it is told what came of it; `printer` says whether the printer
    /// is registered, without which no camera is.
    pub(crate) fn step(&mut self, printer: bool, now: Duration) -> Step {
        if self.busy.is_some() {
            return Step::Wait(None);
        }
        let (step, at) = match (&self.token, self.due) {
            (None, _) if self.entered || !printer => return Step::Wait(None),
            (None, _) => (Step::Register, self.not_before),
            (Some(_), None) => return Step::Wait(None),
            (Some(_), Some(due)) => (Step::Picture, due.max(self.pause)),
        };
        if now < at {
            return Step::Wait(Some(at));
        }
        self.busy = Some(now);
        step
    }

    /// What came of the registration; with the token, if there is one. `chance` spreads the delays.
    pub(crate) fn registered(&mut self, answer: Answer, token: Option<Token>, chance: u32, now: Duration) {
        self.busy = None;
        self.registered = Some(now);
        match (answer, token) {
            (Answer::Status(200, ..), Some(token)) => {
                self.token = Some(token);
                self.condition = Condition::Well;
                (self.due, self.pause) = (Some(now), now);
                self.refusals.reset();
                self.pauses.reset();
            }
            (Answer::Status(status, words, asked), _) => {
                let backoff = match status {
                    408 | 429 | 500..=599 => &mut self.pauses,
                    _ => &mut self.refusals,
                };
                let delay = backoff.next_delay(chance).max(asked.unwrap_or_default().min(LONGEST_ASKED));
                self.not_before = now.saturating_add(delay);
                self.condition = Condition::Trouble(match status {
                    200 => "cannot be registered: Connect answers without a token".to_owned(),
                    status => format!("cannot be registered: Connect says {words} ({status})"),
                });
            }
            (Answer::Unreachable(why), _) => {
                self.not_before = now.saturating_add(self.pauses.next_delay(chance));
                self.condition = Condition::Trouble(format!("cannot be registered: {why}"));
            }
        }
    }

    /// What came of the picture. `chance` spreads the delays. Whether the token was lost by it.
    pub(crate) fn sent(&mut self, sent: Sent, chance: u32, now: Duration) -> bool {
        self.busy = None;
        self.advance(now);
        let (status, words, asked) = match sent {
            Sent::NoPicture(why) => {
                self.pause = now.saturating_add(NO_PICTURE);
                if self.trigger.interval().is_none() {
                    // There may be none for long, else.
                    self.due = Some(now);
                }
                self.condition = Condition::Trouble(why);
                return false;
            }
            Sent::Answered(Answer::Unreachable(why)) => {
                self.pause = now.saturating_add(self.pauses.next_delay(chance));
                self.condition = Condition::Trouble(format!("its pictures do not arrive: {why}"));
                return false;
            }
            Sent::Answered(Answer::Status(status, words, asked)) => (status, words, asked),
        };
        match status {
            200..=299 | 304 => {
                self.pauses.reset();
                self.condition = Condition::Well;
            }
            401 | 403 | 404 | 409 => {
                self.token = None;
                self.due = None;
                let again = self.registered.map_or(Duration::ZERO, |at| at.saturating_add(AGAIN));
                self.not_before = again.max(now.saturating_add(LOST));
                let remedy = match self.entered {
                    true => "add the camera in Connect again, and store its new token",
                    false => "it is registered again within the hour",
                };
                self.condition = Condition::Trouble(format!(
                    "is not known to Connect any more ({words}, {status}); {remedy}"
                ));
                return true;
            }
            408 | 429 | 500..=599 => {
                let delay = self.pauses.next_delay(chance).max(asked.unwrap_or_default().min(LONGEST_ASKED));
                self.pause = now.saturating_add(delay);
                self.condition =
                    Condition::Trouble(format!("its pictures are not taken: {words} ({status})"));
            }
            413 => {
                self.pause = now.saturating_add(self.pauses.next_delay(chance));
                self.condition = Condition::Trouble(
                    "its pictures are too large for Connect; lower its resolution".to_owned(),
                );
            }
            // This picture is wrong, the next may be right.
            _ => self.condition = Condition::Trouble(format!("its picture is refused: {words} ({status})")),
        }
        false
    }

    /// The next picture. What fell due meanwhile is skipped: old pictures are worth nothing.
    fn advance(&mut self, now: Duration) {
        self.due = match (self.due, self.trigger.interval()) {
            (Some(due), Some(interval)) => {
                let missed = now.saturating_sub(due).as_secs() / interval.as_secs().max(1);
                let steps = u32::try_from(missed).unwrap_or(u32::MAX).saturating_add(1);
                Some(due.saturating_add(interval.saturating_mul(steps)))
            }
            (None, Some(interval)) => Some(now.saturating_add(interval)),
            (_, None) => None,
        };
    }
}

#[cfg(test)]
#[path = "course_tests.rs"]
mod tests;
