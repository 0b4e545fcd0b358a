//! The states of a session and the ways between them.

use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;
use utoipa::ToSchema;

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The row exists and ports are reserved; no container yet.
    Pending,
    /// There is a container; not all services answered yet.
    Starting,
    /// All required services answered.
    Running,
    /// A stop was asked for.
    Stopping,
    /// Ended, and can be resumed.
    Stopped,
    /// The start failed, or the container ended by itself.
    Failed,
}

/// A change of state that the rules do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a session that is {from} cannot become {to}")]
pub struct NoWay {
    /// The state that it has.
    pub from: State,
    /// The state that was asked for.
    pub to: State,
}

impl State {
    /// All states.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Starting, Self::Running, Self::Stopping, Self::Stopped, Self::Failed];

    /// Those in which something runs, or is to.
    pub const ALL_BUT_ENDED: [Self; 4] = [Self::Pending, Self::Starting, Self::Running, Self::Stopping];

    /// As in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether its ports are reserved.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Pending | Self::Starting | Self::Running)
    }

    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }

    /// The next state, where there is a way.
    ///
    /// # Errors
    /// [`NoWay`] otherwise.
    pub fn to(self, to: Self) -> Result<Self, NoWay> {
        use State::{Failed, Pending, Running, Starting, Stopped, Stopping};
        let way = match self {
            Pending => matches!(to, Starting | Failed | Stopped),
            // A stop may come while it starts; what stands still is found so by reconciling.
            // And a port may be taken meanwhile: then the container is made anew.
            Starting => matches!(to, Running | Stopping | Failed | Stopped | Pending),
            // A restart behind our back makes it start again.
            Running => matches!(to, Starting | Stopping | Failed | Pending | Stopped),
            Stopping => matches!(to, Stopped | Failed | Running),
            // Resumed, upgraded, or found running after the server was killed.
            Stopped | Failed => matches!(to, Pending | Starting | Running),
        };
        if way { Ok(to) } else { Err(NoWay { from: self, to }) }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use State::{Failed, Pending, Running, Starting, Stopped, Stopping};
    use proptest::prelude::*;

    #[test]
    fn ways_between_states() {
        let there = [
            (Pending, Starting),
            (Starting, Running),
            (Running, Stopping),
            (Stopping, Stopped),
            (Pending, Failed),
            (Starting, Failed),
            (Running, Failed),
            (Stopped, Starting),
            (Stopped, Pending),
            (Running, Pending),
            (Failed, Pending),
            (Failed, Starting),
            (Starting, Stopping),
        ];
        for (from, to) in there {
            assert_eq!(from.to(to), Ok(to), "{from} to {to}");
        }
        let absent = [(Pending, Running), (Pending, Stopping), (Stopped, Stopping), (Failed, Stopping), (Stopped, Failed), (Stopping, Pending)];
        for (from, to) in absent {
            assert_eq!(from.to(to), Err(NoWay { from, to }));
        }
        for state in State::ALL {
            assert!(state.to(state).is_err(), "{state} is no change");
            assert_eq!(State::of(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert_eq!(State::of("RUNNING"), None);
    }

    proptest! {
        /// Wherever a walk ends, everything can still be reached: no state is a trap, and a refusal changes nothing.
        #[test]
        fn no_walk_ends_in_a_trap(steps in prop::collection::vec(prop::sample::select(State::ALL.to_vec()), 0..40)) {
            let mut state = Pending;
            for step in steps {
                match state.to(step) {
                    Ok(next) => { prop_assert_eq!(next, step); state = next; }
                    Err(no) => prop_assert_eq!(no, NoWay { from: state, to: step }),
                }
            }
            let mut reached = vec![state];
            let mut next = 0;
            while let Some(from) = reached.get(next).copied() {
                next += 1;
                for to in State::ALL {
                    if from.to(to).is_ok() && !reached.contains(&to) {
                        reached.push(to);
                    }
                }
            }
            prop_assert_eq!(reached.len(), State::ALL.len());
        }
    }
}
