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
            Starting => matches!(to, Running | Stopping | Failed | Stopped),
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
