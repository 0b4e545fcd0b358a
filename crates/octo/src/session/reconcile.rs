//! What a session's row becomes when its container is looked at. Pure.

use super::{Session, State};
use crate::runtime::{Condition, Container};

/// What is to be done about a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The row is true.
    Keep,
    /// The row becomes this, for this reason.
    Become(State, String),
    /// There is a container that runs: it is the session's, and its services are to be waited for.
    Adopt,
    /// The row stays, with this remark; without one, the remark it has is taken away.
    Remark(Option<String>),
    /// A container runs that should not.
    StopContainer,
}

/// When it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// While the server runs.
    Running,
    /// At its start: what a server did that is no more was cut off.
    Start,
}

/// How a container ended, in words.
#[must_use]
pub fn ended(code: i32, out_of_memory: bool) -> String {
    match code {
        _ if out_of_memory => format!("the container had no memory left and was killed (exit code {code})"),
        137 => "the container was killed (exit code 137), possibly out of memory".to_owned(),
        _ => format!("the container exited with code {code}"),
    }
}

/// The remark on a session whose container is held.
pub const PAUSED: &str = "the container is paused; unpause it with the container runtime";

/// Judges a session that no operation is at work on, by its container as the runtime shows it, or `None` where there is
/// none. Where the runtime does not answer, nothing is known and nobody may ask.
#[must_use]
pub fn reconcile(session: &Session, container: Option<&Container>, moment: Moment) -> Verdict {
    use Condition::{Exited, Other, Paused, Running, Starting};
    let fail = |why: &str| Verdict::Become(State::Failed, why.to_owned());
    let Some(container) = container else {
        return match session.status {
            State::Pending => fail("its creation was cut off"),
            State::Starting | State::Running => fail("container not found"),
            State::Stopping => Verdict::Become(State::Stopped, "its container is gone".to_owned()),
            State::Stopped | State::Failed => Verdict::Keep,
        };
    };
    match (session.status, &container.condition) {
        (State::Pending | State::Starting, Running) => Verdict::Adopt,
        (State::Pending, Starting) => fail("its creation was cut off"),
        (State::Starting, Starting) => match moment {
            Moment::Running => Verdict::Keep,
            Moment::Start => fail("its start was cut off"),
        },
        (State::Running, Running) if session.error_message.is_some() => Verdict::Remark(None),
        (State::Running, Running) => Verdict::Keep,
        // Somebody or something starts it anew.
        (State::Running, Starting) => Verdict::Become(State::Starting, "the container starts again".to_owned()),
        (State::Pending | State::Starting | State::Running, Exited { code, out_of_memory }) => {
            let why = ended(*code, *out_of_memory);
            // While no server ran, somebody may have stopped it in order: 0, or 143 by SIGTERM.
            match (moment, code) {
                (Moment::Start, 0 | 143) if session.status == State::Running => Verdict::Become(State::Stopped, why),
                _ => Verdict::Become(State::Failed, why),
            }
        }
        (State::Stopping, Exited { .. }) => Verdict::Become(State::Stopped, "its container has ended".to_owned()),
        (State::Stopping, Starting) => Verdict::Become(State::Stopped, "its container does not run".to_owned()),
        (State::Stopping, Running | Paused) => Verdict::StopContainer,
        (State::Pending | State::Starting | State::Running, Paused) => {
            if session.error_message.as_deref() == Some(PAUSED) {
                Verdict::Keep
            } else {
                Verdict::Remark(Some(PAUSED.to_owned()))
            }
        }
        // Started by hand: it is used.
        (State::Stopped, Running) => Verdict::Adopt,
        // Its removal failed when it was given up.
        (State::Failed, Running | Paused) => Verdict::StopContainer,
        (State::Stopped | State::Failed, _) | (_, Other(_)) => Verdict::Keep,
    }
}

/// Whether a container with our labels belongs to nobody: its session is gone, or has another container.
#[must_use]
pub fn is_orphan(container: &Container, session: Option<&Session>) -> bool {
    match session {
        None => true,
        Some(session) => match &session.container_id {
            Some(id) => *id != container.id,
            // Made just before a kill, so that its id was not written down: it is the row's.
            None => !matches!(session.status, State::Pending | State::Starting),
        },
    }
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
