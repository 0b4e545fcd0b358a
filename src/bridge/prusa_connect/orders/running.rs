//! A command that is carried out: whether what was to come of it has come.

use super::decision::{Goal, Task, Work};
use crate::bridge::prusa_connect::connect::event::Source;
use crate::bridge::prusa_connect::connect::order::Outcome;
use crate::bridge::prusa_connect::machine::{Machine, Situation};
use crate::clock::Moment;
use std::time::Duration;

/// How long a printer that answered a restart, and was never seen to be gone, may not have begun with it.
const UNSEEN: Duration = Duration::from_secs(5);
/// How long what was asked for may take to be seen after the printer said that it is done. It is told within a second.
const SEEN: Duration = Duration::from_secs(10);

/// How a task ended on the printer.
pub(crate) type Said = Result<(), Trouble>;

/// Why a task was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It was refused before anything was done.
    Refused(Box<str>),
    /// It was tried and failed.
    Failed(Box<str>),
    /// The connection broke before the answer: whether it was done is only to be seen.
    Unknown(Box<str>),
}

impl Trouble {
    /// Why, in words for people.
    pub(crate) fn reason(self) -> Box<str> {
        match self {
            Self::Refused(why) | Self::Failed(why) | Self::Unknown(why) => why,
        }
    }
}

/// A command that is carried out.
#[derive(Debug)]
pub(crate) struct Running {
    /// Its number.
    pub(crate) id: u32,
    work: Work,
    since: Duration,
    said: Option<(Said, Duration)>,
    /// Klipper was seen to be gone.
    down: bool,
}

impl Running {
    /// A command whose task is given to the desk now.
    pub(crate) fn new(id: u32, work: Work, now: Moment) -> Self {
        Self { id, work, since: now.monotonic, said: None, down: false }
    }

    /// Whether it starts a print.
    pub(crate) fn starts(&self) -> bool {
        matches!(self.work.task, Task::Start { .. })
    }

    /// The printer answers.
    pub(crate) fn on_said(&mut self, said: Said, now: Moment) {
        self.said = Some((said, now.monotonic));
    }

    /// How it ended, once it has. To be asked after each sight, each answer, and about once a second.
    pub(crate) fn look(&mut self, machine: &Machine, now: Moment) -> Option<Outcome> {
        let situation = machine.situation();
        self.down |= !situation.works;
        let said = match &self.said {
            Some((Err(Trouble::Refused(why)), _)) => return Some(Outcome::Refused(why.clone())),
            // Klipper's script ends with an error when it is restarted.
            Some((Err(Trouble::Failed(why)), _)) if self.work.goal != Goal::Restarted || !self.down => {
                return Some(Outcome::Failed(why.clone()));
            }
            Some((Err(Trouble::Unknown(why)), _)) if self.work.goal == Goal::Said => {
                return Some(Outcome::Failed(why.clone()));
            }
            Some((_, at)) => Some(*at),
            None => None,
        };
        if self.reached(said, &situation, now.monotonic) {
            return Some(self.done(machine));
        }
        let over = |since: Duration, limit: Duration| now.monotonic.saturating_sub(since) >= limit;
        let limit = self.work.limit.filter(|limit| over(self.since, *limit));
        // It said that it is done, and nothing came of it: nothing more will.
        let vain = said.filter(|at| self.work.goal != Goal::Restarted && over(*at, SEEN));
        (limit.is_some() || vain.is_some()).then(|| Outcome::Failed(self.missed(&situation)))
    }

    /// The command is given up for another that overtakes it.
    pub(crate) fn interrupted(&self) -> Outcome {
        Outcome::Failed("Command interrupted".into())
    }

    fn reached(&self, said: Option<Duration>, situation: &Situation<'_>, now: Duration) -> bool {
        match &self.work.goal {
            Goal::Said => said.is_some(),
            Goal::State(states) => states.contains(&situation.state) && self.is_new(situation),
            Goal::Restarted => {
                let unseen = said.is_some_and(|at| now.saturating_sub(at) >= UNSEEN);
                situation.works && (self.down || unseen)
            }
            Goal::Object(name, left_out) => situation.objects.is_some_and(|objects| {
                objects.excluded.iter().any(|excluded| **excluded == **name) == *left_out
            }),
        }
    }

    /// A start is one only with a job.
    fn is_new(&self, situation: &Situation<'_>) -> bool {
        !matches!(self.work.task, Task::Start { .. }) || situation.job.is_some()
    }

    fn done(&self, machine: &Machine) -> Outcome {
        match (&self.work.goal, &self.work.task) {
            (Goal::Object(..), _) => {
                let event = machine.objects_event().of_command(Some(self.id));
                Outcome::Answered(Box::new(crate::bridge::prusa_connect::connect::event::Event {
                    source: Source::Connect,
                    ..event
                }))
            }
            // As the SDK's own application says it of G-code.
            (_, Task::Gcode(_)) => Outcome::Finished(Source::Marlin),
            _ => Outcome::Finished(Source::Connect),
        }
    }

    fn missed(&self, situation: &Situation<'_>) -> Box<str> {
        let what = match self.work.task {
            Task::Start { .. } => "The print did not start",
            Task::Pause => "The print did not pause",
            Task::Resume => "The print did not go on",
            Task::Cancel => "The print did not stop",
            Task::Restart => "Klipper did not come back",
            Task::Script(_) | Task::Gcode(_) | Task::Filament(_) | Task::Halt => "It was not done",
        };
        format!("{what} in time; the printer is in state {}", situation.state.word()).into()
    }
}
