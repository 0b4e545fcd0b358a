//! Who brought a change about: a command of Connect's, a person at another front end, or the printer itself.

use crate::bridge::prusa_connect::connect::event::Source;
use crate::bridge::prusa_connect::connect::state::State;
use std::time::Duration;

/// How long a change is put down to a command, and to what a person asked for.
pub(super) const CAUSED: Duration = Duration::from_secs(15);

/// What a command is to bring about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// That this file prints: relative to the root of the files, without a slash in front.
    Started(Box<str>),
    /// That the job waits.
    Paused,
    /// That it goes on.
    Resumed,
    /// That it ends.
    Stopped,
    /// That the printer moves or heats without a job.
    Work,
    /// That Klipper starts anew.
    Restarted,
}

impl Effect {
    /// Whether the change to `state` may be it; `file` is what prints then.
    pub(super) fn is(&self, state: State, file: Option<&str>) -> bool {
        match self {
            Self::Started(path) => {
                matches!(state, State::Printing | State::Paused | State::Attention)
                    && file.is_none_or(|file| *file == **path)
            }
            Self::Paused => state == State::Paused,
            Self::Resumed => state == State::Printing,
            Self::Stopped => matches!(state, State::Stopped | State::Finished | State::Idle | State::Ready),
            Self::Work => state == State::Busy,
            Self::Restarted => matches!(state, State::Busy | State::Idle),
        }
    }
}

#[derive(Debug)]
struct Expected {
    command: u32,
    effect: Effect,
    until: Duration,
}

/// What is expected to change.
#[derive(Debug, Default)]
pub(super) struct Causes {
    expected: Option<Expected>,
    person: Option<(State, Source, Duration)>,
}

impl Causes {
    /// A command is carried out now. It may take `limit`, if that is longer than [`CAUSED`].
    pub(super) fn expect(&mut self, command: u32, effect: Effect, limit: Duration, now: Duration) {
        self.expected = Some(Expected { command, effect, until: now + limit.max(CAUSED) });
    }

    /// Somebody has asked for what leads to that state.
    pub(super) fn person(&mut self, state: State, who: Source, now: Duration) {
        self.person = Some((state, who, now + CAUSED));
    }

    /// The command that brought about that this file prints.
    pub(super) fn starter(&self, file: Option<&str>, now: Duration) -> Option<u32> {
        let expected = self.expected.as_ref().filter(|expected| now <= expected.until)?;
        let starts = matches!(expected.effect, Effect::Started(_));
        (starts && expected.effect.is(State::Printing, file)).then_some(expected.command)
    }

    /// Who brought about the change to `state`, and by which command.
    pub(super) fn of(
        &mut self,
        state: State,
        file: Option<&str>,
        now: Duration,
    ) -> Option<(Source, Option<u32>)> {
        self.expected.take_if(|expected| now > expected.until);
        self.person.take_if(|(.., until)| now > *until);
        // A restart is two changes.
        let done = |expected: &mut Expected| {
            expected.effect.is(state, file) && !(expected.effect == Effect::Restarted && state == State::Busy)
        };
        if let Some(expected) = &self.expected
            && expected.effect.is(state, file)
        {
            let command = expected.command;
            self.expected.take_if(done);
            return Some((Source::Connect, Some(command)));
        }
        self.person.take_if(|(wanted, ..)| *wanted == state).map(|(_, who, _)| (who, None))
    }
}
